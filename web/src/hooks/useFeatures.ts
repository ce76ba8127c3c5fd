import useSWR, { type SWRResponse } from "swr";

import type { Features } from "../api/types";
import { useOrdersSession } from "./OrdersProvider";

const MAY_CHANGE_MS = 30_000;

/** What is switched on for this trader. */
export function useFeatures(): SWRResponse<Features, Error> {
  const { client } = useOrdersSession();
  return useSWR<Features, Error>("features", () => client.features(), { refreshInterval: MAY_CHANGE_MS });
}
