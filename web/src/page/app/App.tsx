import { lazy, Suspense, useCallback, useEffect, useMemo, useState, type ComponentType, type LazyExoticComponent } from "react";
import { SWRConfig } from "swr";

import { OrdersClient } from "../../api/client";
import { OrdersProvider } from "../../hooks/OrdersProvider";
import { Skeleton } from "../parts/States";
import { ConnectionBadge } from "./ConnectionBadge";
import { OrdersPage } from "./OrdersPage";
import { Shell } from "./Shell";
import { SignIn } from "./SignIn";
import { forgetToken, takeToken, type Bearer } from "./token";

interface PageOf {
  readonly title: string;
  readonly description: string;
  /** What is shown there, loaded when it is; the orders are shown at once. */
  readonly Page?: LazyExoticComponent<ComponentType<{ readonly client: OrdersClient }>>;
}

const ORDERS: PageOf = {
  title: "Order Execution",
  description: "Submit market/limit orders with real-time status updates",
};
const PAGES: Record<string, PageOf> = {
  "/ops": { title: "Operations", description: "How the engine is, and the switch to halt it", Page: lazy(() => import("../ops/OpsPage")) },
  "/audit": { title: "Audit", description: "The log as it is, and as it was", Page: lazy(() => import("../audit/AuditPage")) },
};

const EXPIRED = "The token is not good any more. Orders that work go on working; with a new token, you see them again.";

/** The page for whoever the token belongs to; without one, the question for it. */
export function App() {
  const [bearer, setBearer] = useState<Bearer | null>(takeToken);
  const [notice, setNotice] = useState<string | null>(null);
  const signOut = useCallback((why: string | null) => {
    forgetToken();
    setBearer(null);
    setNotice(why);
  }, []);
  useEffect(() => {
    // A link with a token that is opened in this tab changes the address, and loads nothing.
    const taken = () => setBearer(takeToken());
    globalThis.addEventListener("hashchange", taken);
    return () => globalThis.removeEventListener("hashchange", taken);
  }, []);
  const client = useMemo(
    () => bearer && new OrdersClient({ token: () => bearer.token, onUnauthenticated: () => signOut(EXPIRED) }),
    [bearer, signOut],
  );
  if (!bearer || !client) {
    return (
      <SignIn
        notice={notice}
        onSignIn={(signedIn) => {
          setBearer(signedIn);
          setNotice(null);
        }}
      />
    );
  }
  const { title, description, Page } = PAGES[location.pathname] ?? ORDERS;
  const shell = { bearer, title, description, onSignOut: () => signOut(null) };
  if (Page) {
    return (
      <SWRConfig value={{ provider: () => new Map() }}>
        <Shell {...shell}>
          <Suspense fallback={<Skeleton lines={8} />}>
            <Page client={client} />
          </Suspense>
        </Shell>
      </SWRConfig>
    );
  }
  return (
    <OrdersProvider client={client}>
      <Shell {...shell} badge={<ConnectionBadge />}>
        <OrdersPage trader={bearer.trader} />
      </Shell>
    </OrdersProvider>
  );
}
