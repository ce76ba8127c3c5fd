import type { Order } from "../api/types";
import type { StatusMessage } from "../stream/messages";
/**
 * The orders that were loaded or told of, newest first. Answers and messages may come in any order and more than once:
 * an order only ever goes forward, by its version.
 *
 * Listeners hear once for all that changed between two frames of the screen.
 */
export declare class OrdersStore {
    #private;
    constructor(nextFrame?: (callback: () => void) => void);
    /** All orders, newest first; the same array until something changes. */
    readonly snapshot: () => readonly Order[];
    readonly subscribe: (listener: () => void) => (() => void);
    get(id: string): Order | undefined;
    /** Take orders as the API answered them. */
    merge(orders: readonly Order[]): void;
    /** Take a status message. */
    apply(message: StatusMessage): void;
}
