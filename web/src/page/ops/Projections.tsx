import type { OrdersClient } from "../../api/client";
import { sentenceOf } from "../../api/problem";
import { LineChart } from "../charts/LineChart";
import { words } from "../format";
import { ErrorState, Skeleton } from "../parts/States";
import { useSamples } from "./useSamples";

const EVERY_MS = 2000;

/** How far each read model is behind the log, now and a while ago. */
export function Projections({ client }: { readonly client: OrdersClient }) {
  const { data: samples, error, mutate } = useSamples("projections", () => client.projections(), EVERY_MS);
  const now = samples?.at(-1);
  return (
    <section className="card wide" aria-labelledby="projections-title">
      <h2 id="projections-title">Read models</h2>
      {!now || !samples ? (
        error ? <ErrorState sentence={sentenceOf(error)} onRetry={() => void mutate()} /> : <Skeleton lines={5} />
      ) : (
        <>
          <LineChart
            unit="events"
            label="How many events the read models are behind, the furthest of them"
            series={[
              { name: "furthest behind", values: samples.map(({ projections }) => Math.max(...projections.map(({ lag_events }) => lag_events))) },
            ]}
          />
          <div className="table-frame">
            <table className="compact">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">State</th>
                  <th scope="col" className="number">
                    Behind
                  </th>
                  <th scope="col" className="number">
                    Seconds
                  </th>
                  <th scope="col" className="number">
                    Events/s
                  </th>
                </tr>
              </thead>
              <tbody>
                {now.projections.map((each) => (
                  <tr key={each.name} data-projection={each.name}>
                    <th scope="row">{words(each.name)}</th>
                    <td>
                      <span className={`tag ${each.last_error ? "bad" : each.lag_events > 0 ? "busy" : "good"}`}>{words(each.state)}</span>
                    </td>
                    <td className="number">{each.lag_events}</td>
                    <td className="number">{each.lag_seconds.toFixed(1)}</td>
                    <td className="number">{each.rate.toFixed(1)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </section>
  );
}
