import { useCallback, useLayoutEffect, useRef, useState } from "react";

export interface Command<Arguments extends unknown[], Result> {
  /** Carries it out, unless it is being carried out already: then nothing happens, and the answer is undefined. */
  readonly run: (...given: Arguments) => Promise<Result | undefined>;
  readonly isRunning: boolean;
  readonly error: unknown;
  readonly clear: () => void;
}

/** Something that a click does once, however often it is clicked. */
export function useCommand<Arguments extends unknown[], Result>(
  perform: (...given: Arguments) => Promise<Result>,
): Command<Arguments, Result> {
  const [isRunning, setIsRunning] = useState(false);
  const [error, setError] = useState<unknown>(undefined);
  // Two clicks may come before the first has been rendered, so the state alone would let both through.
  const running = useRef(false);
  const latest = useRef(perform);
  useLayoutEffect(() => {
    latest.current = perform;
  });
  const run = useCallback(async (...given: Arguments) => {
    if (running.current) return undefined;
    running.current = true;
    setIsRunning(true);
    setError(undefined);
    try {
      return await latest.current(...given);
    } catch (caught) {
      setError(caught);
      return undefined;
    } finally {
      running.current = false;
      setIsRunning(false);
    }
  }, []);
  return { run, isRunning, error, clear: useCallback(() => setError(undefined), []) };
}
