import type { Fill } from "../../api/types";
import { moment, money, price, quantity } from "../format";

export function Fills({ fills }: { readonly fills: readonly Fill[] }) {
  if (fills.length === 0) return <p className="muted">Nothing is filled yet.</p>;
  return (
    <table className="compact">
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col" className="number">
            Quantity
          </th>
          <th scope="col" className="number">
            Price
          </th>
          <th scope="col" className="number">
            Fee
          </th>
        </tr>
      </thead>
      <tbody>
        {fills.map((fill) => (
          <tr key={fill.id}>
            <td className="muted">{moment(fill.timestamp)}</td>
            <td className="number">{quantity(fill.quantity_filled)}</td>
            <td className="number">{price(fill.price_at_fill)}</td>
            <td className="number">{money(fill.commission)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
