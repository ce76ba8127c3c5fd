interface Props {
  readonly values: readonly number[];
  /** What the chart shows, in a sentence, for those who do not see it. */
  readonly label: string;
}

const HEIGHT = 72;
const STEP = 6;

/** A bar for each value, oldest first. */
export function BarChart({ values, label }: Props) {
  const highest = Math.max(1, ...values);
  return (
    <figure className="chart">
      <svg viewBox={`0 0 ${Math.max(1, values.length) * STEP} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
        {values.map((value, index) => {
          const height = (value / highest) * (HEIGHT - 2);
          // oxlint-disable-next-line react/no-array-index-key -- a place in time is what a bar is
          return <rect key={index} x={index * STEP + 1} y={HEIGHT - height} width={STEP - 2} height={height} />;
        })}
      </svg>
      <figcaption className="muted number">
        <span>at most {highest}</span>
        <span>now</span>
      </figcaption>
    </figure>
  );
}
