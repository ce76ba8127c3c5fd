import type { Account, EventsPage, Instrument, Order, OrderBody, OrdersPage, OrdersQuery, ReplaceBody } from "./types";
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
}
/** The API, typed by its own description. Every method throws `ApiProblem` or `ApiUnreachable`. */
export declare class OrdersClient {
    #private;
    readonly baseUrl: string;
    constructor(options: OrdersClientOptions);
    /** Where the stream of status messages is. */
    get streamUrl(): string;
    listOrders(query?: OrdersQuery, signal?: AbortSignal): Promise<OrdersPage>;
    getOrder(id: string): Promise<Order>;
    orderEvents(id: string): Promise<EventsPage>;
    /** Places the order. Sent again with the same key, it is placed once, and the first answer comes again. */
    placeOrder(order: OrderBody, key: string): Promise<Order>;
    cancelOrder(id: string): Promise<Order>;
    /** Other terms for the order, if it is still at the version they were decided on. */
    replaceOrder(id: string, terms: ReplaceBody, version?: number): Promise<Order>;
    account(): Promise<Account>;
    instruments(): Promise<{
        instruments: Instrument[];
    }>;
    /** A ticket opens one stream, once: no token ever stands in an address. */
    streamTicket(): Promise<string>;
    /** Any request to the API with this client's token: JSON in, JSON out. */
    request<T>(path: string, request?: Request): Promise<T>;
}
export {};
