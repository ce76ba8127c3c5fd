import { sentenceOf } from "../../api/problem";
import type { Order } from "../../api/types";
import { useCommand } from "../../hooks/useCommand";
import { useOrdersSession } from "../../hooks/OrdersProvider";
import { Button } from "../parts/Button";

interface Props {
  readonly order: Order;
  /** Which order it is, for those who hear the button and do not see its row. */
  readonly name: string;
}

export function CancelButton({ order, name }: Props) {
  const session = useOrdersSession();
  const cancel = useCommand(() => session.cancelOrder(order.id));
  return (
    <>
      <Button
        kind="danger"
        aria-label={`Cancel ${name}`}
        isBusy={cancel.isRunning}
        disabled={order.status === "PENDING_CANCEL"}
        onClick={() => void cancel.run()}
      >
        Cancel
      </Button>
      {cancel.error !== undefined && (
        <span className="error" role="alert">
          {sentenceOf(cancel.error)}
        </span>
      )}
    </>
  );
}
