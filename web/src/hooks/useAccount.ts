import { useEffect } from "react";
import useSWR, { type SWRResponse } from "swr";

import type { Account } from "../api/types";
import { useOrdersSession } from "./OrdersProvider";

const PRICES_MOVE_MS = 5000;
const TOGETHER_MS = 250;

/** Cash, what of it is reserved, and positions: asked for again when an order has changed them, or prices may have. */
export function useAccount(): SWRResponse<Account, Error> {
  const { client, socket } = useOrdersSession();
  const account = useSWR<Account, Error>("account", () => client.account(), { refreshInterval: PRICES_MOVE_MS });
  const { mutate } = account;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const unsubscribe = socket.subscribe(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void mutate();
      }, TOGETHER_MS);
    });
    return () => {
      unsubscribe();
      clearTimeout(timer);
    };
  }, [socket, mutate]);
  return account;
}
