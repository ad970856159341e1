// Makes src/client/types.ts from the OpenAPI document: the shapes of the operations that the client has methods for.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import type { OpenApiDocument, OpenApiOperation } from "../../src/api/openapi.ts";
import { loadConfig } from "../../src/config.ts";
import { startGateway } from "../../src/gateway.ts";

export const TYPES_FILE = join(import.meta.dirname, "..", "..", "src", "client", "types.ts");

/** The APIs that the admin client speaks, and the one of which the team client speaks what a team's key opens. */
const ADMIN: readonly string[] = ["admin", "budget"];
const TEAM = "saas-litellm";

/** JSON Schema, as far as the document has it. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/** A type that is to have a name. `sent`: what callers write, whose members may be undefined. */
interface Named {
  readonly name: string;
  readonly about: string;
  readonly schema: Schema;
  readonly isSent: boolean;
  /** Its name is the one to be used for all that have its shape. */
  readonly isMain: boolean;
  /** The type that it extends where it holds it whole. */
  readonly base: string | null;
}

/** The document of a gateway that runs on its defaults. */
export async function liveDocument(): Promise<OpenApiDocument> {
  const directory = mkdtempSync(join(tmpdir(), "tollgate-document-"));
  try {
    mkdirSync(join(directory, "rules"));
    writeFileSync(join(directory, "rules", "all.rules"), "version 1\ndefault allow\n");
    const listeners = { listen: "127.0.0.1:0", admin: { listen: "127.0.0.1:0" } };
    writeFileSync(join(directory, "tollgate.yaml"), JSON.stringify({ ...listeners, rules: "./rules" }));
    const config = loadConfig({ cwd: directory, env: {} });
    const gateway = await startGateway(config, { log: pino({ level: "silent" }), env: {} });
    try {
      return (await (await fetch(`${gateway.adminUrl}/openapi.json`)).json()) as OpenApiDocument;
    } finally {
      await gateway.close();
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The operations that the client has methods for, in the document's order. */
export function operationsOf({ paths }: OpenApiDocument): (OpenApiOperation & { method: string; path: string })[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { tags, security }]) =>
        tags.some((tag) => ADMIN.includes(tag) || (tag === TEAM && takesKey(security))),
      )
      .map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  );
}

function takesKey(security: OpenApiOperation["security"]): boolean {
  return security.some((one) => "virtualKey" in one);
}

/** The file's text. */
export function typesOf(document: OpenApiDocument): string {
  const found = operationsOf(document).flatMap(namedIn);
  const all = [...found, ...found.flatMap(nestedIn)];
  const names = new Map<string, string>();
  // What shows one object and what changes one give their names to lists of it and to what makes it.
  for (const one of [...all.filter(({ isMain }) => isMain), ...all.filter(({ isMain }) => !isMain)]) {
    const key = keyOf(one.schema, one.isSent);
    if (!names.has(key)) names.set(key, one.name);
  }
  const unique = new Map<string, Named>();
  for (const one of all) {
    if (names.get(keyOf(one.schema, one.isSent)) !== one.name) continue;
    const same = unique.get(one.name) ?? one;
    if (keyOf(same.schema, same.isSent) !== keyOf(one.schema, one.isSent)) {
      throw new Error(`two shapes are called ${one.name}: ${same.about} ${one.about}`);
    }
    unique.set(one.name, same);
  }
  const texts = [...unique.values()].map((one) => declarationOf(one, unique, names));
  const head =
    "// Shapes of the API, made from its OpenAPI document by `node test/client/write.ts`. Not edited by hand.\n";
  return `${head}\n${texts.join("\n")}`;
}

function declarationOf(
  { name, about, schema, isSent, base }: Named,
  unique: ReadonlyMap<string, Named>,
  names: ReadonlyMap<string, string>,
): string {
  const rendering = { names, self: name, isSent, indent: "" };
  const less = base === null || base === name ? null : beyond(schema, unique.get(base)?.schema);
  const heading = less === null ? name : `${name} extends ${base}`;
  const body = typeOf(less ?? schema, rendering);
  const text = body.startsWith("{") ? `export interface ${heading} ${body}` : `export type ${name} = ${body};`;
  return `/** ${about} */\n${text}\n`;
}

/** What the schema has beyond another one that it holds whole; null when it does not. */
function beyond(schema: Schema, base: Schema | undefined): Schema | null {
  const isHeld = Object.entries(base?.properties ?? {}).every(
    ([name, inner]) => JSON.stringify(schema.properties?.[name]) === JSON.stringify(inner),
  );
  if (base === undefined || !isHeld) return null;
  const own = Object.entries(schema.properties ?? {}).filter(([name]) => base.properties?.[name] === undefined);
  return { ...schema, properties: Object.fromEntries(own) };
}

/** Names that are not taken from the operation's; of two operations' that would be one. */
const RENAMED: Readonly<Record<string, string>> = {
  "saasGetTeam Team": "OwnTeam",
  VerifyKeyReply: "VerifiedKey",
  SetOrgMemberReply: "Member",
  CreateKeyReply: "MadeKey",
  Audit: "AuditEntry",
  Usage: "UsageRow",
  Recovered: "Recovery",
  CreditTransactions: "CreditTransaction",
  ListOrgIamRulesReply: "IamRules",
  IamRules: "IamRule",
  AddOrgIamRuleBody: "NewIamRule",
  AddOrgIamRuleReply: "ChangedIamRule",
  OrgIamRuleFields: "IamRuleFields",
  ReverseRecoveredReply: "Reversal",
};

