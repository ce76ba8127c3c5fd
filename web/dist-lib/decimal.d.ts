/** An exact decimal number: `units` times ten to the power of minus `scale`. Prices and quantities are never floats. */
export interface Decimal {
    readonly units: bigint;
    readonly scale: number;
}
export declare const ZERO: Decimal;
/** The number that the text is, null when it is none: plain notation only, as people and the API write it. */
export declare function decimal(text: string): Decimal | null;
/** The number that the API said, which is always one. */
export declare function exactly(text: string): Decimal;
export declare function add(left: Decimal, right: Decimal): Decimal;
export declare function subtract(left: Decimal, right: Decimal): Decimal;
export declare function multiply(left: Decimal, right: Decimal): Decimal;
/** Below 0, 0 or above 0, as the left number is less than, equal to or greater than the right one. */
export declare function compare(left: Decimal, right: Decimal): number;
/** How many decimals the number needs. */
export declare function decimalsOf(value: Decimal): number;
/** Upwards to so many decimals: what something costs at most. */
export declare function roundUp(value: Decimal, scale: number): Decimal;
/** A share in whole percent, rounded down, from 0 to 100: for the length of a bar, not for arithmetic. */
export declare function percentOf(part: Decimal, whole: Decimal): number;
/** The number in plain notation with at least so many decimals. */
export declare function plain(value: Decimal, decimalsMin?: number): string;
