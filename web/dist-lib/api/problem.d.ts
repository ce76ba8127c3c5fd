import type { Problem } from "./types";
/** The API refused: `message` is its sentence, `code` what programs go by, `errors` the fields at fault. */
export declare class ApiProblem extends Error {
    readonly name = "ApiProblem";
    readonly status: number;
    readonly code: string;
    readonly errors: ReadonlyArray<{
        pointer: string;
        code: string;
        message: string;
    }>;
    readonly errorId: string | null;
    constructor(problem: Problem);
    /** What the API says of a field, by JSON pointer: `/quantity`. */
    messageFor(pointer: string): string | null;
}
/** Nobody answered: whether a command was carried out is not known. Sent again with the same key, it happens once. */
export declare class ApiUnreachable extends Error {
    readonly name = "ApiUnreachable";
    constructor(cause?: unknown);
}
/** Whether the token is at fault: missing, expired, or without the role. */
export declare function isAboutIdentity(error: unknown): error is ApiProblem;
/** A sentence for a person. */
export declare function sentenceOf(error: unknown): string;
