import type { Order, OrderBody } from "../api/types";
import { type Command } from "./useCommand";
/**
 * Places orders, each once: while one is under way there is no second, and one that got no answer is sent again under
 * the same key, because nobody knows whether it arrived.
 */
export declare function usePlaceOrder(): Command<[OrderBody], Order>;
