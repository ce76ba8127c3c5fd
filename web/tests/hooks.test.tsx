// @vitest-environment jsdom
import { act, cleanup, renderHook, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ReactNode } from "react";

import { OrdersClient } from "../src/api/client";
import type { Order, OrderBody } from "../src/api/types";
import { OrdersProvider } from "../src/hooks/OrdersProvider";
import { useAccount } from "../src/hooks/useAccount";
import { useOrderEvents } from "../src/hooks/useOrderEvents";
import { useInstruments } from "../src/hooks/useInstruments";
import { useOrders, type OrdersFilter } from "../src/hooks/useOrders";
import { usePlaceOrder } from "../src/hooks/usePlaceOrder";
import type { StatusMessage } from "../src/stream/messages";
import { message, order } from "./fakes/orders";
import { SocketServer } from "./fakes/socketServer";

const fetched = vi.fn<(path: string, init?: RequestInit) => unknown>();
let sockets: SocketServer;

beforeEach(() => {
  fetched.mockReset();
  sockets = new SocketServer();
  vi.stubGlobal("WebSocket", sockets.WebSocket);
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const client = new OrdersClient({
  baseUrl: "http://engine",
  token: () => "secret",
  fetch: async (url, init) => {
    const path = String(url).replace("http://engine/api/v1", "");
    if (path === "/stream-tickets") return Response.json({ ticket: "t", expires_at: "" });
    return Response.json(await fetched(path, init));
  },
});

function wrapper({ children }: { children: ReactNode }) {
  return <OrdersProvider client={client}>{children}</OrdersProvider>;
}

const keys = () => fetched.mock.calls.map(([, init]) => new Headers(init?.headers).get("Idempotency-Key"));
const page = (orders: Order[], next_cursor: string | null = null, position = 7) => ({ orders, next_cursor, position });
const at = (second: number) => `2026-01-02T03:04:${String(second).padStart(2, "0")}.000000Z`;

async function rendered(filter: OrdersFilter = {}) {
  const hook = renderHook((props: OrdersFilter) => useOrders(props), { wrapper, initialProps: filter });
  await waitFor(() => expect(hook.result.current.isLoading).toBe(false));
  return hook;
}

async function live() {
  await waitFor(() => expect(sockets.sockets).toHaveLength(1));
  act(() => sockets.last.open());
}

describe("useOrders", () => {
  test("loads the orders, and follows them from where the answer ends", async () => {
    fetched.mockReturnValue(page([order()]));
    const { result } = await rendered();
    expect(result.current.orders).toEqual([order()]);
    await live();
    expect(sockets.last.asked.get("after")).toBe("7");
    expect(result.current.connection).toBe("live");
    const told: StatusMessage[] = [];
    const unsubscribe = result.current.subscribeToUpdates((each) => told.push(each));
    act(() => sockets.last.say(message({ position: 8 })));
    await waitFor(() => expect(result.current.orders[0]?.status).toBe("ACCEPTED"));
    expect(told).toHaveLength(1);
    unsubscribe();
  });

  test("an order from another window comes in without being asked for", async () => {
    fetched.mockReturnValue(page([]));
    const { result } = await rendered();
    await live();
    const terms = { ...order(), order_id: "o-2", fills: undefined } as unknown as StatusMessage;
    act(() => sockets.last.say({ ...terms, event: "order.submitted", position: 9, version: 1, timestamp: at(9) }));
    await waitFor(() => expect(result.current.orders).toHaveLength(1));
    expect(result.current.orders[0]).toMatchObject({ id: "o-2", price: "150.00", leaves_quantity: "10", created_at: at(9) });
    expect(fetched).toHaveBeenCalledOnce();
  });

  test("a filter asks for what fits, and drops what does not fit any more", async () => {
    fetched.mockReturnValue(page([order({ status: "ACCEPTED", version: 2 })]));
    const { result } = await rendered({ status: "ACCEPTED", symbol: "AAPL", limit: 25 });
    expect(fetched).toHaveBeenCalledWith("/orders?limit=25&status=ACCEPTED&symbol=AAPL", expect.anything());
    await live();
    act(() => sockets.last.say(message({ event: "order.cancelled", status: "CANCELLED", version: 3, position: 8, reason: "as asked" })));
    await waitFor(() => expect(result.current.orders).toEqual([]));
  });

  test("older orders come page by page, without holes", async () => {
    fetched.mockReturnValueOnce(page([order({ id: "new", created_at: at(9) })], "cursor"));
    const { result } = await rendered();
    expect(result.current.hasOlder).toBe(true);
    fetched.mockReturnValueOnce(page([order({ id: "old", created_at: at(1) })]));
    act(() => result.current.loadOlder());
    await waitFor(() => expect(result.current.orders.map(({ id }) => id)).toEqual(["new", "old"]));
    expect(fetched).toHaveBeenLastCalledWith("/orders?limit=100&cursor=cursor", expect.anything());
    expect(result.current.hasOlder).toBe(false);
  });

  test("can be asked to ask again", async () => {
    fetched.mockReturnValue(page([]));
    const { result } = await rendered();
    fetched.mockReturnValue(page([order()]));
    await act(() => result.current.fetchOrders());
    await waitFor(() => expect(result.current.orders).toHaveLength(1));
  });

  test("says why there is nothing to show", async () => {
    fetched.mockImplementation(() => {
      throw new TypeError("down");
    });
    const { result } = await rendered();
    expect(result.current.error).toMatchObject({ message: "The server cannot be reached" });
    expect(result.current.orders).toEqual([]);
  });

  test("the socket is closed with the page", async () => {
    fetched.mockReturnValue(page([]));
    const { unmount } = await rendered();
    await live();
    unmount();
    expect(sockets.last.isClosed).toBe(true);
  });

  test("hooks say where they belong", () => {
    vi.spyOn(console, "error").mockReturnValue(undefined);
    expect(() => renderHook(() => useOrders())).toThrow("below an <OrdersProvider>");
  });
});

describe("usePlaceOrder", () => {
  const body = { symbol: "AAPL", quantity: "1", order_type: "MARKET" } as unknown as OrderBody;

  test("a double click is one order", async () => {
    fetched.mockImplementation(() => order());
    const { result } = renderHook(() => usePlaceOrder(), { wrapper });
    await act(async () => {
      const [first, second] = await Promise.all([result.current.run(body), result.current.run(body)]);
      expect([first?.id, second]).toEqual(["o-1", undefined]);
    });
    expect(fetched).toHaveBeenCalledOnce();
    expect(result.current.isRunning).toBe(false);
  });

  test("what got no answer is sent again under the same key, and only that", async () => {
    fetched.mockImplementationOnce(() => {
      throw new TypeError("down");
    });
    const { result } = renderHook(() => usePlaceOrder(), { wrapper });
    await act(async () => expect(await result.current.run(body)).toBeUndefined());
    expect(result.current.error).toMatchObject({ name: "ApiUnreachable" });
    fetched.mockImplementation(() => order());
    await act(async () => void (await result.current.run(body)));
    await act(async () => void (await result.current.run(body)));
    const [first, again, another] = keys();
    expect(again).toBe(first);
    expect(another).not.toBe(first);
    act(() => result.current.clear());
    expect(result.current.error).toBeUndefined();
  });
});

describe("what else there is to know", () => {
  test("the account is asked for again when an order changes", async () => {
    let cash = 0;
    fetched.mockImplementation((path) => (path.startsWith("/account") ? { cash: String((cash += 1)) } : page([order()])));
    const hook = renderHook(() => [useAccount().data?.cash, useOrders().orders.length] as const, { wrapper });
    await waitFor(() => expect(hook.result.current).toEqual(["1", 1]));
    await live();
    act(() => sockets.last.say(message({ position: 8 })));
    await waitFor(() => expect(hook.result.current[0]).toBe("2"));
  });

  test("instruments and an order's events", async () => {
    fetched.mockImplementation((path) => (path.includes("events") ? { events: [path] } : { instruments: [path] }));
    const hook = renderHook(() => [useInstruments().data, useOrderEvents(order()).data], { wrapper });
    await waitFor(() => expect(hook.result.current).toEqual([["/instruments"], ["/orders/o-1/events"]]));
  });
});
