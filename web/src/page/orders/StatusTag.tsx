import type { Order } from "../../api/types";
import { words } from "../format";
import { toneOf } from "./status";

/** What became of the order so far, and what is odd about it. */
export function StatusTag({ order }: { readonly order: Order }) {
  return (
    <span className="tags">
      <span className={`tag ${toneOf(order.status)}`}>{words(order.status)}</span>
      {order.flags.map((flag) => (
        <span key={flag} className="tag bad">
          {words(flag)}
        </span>
      ))}
    </span>
  );
}