/** What of an operation is named: `get` gives an object its name, `update` its fields. */
function namedIn(operation: OpenApiOperation): Named[] {
  const { operationId, summary, requestBody, responses } = operation;
  const Name = operationId.replace(/^saas/, "").replace(/^[a-z]/, (letter) => letter.toUpperCase());
  const [, verb = "", noun = ""] = /^([A-Z][a-z]+)?(.*)$/.exec(Name) ?? [];
  const what = `${summary.charAt(0).toLowerCase()}${summary.slice(1)}`;
  const named = (
    own: string,
    part: string,
    schema: Schema | null,
    more: Pick<Named, "isSent" | "isMain" | "base">,
  ): Named[] =>
    schema === null
      ? []
      : [
          {
            name: RENAMED[`${operationId} ${own}`] ?? RENAMED[own] ?? own,
            about: `\`${operationId}\`, ${part}: ${what}.`,
            schema,
            ...more,
          },
        ];
  const good = Object.entries(responses).find(([status]) => status.startsWith("2"))?.[1];
  return [
    ...named(`${Name}Query`, "query", querySchema(operation), { isSent: true, isMain: false, base: null }),
    ...named(verb === "Update" ? `${noun}Fields` : `${Name}Body`, "body", schemaIn(requestBody), {
      ...{ isSent: true, isMain: verb === "Update", base: `${noun}Fields` },
    }),
    ...named(verb === "Get" ? noun : `${Name}Reply`, "answer", schemaIn(good), {
      ...{ isSent: false, isMain: verb === "Get", base: noun },
    }),
  ];
}

function querySchema({ parameters }: OpenApiOperation): Schema | null {
  const query = parameters.filter((one) => one.in === "query") as (OpenApiOperation["parameters"][number] & {
    readonly schema: Schema;
    readonly description?: string;
  })[];
  if (query.length === 0) return null;
  const properties = query.map(({ name, schema, description }) => [
    name,
    { ...schema, ...(description === undefined ? {} : { description }) },
  ]);
  const required = query.filter((one) => one.required).map(({ name }) => name);
  return { type: "object", properties: Object.fromEntries(properties), required };
}

/** Objects within objects: `budgets: [{…}]` names a `Budget`, `BudgetFields` where it is sent. */
function nestedIn({ name, schema, isSent }: Named): Named[] {
  return Object.entries(schema.properties ?? {}).flatMap(([property, inner]) => {
    const item = itemOf(inner);
    if (item === null) return [];
    const noun = property === "items" || property === "rows" ? name.replace(/^List|Reply$/g, "") : nounOf(property);
    const own = { name: isSent ? `${noun}Fields` : (RENAMED[noun] ?? noun), about: `One of \`${property}\`.` };
    const nested = { ...own, schema: item, isSent, isMain: false, base: null };
    return [nested, ...nestedIn(nested)];
  });
}

/** `model_budgets` → `ModelBudget`. */
function nounOf(property: string): string {
  return property.replace(/s$/, "").replace(/(?:^|_)(\w)/g, (_all, letter: string) => letter.toUpperCase());
}

/** The object that a list, a map or an alternative to null has as its values. */
function itemOf(schema: Schema): Schema | null {
  const [first] = schema.anyOf ?? [];
  if (first !== undefined) return itemOf(first);
  if (schema.items?.properties !== undefined) return schema.items;
  const { additionalProperties: value } = schema;
  return typeof value === "object" && value.properties !== undefined ? value : null;
}

function schemaIn(holder: object | undefined): Schema | null {
  const { content } = (holder ?? {}) as { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> };
  return content?.["application/json"]?.schema ?? null;
}

function keyOf(schema: Schema, isSent: boolean): string {
  return `${isSent}${JSON.stringify(schema)}`;
}

interface Rendering {
  readonly names: ReadonlyMap<string, string>;
  /** The type that is being written, which is not to be written as its own name. */
  readonly self: string | null;
  readonly isSent: boolean;
  readonly indent: string;
}

function typeOf(schema: Schema, at: Rendering): string {
  const name = at.names.get(keyOf(schema, at.isSent));
  if (name !== undefined && name !== at.self) return name;
  const inner = { ...at, self: null };
  const any = schema.anyOf ?? schema.oneOf;
  if (any !== undefined) return [...new Set(any.map((one) => typeOf(one, inner)))].join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type }, inner)).join(" | ");
  if (schema.type === "array") return `readonly ${inParentheses(typeOf(schema.items ?? {}, inner))}[]`;
  if (schema.type === "object") return objectType(schema, inner);
  return (
    { string: "string", number: "number", integer: "number", boolean: "boolean", null: "null" }[String(schema.type)] ??
    "unknown"
  );
}

function objectType({ properties = {}, required = [], additionalProperties }: Schema, at: Rendering): string {
  const entries = Object.entries(properties);
  if (entries.length === 0) {
    const value = typeof additionalProperties === "object" ? typeOf(additionalProperties, at) : "unknown";
    return `Readonly<Record<string, ${value}>>`;
  }
  const indent = `${at.indent}  `;
  const lines = entries.map(([name, schema]) => {
    const note = schema.description === undefined ? "" : `${indent}/** ${schema.description} */\n`;
    const isOptional = !required.includes(name);
    const type = `${typeOf(schema, { ...at, indent })}${isOptional && at.isSent ? " | undefined" : ""}`;
    return `${note}${indent}readonly ${name}${isOptional ? "?" : ""}: ${type};\n`;
  });
  return `{\n${lines.join("")}${at.indent}}`;
}

function inParentheses(type: string): string {
  return type.includes(" | ") && !type.startsWith("{") ? `(${type})` : type;
}
