import { Button } from "../parts/Button";
import { SelectField } from "../parts/SelectField";

export const SIZES = ["25", "50", "100", "500"] as const;
export type Size = (typeof SIZES)[number];

interface Props {
  readonly first: number;
  readonly last: number;
  readonly size: Size;
  readonly hasNewer: boolean;
  readonly hasOlder: boolean;
  readonly onSize: (size: Size) => void;
  readonly onNewer: () => void;
  readonly onOlder: () => void;
}

export function Pager({ first, last, size, hasNewer, hasOlder, onSize, onNewer, onOlder }: Props) {
  return (
    <nav className="pager" aria-label="Pages of orders">
      <SelectField label="Rows" value={size} options={SIZES.map((each) => [each, each] as const)} onChange={onSize} />
      <span className="muted number">{last === 0 ? "None" : `${first}–${last}`}</span>
      <Button disabled={!hasNewer} onClick={onNewer}>
        Newer
      </Button>
      <Button disabled={!hasOlder} onClick={onOlder}>
        Older
      </Button>
    </nav>
  );
}
