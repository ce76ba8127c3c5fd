import type { Flag, OrderType, Side, Status, TimeInForce } from "../api/types";
/** The terms of an order, as `order.submitted` tells them. */
export interface Terms {
    readonly trader_id: string;
    readonly client_order_id: string;
    readonly symbol: string;
    readonly side: Side;
    readonly quantity: string;
    readonly order_type: OrderType;
    readonly price: string | null;
    readonly stop_price: string | null;
    readonly time_in_force: TimeInForce;
    readonly stop_loss: string | null;
    readonly take_profit: string | null;
    readonly parent_order_id: string | null;
    readonly oco_order_id: string | null;
}
/** What `order.filled`, `order.fill_corrected` and `order.fill_busted` add. */
export interface FillTerms {
    readonly fill_id: string;
    readonly quantity_filled: string;
    readonly price_at_fill: string;
    readonly commission: string;
    readonly filled_quantity: string;
    readonly leaves_quantity: string;
    readonly average_fill_price: string | null;
    readonly venue: string;
    readonly executed_at: string;
}
/** One message for each event of an order; `version` counts the order's events, `position` those of the whole log. */
export interface StatusMessage extends Partial<Terms>, Partial<FillTerms> {
    readonly event: string;
    readonly order_id: string;
    readonly status: Status;
    readonly timestamp: string;
    readonly position: number;
    readonly version: number;
    readonly flags?: Flag[];
    readonly reason?: string;
}
/** Nothing has happened up to the position that was not told. */
export interface Heartbeat {
    readonly event: "heartbeat";
    readonly position: number;
}
/** A message of the stream, null when the text is none. */
export declare function parseMessage(text: unknown): StatusMessage | Heartbeat | null;
export declare function isHeartbeat(message: StatusMessage | Heartbeat): message is Heartbeat;
