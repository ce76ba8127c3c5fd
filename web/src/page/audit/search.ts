import type { operations } from "../../api/schema";

export type EventsQuery = NonNullable<operations["list_events"]["parameters"]["query"]>;
export type EventType = NonNullable<EventsQuery["type"]>;

export interface Search {
  readonly order_id: string;
  readonly trader_id: string;
  readonly type: EventType | "";
  readonly after: number;
}

/** What auditors look for by kind; the rest is found beside it. */
export const EVENT_TYPES: readonly EventType[] = [
  "OrderPlaced",
  "OrderSent",
  "OrderUnresolved",
  "OrderAccepted",
  "OrderFilled",
  "OrderRejected",
  "OrderCancelled",
  "OrderExpired",
  "OrderReplaced",
  "OrderFillBusted",
  "OrderFillCorrected",
  "OrderReconciled",
  "FundsDeposited",
  "FundsWithdrawn",
  "FundsReserved",
  "FundsReleased",
  "TradeBooked",
  "TradeCorrected",
  "UnknownOrderReported",
];
