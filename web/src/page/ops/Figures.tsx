import type { Operations } from "../../api/types";

const RECENT_SECONDS = 10;

export function Figures({ now }: { readonly now: Operations }) {
  const recent = now.per_second.slice(-RECENT_SECONDS).reduce((sum, { orders }) => sum + orders, 0);
  const figures: ReadonlyArray<readonly [string, string | number]> = [
    ["Open orders", now.open_orders],
    ["Unresolved", now.unresolved_orders],
    ["Orders a second", (recent / RECENT_SECONDS).toFixed(1)],
    ["Streams here", now.streams],
  ];
  return (
    <section className="card" aria-label="Now">
      <dl className="figures">
        {figures.map(([name, value]) => (
          <div key={name} className="figure">
            <dt>{name}</dt>
            <dd className="number">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
