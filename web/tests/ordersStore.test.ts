import { beforeEach, describe, expect, test, vi } from "vitest";

import { OrdersStore } from "../src/orders/ordersStore";
import { message, order } from "./fakes/orders";

let frames: Array<() => void>;
let store: OrdersStore;
const listener = vi.fn<() => void>();

beforeEach(() => {
  frames = [];
  listener.mockReset();
  store = new OrdersStore((callback) => frames.push(callback));
  store.subscribe(listener);
});

describe("the store", () => {
  test("an order only goes forward", () => {
    store.merge([order({ version: 3, status: "FILLED" })]);
    store.merge([order({ version: 2, status: "ACCEPTED" })]);
    store.apply(message({ version: 2, status: "ACCEPTED" }));
    expect(store.get("o-1")?.status).toBe("FILLED");
  });

  test("messages that came before the answer are not lost", () => {
    store.apply(message({ version: 2, position: 2 }));
    store.apply(message({ event: "order.expired", version: 3, position: 3, status: "EXPIRED", reason: "the day is over" }));
    expect(store.snapshot()).toEqual([]);
    store.merge([order({ version: 2, status: "ACCEPTED" })]);
    expect(store.get("o-1")).toMatchObject({ status: "EXPIRED", version: 3, reason: "the day is over", leaves_quantity: "0" });
  });

  test("early messages do not pile up for ever", () => {
    for (let number = 0; number < 1500; number += 1) store.apply(message({ order_id: `o-${number}` }));
    store.merge([order({ id: "o-0" }), order({ id: "o-1499" })]);
    expect(store.get("o-0")?.version).toBe(1);
    expect(store.get("o-1499")?.version).toBe(2);
  });

  test("newest first, whatever the order in which they came", () => {
    const times = ["02", "01", "03"].map((second) => `2026-01-02T03:04:${second}.000000Z`);
    store.merge(times.map((created_at, index) => order({ id: `o-${index}`, created_at })));
    store.merge([order({ id: "o-9", created_at: times[0] ?? "" })]);
    expect(store.snapshot().map(({ id }) => id)).toEqual(["o-2", "o-9", "o-0", "o-1"]);
    expect(store.snapshot()).toBe(store.snapshot());
  });

  test("listeners hear once a frame, however much happens in it", () => {
    store.merge([order()]);
    store.apply(message());
    expect(listener).not.toHaveBeenCalled();
    expect(frames).toHaveLength(1);
    frames.pop()?.();
    expect(listener).toHaveBeenCalledOnce();
    store.apply(message());
    expect(frames).toHaveLength(0);
    store.apply(message({ event: "order.cancel_requested", version: 3, status: "PENDING_CANCEL" }));
    expect(frames).toHaveLength(1);
  });

  test("an order that does not change stays the same object", () => {
    store.merge([order(), order({ id: "o-2" })]);
    const other = store.get("o-2");
    store.apply(message());
    expect(store.get("o-2")).toBe(other);
    expect(store.snapshot()).toContain(other);
  });
});
