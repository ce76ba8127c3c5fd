import type { Order } from "../../api/types";
import { price, quantity, words } from "../format";

/** What was ordered, and on what terms. */
export function OrderTerms({ order }: { readonly order: Order }) {
  const terms: ReadonlyArray<readonly [string, string]> = [
    ["Type", words(order.order_type)],
    ["Limit", price(order.price)],
    ["Stop", price(order.stop_price)],
    ["Average", price(order.average_fill_price)],
    ["Stop loss", price(order.stop_loss)],
    ["Take profit", price(order.take_profit)],
    ["In force", order.time_in_force],
    ["Still works", quantity(order.leaves_quantity)],
  ];
  return (
    <dl className="terms">
      {terms.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="number">{value}</dd>
        </div>
      ))}
      <div className="wide">
        <dt>Order id</dt>
        <dd>
          <code>{order.id}</code>
        </dd>
      </div>
    </dl>
  );
}
