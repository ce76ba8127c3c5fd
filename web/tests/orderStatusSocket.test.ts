import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { ApiProblem, ApiUnreachable } from "../src/api/problem";
import type { StatusMessage } from "../src/stream/messages";
import { OrderStatusSocket, type OrderStatusSocketOptions } from "../src/stream/orderStatusSocket";
import { message } from "./fakes/orders";
import { SocketServer } from "./fakes/socketServer";

let server: SocketServer;
let told: StatusMessage[];
let connections: string[];
let tickets: number;
const poll = vi.fn<() => Promise<unknown>>();

beforeEach(() => {
  vi.useFakeTimers();
  server = new SocketServer();
  told = [];
  connections = [];
  tickets = 0;
  poll.mockReset().mockResolvedValue(undefined);
});

afterEach(() => {
  vi.useRealTimers();
});

function socketWith(options: Partial<OrderStatusSocketOptions> = {}): OrderStatusSocket {
  const socket = new OrderStatusSocket({
    url: "ws://engine/ws/orders/events",
    getTicket: async () => `ticket ${(tickets += 1)}`,
    poll,
    WebSocket: server.WebSocket,
    backoff: { random: () => 1 },
    ...options,
  });
  socket.subscribe((each) => told.push(each));
  socket.onConnection((each) => connections.push(each));
  return socket;
}

const settle = () => vi.advanceTimersByTimeAsync(0);

async function live(options: Partial<OrderStatusSocketOptions> = {}, after = 7): Promise<OrderStatusSocket> {
  const socket = socketWith(options);
  socket.start(after);
  await settle();
  server.last.open();
  return socket;
}

const positions = () => told.map((each) => each.position);

