import type { Instrument, OrderBody, OrderType, Side, TimeInForce } from "../../api/types";
import { compare, decimal, decimalsOf, exactly, ZERO, type Decimal } from "../../decimal";
import { priceOffGrid, quantityOffGrid } from "./grid";

/** An order as it is being written: what stands in the fields. */
export interface Draft {
  readonly symbol: string;
  readonly side: Side;
  readonly quantity: string;
  readonly order_type: OrderType;
  readonly price: string;
  readonly stop_price: string;
  readonly time_in_force: TimeInForce;
  readonly stop_loss: string;
  readonly take_profit: string;
}

export type DraftField = keyof Draft;
export type DraftErrors = Partial<Record<DraftField, string>>;

export const EMPTY: Draft = {
  symbol: "",
  side: "BUY",
  quantity: "",
  order_type: "MARKET",
  price: "",
  stop_price: "",
  time_in_force: "DAY",
  stop_loss: "",
  take_profit: "",
};

const LIMIT = exactly("1000000000");
const DECIMALS_MAX = 9;

export const hasPrice = (type: OrderType) => type === "LIMIT" || type === "STOP_LIMIT";
export const hasStopPrice = (type: OrderType) => type === "STOP" || type === "STOP_LIMIT";

/** What is wrong with the draft, field by field; nothing: it can be sent. */
export function errorsOf(draft: Draft, instruments: readonly Instrument[] | undefined): DraftErrors {
  const instrument = instruments?.find(({ symbol }) => symbol === draft.symbol);
  const found: Partial<Record<DraftField, string | null>> = {
    symbol: symbolError(draft.symbol, instruments, instrument),
    quantity: numberError("quantity", draft.quantity) ?? quantityOffGrid(draft.quantity, instrument),
    price: hasPrice(draft.order_type) ? priceError("price", draft.price, instrument) : null,
    stop_price: hasStopPrice(draft.order_type) ? priceError("stop price", draft.stop_price, instrument) : null,
    ...(draft.side === "BUY" ? exitErrors(draft, instrument) : {}),
  };
  return Object.fromEntries(Object.entries(found).filter(([, error]) => error)) as DraftErrors;
}

/** The order that the draft is. Numbers go as they were typed. */
export function bodyOf(draft: Draft): OrderBody {
  const optional = (text: string, isMeant: boolean) => (isMeant && text.trim() !== "" ? text.trim() : null);
  const isBuy = draft.side === "BUY";
  return {
    symbol: draft.symbol,
    side: draft.side,
    quantity: draft.quantity.trim(),
    order_type: draft.order_type,
    price: optional(draft.price, hasPrice(draft.order_type)),
    stop_price: optional(draft.stop_price, hasStopPrice(draft.order_type)),
    time_in_force: draft.time_in_force,
    stop_loss: optional(draft.stop_loss, isBuy),
    take_profit: optional(draft.take_profit, isBuy),
    client_order_id: null,
  };
}

function symbolError(symbol: string, all: readonly Instrument[] | undefined, found: Instrument | undefined): string | null {
  if (symbol === "") return "Choose a symbol";
  if (!all) return null;
  if (!found) return `${symbol} is not traded here`;
  return found.tradable ? null : `${symbol} cannot be traded at the moment`;
}

function numberError(name: string, text: string): string | null {
  if (text.trim() === "") return `Enter a ${name}`;
  return valueError(text);
}

function valueError(text: string): string | null {
  const value = decimal(text);
  if (!value) return "Must be a number, such as 12.5";
  if (compare(value, ZERO) <= 0) return "Must be greater than 0";
  if (compare(value, LIMIT) >= 0) return "Must be less than 1,000,000,000";
  return decimalsOf(value) > DECIMALS_MAX ? `May have at most ${DECIMALS_MAX} decimals` : null;
}

function priceError(name: string, text: string, instrument: Instrument | undefined): string | null {
  return numberError(name, text) ?? priceOffGrid(text, instrument);
}

/** Exits lie on both sides of what the order costs: the stop loss below, the take profit above. */
function exitErrors(draft: Draft, instrument: Instrument | undefined): Partial<Record<DraftField, string | null>> {
  const price = priceOf(draft, instrument);
  const exit = (text: string, isRight: (compared: number) => boolean, side: string) => {
    if (text.trim() === "") return null;
    const error = valueError(text) ?? priceOffGrid(text, instrument);
    if (error || !price) return error;
    return isRight(compare(exactly(text), price)) ? null : `Must be ${side} the price`;
  };
  return {
    stop_loss: exit(draft.stop_loss, (compared) => compared < 0, "below"),
    take_profit: exit(draft.take_profit, (compared) => compared > 0, "above"),
  };
}

/** What a unit will cost, as far as anybody knows: the limit, else the stop price, else the last price. */
export function priceOf(draft: Draft, instrument: Instrument | undefined): Decimal | null {
  if (hasPrice(draft.order_type)) return decimal(draft.price);
  if (hasStopPrice(draft.order_type)) return decimal(draft.stop_price);
  return instrument?.reference_price ? exactly(instrument.reference_price) : null;
}
