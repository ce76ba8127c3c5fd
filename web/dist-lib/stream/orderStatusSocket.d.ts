import { type BackoffOptions } from "./backoff";
import { type StatusMessage } from "./messages";
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
export declare class OrderStatusSocket {
    #private;
    constructor(options: OrderStatusSocketOptions);
    get connection(): Connection;
    /** Everything up to here has been told. */
    get position(): number;
    /** Tell everything above the position, and go on live. */
    start(after: number): void;
    stop(): void;
    /** Do not wait for the next attempt: the network is back, or somebody looks at the page again. */
    retryNow(): void;
    /** Calls the listener for each message; returns how to end that. */
    subscribe(listener: Listener<StatusMessage>): () => void;
    /** Calls the listener whenever the connection changes; returns how to end that. */
    onConnection(listener: Listener<Connection>): () => void;
}
export {};
