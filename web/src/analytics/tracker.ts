/** Something that a trader did or met, in HEART's terms. */
export interface TrackedEvent {
  readonly name: string;
  readonly category: "happiness" | "engagement" | "adoption" | "retention" | "task_success";
  /** When, as RFC 3339 has it. */
  readonly at: string;
  readonly order_id?: string;
  /** Why it went wrong, as programs know it. */
  readonly code?: string;
  readonly duration_ms?: number;
}

/** Where events go. What it throws is its own business: nobody's order fails because nobody counts it. */
export type Sink = (events: readonly TrackedEvent[]) => Promise<unknown>;

const TOGETHER_MS = 1000;
const AT_ONCE_MAX = 50;

/** Takes events one by one and gives them, a few at a time, to every sink. */
export class Tracker {
  readonly #sinks: readonly Sink[];
  #waiting: TrackedEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(sinks: readonly Sink[]) {
    this.#sinks = sinks;
  }

  readonly track = (event: Omit<TrackedEvent, "at">): void => {
    this.#waiting.push({ ...event, at: new Date().toISOString() });
    if (this.#waiting.length >= AT_ONCE_MAX) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), TOGETHER_MS);
  };

  /** Send what waits, now: the page may be about to go. */
  readonly flush = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const events = this.#waiting;
    this.#waiting = [];
    if (events.length === 0) return;
    for (const sink of this.#sinks) sink(events).catch(() => undefined);
  };
}
