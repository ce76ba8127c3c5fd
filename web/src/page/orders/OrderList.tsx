import { useCallback, useEffect, useState, type KeyboardEvent } from "react";

import { sentenceOf } from "../../api/problem";
import { useOrders } from "../../hooks/useOrders";
import { useInstruments } from "../../hooks/useInstruments";
import { EmptyState, ErrorState, Skeleton } from "../parts/States";
import { Filters, type Filter } from "./Filters";
import { OrderDrawer } from "./OrderDrawer";
import { OrderTable } from "./OrderTable";
import { Pager, type Size } from "./Pager";

const ASK_FOR = 100;

/** All orders, as they are at this moment: filtered, page by page, each with what can be done about it. */
export function OrderList() {
  const [filter, setFilter] = useState<Filter>({ status: "", ticker: "" });
  const [size, setSize] = useState<Size>("25");
  const [page, setPage] = useState(0);
  const [openId, setOpenId] = useState<string | null>(null);
  const instruments = useInstruments().data;
  // Half a symbol is none that the API could look for.
  const symbol = instruments?.some((each) => each.symbol === filter.ticker) ? filter.ticker : undefined;
  const { orders, isLoading, error, hasOlder, isLoadingOlder, loadOlder, fetchOrders } = useOrders({
    status: filter.status || undefined,
    symbol,
    limit: ASK_FOR,
  });
  const found = symbol ? orders : orders.filter((order) => order.symbol.startsWith(filter.ticker));
  const from = page * Number(size);
  const shown = found.slice(from, from + Number(size));
  const isShort = shown.length < Number(size) && hasOlder;
  useEffect(() => {
    if (isShort && !isLoadingOlder) loadOlder();
  }, [isShort, isLoadingOlder, loadOlder]);
  const open = useCallback((id: string) => setOpenId(id), []);
  return (
    <section className="card order-list" aria-labelledby="orders-title">
      <header className="list-head">
        <h2 id="orders-title">Orders</h2>
        <Filters
          filter={filter}
          onChange={(changed) => {
            setFilter(changed);
            setPage(0);
          }}
        />
      </header>
      {error !== undefined ? (
        <ErrorState sentence={sentenceOf(error)} onRetry={() => void fetchOrders()} />
      ) : isLoading ? (
        <Skeleton lines={8} />
      ) : shown.length > 0 ? (
        <div className="table-frame" onKeyDown={moveBetweenRows} role="presentation">
          <OrderTable orders={shown} onOpen={open} />
        </div>
      ) : filter.status || filter.ticker ? (
        <EmptyState title="No such orders">Nothing fits these filters.</EmptyState>
      ) : (
        <EmptyState title="No orders yet">What you place appears here, and changes while you watch.</EmptyState>
      )}
      <Pager
        first={from + 1}
        last={from + shown.length}
        size={size}
        hasNewer={page > 0}
        hasOlder={found.length > from + shown.length || hasOlder}
        onSize={(chosen) => {
          setSize(chosen);
          setPage(0);
        }}
        onNewer={() => setPage(page - 1)}
        onOlder={() => setPage(page + 1)}
      />
      <OrderDrawer id={openId} onClose={() => setOpenId(null)} />
    </section>
  );
}

/** The arrow keys go from order to order. */
function moveBetweenRows(event: KeyboardEvent<HTMLElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !(event.target instanceof HTMLElement) || !event.target.matches("[data-row]")) return;
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>("[data-row]")];
  rows[rows.indexOf(event.target) + step]?.focus();
  event.preventDefault();
}
