import { beforeEach, describe, expect, test, vi } from "vitest";

import { OrdersClient } from "../src/api/client";
import { ApiProblem, ApiUnreachable, isAboutIdentity, sentenceOf } from "../src/api/problem";
import { order } from "./fakes/orders";

const fetched = vi.fn<typeof fetch>();
const unauthenticated = vi.fn<() => void>();
const client = new OrdersClient({
  baseUrl: "https://engine",
  token: () => "secret",
  fetch: fetched,
  onUnauthenticated: unauthenticated,
});

beforeEach(() => {
  fetched.mockReset();
  unauthenticated.mockReset();
});

function answer(status: number, body: unknown): void {
  fetched.mockResolvedValueOnce(new Response(typeof body === "string" ? body : JSON.stringify(body), { status }));
}

const asked = () => fetched.mock.calls.at(-1) ?? [];

describe("the client", () => {
  test("asks with the token, and never keeps cookies or caches", async () => {
    answer(200, { orders: [], next_cursor: null, position: 0 });
    await client.listOrders({ status: "FILLED", limit: 5 });
    const [url, init] = asked();
    expect(url).toBe("https://engine/api/v1/orders?status=FILLED&limit=5");
    expect(init).toMatchObject({
      method: "GET",
      headers: { Authorization: "Bearer secret" },
      cache: "no-store",
      credentials: "omit",
    });
    expect(client.streamUrl).toBe("wss://engine/ws/orders/events");
  });

  test("sends decimals as the text they are, under the key", async () => {
    answer(201, order());
    await client.placeOrder({ symbol: "AAPL", quantity: "0.1", order_type: "LIMIT", price: "1.10" } as never, "key");
    const [, init] = asked();
    expect(init?.headers).toMatchObject({ "Idempotency-Key": "key", "Content-Type": "application/json" });
    expect(init?.body).toContain('"price":"1.10"');
  });

  test("a replacement is for the version that was seen", async () => {
    answer(200, order());
    await client.replaceOrder("o-1", { price: "2" } as never, 4);
    expect(asked()[1]?.headers).toMatchObject({ "If-Match": '"4"' });
  });

  test("a problem is thrown with its sentence and its fields", async () => {
    const errors = [{ pointer: "/quantity", code: "INVALID_QUANTITY", message: "must be greater than 0" }];
    answer(400, { type: "about:blank", title: "", status: 400, code: "INVALID_QUANTITY", detail: "No.", errors });
    const problem = await client.account().catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(ApiProblem);
    expect(problem).toMatchObject({ status: 400, code: "INVALID_QUANTITY", message: "No.", errorId: null });
    expect((problem as ApiProblem).messageFor("/quantity")).toBe("must be greater than 0");
    expect((problem as ApiProblem).messageFor("/price")).toBeNull();
    expect(isAboutIdentity(problem)).toBe(false);
    expect(unauthenticated).not.toHaveBeenCalled();
  });

  test("a token that is not accepted is said once to whoever keeps it", async () => {
    answer(401, { status: 401, code: "UNAUTHENTICATED", detail: "The token has expired" });
    const problem = await client.account().catch((error: unknown) => error);
    expect(isAboutIdentity(problem)).toBe(true);
    expect(unauthenticated).toHaveBeenCalledOnce();
  });

  test.each([
    ["nobody answers", () => fetched.mockRejectedValueOnce(new TypeError("failed"))],
    ["a gateway answers in words of its own", () => answer(502, "<html>Bad gateway")],
  ])("%s: it is not known what happened", async (_, prepare) => {
    prepare();
    const error = await client.account().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiUnreachable);
    expect(sentenceOf(error)).toBe("The server cannot be reached");
  });

  test("an answer that is no problem document is still an error", async () => {
    answer(404, "nothing");
    await expect(client.getOrder("o-1")).rejects.toMatchObject({ status: 404, code: "UNKNOWN" });
    expect(sentenceOf("x")).toBe("x");
  });
});
