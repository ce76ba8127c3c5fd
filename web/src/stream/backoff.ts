export interface BackoffOptions {
  readonly firstMs?: number;
  readonly longestMs?: number;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/** Pauses that double, each between half of itself and the whole, so that clients do not come back all at once. */
export class Backoff {
  #attempts = 0;
  readonly #firstMs: number;
  readonly #longestMs: number;
  readonly #random: () => number;

  constructor({ firstMs = 250, longestMs = 10_000, random = Math.random }: BackoffOptions = {}) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
    this.#random = random;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** How long to wait before the next attempt, in milliseconds. */
  next(): number {
    const longest = Math.min(this.#longestMs, this.#firstMs * 2 ** this.#attempts);
    this.#attempts += 1;
    return longest / 2 + (longest / 2) * this.#random();
  }

  reset(): void {
    this.#attempts = 0;
  }
}
