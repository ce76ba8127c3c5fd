import { useId, type ReactNode } from "react";

export interface FieldProps {
  readonly label: string;
  readonly error?: string | null | undefined;
  readonly hint?: ReactNode;
}

interface Ids {
  readonly id: string;
  readonly "aria-invalid": boolean;
  readonly "aria-describedby": string | undefined;
}

/** A label, whatever is entered, and what is wrong with it, tied together for those who do not see them side by side. */
export function Field({ label, error, hint, children }: FieldProps & { readonly children: (ids: Ids) => ReactNode }) {
  const id = useId();
  const note = error ?? hint;
  return (
    <div className={error ? "field invalid" : "field"}>
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-invalid": Boolean(error), "aria-describedby": note ? `${id}-note` : undefined })}
      {note && (
        <p id={`${id}-note`} className={error ? "error" : "hint"}>
          {note}
        </p>
      )}
    </div>
  );
}
