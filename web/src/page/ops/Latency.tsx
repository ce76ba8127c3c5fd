import type { Operations } from "../../api/types";
import { LineChart } from "../charts/LineChart";
import { words } from "../format";

type Percentile = "p50_ms" | "p95_ms" | "p99_ms";

const PERCENTILES: ReadonlyArray<readonly [Percentile, string]> = [
  ["p50_ms", "50 %"],
  ["p95_ms", "95 %"],
  ["p99_ms", "99 %"],
];

/** How long orders wait, from when they are recorded: for the venue's word, and until they are filled. */
export function Latency({ samples }: { readonly samples: readonly Operations[] }) {
  const names = samples.at(-1)?.latencies.map(({ name }) => name) ?? [];
  return names.map((name) => {
    const history = samples.map((sample) => sample.latencies.find((each) => each.name === name));
    const orders = history.at(-1)?.orders ?? 0;
    return (
      <section key={name} className="card" aria-label={`Time until ${name}`}>
        <h2>Until {words(name).toLowerCase()}</h2>
        <LineChart
          unit="ms"
          label={`Percentiles of the time until orders were ${name}, over the last samples`}
          series={PERCENTILES.map(([key, shown]) => ({ name: shown, values: history.map((each) => each?.[key] ?? null) }))}
        />
        <p className="hint">
          {orders} {orders === 1 ? "order" : "orders"} of the last five minutes
        </p>
      </section>
    );
  });
}
