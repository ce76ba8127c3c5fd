/** The API's two descriptions of itself, as far as they are shown. */

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

export interface Content {
  readonly schema?: Schema;
}

export interface Reply {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly description: string }>>;
  readonly content?: Readonly<Record<string, Content>>;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, Reply>>;
  readonly "x-roles"?: readonly string[];
}

interface Described {
  readonly info: { readonly version: string; readonly description: string };
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export interface OpenApi extends Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export interface Message {
  readonly name: string;
  readonly summary: string;
  readonly payload: Schema;
}

export interface Channel {
  readonly address: string;
  readonly description: string;
  readonly messages: Readonly<Record<string, { readonly $ref: string }>>;
  readonly bindings?: { readonly ws: { readonly query: Schema } };
  readonly "x-close-codes"?: ReadonlyArray<{ readonly code: number; readonly reason: string; readonly resumable: boolean }>;
}

export interface AsyncApi extends Described {
  readonly channels: Readonly<Record<string, Channel>>;
  readonly operations: Readonly<
    Record<string, { readonly channel: { readonly $ref: string }; readonly summary: string; readonly bindings?: { readonly http: { readonly query: Schema } } }>
  >;
  readonly components: Described["components"] & { readonly messages: Readonly<Record<string, Message>> };
}

export type Schemas = Readonly<Record<string, Schema>>;

/** The last step of a reference: the name of what it leads to. */
export function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

/** The schema itself, where it is only named. */
export function resolved(schema: Schema, schemas: Schemas): Schema {
  return schema.$ref === undefined ? schema : (schemas[nameOf(schema.$ref)] ?? {});
}

/** What a value may be, in a few words: `text (uuid) or null`. */
export function typeOf(schema: Schema, schemas: Schemas): string {
  if (schema.anyOf) return [...new Set(schema.anyOf.map((each) => typeOf(each, schemas)))].join(" or ");
  const found = resolved(schema, schemas);
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.enum) return found.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (found.type === "array") return `list of ${found.items ? typeOf(found.items, schemas) : "anything"}`;
  if (found.type === "object") return schema.$ref === undefined ? "object" : nameOf(schema.$ref);
  const name = found.type === "string" ? "text" : found.type === "integer" ? "whole number" : (found.type ?? "anything");
  return found.format === undefined ? name : `${name} (${found.format})`;
}

/** What of a schema has fields of its own: itself, or what a list or a choice is made of. */
export function objectOf(schema: Schema, schemas: Schemas): Schema | null {
  const found = resolved(schema, schemas);
  if (found.properties) return found;
  if (found.items) return objectOf(found.items, schemas);
  for (const each of found.anyOf ?? []) {
    const object = objectOf(each, schemas);
    if (object) return object;
  }
  return null;
}

/** The request as a line for a shell. */
export function curlOf(method: string, path: string, operation: Operation, schemas: Schemas): string {
  const parts = [`curl -sS${method === "get" || (method === "post" && operation.requestBody) ? "" : ` -X ${method.toUpperCase()}`} "$URL${path}"`];
  if (operation["x-roles"]) parts.push(`-H "Authorization: Bearer $TOKEN"`);
  const body = operation.requestBody?.content["application/json"]?.schema;
  if (body) {
    parts.push("-H 'Content-Type: application/json'", `-d '${exampleOf(resolved(body, schemas))}'`);
  }
  return parts.join(" \\\n  ");
}

/** The example of an object as JSON, its fields in the order in which they are described. */
function exampleOf({ examples, properties = {} }: Schema): string {
  const fields = (examples?.[0] ?? {}) as Readonly<Record<string, unknown>>;
  const names = Object.keys(properties).filter((name) => name in fields);
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, fields[name]])));
}
