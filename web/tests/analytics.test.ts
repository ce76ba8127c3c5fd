import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { apiSink, postHogSink } from "../src/analytics/sinks";
import { Tracker, type TrackedEvent } from "../src/analytics/tracker";
import { watchOrders } from "../src/analytics/watchOrders";
import { OrdersClient } from "../src/api/client";
import type { OrderBody } from "../src/api/types";
import { OrdersSession } from "../src/orders/ordersSession";
import { FILL, message, order } from "./fakes/orders";
import { SocketServer } from "./fakes/socketServer";

const fetched = vi.fn<typeof fetch>();
const client = new OrdersClient({ baseUrl: "http://engine", token: () => "secret", fetch: fetched });

beforeEach(() => {
  vi.useFakeTimers();
  fetched.mockReset();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the tracker", () => {
  test("gives events to every sink, a few at a time, and what one throws disturbs nobody", async () => {
    const first = vi.fn<(events: readonly TrackedEvent[]) => Promise<unknown>>().mockRejectedValue(new Error("down"));
    const second = vi.fn<(events: readonly TrackedEvent[]) => Promise<unknown>>().mockResolvedValue(undefined);
    const { track, flush } = new Tracker([first, second]);
    track({ name: "order.submitted", category: "task_success" });
    track({ name: "order.filled", category: "task_success" });
    expect(second).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1000);
    expect(second.mock.calls[0]?.[0].map(({ name }) => name)).toEqual(["order.submitted", "order.filled"]);
    expect(first).toHaveBeenCalledOnce();
    flush();
    expect(second).toHaveBeenCalledOnce();
    for (let number = 0; number < 50; number += 1) track({ name: "x.y", category: "engagement" });
    expect(second).toHaveBeenCalledTimes(2);
  });

  test("events go to the API, and to PostHog only where there is a project", async () => {
    fetched.mockImplementation(async () => Response.json({ accepted: 1 }));
    vi.stubGlobal("fetch", fetched);
    const event = { name: "order.error", category: "task_success", at: "now", code: "BUSY" } as const;
    await apiSink(client)([event]);
    expect(fetched.mock.calls[0]?.[0]).toBe("http://engine/api/v1/metrics");
    expect(fetched.mock.calls[0]?.[1]).toMatchObject({ keepalive: true, body: JSON.stringify({ events: [event] }) });
    await postHogSink("key", "https://events.example", "alice")([event]);
    const [url, init] = fetched.mock.calls[1] ?? [];
    expect(url).toBe("https://events.example/batch/");
    expect(JSON.parse(String(init?.body))).toEqual({
      api_key: "key",
      batch: [
        {
          event: "order.error",
          timestamp: "now",
          properties: { category: "task_success", code: "BUSY", distinct_id: "alice", $lib: "orderlog-web" },
        },
      ],
    });
  });
});

describe("of the orders that are placed here", () => {
  const body = { symbol: "AAPL" } as OrderBody;
  let session: OrdersSession;
  let tracked: Array<Omit<TrackedEvent, "at">>;
  let server: SocketServer;
  let end: () => void;

  beforeEach(async () => {
    server = new SocketServer();
    session = new OrdersSession(client, { getTicket: async () => "t", WebSocket: server.WebSocket });
    tracked = [];
    end = watchOrders(session, (event) => tracked.push(event));
    session.socket.start(0);
    await vi.advanceTimersByTimeAsync(0);
    server.last.open();
  });

  afterEach(() => session.close());

  const names = () => tracked.map(({ name, order_id, code }) => [name, order_id ?? code]);

  test.each([
    ["order.filled", "FILLED", "order.filled"],
    ["order.rejected", "REJECTED", "order.rejected"],
    ["order.error", "REJECTED", "order.error"],
  ] as const)("%s is tracked once", async (event, status, name) => {
    fetched.mockResolvedValueOnce(Response.json(order()));
    await session.placeOrder(body, "key");
    server.last.say(message({ position: 1, version: 1, order_id: "somebody else's", event, status, ...FILL }));
    server.last.say(message({ position: 2, version: 2, event: "order.filled", status: "PARTIALLY_FILLED", ...FILL }));
    server.last.say(message({ position: 3, version: 3, event, status, ...FILL }));
    server.last.say(message({ position: 4, version: 4, event, status, ...FILL }));
    expect(names()).toEqual([
      ["order.submitted", "o-1"],
      [name, "o-1"],
    ]);
    end();
    server.last.say(message({ position: 5, version: 5, event, status, ...FILL }));
    expect(tracked).toHaveLength(2);
  });

  test("what is told before the answer is tracked after it, with the time it was told", async () => {
    const others = (number: number) => message({ order_id: `other-${number}`, event: "order.error", status: "REJECTED" });
    const placing = (id: string) => {
      fetched.mockImplementationOnce(async () => {
        server.last.say(message({ order_id: id, event: "order.filled", status: "FILLED", ...FILL }));
        for (let number = 0; number < 99; number += 1) server.last.say(others(number));
        if (id === "forgotten") server.last.say(others(99));
        await vi.advanceTimersByTimeAsync(20);
        return Response.json(order({ id }));
      });
      return session.placeOrder(body, "key");
    };
    await placing("o-1");
    await placing("forgotten");
    expect(names()).toEqual([
      ["order.submitted", "o-1"],
      ["order.filled", "o-1"],
      ["order.submitted", "forgotten"],
    ]);
    expect(tracked.map(({ duration_ms }) => duration_ms)).toEqual([20, 0, 20]);
  });

  test("what is refused, and what fails, is tracked with its code", async () => {
    const refuse = (status: number, code: string) =>
      fetched.mockResolvedValueOnce(Response.json({ status, code, detail: "no" }, { status }));
    refuse(400, "INSUFFICIENT_FUNDS");
    refuse(503, "STORE_UNAVAILABLE");
    await expect(session.placeOrder(body, "1")).rejects.toThrow("no");
    await expect(session.placeOrder(body, "2")).rejects.toThrow("no");
    fetched.mockRejectedValueOnce(new TypeError("down"));
    await expect(session.placeOrder(body, "3")).rejects.toThrow("reached");
    expect(names()).toEqual([
      ["order.rejected", "INSUFFICIENT_FUNDS"],
      ["order.error", "STORE_UNAVAILABLE"],
      ["order.error", "UNREACHABLE"],
    ]);
  });
});
