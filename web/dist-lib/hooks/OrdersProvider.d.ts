import { type ReactNode } from "react";
import type { OrdersClient } from "../api/client";
import { OrdersSession } from "../orders/ordersSession";
export interface OrdersProviderProps {
    /** The API with one trader's token. Another client is another trader: nothing is kept of the one before. */
    readonly client: OrdersClient;
    readonly children: ReactNode;
}
/** What the hooks work with: one session, with one socket and one cache, for everything below. */
export declare function OrdersProvider({ client, children }: OrdersProviderProps): import("react").JSX.Element;
/** The session, for what the hooks do not do. */
export declare function useOrdersSession(): OrdersSession;
