import { useRef } from "react";

import { ApiUnreachable } from "../api/problem";
import type { Order, OrderBody } from "../api/types";
import { useCommand, type Command } from "./useCommand";
import { useOrdersSession } from "./OrdersProvider";

/**
 * Places orders, each once: while one is under way there is no second, and one that got no answer is sent again under
 * the same key, because nobody knows whether it arrived.
 */
export function usePlaceOrder(): Command<[OrderBody], Order> {
  const session = useOrdersSession();
  const unanswered = useRef<{ body: string; key: string } | null>(null);
  return useCommand(async (order: OrderBody) => {
    const body = JSON.stringify(order);
    const key = unanswered.current?.body === body ? unanswered.current.key : newKey();
    unanswered.current = { body, key };
    try {
      const placed = await session.placeOrder(order, key);
      unanswered.current = null;
      return placed;
    } catch (error) {
      if (!(error instanceof ApiUnreachable)) unanswered.current = null;
      throw error;
    }
  });
}

/** `crypto.randomUUID` exists on secure pages only. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
