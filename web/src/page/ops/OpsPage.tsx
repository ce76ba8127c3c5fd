import type { OrdersClient } from "../../api/client";
import { sentenceOf } from "../../api/problem";
import type { Operations } from "../../api/types";
import { BarChart } from "../charts/BarChart";
import { ErrorState, Skeleton } from "../parts/States";
import { Figures } from "./Figures";
import { Halts } from "./Halts";
import { Health } from "./Health";
import { Latency } from "./Latency";
import { Projections } from "./Projections";
import { Unresolved } from "./Unresolved";
import { useSamples } from "./useSamples";

const EVERY_MS = 1000;

/** How the engine is: what comes in, how fast it is carried out, what is behind or in doubt, and the switch to halt it. */
export default function OpsPage({ client }: { readonly client: OrdersClient }) {
  const { data: samples, error, mutate } = useSamples("operations", () => client.operations(), EVERY_MS);
  const now = samples?.at(-1);
  return (
    <div className="tiles">
      <Health client={client} />
      {now && samples ? (
        <>
          <Figures now={now} />
          <section className="card" aria-labelledby="rate-title">
            <h2 id="rate-title">Orders per second</h2>
            <BarChart values={perSecond(now)} label={`Orders in each of the last 60 seconds: ${perSecond(now).join(", ")}`} />
          </section>
          <Latency samples={samples} />
        </>
      ) : (
        <section className="card">
          {error ? <ErrorState sentence={sentenceOf(error)} onRetry={() => void mutate()} /> : <Skeleton lines={5} />}
        </section>
      )}
      <Halts client={client} />
      <Projections client={client} />
      {now && <Unresolved now={now} />}
    </div>
  );
}

function perSecond(now: Operations): number[] {
  return now.per_second.map(({ orders }) => orders);
}
