import useSWR from "swr";

import type { OrdersClient } from "../../api/client";
import { sentenceOf } from "../../api/problem";
import type { HealthView } from "../../api/types";
import { words } from "../format";
import { ErrorState, Skeleton } from "../parts/States";

const EVERY_MS = 2000;
const NAMES: Record<string, string> = { database: "Database", exchange: "Venue", projections: "Read models", bus: "Bus" };

/** Whether orders can be taken and carried out, and what keeps them from it. */
export function Health({ client }: { readonly client: OrdersClient }) {
  const { data, error, mutate } = useSWR<HealthView, Error>("health", () => client.health(), { refreshInterval: EVERY_MS });
  return (
    <section className="card" aria-labelledby="health-title">
      <h2 id="health-title">Health</h2>
      {error ? (
        <ErrorState sentence={sentenceOf(error)} onRetry={() => void mutate()} />
      ) : data ? (
        <dl className="health">
          {Object.entries(data.dependencies).map(([name, state]) => (
            <div key={name}>
              <dt>{NAMES[name] ?? words(name)}</dt>
              <dd>
                <span className={`tag ${state === "ok" ? "good" : "bad"}`}>{state === "ok" ? "OK" : "Down"}</span>
              </dd>
            </div>
          ))}
        </dl>
      ) : (
        <Skeleton lines={4} />
      )}
    </section>
  );
}
