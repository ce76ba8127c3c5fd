import type { Operations } from "../../api/types";
import { moment } from "../format";

/** Orders of which nobody knows whether the venue has them: their funds stay held until it says. */
export function Unresolved({ now }: { readonly now: Operations }) {
  return (
    <section className="card wide" aria-labelledby="unresolved-title">
      <h2 id="unresolved-title">Unresolved orders</h2>
      {now.unresolved.length === 0 ? (
        <p className="muted">None. The venue has spoken about every order.</p>
      ) : (
        <ul className="plain-list">
          {now.unresolved.map((order) => (
            <li key={order.id}>
              <strong>{order.symbol}</strong> of {order.trader_id}
              <span className="muted number">{moment(order.created_at)}</span>
              <code>{order.id}</code>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
