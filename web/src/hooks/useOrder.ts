import { useSyncExternalStore } from "react";

import type { Order } from "../api/types";
import { useOrdersSession } from "./OrdersProvider";

/** One order that was loaded, as it is now. */
export function useOrder(id: string | null): Order | undefined {
  const { store } = useOrdersSession();
  return useSyncExternalStore(store.subscribe, () => (id === null ? undefined : store.get(id)));
}
