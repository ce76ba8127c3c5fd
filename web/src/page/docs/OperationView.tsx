import { curlOf, typeOf, type Operation, type Reply, type Schemas } from "./documents";
import { Prose } from "./Prose";
import { Details, SchemaView } from "./SchemaView";

const JSON_TYPE = "application/json";
const FAILED_FROM = 400;

interface Props {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
  readonly schemas: Schemas;
}

/** A method of a path: what it takes, what it answers, who may ask, and how to try it. */
export function OperationView({ method, path, operation, schemas }: Props) {
  const body = operation.requestBody?.content[JSON_TYPE]?.schema;
  const replies = Object.entries(operation.responses);
  const failures = replies.filter(([status]) => Number(status) >= FAILED_FROM);
  return (
    <details className="card operation" id={operation.operationId} data-operation={`${method.toUpperCase()} ${path}`}>
      <summary>
        <span className={`method ${method}`}>{method.toUpperCase()}</span>
        <code>{path}</code>
        <span className="operation-summary">{operation.summary}</span>
        <span className="tags">
          {(operation["x-roles"] ?? ["anybody"]).map((role) => (
            <span key={role} className="tag">
              {role}
            </span>
          ))}
        </span>
      </summary>
      {operation.parameters.length > 0 && (
        <>
          <h3>Parameters</h3>
          <ul className="fields">
            {operation.parameters.map((each) => (
              <li key={each.name}>
                <code className="field-name">{each.name}</code>{" "}
                <span className="muted">in the {each.in}:</span>{" "}
                <Details
                  field={each.description === undefined ? each.schema : { ...each.schema, description: each.description }}
                  schemas={schemas}
                />
              </li>
            ))}
          </ul>
        </>
      )}
      {body && (
        <>
          <h3>Body</h3>
          <SchemaView schema={body} schemas={schemas} isAsked />
        </>
      )}
      {replies
        .filter(([status]) => Number(status) < FAILED_FROM)
        .map(([status, reply], index, all) => (
          <Answer key={status} status={status} reply={reply} schemas={schemas} isAsBefore={index > 0 && isSame(reply, all[0]?.[1])} />
        ))}
      <h3>Problems</h3>
      <ul className="fields">
        {failures.map(([status, reply]) => (
          <li key={status}>
            <span className="number">{status}</span> <code>{reply.description}</code>
          </li>
        ))}
      </ul>
      <h3>In a shell</h3>
      <pre>{curlOf(method, path, operation, schemas)}</pre>
    </details>
  );
}

interface AnswerProps {
  readonly status: string;
  readonly reply: Reply;
  readonly schemas: Schemas;
  /** The body is that of the answer above. */
  readonly isAsBefore: boolean;
}

function Answer({ status, reply, schemas, isAsBefore }: AnswerProps) {
  const { [JSON_TYPE]: json, ...others } = reply.content ?? {};
  return (
    <>
      <h3>
        Answer {status}: <Prose text={reply.description} />
      </h3>
      <ul className="fields">
        {Object.entries(reply.headers ?? {}).map(([name, header]) => (
          <li key={name}>
            header <code className="field-name">{name}</code>: <Prose text={header.description} />
          </li>
        ))}
        {Object.entries(others).map(([media, content]) => (
          <li key={media}>
            or <code>{media}</code>: {content.schema?.description ?? (content.schema ? typeOf(content.schema, schemas) : "")}
          </li>
        ))}
      </ul>
      {isAsBefore && <p className="muted">The same fields</p>}
      {!isAsBefore && json?.schema && <SchemaView schema={json.schema} schemas={schemas} />}
    </>
  );
}

function isSame(one: Reply, other: Reply | undefined): boolean {
  const schema = one.content?.[JSON_TYPE]?.schema;
  return schema !== undefined && schema.$ref === other?.content?.[JSON_TYPE]?.schema?.$ref;
}
