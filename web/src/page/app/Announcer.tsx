import { useEffect, useState } from "react";

import { useOrdersSession } from "../../hooks/OrdersProvider";
import { words } from "../format";

const WORTH_SAYING = new Set(["order.filled", "order.cancelled", "order.rejected", "order.expired", "order.error"]);

/** Says aloud, to those who hear the page, what becomes of their orders. */
export function Announcer() {
  const { socket, store } = useOrdersSession();
  const [said, setSaid] = useState("");
  useEffect(
    () =>
      socket.subscribe((message) => {
        const order = store.get(message.order_id);
        if (order && WORTH_SAYING.has(message.event)) setSaid(`${order.symbol}: ${words(message.status)}`);
      }),
    [socket, store],
  );
  return (
    <p className="visually-hidden" role="log">
      {said}
    </p>
  );
}
