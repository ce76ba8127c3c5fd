import type { Order } from "../api/types";
import type { StatusMessage } from "../stream/messages";
import { fold } from "./fold";

const EARLY_ORDERS_MAX = 1000;

/**
 * The orders that were loaded or told of, newest first. Answers and messages may come in any order and more than once:
 * an order only ever goes forward, by its version.
 *
 * Listeners hear once for all that changed between two frames of the screen.
 */
export class OrdersStore {
  readonly #orders = new Map<string, Order>();
  /** Messages for orders that were not loaded when they came: an answer that is on its way may be older than they are. */
  readonly #early = new Map<string, StatusMessage[]>();
  readonly #listeners = new Set<() => void>();
  readonly #nextFrame: (callback: () => void) => void;
  #snapshot: readonly Order[] = [];
  #isStale = false;
  #isScheduled = false;

  constructor(nextFrame: (callback: () => void) => void = onNextFrame) {
    this.#nextFrame = nextFrame;
  }

  /** All orders, newest first; the same array until something changes. */
  readonly snapshot = (): readonly Order[] => {
    if (this.#isStale) {
      this.#snapshot = [...this.#orders.values()].toSorted(newestFirst);
      this.#isStale = false;
    }
    return this.#snapshot;
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  get(id: string): Order | undefined {
    return this.#orders.get(id);
  }

  /** Take orders as the API answered them. */
  merge(orders: readonly Order[]): void {
    for (const order of orders) {
      const known = this.#orders.get(order.id);
      if (known && known.version >= order.version) continue;
      this.#set(order);
      const early = this.#early.get(order.id) ?? [];
      this.#early.delete(order.id);
      for (const message of early) this.apply(message);
    }
  }

  /** Take a status message. */
  apply(message: StatusMessage): void {
    const order = this.#orders.get(message.order_id);
    const folded = fold(order, message);
    if (!folded) this.#keep(message);
    else if (folded !== order) this.#set(folded);
  }

  #keep(message: StatusMessage): void {
    const messages = this.#early.get(message.order_id) ?? [];
    this.#early.set(message.order_id, [...messages, message]);
    const [oldest] = this.#early.keys();
    if (this.#early.size > EARLY_ORDERS_MAX && oldest !== undefined) this.#early.delete(oldest);
  }

  #set(order: Order): void {
    this.#orders.set(order.id, order);
    this.#isStale = true;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#nextFrame(() => {
      this.#isScheduled = false;
      for (const listener of this.#listeners) listener();
    });
  }
}

function newestFirst(left: Order, right: Order): number {
  if (left.created_at !== right.created_at) return left.created_at < right.created_at ? 1 : -1;
  return left.id < right.id ? 1 : -1;
}

/** Before the next frame is painted; soon, where nothing is painted because nobody looks. */
function onNextFrame(callback: () => void): void {
  if (typeof requestAnimationFrame === "function" && !globalThis.document?.hidden) requestAnimationFrame(callback);
  else setTimeout(callback, 100);
}
