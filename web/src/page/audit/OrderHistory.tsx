import { useState } from "react";
import useSWR from "swr";

import type { OrdersClient } from "../../api/client";
import { sentenceOf } from "../../api/problem";
import type { EventsPage, Order } from "../../api/types";
import { moment } from "../format";
import { EventList, nameOf } from "../orders/Timeline";
import { OrderTerms } from "../orders/OrderTerms";
import { Progress } from "../orders/Progress";
import { StatusTag } from "../orders/StatusTag";
import { Button } from "../parts/Button";
import { Field } from "../parts/Field";
import { ErrorState, Skeleton } from "../parts/States";

interface Props {
  readonly client: OrdersClient;
  readonly orderId: string;
  readonly onClose: () => void;
}

/** An order's events, and what they had made of it at the point where the slider stands: the engine folds it anew. */
export function OrderHistory({ client, orderId, onClose }: Props) {
  const [chosen, setChosen] = useState<number | null>(null);
  const { data, error, mutate } = useSWR<EventsPage, Error>(["order-events", orderId], () => client.orderEvents(orderId));
  const count = data?.events.length ?? 0;
  const version = chosen ?? count;
  const order = useSWR<Order, Error>(version > 0 ? ["order-at", orderId, version] : null, () => client.orderAt(orderId, version), {
    keepPreviousData: true,
    revalidateOnFocus: false,
  });
  const event = data?.events[version - 1];
  return (
    <section className="card order-history" aria-labelledby="history-title">
      <header className="list-head">
        <h2 id="history-title">
          Order <code>{orderId}</code>
        </h2>
        <Button onClick={onClose}>Close</Button>
      </header>
      {error ? (
        <ErrorState sentence={sentenceOf(error)} onRetry={() => void mutate()} />
      ) : !data || !event ? (
        <Skeleton lines={6} />
      ) : (
        <>
          <Field
            label={`As of event ${version} of ${count}`}
            hint={`${nameOf(event.type)}, ${moment(event.recorded_at)}, position ${event.position}`}
          >
            {({ id, "aria-describedby": describedBy }) => (
              <input
                id={id}
                aria-describedby={describedBy}
                type="range"
                min={1}
                max={count}
                value={version}
                onChange={(change) => setChosen(change.target.valueAsNumber)}
              />
            )}
          </Field>
          <div className="history-columns">
            <EventList events={data.events} until={version} />
            {order.data ? (
              <div className="state-at" data-version={order.data.version}>
                <StatusTag order={order.data} />
                <Progress filled={order.data.filled_quantity} total={order.data.quantity} />
                {order.data.reason && <p className="reason">{order.data.reason}</p>}
                <OrderTerms order={order.data} />
              </div>
            ) : (
              <Skeleton lines={5} />
            )}
          </div>
        </>
      )}
    </section>
  );
}
