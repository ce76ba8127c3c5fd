/** Orders for React: a typed client, a framework-free socket, and hooks. `React` and `SWR` come from whoever imports this. */

export { apiSink, postHogSink } from "./analytics/sinks";
export { Tracker, type Sink, type TrackedEvent } from "./analytics/tracker";
export { watchOrders } from "./analytics/watchOrders";
export { OrdersClient, type OrdersClientOptions } from "./api/client";
export { ApiProblem, ApiUnreachable, isAboutIdentity, sentenceOf } from "./api/problem";
export type * from "./api/types";
export type { components, operations, paths } from "./api/schema";
export * as decimals from "./decimal";
export type { Decimal } from "./decimal";
export { OrdersProvider, useOrdersSession, type OrdersProviderProps } from "./hooks/OrdersProvider";
export { useAccount } from "./hooks/useAccount";
export { useCommand, type Command } from "./hooks/useCommand";
export { useConnection } from "./hooks/useConnection";
export { useFeatures } from "./hooks/useFeatures";
export { useInstruments } from "./hooks/useInstruments";
export { useOrder } from "./hooks/useOrder";
export { useOrderAnalytics } from "./hooks/useOrderAnalytics";
export { useOrderEvents } from "./hooks/useOrderEvents";
export { useOrders, type Orders, type OrdersFilter } from "./hooks/useOrders";
export { usePlaceOrder } from "./hooks/usePlaceOrder";
export { fold } from "./orders/fold";
export { OrdersSession, type Placement } from "./orders/ordersSession";
export { OrdersStore } from "./orders/ordersStore";
export { Backoff, type BackoffOptions } from "./stream/backoff";
export type { Heartbeat, StatusMessage } from "./stream/messages";
export { OrderStatusSocket, type Connection, type OrderStatusSocketOptions } from "./stream/orderStatusSocket";
