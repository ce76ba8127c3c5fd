import { useRef } from "react";
import useSWR, { type SWRResponse } from "swr";

const SAMPLES_MAX = 90;

/** What the question was answered with, again and again: the last of it, oldest first. */
export function useSamples<T>(name: string, ask: () => Promise<T>, everyMs: number): SWRResponse<readonly T[], Error> {
  const samples = useRef<readonly T[]>([]);
  return useSWR<readonly T[], Error>(
    name,
    async () => {
      samples.current = [...samples.current, await ask()].slice(-SAMPLES_MAX);
      return samples.current;
    },
    { refreshInterval: everyMs, refreshWhenHidden: true, dedupingInterval: 0 },
  );
}
