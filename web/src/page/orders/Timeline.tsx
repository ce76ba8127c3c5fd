import { sentenceOf } from "../../api/problem";
import type { Order, RecordedEvent } from "../../api/types";
import { useOrderEvents } from "../../hooks/useOrderEvents";
import { moment, price, quantity } from "../format";
import { ErrorState, Skeleton } from "../parts/States";

/** The order's events as they were recorded, oldest first. */
export function Timeline({ order }: { readonly order: Order }) {
  const { data, error, mutate } = useOrderEvents(order);
  if (data) return <EventList events={data} />;
  if (error) return <ErrorState sentence={sentenceOf(error)} onRetry={() => void mutate()} />;
  return <Skeleton lines={4} />;
}

interface ListProps {
  readonly events: readonly RecordedEvent[];
  /** Those behind this many are still to come at the moment that is looked at. */
  readonly until?: number;
}

export function EventList({ events, until = events.length }: ListProps) {
  return (
    <ol className="timeline">
      {events.map((event, index) => (
        <li key={event.position} className={index >= until ? "to-come" : index === until - 1 ? "current" : undefined}>
          <span className="event-name">{nameOf(event.type)}</span>
          <time className="muted number" dateTime={event.recorded_at}>
            {moment(event.recorded_at)}
          </time>
          <span className="event-detail">{detailOf(event)}</span>
        </li>
      ))}
    </ol>
  );
}

/** `OrderCancelRequested` as people say it: `Cancel requested`. */
export function nameOf(type: string): string {
  const text = type.replace(/^Order/, "").replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function detailOf({ type, data }: RecordedEvent): string {
  const text = (name: string) => (typeof data[name] === "string" ? data[name] : null);
  if (type === "OrderFilled" || type === "OrderFillCorrected") {
    return `${quantity(text("quantity") ?? "0")} at ${price(text("price"))}`;
  }
  if (type === "OrderReplaceRequested" || type === "OrderReplaced") {
    return `${quantity(text("quantity") ?? "0")} at ${price(text("price") ?? text("stop_price"))}`;
  }
  return text("reason") ?? "";
}
