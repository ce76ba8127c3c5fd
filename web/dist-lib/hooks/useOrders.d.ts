import type { Order, Status } from "../api/types";
import type { StatusMessage } from "../stream/messages";
import type { Connection } from "../stream/orderStatusSocket";
export interface OrdersFilter {
    readonly status?: Status | undefined;
    readonly symbol?: string | undefined;
    /** How many orders to load at a time, 1 to 100. */
    readonly limit?: number;
}
export interface Orders {
    /** Newest first, and kept up to date. */
    readonly orders: readonly Order[];
    /** The first page has not come yet. */
    readonly isLoading: boolean;
    /** Why there is nothing to show. */
    readonly error: unknown;
    readonly connection: Connection;
    readonly hasOlder: boolean;
    readonly isLoadingOlder: boolean;
    readonly loadOlder: () => void;
    /** Asks for the orders again. */
    readonly fetchOrders: () => Promise<void>;
    /** Calls the listener for each status message, once and in order; returns how to end that. */
    readonly subscribeToUpdates: (listener: (message: StatusMessage) => void) => () => void;
}
/** A trader's orders, as they are now and as they change. */
export declare function useOrders({ status, symbol, limit }?: OrdersFilter): Orders;
