// Works out what a submitted object would change, and whether the caller may: rights are asked for the difference.
import type { AccountKind, AccountObject, Bound, Fields, Json } from "../store/directory.ts";
import { AccountError } from "./errors.ts";
import { FIELDS, fieldOf, NOUNS, readField, wireName } from "./fields.ts";
import { type FieldRight, mayDo, rankOf, type Standing, whoMay } from "./rights.ts";
import { KEY_TYPES, type KeyType } from "./routes.ts";

/** What a caller sends: fields by name, all of them or some. A field that is absent stays as it is. */
export type Submitted = { readonly [field: string]: unknown };

/** Whose change it is, as far as it matters here. */
export interface ChangeBy {
  readonly standings: ReadonlySet<Standing>;
  /** True when the object is the caller's own: what one restricts oneself, one can lift. */
  readonly isOwn: boolean;
  /** True for an object that is being made: its owner may then give it budgets, which only narrow. */
  readonly isNew: boolean;
}

/** What to write: the fields that change, and all bounds. */
export interface Planned {
  readonly fields: Fields;
  readonly bounds: AccountObject["bounds"];
}

/** What a caller is told who sets routes without the right; the words that users of LiteLLM know. */
export const ROUTES_REFUSAL =
  "Only proxy admins can set `allowed_routes` on a key. Use `key_type` to pick a preset route bucket instead.";

/** Fields that an owner may give a key of its own when it is made. A temporary raise is no restriction. */
const BUDGETS_OF_A_NEW_KEY: ReadonlySet<string> = new Set(["budgets", "softBudgetUsd", "modelBudgets", "noMainBudget"]);

/**
 * The difference, once it is permitted.
 * @param stored what is there, with its bounds; for a new object nothing
 * @throws AccountError `invalid_field`, `not_permitted`, `revoked`
 */
export function planChange(
  kind: AccountKind,
  stored: Pick<AccountObject, "fields" | "bounds">,
  submitted: Submitted,
  by: ChangeBy,
): Planned {
  const { keyType, ...rest } = submitted;
  const fields: Record<string, Json> = difference(kind, stored.fields, rest);
  const preset = kind === "key" ? presetOf(keyType, stored.fields, fields) : refuseKeyType(kind, keyType);
  if (preset !== null) fields.allowedRoutes = preset.routes;
  for (const [field, value] of Object.entries(fields)) {
    const right = field === "allowedRoutes" && preset !== null ? preset.right : fieldOf(kind, field).right;
    assertRight(kind, field, right, by);
    assertNotRevoked(kind, field, stored.fields);
    assertWithinBound(kind, field, value, stored.bounds, by);
  }
  return { fields, bounds: boundsAfter(kind, stored.bounds, fields, by) };
}

/** The submitted fields that are not what is stored, as they are to be stored. */
function difference(kind: AccountKind, stored: Fields, submitted: Submitted): Record<string, Json> {
  const changed: Record<string, Json> = {};
  // In the fields' own order: what is told of the change does not depend on how it was written.
  for (const field of inOrder(kind, Object.keys(submitted))) {
    const value = submitted[field];
    if (value === undefined) continue;
    const wanted = readField(kind, field, value);
    const { canonical } = fieldOf(kind, field).type;
    if (canonical(wanted) !== canonical(readField(kind, field, stored[field]))) changed[field] = wanted;
  }
  return changed;
}

function inOrder(kind: AccountKind, fields: readonly string[]): readonly string[] {
  const known = Object.keys(FIELDS[kind]);
  return [...fields.filter((field) => !known.includes(field)), ...known.filter((field) => fields.includes(field))];
}

/** The routes that a `key_type` comes to; null when it changes nothing. */
function presetOf(
  keyType: unknown,
  stored: Fields,
  changed: Fields,
): { readonly routes: Json; readonly right: FieldRight } | null {
  if (keyType === undefined || keyType === null) return null;
  if (typeof keyType !== "string" || !Object.hasOwn(KEY_TYPES, keyType)) {
    const known = Object.keys(KEY_TYPES).join(", ");
    throw new AccountError("invalid_field", `\`key_type\` must be one of ${known}`, { field: "keyType" });
  }
  const { canonical, read } = fieldOf("key", "allowedRoutes").type;
  const routes = read(KEY_TYPES[keyType as KeyType]);
  const asked = Object.hasOwn(changed, "allowedRoutes") ? (changed.allowedRoutes ?? null) : routes;
  if (canonical(asked) !== canonical(routes)) {
    const message = "`key_type` and `allowed_routes` contradict each other: send one of them";
    throw new AccountError("invalid_field", message, { field: "keyType" });
  }
  if (canonical(routes) === canonical(read(stored.allowedRoutes))) return null;
  return { routes, right: keyType === "management" ? "management" : "key_type" };
}

function refuseKeyType(kind: AccountKind, keyType: unknown): null {
  if (keyType !== undefined) fieldOf(kind, "keyType");
  return null;
}

function assertRight(kind: AccountKind, field: string, right: FieldRight, { standings, isNew, isOwn }: ChangeBy): void {
  if (mayDo(kind, right, standings)) return;
  if (isNew && isOwn && BUDGETS_OF_A_NEW_KEY.has(field)) return;
  // Who a new object belongs to is decided where it is made.
  if (isNew && (right === "owner" || right === "team")) return;
  if (right === "routes") throw new AccountError("not_permitted", ROUTES_REFUSAL, { field });
  if (right === "management") {
    throw new AccountError("not_permitted", "Only proxy admins can set `key_type` to management on a key.", {
      field: "keyType",
    });
  }
  const message = `Only ${whoMay(kind, right)} can change \`${wireName(field)}\` on ${aKind(kind)}`;
  throw new AccountError("not_permitted", message, { field });
}

function assertNotRevoked(kind: AccountKind, field: string, stored: Fields): void {
  if (kind !== "key" || field !== "status" || stored.status !== "revoked") return;
  throw new AccountError("revoked", "The key is revoked, and that is final: create another one", { field });
}

function assertWithinBound(
  kind: AccountKind,
  field: string,
  value: Json,
  bounds: AccountObject["bounds"],
  { standings }: ChangeBy,
): void {
  const { isWithin } = fieldOf(kind, field).type;
  const above = (bounds[field] ?? []).filter(({ rank }) => rank > rankOf(standings));
  if (above.every((bound) => isWithin(value, bound.value))) return;
  const message = `\`${wireName(field)}\` was restricted by an admin: it can be narrowed, not widened`;
  throw new AccountError("not_permitted", message, { field });
}

/** What is set from above binds those below; what is lifted from above, no more. */
function boundsAfter(
  kind: AccountKind,
  before: AccountObject["bounds"],
  changed: Fields,
  { standings, isOwn }: ChangeBy,
): AccountObject["bounds"] {
  const after: Record<string, readonly Bound[]> = { ...before };
  const rank = rankOf(standings);
  for (const [field, value] of Object.entries(changed)) {
    if (FIELDS[kind][field]?.restricts !== true || rank === 0) continue;
    const above = (before[field] ?? []).filter((bound) => bound.rank > rank);
    const bounds = value === null || isOwn ? above : [...above, { rank, value }];
    if (bounds.length > 0) after[field] = bounds;
    else delete after[field];
  }
  return after;
}

function aKind(kind: AccountKind): string {
  return `${/^[aeiou]/.test(NOUNS[kind]) ? "an" : "a"} ${NOUNS[kind]}`;
}
