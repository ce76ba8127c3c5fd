import { useEffect, useRef } from "react";

import { useOrder } from "../../hooks/useOrder";
import { quantity, words } from "../format";
import { Button } from "../parts/Button";
import { Fills } from "./Fills";
import { OrderTerms } from "./OrderTerms";
import { Progress } from "./Progress";
import { StatusTag } from "./StatusTag";
import { Timeline } from "./Timeline";

interface Props {
  readonly id: string | null;
  readonly onClose: () => void;
}

/** Everything about one order, from the side, above the list. Escape closes it. */
export function OrderDrawer({ id, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const order = useOrder(id);
  useEffect(() => {
    if (id === null) dialog.current?.close();
    else if (!dialog.current?.open) dialog.current?.showModal();
  }, [id]);
  return (
    <dialog ref={dialog} className="drawer" onClose={onClose} aria-labelledby="drawer-title">
      {order && (
        <>
          <header>
            <h2 id="drawer-title">
              {words(order.side)} {quantity(order.quantity)} {order.symbol}
            </h2>
            <Button onClick={onClose}>Close</Button>
          </header>
          <StatusTag order={order} />
          {order.reason && <p className="reason">{order.reason}</p>}
          <Progress filled={order.filled_quantity} total={order.quantity} />
          <OrderTerms order={order} />
          <h3>Fills</h3>
          <Fills fills={order.fills} />
          <h3>What happened</h3>
          <Timeline order={order} />
        </>
      )}
    </dialog>
  );
}
