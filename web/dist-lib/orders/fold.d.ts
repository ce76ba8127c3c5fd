import type { Order } from "../api/types";
import type { StatusMessage } from "../stream/messages";
/**
 * The order as the message leaves it: the same fold of the same events that the server's read model is.
 *
 * A message that was folded already, or one before which others are missing, changes nothing.
 */
export declare function fold(order: Order | undefined, message: StatusMessage): Order | undefined;
