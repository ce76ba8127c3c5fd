import type { Fill, Flag, Order } from "../api/types";
import { exactly, plain } from "../decimal";
import type { FillTerms, StatusMessage, Terms } from "../stream/messages";

/**
 * The order as the message leaves it: the same fold of the same events that the server's read model is.
 *
 * A message that was folded already, or one before which others are missing, changes nothing.
 */
export function fold(order: Order | undefined, message: StatusMessage): Order | undefined {
  if (!order) return message.event === "order.submitted" ? submitted(message) : undefined;
  if (message.version !== order.version + 1) return order;
  return { ...order, ...commonOf(message), ...changesOf(order, message) };
}

function commonOf(message: StatusMessage): Partial<Order> {
  const { status, version, position, timestamp } = message;
  return { status, version, position, updated_at: timestamp };
}

function changesOf(order: Order, message: StatusMessage): Partial<Order> {
  const { flags = order.flags, reason = order.reason } = message;
  switch (message.event) {
    case "order.filled":
    case "order.fill_corrected":
    case "order.fill_busted":
      return { ...fillsOf(order, message as StatusMessage & FillTerms), flags };
    case "order.accepted":
      return { flags: resolved(flags) };
    case "order.rejected":
    case "order.error":
    case "order.cancelled":
    case "order.expired":
      return { leaves_quantity: "0", reason, flags: resolved(flags) };
    case "order.replaced":
      return { ...termsOf(order, message), flags };
    case "order.cancel_refused":
    case "order.replace_refused":
    case "order.unprotected":
      return { reason, flags };
    default:
      return { flags };
  }
}

function fillsOf(order: Order, message: StatusMessage & FillTerms): Partial<Order> {
  const fills = order.fills.filter((fill) => fill.id !== message.fill_id);
  if (message.quantity_filled !== "0") fills.push(fillOf(message));
  return {
    fills,
    filled_quantity: quantity(message.filled_quantity),
    leaves_quantity: quantity(message.leaves_quantity),
    average_fill_price: optionalPrice(message.average_fill_price),
  };
}

function fillOf(message: StatusMessage & FillTerms): Fill {
  return {
    id: message.fill_id,
    order_id: message.order_id,
    timestamp: message.executed_at,
    quantity_filled: quantity(message.quantity_filled),
    price_at_fill: price(message.price_at_fill),
    venue: message.venue,
    commission: price(message.commission),
  };
}

function termsOf(order: Order, message: StatusMessage): Partial<Order> {
  return {
    quantity: quantity(message.quantity ?? order.quantity),
    price: optionalPrice(message.price ?? null),
    stop_price: optionalPrice(message.stop_price ?? null),
    leaves_quantity: quantity(message.leaves_quantity ?? order.leaves_quantity),
  };
}

function submitted(message: StatusMessage): Order {
  const terms = message as StatusMessage & Terms;
  return {
    id: message.order_id,
    client_order_id: terms.client_order_id,
    trader_id: terms.trader_id,
    symbol: terms.symbol,
    side: terms.side,
    quantity: quantity(terms.quantity),
    order_type: terms.order_type,
    price: optionalPrice(terms.price),
    stop_price: optionalPrice(terms.stop_price),
    time_in_force: terms.time_in_force,
    stop_loss: optionalPrice(terms.stop_loss),
    take_profit: optionalPrice(terms.take_profit),
    parent_order_id: terms.parent_order_id,
    oco_order_id: terms.oco_order_id,
    status: message.status,
    filled_quantity: "0",
    leaves_quantity: quantity(terms.quantity),
    average_fill_price: null,
    fills: [],
    reason: null,
    flags: [],
    version: message.version,
    position: message.position,
    created_at: message.timestamp,
    updated_at: message.timestamp,
  };
}

function resolved(flags: Flag[]): Flag[] {
  return flags.filter((flag) => flag !== "UNRESOLVED");
}

function quantity(text: string): string {
  return plain(exactly(text));
}

function price(text: string): string {
  return plain(exactly(text), 2);
}

function optionalPrice(text: string | null): string | null {
  return text === null ? null : price(text);
}
