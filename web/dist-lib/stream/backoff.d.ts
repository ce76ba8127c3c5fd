export interface BackoffOptions {
    readonly firstMs?: number;
    readonly longestMs?: number;
    /** From 0 to 1. */
    readonly random?: () => number;
}
/** Pauses that double, each between half of itself and the whole, so that clients do not come back all at once. */
export declare class Backoff {
    #private;
    constructor({ firstMs, longestMs, random }?: BackoffOptions);
    get attempts(): number;
    /** How long to wait before the next attempt, in milliseconds. */
    next(): number;
    reset(): void;
}
