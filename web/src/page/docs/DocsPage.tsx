import { useEffect, useState } from "react";
import useSWRImmutable from "swr/immutable";

import { ErrorState, Skeleton } from "../parts/States";
import { SelectField } from "../parts/SelectField";
import { TextField } from "../parts/TextField";
import { ChannelView } from "./ChannelView";
import type { AsyncApi, OpenApi } from "./documents";
import { OperationView } from "./OperationView";
import { Prose } from "./Prose";

type Role = "" | "trader" | "auditor" | "ops";

const ROLES: ReadonlyArray<readonly [Role, string]> = [
  ["", "Everybody"],
  ["trader", "Traders"],
  ["auditor", "Auditors"],
  ["ops", "Operators"],
];

/** The API as it describes itself: everything here comes from the two documents, and those from the engine that serves them. */
export default function DocsPage() {
  const { data: openapi, error, mutate } = useSWRImmutable<OpenApi, Error>("/openapi.json", asked);
  const { data: asyncapi } = useSWRImmutable<AsyncApi, Error>("/asyncapi.json", asked);
  const [text, setText] = useState("");
  const [role, setRole] = useState<Role>("");
  const isThere = openapi !== undefined && asyncapi !== undefined;
  useEffect(() => {
    if (isThere) unfold(location.hash.slice(1));
  }, [isThere]);
  return (
    <>
      <header className="page-head">
        <div className="page-title">
          <h1>API {openapi?.info.version}</h1>
          <p className="muted">What the engine takes, answers and streams</p>
        </div>
        <nav aria-label="Pages">
          <a href="/">Orders</a>
          <a href="/openapi.json">OpenAPI</a>
          <a href="/asyncapi.json">AsyncAPI</a>
        </nav>
      </header>
      <main className="page docs-page">
        {!openapi || !asyncapi ? (
          <section className="card">
            {error ? <ErrorState sentence="The descriptions could not be loaded" onRetry={() => void mutate()} /> : <Skeleton lines={12} />}
          </section>
        ) : (
          <>
            <section className="card">
              <p>
                <Prose text={openapi.info.description} /> <Prose text="Requests carry `Authorization: Bearer TOKEN`; every error is a problem document (RFC 9457) with a `code`." />
              </p>
              <div className="docs-filter">
                <TextField label="Find" value={text} onChange={setText} placeholder="cancel" />
                <SelectField label="What may be asked by" value={role} options={ROLES} onChange={setRole} />
              </div>
            </section>
            <h2>Requests</h2>
            {operationsOf(openapi)
              .filter(({ path, operation }) => isFound(text, path, operation.summary) && isFor(role, operation["x-roles"]))
              .map((each) => (
                <OperationView key={each.operation.operationId} {...each} schemas={openapi.components.schemas} />
              ))}
            <h2>Streams</h2>
            <p className="muted">
              <Prose text={asyncapi.info.description} />
            </p>
            {Object.entries(asyncapi.channels)
              .filter(([, { address, description }]) => isFound(text, address, description))
              .map(([name, channel]) => (
                <ChannelView key={name} name={name} channel={channel} document={asyncapi} />
              ))}
          </>
        )}
      </main>
    </>
  );
}

async function asked<Document>(path: string): Promise<Document> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(path);
  return (await response.json()) as Document;
}

function operationsOf(document: OpenApi) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, path, operation })),
  );
}

function isFound(text: string, ...places: readonly string[]): boolean {
  return places.some((place) => place.toLowerCase().includes(text.trim().toLowerCase()));
}

function isFor(role: Role, roles: readonly string[] | undefined): boolean {
  return role === "" || roles === undefined || roles.includes(role);
}

/** Show what the address names: `/docs#place_order`. */
function unfold(name: string): void {
  const named = name === "" ? null : document.getElementById(name);
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.scrollIntoView();
  }
}
