import { useCallback, useSyncExternalStore } from "react";

import type { Connection } from "../stream/orderStatusSocket";
import { useOrdersSession } from "./OrdersProvider";

/** How fresh the orders are. */
export function useConnection(): Connection {
  const { socket } = useOrdersSession();
  const subscribe = useCallback((listener: () => void) => socket.onConnection(listener), [socket]);
  return useSyncExternalStore(subscribe, () => socket.connection);
}
