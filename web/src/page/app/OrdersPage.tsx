import { AccountStrip } from "../account/AccountStrip";
import { OrderForm } from "../form/OrderForm";
import { OrderList } from "../orders/OrderList";
import { Announcer } from "./Announcer";

/** Write an order on the left, watch it on the right. */
export function OrdersPage() {
  return (
    <div className="orders-page">
      <div className="aside">
        <OrderForm />
      </div>
      <div className="main-column">
        <AccountStrip />
        <OrderList />
      </div>
      <Announcer />
    </div>
  );
}
