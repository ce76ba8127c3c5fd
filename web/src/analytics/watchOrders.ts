import { ApiProblem } from "../api/problem";
import type { OrdersSession, Placement } from "../orders/ordersSession";
import type { StatusMessage } from "../stream/messages";
import type { Tracker } from "./tracker";

/**
 * Tracks what becomes of the orders that are placed here: order.submitted, order.filled, order.rejected, order.error.
 *
 * Those of other windows are told to every window, so each counts only its own. Returns how to end it.
 */
export function watchOrders(session: OrdersSession, track: Tracker["track"]): () => void {
  const submittedAt = new Map<string, number>();

  const placed = (placement: Placement) => {
    const duration_ms = Math.round(placement.durationMs);
    if ("order" in placement) {
      submittedAt.set(placement.order.id, performance.now() - placement.durationMs);
      track({ name: "order.submitted", category: "task_success", order_id: placement.order.id, duration_ms });
      return;
    }
    const { error } = placement;
    const isRefused = error instanceof ApiProblem && error.status < 500;
    const code = error instanceof ApiProblem ? error.code : "UNREACHABLE";
    track({ name: isRefused ? "order.rejected" : "order.error", category: "task_success", code, duration_ms });
  };

  const told = (message: StatusMessage) => {
    const since = submittedAt.get(message.order_id);
    const name = nameOf(message);
    if (since === undefined || name === null) return;
    submittedAt.delete(message.order_id);
    const duration_ms = Math.round(performance.now() - since);
    track({ name, category: "task_success", order_id: message.order_id, duration_ms });
  };

  const ends = [session.onPlacement(placed), session.socket.subscribe(told)];
  return () => {
    for (const end of ends) end();
  };
}

function nameOf(message: StatusMessage): string | null {
  if (message.event === "order.filled") return message.status === "FILLED" ? message.event : null;
  return message.event === "order.rejected" || message.event === "order.error" ? message.event : null;
}
