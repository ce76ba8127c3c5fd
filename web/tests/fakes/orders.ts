import type { Order } from "../../src/api/types";
import type { StatusMessage } from "../../src/stream/messages";

export function order(changes: Partial<Order> = {}): Order {
  return {
    id: "o-1",
    client_order_id: "mine-1",
    trader_id: "alice",
    symbol: "AAPL",
    side: "BUY",
    quantity: "10",
    order_type: "LIMIT",
    price: "150.00",
    stop_price: null,
    time_in_force: "DAY",
    stop_loss: null,
    take_profit: null,
    parent_order_id: null,
    oco_order_id: null,
    status: "PENDING",
    filled_quantity: "0",
    leaves_quantity: "10",
    average_fill_price: null,
    fills: [],
    reason: null,
    flags: [],
    version: 1,
    position: 1,
    created_at: "2026-01-02T03:04:05.000000Z",
    updated_at: "2026-01-02T03:04:05.000000Z",
    ...changes,
  };
}

/** What a message of a fill has beside the rest. */
export const FILL = {
  fill_id: "f-1",
  quantity_filled: "10",
  price_at_fill: "150",
  commission: "0",
  filled_quantity: "10",
  leaves_quantity: "0",
  average_fill_price: "150",
  venue: "paper",
  executed_at: "2026-01-02T03:04:06.000000Z",
};

export function message(changes: Partial<StatusMessage> = {}): StatusMessage {
  return {
    event: "order.accepted",
    order_id: "o-1",
    status: "ACCEPTED",
    timestamp: "2026-01-02T03:04:06.000000Z",
    position: 2,
    version: 2,
    ...changes,
  };
}
