import type { InputHTMLAttributes } from "react";

import { Field, type FieldProps } from "./Field";

interface Props extends FieldProps, Omit<InputHTMLAttributes<HTMLInputElement>, "onChange"> {
  readonly value: string;
  readonly onChange: (value: string) => void;
}

export function TextField({ label, error, hint, value, onChange, ...rest }: Props) {
  return (
    <Field label={label} error={error} hint={hint}>
      {(ids) => <input {...rest} {...ids} value={value} onChange={(event) => onChange(event.target.value)} />}
    </Field>
  );
}

/** A decimal number: text all the way, so that no digit is lost. */
export function DecimalField(props: Props) {
  return <TextField {...props} className="number" inputMode="decimal" autoComplete="off" spellCheck={false} />;
}
