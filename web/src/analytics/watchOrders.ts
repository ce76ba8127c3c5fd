import { ApiProblem } from "../api/problem";
import type { OrdersSession, Placement } from "../orders/ordersSession";
import type { StatusMessage } from "../stream/messages";
import type { Tracker } from "./tracker";

const ELSEWHERE_MAX = 100;

interface Outcome {
  readonly name: string;
  readonly at: number;
}

/**
 * Tracks what becomes of the orders that are placed here: order.submitted, order.filled, order.rejected, order.error.
 *
 * Those of other windows are told to every window, so each counts only its own. Returns how to end it.
 */
export function watchOrders(session: OrdersSession, track: Tracker["track"]): () => void {
  const submittedAt = new Map<string, number>();
  /** What became of orders that were not placed here, or whose answer is still on its way: the stream may be faster. */
  const elsewhere = new Map<string, Outcome>();

  const placed = (placement: Placement) => {
    const duration_ms = Math.round(placement.durationMs);
    if ("order" in placement) {
      const { id } = placement.order;
      submittedAt.set(id, performance.now() - placement.durationMs);
      track({ name: "order.submitted", category: "task_success", order_id: id, duration_ms });
      const outcome = elsewhere.get(id);
      elsewhere.delete(id);
      if (outcome) ended(id, outcome);
      return;
    }
    const { error } = placement;
    const isRefused = error instanceof ApiProblem && error.status < 500;
    const code = error instanceof ApiProblem ? error.code : "UNREACHABLE";
    track({ name: isRefused ? "order.rejected" : "order.error", category: "task_success", code, duration_ms });
  };

  const told = (message: StatusMessage) => {
    const name = nameOf(message);
    if (name !== null) ended(message.order_id, { name, at: performance.now() });
  };

  const ended = (id: string, outcome: Outcome) => {
    const since = submittedAt.get(id);
    if (since === undefined) {
      elsewhere.set(id, outcome);
      const [oldest] = elsewhere.keys();
      if (elsewhere.size > ELSEWHERE_MAX && oldest !== undefined) elsewhere.delete(oldest);
      return;
    }
    submittedAt.delete(id);
    const duration_ms = Math.round(outcome.at - since);
    track({ name: outcome.name, category: "task_success", order_id: id, duration_ms });
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
