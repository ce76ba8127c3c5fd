import { memo, useState } from "react";

import type { Order } from "../../api/types";
import { price, when, words } from "../format";
import { Button } from "../parts/Button";
import { CancelButton } from "./CancelButton";
import { Progress } from "./Progress";
import { ReplaceForm } from "./ReplaceForm";
import { StatusTag } from "./StatusTag";
import { isReplaceable, isWorking } from "./status";

interface Props {
  readonly order: Order;
  readonly onOpen: (id: string) => void;
}

/** An order in the list. It is drawn anew only when it has changed. */
export const OrderRow = memo(function OrderRow({ order, onOpen }: Props) {
  const [isReplacing, setIsReplacing] = useState(false);
  const name = `${words(order.side)} ${order.quantity} ${order.symbol}`;
  return (
    <>
      <tr data-order={order.id} data-status={order.status}>
        <td className="c-time muted number">{when(order.created_at)}</td>
        <td className="c-symbol">
          <button type="button" className="link" data-row onClick={() => onOpen(order.id)} aria-label={`${name}: details`}>
            {order.symbol}
          </button>
        </td>
        <td className={`c-side ${order.side === "BUY" ? "buy" : "sell"}`}>{words(order.side)}</td>
        <td className="c-type">
          {words(order.order_type)}
          {order.parent_order_id && <span className="muted"> exit</span>}
        </td>
        <td className="c-filled">
          <Progress filled={order.filled_quantity} total={order.quantity} />
        </td>
        <td className="c-price number" data-head="Limit">
          {price(order.price ?? order.stop_price)}
        </td>
        <td className="c-average number" data-head="Average">
          {price(order.average_fill_price)}
        </td>
        <td className="c-status" key={order.status}>
          <StatusTag order={order} />
        </td>
        <td className="c-actions">
          {isReplaceable(order) && (
            <Button onClick={() => setIsReplacing(!isReplacing)} aria-expanded={isReplacing} aria-label={`Replace ${name}`}>
              Replace
            </Button>
          )}
          {isWorking(order) && <CancelButton order={order} name={name} />}
        </td>
      </tr>
      {isReplacing && isReplaceable(order) && (
        <tr className="replace-row">
          <td colSpan={9}>
            <ReplaceForm order={order} onDone={() => setIsReplacing(false)} />
          </td>
        </tr>
      )}
    </>
  );
});
