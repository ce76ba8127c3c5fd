import { createContext, useContext, useEffect, useMemo, type ReactNode } from "react";
import { SWRConfig } from "swr";

import type { OrdersClient } from "../api/client";
import { isAboutIdentity } from "../api/problem";
import { OrdersSession } from "../orders/ordersSession";

const Context = createContext<OrdersSession | null>(null);

const RETRY_MS = 2000;

let sessions = 0;
const nextNumber = () => (sessions += 1);

export interface OrdersProviderProps {
  /** The API with one trader's token. Another client is another trader: nothing is kept of the one before. */
  readonly client: OrdersClient;
  readonly children: ReactNode;
}

/** What the hooks work with: one session, with one socket and one cache, for everything below. */
export function OrdersProvider({ client, children }: OrdersProviderProps) {
  const { session, number } = useMemo(() => ({ session: new OrdersSession(client), number: nextNumber() }), [client]);
  useEffect(() => {
    session.open();
    const retry = () => session.socket.retryNow();
    globalThis.addEventListener("online", retry);
    return () => {
      globalThis.removeEventListener("online", retry);
      session.close();
    };
  }, [session]);
  return (
    <Context value={session}>
      <SWRConfig
        key={number}
        value={{
          provider: () => new Map(),
          errorRetryInterval: RETRY_MS,
          shouldRetryOnError: (error: unknown) => !isAboutIdentity(error),
        }}
      >
        {children}
      </SWRConfig>
    </Context>
  );
}

/** The session, for what the hooks do not do. */
export function useOrdersSession(): OrdersSession {
  const session = useContext(Context);
  if (!session) throw new Error("hooks for orders work below an <OrdersProvider>");
  return session;
}
