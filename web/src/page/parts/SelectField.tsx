import { Field, type FieldProps } from "./Field";

interface Props<Value extends string> extends FieldProps {
  readonly value: Value;
  readonly options: ReadonlyArray<readonly [value: Value, shown: string]>;
  readonly onChange: (value: Value) => void;
  readonly className?: string;
}

export function SelectField<Value extends string>({ label, error, hint, value, options, onChange, className }: Props<Value>) {
  return (
    <Field label={label} error={error} hint={hint}>
      {(ids) => (
        <select {...ids} className={className} value={value} onChange={(event) => onChange(event.target.value as Value)}>
          {options.map(([each, shown]) => (
            <option key={each} value={each}>
              {shown}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
