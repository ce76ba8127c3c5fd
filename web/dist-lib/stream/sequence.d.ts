import type { StatusMessage } from "./messages";
export type Verdict = "next" | "repeat" | "gap";
/** Knows which message comes next: positions rise over the whole stream, and each order's versions have no holes. */
export declare class Sequence {
    #private;
    constructor(position: number);
    /** Everything up to here was seen: a stream that resumes after it repeats nothing and misses nothing. */
    get position(): number;
    judge(message: StatusMessage): Verdict;
    take(message: StatusMessage): void;
    reach(position: number): void;
}
