import { ApiProblem, ApiUnreachable } from "./problem";
import type {
  Account,
  CheckpointView,
  EventsPage,
  Features,
  HaltsPage,
  HealthView,
  Instrument,
  Operations,
  Order,
  OrderBody,
  OrdersPage,
  OrdersQuery,
  Problem,
  ProjectionsPage,
  PublicKey,
  ReplaceBody,
  Ticket,
} from "./types";

export interface OrdersClientOptions {
  /** Where the API is, without a slash at the end; by default where the page came from. */
  readonly baseUrl?: string;
  /** The token that requests are made with, asked for anew each time; null: none. */
  readonly token: () => string | null;
  readonly fetch?: typeof fetch;
  /** Called when the API does not accept the token (401). */
  readonly onUnauthenticated?: () => void;
}

interface Request {
  readonly method?: string;
  readonly query?: Record<string, string | number | undefined>;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
  /** A status with which the answer is one as well, and no problem. */
  readonly alsoAnswers?: number;
  /** It is sent also when the page is left meanwhile. */
  readonly keepalive?: boolean;
}

/** The API, typed by its own description. Every method throws `ApiProblem` or `ApiUnreachable`. */
export class OrdersClient {
  readonly baseUrl: string;
  readonly #options: OrdersClientOptions;

  constructor(options: OrdersClientOptions) {
    this.#options = options;
    this.baseUrl = options.baseUrl ?? globalThis.location?.origin ?? "";
  }

  /** Where the stream of status messages is. */
  get streamUrl(): string {
    return `${this.baseUrl.replace(/^http/, "ws")}/ws/orders/events`;
  }

  listOrders(query: OrdersQuery = {}, signal?: AbortSignal): Promise<OrdersPage> {
    return this.request("/api/v1/orders", { query, ...(signal && { signal }) });
  }

  getOrder(id: string): Promise<Order> {
    return this.request(`/api/v1/orders/${id}`);
  }

  orderEvents(id: string): Promise<EventsPage> {
    return this.request(`/api/v1/orders/${id}/events`);
  }

  /** Places the order. Sent again with the same key, it is placed once, and the first answer comes again. */
  placeOrder(order: OrderBody, key: string): Promise<Order> {
    return this.request("/api/v1/orders", { method: "POST", body: order, headers: { "Idempotency-Key": key } });
  }

  cancelOrder(id: string): Promise<Order> {
    return this.request(`/api/v1/orders/${id}/cancel`, { method: "POST" });
  }

  /** Other terms for the order, if it is still at the version they were decided on. */
  replaceOrder(id: string, terms: ReplaceBody, version?: number): Promise<Order> {
    const headers: Record<string, string> = version === undefined ? {} : { "If-Match": `"${version}"` };
    return this.request(`/api/v1/orders/${id}/replace`, { method: "POST", body: terms, headers });
  }

  account(): Promise<Account> {
    return this.request("/api/v1/account");
  }

  instruments(): Promise<{ instruments: Instrument[] }> {
    return this.request("/api/v1/instruments");
  }

  features(): Promise<Features> {
    return this.request("/api/v1/features");
  }

  /** The order as it was after so many of its events. */
  orderAt(id: string, version: number): Promise<Order> {
    return this.request(`/api/v1/orders/${id}`, { query: { version } });
  }

  /** The log, oldest first. For auditors. */
  events(query: Record<string, string | number | undefined>): Promise<EventsPage> {
    return this.request("/api/v1/events", { query });
  }

  checkpoint(): Promise<CheckpointView> {
    return this.request("/api/v1/audit/checkpoint");
  }

  publicKey(): Promise<PublicKey> {
    return this.request("/api/v1/audit/public-key");
  }

  /** Whether orders can be taken and carried out: an answer also when they cannot. */
  health(): Promise<HealthView> {
    return this.request("/api/v1/health/orders", { alsoAnswers: 503 });
  }

  /** What goes on at the moment. For operators, like what follows. */
  operations(): Promise<Operations> {
    return this.request("/api/v1/operations");
  }

  projections(): Promise<ProjectionsPage> {
    return this.request("/api/v1/projections");
  }

  halts(): Promise<HaltsPage> {
    return this.request("/api/v1/halts");
  }

  halt(scope: string, reason: string): Promise<unknown> {
    return this.request("/api/v1/halts", { method: "POST", body: { scope, reason } });
  }

  resume(scope: string): Promise<unknown> {
    return this.request(`/api/v1/halts/${encodeURIComponent(scope)}`, { method: "DELETE" });
  }

  /** A ticket opens one stream, once: no token ever stands in an address. */
  async streamTicket(): Promise<string> {
    const { ticket } = await this.request<Ticket>("/api/v1/stream-tickets", { method: "POST" });
    return ticket;
  }

  /** Any request to the API with this client's token: JSON in, JSON out. */
  async request<T>(path: string, request: Request = {}): Promise<T> {
    const response = await this.#send(path, request);
    const text = await response.text().catch((error: unknown) => {
      throw new ApiUnreachable(error);
    });
    if (response.ok || response.status === request.alsoAnswers) return JSON.parse(text || "null") as T;
    if (response.status === 401) this.#options.onUnauthenticated?.();
    throw problemOf(response, text);
  }

  async #send(path: string, { method = "GET", query, body, headers, signal, keepalive = false }: Request): Promise<Response> {
    const token = this.#options.token();
    const send = this.#options.fetch ?? globalThis.fetch.bind(globalThis);
    try {
      return await send(this.baseUrl + path + searchOf(query), {
        method,
        headers: {
          ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal && { signal }),
        keepalive,
        cache: "no-store",
        credentials: "omit",
      });
    } catch (error) {
      throw new ApiUnreachable(error);
    }
  }
}

function searchOf(query: Request["query"]): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length > 0 ? `?${search}` : "";
}

/** What the answer complains of; a gateway in between may have answered in words of its own. */
function problemOf(response: Response, text: string): Error {
  try {
    const problem = JSON.parse(text) as Problem;
    if (typeof problem.detail === "string" && typeof problem.code === "string") return new ApiProblem(problem);
  } catch {
    // No problem document: what is known is the status.
  }
  if (response.status >= 502) return new ApiUnreachable();
  const detail = `The server answered ${response.status} ${response.statusText}`.trim();
  return new ApiProblem({ status: response.status, code: "UNKNOWN", detail });
}
