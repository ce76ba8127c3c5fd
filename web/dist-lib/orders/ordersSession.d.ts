import type { OrdersClient } from "../api/client";
import type { Order, OrderBody, OrdersPage, OrdersQuery, ReplaceBody } from "../api/types";
import { OrderStatusSocket, type OrderStatusSocketOptions } from "../stream/orderStatusSocket";
import { OrdersStore } from "./ordersStore";
/** One trader's orders, kept up to date: the API's answers and the stream's messages meet in one store. */
export declare class OrdersSession {
    #private;
    readonly client: OrdersClient;
    readonly store: OrdersStore;
    readonly socket: OrderStatusSocket;
    constructor(client: OrdersClient, options?: Partial<OrderStatusSocketOptions>, store?: OrdersStore);
    /** A page of orders, which also goes into the store. With the first one, the stream begins where that one ends. */
    fetchOrders(query: OrdersQuery): Promise<OrdersPage>;
    /** Follow the orders until closed. */
    open(): void;
    close(): void;
    placeOrder(order: OrderBody, key: string): Promise<Order>;
    cancelOrder(id: string): Promise<Order>;
    replaceOrder(id: string, terms: ReplaceBody, version?: number): Promise<Order>;
}
