export interface Series {
  readonly name: string;
  /** Oldest first; null: nothing was known. */
  readonly values: ReadonlyArray<number | null>;
}

interface Props {
  readonly series: readonly Series[];
  readonly unit: string;
  readonly label: string;
}

const HEIGHT = 72;
const WIDTH = 300;

/** A line for each series, all on one scale that begins at nothing. */
export function LineChart({ series, unit, label }: Props) {
  const known = series.flatMap(({ values }) => values.filter((value) => value !== null));
  const highest = Math.max(1, ...known);
  return (
    <figure className="chart">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
        {series.map(({ name, values }, index) => (
          <polyline key={name} className={`line-${index}`} points={pointsOf(values, highest)} />
        ))}
      </svg>
      <figcaption className="muted number">
        {series.map(({ name, values }, index) => (
          <span key={name} className={`key-${index}`}>
            {name} {values.at(-1) ?? "–"} {unit}
          </span>
        ))}
        <span>at most {Math.round(highest)}</span>
      </figcaption>
    </figure>
  );
}

function pointsOf(values: Series["values"], highest: number): string {
  const step = WIDTH / Math.max(1, values.length - 1);
  return values
    .flatMap((value, index) => (value === null ? [] : [`${index * step},${HEIGHT - 1 - (value / highest) * (HEIGHT - 3)}`]))
    .join(" ");
}
