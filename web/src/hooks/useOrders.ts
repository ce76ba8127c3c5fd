import { useCallback, useMemo, useSyncExternalStore } from "react";
import useSWRInfinite from "swr/infinite";

import type { Order, OrdersPage, Status } from "../api/types";
import type { StatusMessage } from "../stream/messages";
import type { Connection } from "../stream/orderStatusSocket";
import { useConnection } from "./useConnection";
import { useOrdersSession } from "./OrdersProvider";

export interface OrdersFilter {
  readonly status?: Status | undefined;
  readonly symbol?: string | undefined;
  /** How many orders to load at a time, 1 to 100. */
  readonly limit?: number;
}

export interface Orders {
  /** Newest first, and kept up to date. */
  readonly orders: readonly Order[];
  /** The first page has not come yet. */
  readonly isLoading: boolean;
  /** Why there is nothing to show. */
  readonly error: unknown;
  readonly connection: Connection;
  readonly hasOlder: boolean;
  readonly isLoadingOlder: boolean;
  readonly loadOlder: () => void;
  /** Asks for the orders again. */
  readonly fetchOrders: () => Promise<void>;
  /** Calls the listener for each status message, once and in order; returns how to end that. */
  readonly subscribeToUpdates: (listener: (message: StatusMessage) => void) => () => void;
}

type Key = readonly ["orders", Status | undefined, string | undefined, number, string | undefined];

/** A trader's orders, as they are now and as they change. */
export function useOrders({ status, symbol, limit = 100 }: OrdersFilter = {}): Orders {
  const session = useOrdersSession();
  const { store, socket } = session;
  const keyOf = (_: number, previous: OrdersPage | null): Key | null =>
    previous && previous.next_cursor === null
      ? null
      : ["orders", status, symbol, limit, previous?.next_cursor ?? undefined];
  const pages = useSWRInfinite(
    keyOf,
    ([, wanted, of, atMost, cursor]: Key) =>
      session.fetchOrders({
        limit: atMost,
        ...(wanted && { status: wanted }),
        ...(of && { symbol: of }),
        ...(cursor && { cursor }),
      }),
    { revalidateFirstPage: false, revalidateOnFocus: false },
  );
  const { data, error, size, setSize, mutate } = pages;
  const all = useSyncExternalStore(store.subscribe, store.snapshot);
  const last = data?.at(-1);
  const hasOlder = last !== undefined && last.next_cursor !== null;
  // Other lists may have loaded orders from further back than this one has: with holes between them.
  const oldest = hasOlder ? last.orders.at(-1)?.created_at : undefined;
  const orders = useMemo(
    () =>
      all.filter(
        (order) =>
          (status === undefined || order.status === status) &&
          (symbol === undefined || order.symbol === symbol) &&
          (oldest === undefined || order.created_at >= oldest),
      ),
    [all, status, symbol, oldest],
  );
  return {
    orders: data ? orders : [],
    isLoading: !data && !error,
    error: data ? undefined : error,
    connection: useConnection(),
    hasOlder,
    isLoadingOlder: Boolean(data && data.length < size),
    loadOlder: useCallback(() => void setSize((count) => count + 1), [setSize]),
    fetchOrders: useCallback(async () => void (await mutate()), [mutate]),
    subscribeToUpdates: useCallback((listener) => socket.subscribe(listener), [socket]),
  };
}
