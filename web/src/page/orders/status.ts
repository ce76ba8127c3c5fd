import type { Order, Status } from "../../api/types";

const OVER: ReadonlySet<Status> = new Set<Status>(["FILLED", "CANCELLED", "REJECTED", "EXPIRED"]);

export const STATUSES: readonly Status[] = [
  "PENDING",
  "ACCEPTED",
  "PARTIALLY_FILLED",
  "FILLED",
  "PENDING_CANCEL",
  "CANCELLED",
  "PENDING_REPLACE",
  "REJECTED",
  "EXPIRED",
];

/** Whether something of the order may still happen, so that it can be cancelled. */
export function isWorking(order: Order): boolean {
  return !OVER.has(order.status);
}

/** Of two exits that cancel each other only the prices can be replaced, and a market order has nothing to replace. */
export function isReplaceable(order: Order): boolean {
  return isWorking(order) && order.status !== "PENDING_CANCEL" && order.order_type !== "MARKET";
}

/** The colour that a status has. */
export function toneOf(status: Status): "good" | "bad" | "busy" | "idle" {
  if (status === "FILLED") return "good";
  if (status === "REJECTED") return "bad";
  return OVER.has(status) ? "idle" : "busy";
}
