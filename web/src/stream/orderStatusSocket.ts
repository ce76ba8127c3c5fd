import { isAboutIdentity } from "../api/problem";
import { Backoff, type BackoffOptions } from "./backoff";
import { isHeartbeat, parseMessage, type StatusMessage } from "./messages";
import { Sequence } from "./sequence";

/**
 * How fresh what is shown is: `live` (as it happens), `reconnecting` (the socket is down), `polling` (it is down, and
 * the orders were just asked for), `unauthenticated` (the token is not good any more), `stopped`.
 */
export type Connection = "connecting" | "live" | "reconnecting" | "polling" | "unauthenticated" | "stopped";

export interface OrderStatusSocketOptions {
  /** `wss://host/ws/orders/events` */
  readonly url: string;
  /** A fresh ticket for each connection. An `ApiProblem` with status 401 or 403 ends the attempts. */
  readonly getTicket: () => Promise<string>;
  /** Asks for the orders themselves, for as long as nothing comes by the socket. */
  readonly poll?: () => Promise<unknown>;
  readonly pollMs?: number;
  /** The stream has a heartbeat at least every 15 s: one that is silent for longer than this is dead. */
  readonly silenceMs?: number;
  readonly backoff?: BackoffOptions;
  readonly WebSocket?: typeof WebSocket;
}

type Listener<T> = (value: T) => void;

/**
 * The status messages of a trader, each exactly once and in order, over any number of broken connections.
 *
 * It resumes after the last position it has seen. A message that repeats is dropped, and one before which another is
 * missing makes it resume from before the gap. While the socket is down it polls.
 */
export class OrderStatusSocket {
  readonly #options: OrderStatusSocketOptions;
  readonly #backoff: Backoff;
  readonly #messages = new Set<Listener<StatusMessage>>();
  readonly #connections = new Set<Listener<Connection>>();
  #sequence = new Sequence(0);
  #connection: Connection = "stopped";
  #socket: WebSocket | null = null;
  #attempt = 0;
  #gapAt: number | null = null;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #pollTimer: ReturnType<typeof setTimeout> | undefined;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: OrderStatusSocketOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Everything up to here has been told. */
  get position(): number {
    return this.#sequence.position;
  }

  /** Tell everything above the position, and go on live. */
  start(after: number): void {
    this.stop();
    this.#sequence = new Sequence(after);
    this.#backoff.reset();
    this.#say("connecting");
    void this.#connect();
  }

  stop(): void {
    this.#drop();
    clearTimeout(this.#retryTimer);
    this.#stopPolling();
    this.#say("stopped");
  }

  /** Do not wait for the next attempt: the network is back, or somebody looks at the page again. */
  retryNow(): void {
    if (this.#connection !== "reconnecting" && this.#connection !== "polling") return;
    clearTimeout(this.#retryTimer);
    this.#backoff.reset();
    void this.#connect();
  }

  /** Calls the listener for each message; returns how to end that. */
  subscribe(listener: Listener<StatusMessage>): () => void {
    this.#messages.add(listener);
    return () => this.#messages.delete(listener);
  }

  /** Calls the listener whenever the connection changes; returns how to end that. */
  onConnection(listener: Listener<Connection>): () => void {
    this.#connections.add(listener);
    return () => this.#connections.delete(listener);
  }

  async #connect(): Promise<void> {
    this.#drop();
    const attempt = this.#attempt;
    let ticket: string;
    try {
      ticket = await this.#options.getTicket();
    } catch (error) {
      if (attempt === this.#attempt) this.#failed(error);
      return;
    }
    if (attempt !== this.#attempt) return;
    const query = new URLSearchParams({ ticket, after: String(this.position) });
    const socket = new (this.#options.WebSocket ?? WebSocket)(`${this.#options.url}?${query}`);
    this.#socket = socket;
    this.#watch();
    socket.addEventListener("open", () => {
      if (attempt !== this.#attempt) return;
      this.#watch();
      this.#stopPolling();
      this.#say("live");
    });
    socket.addEventListener("message", ({ data }) => {
      if (attempt === this.#attempt) this.#receive(data);
    });
    socket.addEventListener("close", () => {
      if (attempt === this.#attempt) this.#lost();
    });
  }

  #receive(data: unknown): void {
    this.#watch();
    this.#backoff.reset();
    const message = parseMessage(data);
    if (message === null) return;
    if (isHeartbeat(message)) {
      this.#sequence.reach(message.position);
      return;
    }
    const verdict = this.#sequence.judge(message);
    if (verdict === "repeat") return;
    if (verdict === "gap" && this.#gapAt !== message.position) {
      // Told once more from before the gap. If it is there again, the past has no more to say, and the orders are asked for.
      this.#gapAt = message.position;
      this.#lost();
      return;
    }
    if (verdict === "gap") void this.#poll();
    this.#gapAt = null;
    this.#sequence.take(message);
    for (const listener of this.#messages) listener(message);
  }

  #failed(error: unknown): void {
    if (isAboutIdentity(error)) {
      this.stop();
      this.#say("unauthenticated");
    } else {
      this.#lost();
    }
  }

  #lost(): void {
    this.#drop();
    if (this.#connection === "live" || this.#connection === "connecting") this.#say("reconnecting");
    // The first attempt comes at once, and mostly succeeds: only when it has failed are the orders asked for.
    if (this.#backoff.attempts > 0) this.#startPolling();
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.#connect(), this.#backoff.next());
  }

  #drop(): void {
    this.#attempt += 1;
    clearTimeout(this.#silenceTimer);
    this.#socket?.close();
    this.#socket = null;
  }

  #watch(): void {
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => this.#lost(), this.#options.silenceMs ?? 35_000);
  }

  #startPolling(): void {
    if (this.#pollTimer !== undefined || !this.#options.poll) return;
    this.#pollTimer = setInterval(() => void this.#poll(), this.#options.pollMs ?? 5000);
    void this.#poll();
  }

  #stopPolling(): void {
    clearInterval(this.#pollTimer);
    this.#pollTimer = undefined;
  }

  async #poll(): Promise<void> {
    let answered: Connection = "reconnecting";
    try {
      await this.#options.poll?.();
      answered = "polling";
    } catch {
      // The API does not answer either: the badge says so, and the next time comes.
    }
    if (this.#connection === "reconnecting" || this.#connection === "polling") this.#say(answered);
  }

  #say(connection: Connection): void {
    if (this.#connection === connection) return;
    this.#connection = connection;
    for (const listener of this.#connections) listener(connection);
  }
}
