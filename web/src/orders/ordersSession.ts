import type { OrdersClient } from "../api/client";
import type { Order, OrderBody, OrdersPage, OrdersQuery, ReplaceBody } from "../api/types";
import { OrderStatusSocket, type OrderStatusSocketOptions } from "../stream/orderStatusSocket";
import { OrdersStore } from "./ordersStore";

const NEWEST = 100;

/** What came of placing an order here: the order, or why there is none. */
export type Placement = ({ readonly order: Order } | { readonly error: unknown }) & { readonly durationMs: number };

/** One trader's orders, kept up to date: the API's answers and the stream's messages meet in one store. */
export class OrdersSession {
  readonly client: OrdersClient;
  readonly store: OrdersStore;
  readonly socket: OrderStatusSocket;
  readonly #placements = new Set<(placement: Placement) => void>();
  #isOpen = false;

  constructor(client: OrdersClient, options: Partial<OrderStatusSocketOptions> = {}, store = new OrdersStore()) {
    this.client = client;
    this.store = store;
    this.socket = new OrderStatusSocket({
      url: client.streamUrl,
      getTicket: () => client.streamTicket(),
      poll: () => this.fetchOrders({ limit: NEWEST }),
      ...options,
    });
    this.socket.subscribe((message) => this.store.apply(message));
  }

  /** A page of orders, which also goes into the store. With the first one, the stream begins where that one ends. */
  async fetchOrders(query: OrdersQuery): Promise<OrdersPage> {
    const page = await this.client.listOrders(query);
    this.store.merge(page.orders);
    if (this.#isOpen && this.socket.connection === "stopped") this.socket.start(page.position);
    return page;
  }

  /** Follow the orders until closed. */
  open(): void {
    this.#isOpen = true;
  }

  close(): void {
    this.#isOpen = false;
    this.socket.stop();
  }

  async placeOrder(order: OrderBody, key: string): Promise<Order> {
    const began = performance.now();
    const say = (outcome: { order: Order } | { error: unknown }) => {
      for (const listener of this.#placements) listener({ ...outcome, durationMs: performance.now() - began });
    };
    try {
      const placed = this.#keep(await this.client.placeOrder(order, key));
      say({ order: placed });
      return placed;
    } catch (error) {
      say({ error });
      throw error;
    }
  }

  /** Calls the listener with what comes of each order that is placed here; returns how to end that. */
  onPlacement(listener: (placement: Placement) => void): () => void {
    this.#placements.add(listener);
    return () => this.#placements.delete(listener);
  }

  async cancelOrder(id: string): Promise<Order> {
    return this.#keep(await this.client.cancelOrder(id));
  }

  async replaceOrder(id: string, terms: ReplaceBody, version?: number): Promise<Order> {
    return this.#keep(await this.client.replaceOrder(id, terms, version));
  }

  #keep(order: Order): Order {
    this.store.merge([order]);
    return order;
  }
}
