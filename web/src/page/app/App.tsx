import { useCallback, useMemo, useState } from "react";

import { OrdersClient } from "../../api/client";
import { OrdersProvider } from "../../hooks/OrdersProvider";
import { ConnectionBadge } from "./ConnectionBadge";
import { OrdersPage } from "./OrdersPage";
import { Shell } from "./Shell";
import { SignIn } from "./SignIn";
import { forgetToken, takeToken, type Bearer } from "./token";

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
  return (
    <OrdersProvider client={client}>
      <Shell
        bearer={bearer}
        title="Order Execution"
        description="Submit market/limit orders with real-time status updates"
        badge={<ConnectionBadge />}
        onSignOut={() => signOut(null)}
      >
        <OrdersPage />
      </Shell>
    </OrdersProvider>
  );
}
