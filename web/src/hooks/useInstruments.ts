import useSWR, { type SWRResponse } from "swr";

import type { Instrument } from "../api/types";
import { useOrdersSession } from "./OrdersProvider";

const PRICES_MOVE_MS = 5000;

/** What the venue trades, with reference prices that are a few seconds old at most. */
export function useInstruments(): SWRResponse<Instrument[], Error> {
  const { client } = useOrdersSession();
  return useSWR<Instrument[], Error>("instruments", async () => (await client.instruments()).instruments, {
    refreshInterval: PRICES_MOVE_MS,
  });
}
