import { useCallback, useState } from "react";

import type { Instrument } from "../../api/types";
import { EMPTY, errorsOf, type Draft, type DraftErrors, type DraftField } from "./draft";

/** The order that is being written, and what to say of it: of a field only once it was left, or all when it was sent. */
export function useDraft(instruments: readonly Instrument[] | undefined) {
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const [left, setLeft] = useState<ReadonlySet<DraftField>>(new Set());
  const errors = errorsOf(draft, instruments);
  const shown: DraftErrors = Object.fromEntries(
    Object.entries(errors).filter(([field]) => left.has(field as DraftField) || isFilled(draft, field as DraftField)),
  );
  return {
    draft,
    errors,
    shown,
    change: useCallback((changes: Partial<Draft>) => setDraft((before) => ({ ...before, ...changes })), []),
    leave: useCallback((...fields: DraftField[]) => setLeft((before) => new Set([...before, ...fields])), []),
    /** The next order is mostly in the same symbol. */
    next: useCallback(() => {
      setDraft((before) => ({ ...before, quantity: "", price: "", stop_price: "", stop_loss: "", take_profit: "" }));
      setLeft(new Set());
    }, []),
  };
}

/** Numbers are checked as they are typed; a symbol is not wrong while its first letters are there. */
function isFilled(draft: Draft, field: DraftField): boolean {
  return field !== "symbol" && draft[field] !== "";
}
