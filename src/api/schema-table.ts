// A JSON schema as a table for people: a row a field, those of nested objects below theirs.

/** The parts of JSON Schema that zod writes. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
}

/** One row. */
export interface SchemaRow {
  /** `budgets[].limit_usd`. */
  readonly name: string;
  /** `list of text`, `number or null`. */
  readonly type: string;
  readonly isRequired: boolean;
  readonly note: string;
}

/** Deeper ones are told by their parents' type alone. */
const DEPTH_MAX = 4;

const WORDS: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  number: "number",
  boolean: "true or false",
  object: "object",
  null: "null",
};

/** The rows of an object's schema; none for what is no object. */
export function schemaRows(schema: JsonSchema, path = "", depth = 0): readonly SchemaRow[] {
  return Object.entries(schema.properties ?? {}).flatMap(([field, inner]) => {
    const name = `${path}${field}`;
    const row = {
      name,
      type: typeText(inner),
      isRequired: schema.required?.includes(field) === true,
      note: noteOf(inner),
    };
    const nested = depth < DEPTH_MAX ? objectIn(inner) : null;
    return nested === null ? [row] : [row, ...schemaRows(nested.schema, `${name}${nested.step}`, depth + 1)];
  });
}

/** A schema's type in a few words. */
export function typeText({
  type,
  enum: words,
  const: only,
  items,
  anyOf,
  format,
  additionalProperties,
}: JsonSchema): string {
  if (anyOf !== undefined) return [...new Set(anyOf.map(typeText))].join(" or ");
  if (words !== undefined) return words.map((word) => `"${word}"`).join(", ");
  if (only !== undefined) return JSON.stringify(only);
  if (type === "array") return `list of ${typeText(items ?? {})}`;
  if (format === "date-time") return "moment (ISO 8601)";
  if (type === "object" && typeof additionalProperties === "object") {
    return `object by name of ${typeText(additionalProperties)}`;
  }
  if (Array.isArray(type)) return type.map((one) => WORDS[one] ?? one).join(" or ");
  return WORDS[String(type)] ?? "any";
}

function noteOf({ description, default: whenLeftOut, anyOf }: JsonSchema): string {
  const told = description ?? anyOf?.find((one) => one.description !== undefined)?.description ?? "";
  const hasDefault = whenLeftOut !== undefined && !/left out/.test(told);
  return hasDefault ? `${told} (${JSON.stringify(whenLeftOut)} when left out)`.trim() : told;
}

/** The object that a field holds, in a list, by name or as it is. */
function objectIn(schema: JsonSchema): { readonly schema: JsonSchema; readonly step: string } | null {
  const { properties, items, anyOf, additionalProperties: byName } = schema;
  if (properties !== undefined) return { schema, step: "." };
  const inner = anyOf?.map(objectIn).find((one) => one !== null) ?? null;
  if (inner !== null) return inner;
  if (items?.properties !== undefined) return { schema: items, step: "[]." };
  return typeof byName === "object" && byName.properties !== undefined ? { schema: byName, step: ".*." } : null;
}
