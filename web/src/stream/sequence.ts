import type { StatusMessage } from "./messages";

export type Verdict = "next" | "repeat" | "gap";

const OVER = new Set(["FILLED", "CANCELLED", "REJECTED", "EXPIRED"]);

/** Knows which message comes next: positions rise over the whole stream, and each order's versions have no holes. */
export class Sequence {
  #position: number;
  readonly #versions = new Map<string, number>();

  constructor(position: number) {
    this.#position = position;
  }

  /** Everything up to here was seen: a stream that resumes after it repeats nothing and misses nothing. */
  get position(): number {
    return this.#position;
  }

  judge(message: StatusMessage): Verdict {
    if (message.position <= this.#position) return "repeat";
    const version = this.#versions.get(message.order_id);
    return version !== undefined && message.version > version + 1 ? "gap" : "next";
  }

  take(message: StatusMessage): void {
    this.#position = message.position;
    // What is over is rarely heard of again, and then its versions begin anew.
    if (OVER.has(message.status)) this.#versions.delete(message.order_id);
    else this.#versions.set(message.order_id, message.version);
  }

  reach(position: number): void {
    this.#position = Math.max(this.#position, position);
  }
}
