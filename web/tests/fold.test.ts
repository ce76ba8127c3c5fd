import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

import type { Order } from "../src/api/types";
import { fold } from "../src/orders/fold";
import { OrdersStore } from "../src/orders/ordersStore";
import type { StatusMessage } from "../src/stream/messages";
import { message, order } from "./fakes/orders";

interface Story {
  readonly messages: StatusMessage[];
  readonly orders: Order[];
}

/** Written by tests/web/test_data_layer.py, which runs these tests: whatever traders and the venue may do. */
const HISTORIES = process.env.HISTORIES;

describe("the fold", () => {
  test.skipIf(!HISTORIES)("makes of the stream what the API answers", () => {
    const stories = JSON.parse(readFileSync(HISTORIES ?? "", "utf8")) as Story[];
    for (const { messages, orders } of stories) {
      const store = new OrdersStore(() => undefined);
      for (const each of messages) store.apply(each);
      for (const expected of orders) expect(store.get(expected.id)).toEqual(expected);
    }
    expect(stories.length).toBeGreaterThan(10);
  });

  test.skipIf(!HISTORIES)("goes on from any answer of the API", () => {
    const stories = JSON.parse(readFileSync(HISTORIES ?? "", "utf8")) as Story[];
    for (const { messages, orders } of stories) {
      const store = new OrdersStore(() => undefined);
      const half = messages.slice(0, messages.length / 2);
      for (const each of half) store.apply(each);
      const later = new OrdersStore(() => undefined);
      for (const each of messages.slice(messages.length / 3)) later.apply(each);
      later.merge(store.snapshot());
      for (const expected of orders) expect(later.get(expected.id)).toEqual(expected);
    }
  });

  test("what was folded already, or would leave a hole, changes nothing", () => {
    const known = order({ version: 2 });
    expect(fold(known, message({ version: 2 }))).toBe(known);
    expect(fold(known, message({ version: 4 }))).toBe(known);
    expect(fold(undefined, message())).toBeUndefined();
  });

  test("an order that was replaced or is unresolved says so", () => {
    const unresolved = fold(order(), message({ event: "order.unresolved", status: "PENDING", flags: ["UNRESOLVED"], reason: "no answer" }));
    expect(unresolved).toMatchObject({ flags: ["UNRESOLVED"], reason: null });
    expect(fold(unresolved, message({ version: 3 }))).toMatchObject({ flags: [], status: "ACCEPTED" });
  });
});
