import type { Order } from "../../api/types";
import { OrderRow } from "./OrderRow";

interface Props {
  readonly orders: readonly Order[];
  readonly onOpen: (id: string) => void;
}

export function OrderTable({ orders, onOpen }: Props) {
  return (
    <table className="orders">
      <thead>
        <tr>
          <th className="c-time" scope="col">
            Time
          </th>
          <th className="c-symbol" scope="col">
            Symbol
          </th>
          <th className="c-side" scope="col">
            Side
          </th>
          <th className="c-type" scope="col">
            Type
          </th>
          <th className="c-filled number" scope="col">
            Filled
          </th>
          <th className="c-price number" scope="col">
            Limit
          </th>
          <th className="c-average number" scope="col">
            Average
          </th>
          <th className="c-status" scope="col">
            Status
          </th>
          <th className="c-actions" scope="col">
            <span className="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {orders.map((order) => (
          <OrderRow key={order.id} order={order} onOpen={onOpen} />
        ))}
      </tbody>
    </table>
  );
}
