import { objectOf, typeOf, type Schema, type Schemas } from "./documents";
import { Prose } from "./Prose";

const DEPTH_MAX = 4;

interface Props {
  readonly schema: Schema;
  readonly schemas: Schemas;
  /** Somebody has to write it, so what is needed stands out; of what comes back, what may be missing does. */
  readonly isAsked?: boolean;
  readonly depth?: number;
}

/** The fields of an object, each with what it may be; what lies in a field unfolds. */
export function SchemaView({ schema, schemas, isAsked = false, depth = 0 }: Props) {
  const object = objectOf(schema, schemas);
  if (!object?.properties) return <p className="muted">{typeOf(schema, schemas)}</p>;
  return (
    <ul className="fields">
      {Object.entries(object.properties).map(([name, field]) => (
        <li key={name}>
          <code className="field-name">{name}</code>{" "}
          <Details field={field} schemas={schemas} note={noteOn(object.required?.includes(name) ?? false, isAsked)} />
          {depth < DEPTH_MAX && objectOf(field, schemas) && (
            <details>
              <summary>Its fields</summary>
              <SchemaView schema={field} schemas={schemas} isAsked={isAsked} depth={depth + 1} />
            </details>
          )}
        </li>
      ))}
    </ul>
  );
}

interface DetailsProps {
  readonly field: Schema;
  readonly schemas: Schemas;
  readonly note?: string | null;
}

/** What a field or parameter may be, whether it has to be there, and what it means. */
export function Details({ field, schemas, note = null }: DetailsProps) {
  return (
    <span className="field-details">
      <span className="muted">{typeOf(field, schemas)}</span>
      {note && <span>{note}</span>}
      {field.default !== undefined && field.default !== null && <span className="muted">default {JSON.stringify(field.default)}</span>}
      {field.description && (
        <span>
          <Prose text={field.description} />
        </span>
      )}
    </span>
  );
}

function noteOn(isRequired: boolean, isAsked: boolean): string | null {
  if (isAsked) return isRequired ? "needed" : null;
  return isRequired ? null : "not always there";
}
