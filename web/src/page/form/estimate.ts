import type { Account, Instrument } from "../../api/types";
import { compare, decimal, exactly, multiply, roundUp, ZERO, type Decimal } from "../../decimal";
import { money, quantity } from "../format";
import { hasPrice, priceOf, type Draft } from "./draft";

export interface Estimate {
  /** Quantity times price, exactly. */
  readonly cost: Decimal;
  /** What is held for a buy until it is filled: where no limit says what it costs at most, 5 % more. */
  readonly held: Decimal | null;
  /** Why the order would be refused. */
  readonly warning: string | null;
}

const MARGIN = exactly("1.05");
const PRICE_DECIMALS = 9;

/** What the order would cost or bring, reckoned as the engine does; null while a number is missing. */
export function estimateOf(draft: Draft, instrument: Instrument | undefined, account: Account | undefined): Estimate | null {
  const price = priceOf(draft, instrument);
  const units = decimal(draft.quantity);
  if (!price || !units || compare(units, ZERO) <= 0 || compare(price, ZERO) <= 0) return null;
  const cost = multiply(price, units);
  if (draft.side === "SELL") return { cost, held: null, warning: positionWarning(draft.symbol, units, account) };
  const worst = hasPrice(draft.order_type) ? price : roundUp(multiply(price, MARGIN), PRICE_DECIMALS);
  const held = multiply(worst, units);
  return { cost, held, warning: fundsWarning(held, account) };
}

function fundsWarning(held: Decimal, account: Account | undefined): string | null {
  if (!account || compare(held, exactly(account.available)) <= 0) return null;
  return `Needs up to ${money(held)}; your buying power is ${money(account.available)}`;
}

function positionWarning(symbol: string, units: Decimal, account: Account | undefined): string | null {
  if (!account) return null;
  const held = exactly(account.positions.find((position) => position.symbol === symbol)?.quantity ?? "0");
  return compare(units, held) <= 0 ? null : `You hold ${quantity(held)} ${symbol}; there are no short sales`;
}
