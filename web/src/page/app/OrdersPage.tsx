import { AccountStrip } from "../account/AccountStrip";
import { useFeatures } from "../../hooks/useFeatures";
import { useOrderAnalytics } from "../../hooks/useOrderAnalytics";
import { OrderForm } from "../form/OrderForm";
import { SwitchedOff } from "../form/SwitchedOff";
import { OrderList } from "../orders/OrderList";
import { Announcer } from "./Announcer";

/** Write an order on the left, watch it on the right. */
export function OrdersPage({ trader }: { readonly trader: string }) {
  const execution = useFeatures().data?.order_execution;
  useOrderAnalytics(trader);
  return (
    <div className="orders-page">
      <div className="aside">
        {execution && !(execution.enabled && execution.in_ramp) ? <SwitchedOff isForAll={!execution.enabled} /> : <OrderForm />}
      </div>
      <div className="main-column">
        <AccountStrip />
        <OrderList />
      </div>
      <Announcer />
    </div>
  );
}