describe("a socket", () => {
  test("opens with a ticket and begins after the position", async () => {
    const socket = await live();
    expect(Object.fromEntries(server.last.asked)).toEqual({ ticket: "ticket 1", after: "7" });
    expect(server.last.url).not.toContain("token");
    expect(connections).toEqual(["connecting", "live"]);
    expect(socket.connection).toBe("live");
  });

  test("tells each message once and in order", async () => {
    await live();
    server.last.say(message({ position: 8, version: 1 }));
    server.last.say(message({ position: 9, version: 2 }));
    server.last.say(message({ position: 9, version: 2 }));
    server.last.say(message({ position: 8, version: 1 }));
    server.last.say("no message");
    expect(positions()).toEqual([8, 9]);
  });

  test("resumes after the last message, at once and then ever more slowly", async () => {
    await live();
    server.last.say(message({ position: 8, version: 1 }));
    server.last.cut();
    expect(connections.at(-1)).toBe("reconnecting");
    await vi.advanceTimersByTimeAsync(249);
    expect(server.sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(Object.fromEntries(server.last.asked)).toEqual({ ticket: "ticket 2", after: "8" });
    server.last.cut();
    await vi.advanceTimersByTimeAsync(499);
    expect(server.sockets).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.sockets).toHaveLength(3);
    server.last.open();
    expect(connections.at(-1)).toBe("live");
    server.last.say(message({ position: 9, version: 2 }));
    expect(positions()).toEqual([8, 9]);
  });

  test("a heartbeat moves the position, and is told to nobody", async () => {
    const socket = await live();
    server.last.say({ event: "heartbeat", position: 50 });
    expect(socket.position).toBe(50);
    server.last.say({ event: "heartbeat", position: 40 });
    expect(socket.position).toBe(50);
    expect(told).toEqual([]);
  });

  test("a missing version makes it resume from before the gap", async () => {
    await live();
    server.last.say(message({ position: 8, version: 1 }));
    server.last.say(message({ position: 11, version: 4 }));
    expect(positions()).toEqual([8]);
    expect(server.last.isClosed).toBe(true);
    await vi.advanceTimersByTimeAsync(250);
    expect(server.last.asked.get("after")).toBe("8");
    server.last.open();
    for (const version of [2, 3, 4]) server.last.say(message({ position: 7 + version, version }));
    expect(positions()).toEqual([8, 9, 10, 11]);
  });

  test("a gap that stays is told, and the orders are asked for", async () => {
    await live();
    server.last.say(message({ position: 8, version: 1 }));
    server.last.say(message({ position: 11, version: 4 }));
    await vi.advanceTimersByTimeAsync(250);
    server.last.open();
    server.last.say(message({ position: 11, version: 4 }));
    expect(positions()).toEqual([8, 11]);
    expect(poll).toHaveBeenCalledOnce();
    expect(connections.at(-1)).toBe("live");
  });

  test("polls every five seconds while it is down, and not any more when it is back", async () => {
    await live({ backoff: { firstMs: 1000, longestMs: 60_000, random: () => 1 } });
    server.last.cut();
    expect(poll).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1000);
    server.last.cut();
    await settle();
    expect(poll).toHaveBeenCalledTimes(1);
    expect(connections.at(-1)).toBe("polling");
    await vi.advanceTimersByTimeAsync(2000);
    server.last.cut();
    await vi.advanceTimersByTimeAsync(3000);
    expect(poll).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(1000);
    server.last.open();
    expect(connections.at(-1)).toBe("live");
    await vi.advanceTimersByTimeAsync(20_000);
    expect(poll).toHaveBeenCalledTimes(2);
  });

  test("a poll that fails as well shows", async () => {
    poll.mockRejectedValue(new ApiUnreachable());
    await live({ getTicket: async () => Promise.reject(new ApiUnreachable()) }).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(1000);
    expect(poll).toHaveBeenCalled();
    expect(connections).toEqual(["connecting", "reconnecting"]);
    poll.mockResolvedValue(undefined);
    await vi.advanceTimersByTimeAsync(5000);
    expect(connections.at(-1)).toBe("polling");
  });

  test("a silent socket is dead", async () => {
    await live();
    await vi.advanceTimersByTimeAsync(34_999);
    server.last.say({ event: "heartbeat", position: 9 });
    await vi.advanceTimersByTimeAsync(34_999);
    expect(server.sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(251);
    expect(server.sockets).toHaveLength(2);
    expect(server.sockets[0]?.isClosed).toBe(true);
  });

  test.each([401, 403])("a token that is refused with %i ends the attempts", async (status) => {
    const refused = new ApiProblem({ status, code: "NO", detail: "no" });
    const socket = socketWith({ getTicket: async () => Promise.reject(refused) });
    socket.start(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(connections.at(-1)).toBe("unauthenticated");
    expect(server.sockets).toEqual([]);
    expect(poll).not.toHaveBeenCalled();
  });

  test("is not told what an earlier connection still says", async () => {
    await live();
    const [first] = server.sockets;
    first?.cut();
    await vi.advanceTimersByTimeAsync(250);
    first?.say(message({ position: 8 }));
    first?.cut();
    expect(told).toEqual([]);
    expect(server.sockets).toHaveLength(2);
  });

  test("can be told not to wait", async () => {
    const socket = await live({ backoff: { firstMs: 60_000, longestMs: 60_000 } });
    socket.retryNow();
    expect(server.sockets).toHaveLength(1);
    server.last.cut();
    socket.retryNow();
    await settle();
    expect(server.sockets).toHaveLength(2);
  });

  test("is still when it is stopped, also in the middle of connecting", async () => {
    const socket = await live();
    const unsubscribe = socket.subscribe(() => expect.unreachable());
    unsubscribe();
    socket.stop();
    server.last.say(message({ position: 8 }));
    server.last.cut();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.sockets).toHaveLength(1);
    socket.start(0);
    socket.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.sockets).toHaveLength(1);
    expect(told).toEqual([]);
    expect(connections.at(-1)).toBe("stopped");
  });
});
