import { describe, expect, test } from "vitest";

import type { Instrument } from "../src/api/types";
import { gridText, priceOffGrid, quantityOffGrid } from "../src/page/form/grid";

const STOCK: Instrument = {
  symbol: "AAPL",
  name: "Apple Inc.",
  tradable: true,
  fractionable: false,
  reference_price: "190.00",
  price_at: null,
  tick_size: "0.01",
  tick_size_below_dollar: "0.0001",
  lot_size: "1",
  min_quantity: "1",
  max_quantity: "500",
  fractional_day_only: false,
};
const COIN: Instrument = { ...STOCK, symbol: "BTC/USD", tick_size: "0.1", lot_size: "0.0001", min_quantity: "0.0001" };
const ANYTHING: Instrument = {
  ...STOCK,
  tick_size: null,
  tick_size_below_dollar: null,
  lot_size: null,
  min_quantity: null,
  max_quantity: null,
};

describe("what the venue takes of a symbol", () => {
  test.each([
    [STOCK, "ticks of 0.01 · whole units"],
    [COIN, "ticks of 0.1 · lots of 0.0001"],
    [{ ...STOCK, lot_size: "0.000000001" }, "ticks of 0.01"],
    [ANYTHING, ""],
  ])("is said in a few words", (instrument, text) => {
    expect(gridText(instrument)).toBe(text);
  });

  test.each([
    ["190.01", STOCK, null],
    ["190.010", STOCK, null],
    ["190.011", STOCK, "Must be a multiple of 0.01"],
    ["0.9999", STOCK, null],
    ["0.99995", STOCK, "Must be a multiple of 0.0001"],
    ["65000.05", COIN, "Must be a multiple of 0.1"],
    ["1.23456", ANYTHING, null],
    ["many", STOCK, null],
    ["190.011", undefined, null],
  ])("a price of %s", (text, instrument, error) => {
    expect(priceOffGrid(text, instrument)).toBe(error);
  });

  test.each([
    ["10", STOCK, null],
    ["1.5", STOCK, "AAPL trades in whole units only"],
    ["0.5", STOCK, "At least 1"],
    ["501", STOCK, "At most 500"],
    ["0.00015", COIN, "Must be a multiple of 0.0001"],
    ["0.123456789", ANYTHING, null],
    ["many", STOCK, null],
    ["1.5", undefined, null],
  ])("a quantity of %s", (text, instrument, error) => {
    expect(quantityOffGrid(text, instrument)).toBe(error);
  });
});
