import type { Problem } from "./types";

/** The API refused: `message` is its sentence, `code` what programs go by, `errors` the fields at fault. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  readonly status: number;
  readonly code: string;
  readonly errors: ReadonlyArray<{ pointer: string; code: string; message: string }>;
  readonly errorId: string | null;

  constructor(problem: Pick<Problem, "status" | "code" | "detail"> & Partial<Problem>) {
    super(problem.detail);
    this.status = problem.status;
    this.code = problem.code;
    this.errors = problem.errors ?? [];
    this.errorId = problem.error_id ?? null;
  }

  /** What the API says of a field, by JSON pointer: `/quantity`. */
  messageFor(pointer: string): string | null {
    return this.errors.find((error) => error.pointer === pointer)?.message ?? null;
  }
}

/** Nobody answered: whether a command was carried out is not known. Sent again with the same key, it happens once. */
export class ApiUnreachable extends Error {
  override readonly name = "ApiUnreachable";

  constructor(cause?: unknown) {
    super("The server cannot be reached", { cause });
  }
}

/** Whether the token is at fault: missing, expired, or without the role. */
export function isAboutIdentity(error: unknown): error is ApiProblem {
  return error instanceof ApiProblem && (error.status === 401 || error.status === 403);
}

/** A sentence for a person. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
