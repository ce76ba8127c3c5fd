import useSWR, { type SWRResponse } from "swr";

import type { Order, RecordedEvent } from "../api/types";
import { useOrdersSession } from "./OrdersProvider";

/** Everything that was recorded of an order, oldest first; asked for again whenever there is more of it. */
export function useOrderEvents(order: Order): SWRResponse<RecordedEvent[], Error> {
  const { client } = useOrdersSession();
  return useSWR<RecordedEvent[], Error>(
    ["events", order.id, order.version],
    async () => (await client.orderEvents(order.id)).events,
    { keepPreviousData: true, revalidateOnFocus: false },
  );
}
