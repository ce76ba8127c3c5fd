import type { Connection } from "../stream/orderStatusSocket";
/** How fresh the orders are. */
export declare function useConnection(): Connection;
