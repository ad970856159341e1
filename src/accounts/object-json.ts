// Account objects as JSON: what the native API and `--json` show, and how what is sent is read.
import { z } from "zod";
import { momentJson } from "../moment.ts";
import type { AccountKind, AccountObject, Fields, Json } from "../store/directory.ts";
import type { Submitted } from "./change.ts";
import {
  budgetByModel,
  budgets,
  count,
  countByModel,
  type FieldType,
  flag,
  ipRanges,
  json,
  labels,
  longText,
  members,
  modelNames,
  models,
  routes,
  text,
  usd,
} from "./field-types.ts";
import { FIELDS, wireName } from "./fields.ts";
import { KEY_TYPES, type KeyType } from "./routes.ts";

const moment = z.iso.datetime({ offset: true });
const amount = z.union([z.string(), z.number()]).describe("US dollars, as a decimal");
const texts = z.array(z.string());
const budget = z.strictObject({
  limit_usd: amount,
  window: z.string().optional().describe("day, week, month, year, total or a length such as 30d"),
});
const whole = z.int().min(0);

const shownAmount = z.string().describe("US dollars, as a decimal");
const shownBudget = z.object({ limit_usd: shownAmount, window: z.string() });

/** What each kind of field is in JSON that is sent. */
const SCHEMAS: ReadonlyMap<FieldType, z.ZodType> = new Map<FieldType, z.ZodType>([
  [text, z.string()],
  [longText, z.string()],
  [flag, z.boolean()],
  [count, whole],
  [usd, amount],
  ...[labels, models, members, routes, ipRanges].map((type): [FieldType, z.ZodType] => [type, texts]),
  [json, z.record(z.string(), z.unknown())],
  [modelNames, z.record(z.string(), z.string())],
  [countByModel, z.record(z.string(), whole)],
  [budgets, z.array(budget)],
  [budgetByModel, z.record(z.string(), budget)],
]);

/** What is shown otherwise than it may be sent. */
const SHOWN: ReadonlyMap<FieldType, z.ZodType> = new Map<FieldType, z.ZodType>([
  [usd, shownAmount],
  [budgets, z.array(shownBudget)],
  [budgetByModel, z.record(z.string(), shownBudget)],
]);

/** An object: its fields in snake case, money as text, moments as ISO 8601. A key's secret is never in it. */
export function objectJson(object: AccountObject): { readonly [name: string]: unknown } {
  const { kind, id, fields, secret } = object;
  return {
    id,
    ...(secret === null ? {} : { prefix: secret.prefix, last_four: secret.lastFour }),
    ...fieldsJson(kind, fields),
    ...(secret === null
      ? {}
      : { last_used: momentJson(secret.lastUsedMs), grace_until: momentJson(secret.graceUntilMs) }),
    restricted_from_above: Object.keys(object.bounds).map(jsonName),
    created: momentJson(object.createdMs),
    created_by: object.createdBy,
    updated: momentJson(object.updatedMs),
    updated_by: object.updatedBy,
  };
}

/** The shape of `objectJson`. */
export function objectSchema(kind: AccountKind): z.ZodObject {
  const secret = { prefix: z.string(), last_four: z.string() };
  const use = { last_used: moment.nullable(), grace_until: moment.nullable() };
  return z.object({
    id: z.string(),
    ...(kind === "key" ? secret : {}),
    ...Object.fromEntries(shownFields(kind)),
    ...(kind === "key" ? use : {}),
    restricted_from_above: texts,
    ...{ created: moment, created_by: z.string(), updated: moment, updated_by: z.string() },
  });
}

/** The shape of what can be sent: each field may be left out, or null for its default. */
export function fieldsSchema(kind: AccountKind): z.ZodObject {
  const keyType = z.enum(Object.keys(KEY_TYPES) as [KeyType]).describe("A preset of allowed_routes");
  return z.strictObject({
    ...Object.fromEntries(fieldsOf(kind).map(([name, schema]) => [name, schema.nullable().optional()])),
    ...(kind === "key" ? { key_type: keyType.optional() } : {}),
  });
}

