import type { Instrument } from "../../api/types";
import { compare, decimal, exactly, isMultiple, type Decimal } from "../../decimal";

const DOLLAR = exactly("1");
const FINEST = "0.000000001";

/** What the venue takes of a symbol, in a few words: `ticks of 0.01 · whole units`. */
export function gridText({ tick_size, lot_size }: Instrument): string {
  const lots = lot_size === null || lot_size === FINEST ? null : lot_size === "1" ? "whole units" : `lots of ${lot_size}`;
  return [tick_size && `ticks of ${tick_size}`, lots].filter(Boolean).join(" · ");
}

/** Why a price is none that the venue takes, null where it is one. */
export function priceOffGrid(text: string, instrument: Instrument | undefined): string | null {
  const price = decimal(text);
  if (!price || !instrument) return null;
  return offGrid(price, compare(price, DOLLAR) < 0 ? instrument.tick_size_below_dollar : instrument.tick_size);
}

/** Why a quantity is none that the venue takes, null where it is one. */
export function quantityOffGrid(text: string, instrument: Instrument | undefined): string | null {
  const quantity = decimal(text);
  if (!quantity || !instrument) return null;
  const { min_quantity, max_quantity, lot_size } = instrument;
  if (min_quantity !== null && compare(quantity, exactly(min_quantity)) < 0) return `At least ${min_quantity}`;
  if (max_quantity !== null && compare(quantity, exactly(max_quantity)) > 0) return `At most ${max_quantity}`;
  return lot_size === "1" && !isMultiple(quantity, DOLLAR)
    ? `${instrument.symbol} trades in whole units only`
    : offGrid(quantity, lot_size);
}

function offGrid(value: Decimal, step: string | null): string | null {
  return step === null || isMultiple(value, exactly(step)) ? null : `Must be a multiple of ${step}`;
}
