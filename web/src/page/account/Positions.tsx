import type { Position } from "../../api/types";
import { change, price, quantity, tone } from "../format";

/** What is held, and what it has gained or lost: so far, and as it stands. */
export function Positions({ positions }: { readonly positions: readonly Position[] }) {
  if (positions.length === 0) return <p className="muted no-positions">No positions yet.</p>;
  return (
    <div className="table-frame">
      <table className="compact positions">
        <thead>
          <tr>
            <th scope="col">Position</th>
            <th scope="col" className="number">
              Held
            </th>
            <th scope="col" className="number">
              Average
            </th>
            <th scope="col" className="number">
              Unrealised
            </th>
            <th scope="col" className="number">
              Realised
            </th>
          </tr>
        </thead>
        <tbody>
          {positions.map((position) => (
            <tr key={position.symbol}>
              <th scope="row">{position.symbol}</th>
              <td className="number">{quantity(position.quantity)}</td>
              <td className="number">{price(position.average_price)}</td>
              <td className={`number ${position.unrealised_pnl === null ? "" : tone(position.unrealised_pnl)}`}>
                {position.unrealised_pnl === null ? "–" : change(position.unrealised_pnl)}
              </td>
              <td className={`number ${tone(position.realised_pnl)}`}>{change(position.realised_pnl)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