/** What was sent, as `fieldsSchema` lets through, by the fields' own names. */
export function readObjectFields(kind: AccountKind, sent: Readonly<Record<string, unknown>>): Submitted {
  const names = [...Object.keys(FIELDS[kind]), ...(kind === "key" ? ["keyType"] : [])];
  const read = names.flatMap((field): [string, unknown][] => {
    const value = sent[jsonName(field)];
    return value === undefined ? [] : [[field, readValue(field, value)]];
  });
  return Object.fromEntries(read);
}

/** The other way round: fields by their own names, as they are to be sent. */
export function sentFields(submitted: Submitted): Record<string, unknown> {
  const sent = Object.entries(submitted).filter(([, value]) => value !== undefined);
  return Object.fromEntries(sent.map(([field, value]) => [jsonName(field), sentValue(field, value as Json)]));
}

function sentValue(field: string, value: Json): unknown {
  if (value === null) return null;
  return isMoment(field) ? momentJson(value as number) : shown(field, value);
}

/** `expiresMs` → `expires`. */
export function jsonName(field: string): string {
  return wireName(field).replace(/_ms$/, "");
}

/** A field that holds something when nothing is stored is never null. */
function shownFields(kind: AccountKind): readonly (readonly [string, z.ZodType])[] {
  const sent = new Map(fieldsOf(kind));
  return Object.entries(FIELDS[kind]).map(([field, { type, whenUnset = null }]) => {
    const name = jsonName(field);
    const schema = SHOWN.get(type) ?? (sent.get(name) as z.ZodType);
    return [name, whenUnset !== null || field === "alias" ? schema : schema.nullable()] as const;
  });
}

function fieldsOf(kind: AccountKind): readonly (readonly [string, z.ZodType])[] {
  return Object.entries(FIELDS[kind]).map(([field, { type }]) => {
    const known = type.words === undefined ? schemaOf(type) : z.enum(type.words as [string, ...string[]]);
    if (known === undefined) throw new Error(`Field ${field} has no shape`);
    return [jsonName(field), isMoment(field) ? moment : known] as const;
  });
}

function schemaOf(type: FieldType): z.ZodType | undefined {
  return type.choices === undefined ? SCHEMAS.get(type) : z.array(z.enum(type.choices as [string, ...string[]]));
}

function fieldsJson(kind: AccountKind, fields: Fields): Record<string, Json> {
  return Object.fromEntries(
    Object.keys(FIELDS[kind]).map((field) => {
      const value = fields[field] ?? null;
      return [jsonName(field), isMoment(field) ? momentJson(value as number | null) : shown(field, value)];
    }),
  );
}

/** Budgets in snake case; the names in metadata are the caller's own. */
function shown(field: string, value: Json): Json {
  if (field === "budgets") return (value as readonly Json[]).map(budgetJson);
  if (field !== "modelBudgets") return value;
  return Object.fromEntries(
    Object.entries((value ?? {}) as object).map(([model, one]) => [model, budgetJson(one as Json)]),
  );
}

function budgetJson(budget: Json): Json {
  const { limitUsd, window } = budget as { readonly limitUsd: string; readonly window: string };
  return { limit_usd: limitUsd, window };
}

function readValue(field: string, value: unknown): unknown {
  if (value === null) return null;
  if (isMoment(field)) return Date.parse(value as string);
  if (field === "budgets") return (value as SentBudget[]).map(readBudget);
  if (field !== "modelBudgets") return value;
  return Object.fromEntries(
    Object.entries(value as Record<string, SentBudget | null>).map(([model, one]) => [
      model,
      one === null ? null : readBudget(one),
    ]),
  );
}

type SentBudget = z.output<typeof budget>;

function readBudget({ limit_usd, window }: SentBudget): object {
  return { limitUsd: limit_usd, window };
}

function isMoment(field: string): boolean {
  return field.endsWith("Ms");
}
