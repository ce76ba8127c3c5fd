import { expect, test } from "vitest";

import { Backoff } from "../src/stream/backoff";

test("pauses double up to the longest", () => {
  const backoff = new Backoff({ firstMs: 100, longestMs: 1000, random: () => 1 });
  expect(Array.from({ length: 6 }, () => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(backoff.attempts).toBe(6);
  backoff.reset();
  expect(backoff.next()).toBe(100);
});

test("each pause lies anywhere between half of it and the whole", () => {
  const lows = new Backoff({ firstMs: 100, random: () => 0 });
  const middles = new Backoff({ firstMs: 100, random: () => 0.5 });
  expect([lows.next(), lows.next(), middles.next()]).toEqual([50, 100, 75]);
  const spread = new Set(Array.from({ length: 20 }, () => new Backoff().next()));
  expect(spread.size).toBeGreaterThan(1);
});
