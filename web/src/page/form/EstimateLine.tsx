import type { Side } from "../../api/types";
import { compare } from "../../decimal";
import { money } from "../format";
import type { Estimate } from "./estimate";

interface Props {
  readonly side: Side;
  readonly estimate: Estimate | null;
  readonly available: string | undefined;
}

/** What the order costs against what there is. */
export function EstimateLine({ side, estimate, available }: Props) {
  const isHeldMore = estimate?.held && compare(estimate.held, estimate.cost) > 0;
  return (
    <div className="estimate" aria-live="polite">
      <dl>
      <div>
        <dt>{side === "BUY" ? "Estimated cost" : "Estimated proceeds"}</dt>
        <dd className="number">{estimate ? money(estimate.cost) : "–"}</dd>
      </div>
      <div>
        <dt>Buying power</dt>
        <dd className="number">{available === undefined ? "–" : money(available)}</dd>
      </div>
      </dl>
      <p className={estimate?.warning ? "error" : "hint"}>
        {estimate?.warning ?? (isHeldMore && estimate.held ? `Up to ${money(estimate.held)} is held until it is filled` : " ")}
      </p>
    </div>
  );
}
