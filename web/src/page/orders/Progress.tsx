import { exactly, percentOf } from "../../decimal";
import { quantity } from "../format";

interface Props {
  readonly filled: string;
  readonly total: string;
}

/** How much of an order is filled: the numbers, and a bar under them. */
export function Progress({ filled, total }: Props) {
  const percent = percentOf(exactly(filled), exactly(total));
  return (
    <span className="progress">
      <span className="number">
        {quantity(filled)}
        <span className="muted"> / {quantity(total)}</span>
      </span>
      <progress max={100} value={percent} aria-label="Filled" />
    </span>
  );
}
