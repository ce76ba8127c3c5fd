import { useState, type FormEvent } from "react";
import useSWR from "swr";

import type { OrdersClient } from "../../api/client";
import { sentenceOf } from "../../api/problem";
import type { EventsPage } from "../../api/types";
import { Button } from "../parts/Button";
import { SelectField } from "../parts/SelectField";
import { EmptyState, ErrorState, Skeleton } from "../parts/States";
import { TextField } from "../parts/TextField";
import { EventTable } from "./EventTable";
import { EVENT_TYPES, type Search } from "./search";

const LIMIT = 50;
const ALL: Search = { order_id: "", trader_id: "", type: "", after: 0 };

interface Props {
  readonly client: OrdersClient;
  readonly onOrder: (id: string) => void;
}

/** The log's events, oldest first, page by page: all of them, or those of an order, a trader, a kind. */
export function LogSearch({ client, onOrder }: Props) {
  const [asked, setAsked] = useState<Search>(ALL);
  const [draft, setDraft] = useState<Search>(ALL);
  const { data, error, mutate } = useSWR<EventsPage, Error>(["log", asked], () => client.events({ ...asked, limit: LIMIT }), {
    keepPreviousData: true,
  });
  const search = (event: FormEvent) => {
    event.preventDefault();
    setAsked({ ...draft, order_id: draft.order_id.trim(), trader_id: draft.trader_id.trim(), after: 0 });
  };
  const isFull = data?.events.length === LIMIT;
  return (
    <section className="card" aria-labelledby="log-title">
      <h2 id="log-title">The log</h2>
      <form className="search-form" role="search" onSubmit={search} noValidate>
        <TextField label="Order id" value={draft.order_id} onChange={(order_id) => setDraft({ ...draft, order_id })} spellCheck={false} />
        <TextField label="Trader" value={draft.trader_id} onChange={(trader_id) => setDraft({ ...draft, trader_id })} spellCheck={false} />
        <SelectField
          label="Kind"
          value={draft.type}
          options={[["", "All"], ...EVENT_TYPES.map((type) => [type, type] as const)]}
          onChange={(type: Search["type"]) => setDraft({ ...draft, type })}
        />
        <Button kind="primary" type="submit">
          Search
        </Button>
      </form>
      {error && !data ? (
        <ErrorState sentence={sentenceOf(error)} onRetry={() => void mutate()} />
      ) : !data ? (
        <Skeleton lines={8} />
      ) : error ? (
        <p className="notice" role="alert">
          {sentenceOf(error)}
        </p>
      ) : data.events.length === 0 ? (
        <EmptyState title="No such events">Nothing in the log fits this search.</EmptyState>
      ) : (
        <EventTable events={data.events} onOrder={onOrder} />
      )}
      <nav className="pager" aria-label="Pages of events">
        <Button disabled={asked.after === 0} onClick={() => setAsked({ ...asked, after: 0 })}>
          From the beginning
        </Button>
        <Button disabled={!isFull} onClick={() => data && setAsked({ ...asked, after: data.position })}>
          Later
        </Button>
      </nav>
    </section>
  );
}
