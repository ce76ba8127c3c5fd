import type { Status } from "../../api/types";
import { words } from "../format";
import { SelectField } from "../parts/SelectField";
import { TextField } from "../parts/TextField";
import { STATUSES } from "./status";

export interface Filter {
  readonly status: Status | "";
  readonly ticker: string;
}

interface Props {
  readonly filter: Filter;
  readonly onChange: (filter: Filter) => void;
}

export function Filters({ filter, onChange }: Props) {
  return (
    <div className="filters" role="search" aria-label="Orders">
      <SelectField
        label="Status"
        value={filter.status}
        options={[["", "All"], ...STATUSES.map((status) => [status, words(status)] as const)]}
        onChange={(status: Filter["status"]) => onChange({ ...filter, status })}
      />
      <TextField
        label="Ticker"
        value={filter.ticker}
        onChange={(ticker) => onChange({ ...filter, ticker: ticker.toUpperCase().trim() })}
        placeholder="All"
        autoComplete="off"
        spellCheck={false}
      />
    </div>
  );
}
