// The fields of every kind of account object: what each holds, which right it needs, whether it restricts.
import type { AccountKind, Fields, Json } from "../store/directory.ts";
import { AccountError } from "./errors.ts";
import {
  budgetByModel,
  budgets,
  choice,
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
  moment,
  routes,
  someOf,
  text,
  usd,
} from "./field-types.ts";
import { type FieldRight, MEMBER_PERMISSIONS } from "./rights.ts";

/** A field. */
export interface FieldSpec {
  readonly type: FieldType;
  /** The row of the table of rights that a change of it asks. */
  readonly right: FieldRight;
  /** True when it narrows what requests may do: what is set from above cannot be lifted from below. */
  readonly restricts: boolean;
  /** What it holds when nothing is stored; null when left out. */
  readonly whenUnset?: Json;
}

const plain = (type: FieldType, right: FieldRight = "plain"): FieldSpec => ({ type, right, restricts: false });
const narrowing = (type: FieldType, right: FieldRight = "plain"): FieldSpec => ({ type, right, restricts: true });
const unset = (spec: FieldSpec, whenUnset: Json): FieldSpec => ({ ...spec, whenUnset });

const memberPermissions = someOf(MEMBER_PERMISSIONS);

const PROFILE = { alias: plain(text, "profile"), metadata: unset(plain(json, "profile"), {}) };
const MODELS = { models: unset(narrowing(models), []), accessGroups: unset(narrowing(models), []) };
const LIMITS = {
  tpmLimit: narrowing(count),
  rpmLimit: narrowing(count),
  modelTpmLimits: unset(narrowing(countByModel), {}),
  modelRpmLimits: unset(narrowing(countByModel), {}),
  maxParallelRequests: narrowing(count),
};
const BUDGETS = {
  budgets: unset(narrowing(budgets, "budget"), []),
  softBudgetUsd: plain(usd, "budget"),
  modelBudgets: unset(narrowing(budgetByModel, "budget"), {}),
  // Says how LiteLLM's shape shows the budgets: all as windows, or the first as `max_budget`.
  noMainBudget: unset(plain(flag, "budget"), false),
};
const ALIASES = { modelAliases: unset(narrowing(modelNames), {}) };
const IP_RANGES = { ipRanges: unset(narrowing(ipRanges), []) };
const RULES = { rules: narrowing(longText) };
const SUSPENDABLE = { status: unset(narrowing(choice(["active", "suspended", "paused"]), "status"), "active") };

/** What a team's calls cost in credits; `none`: it has no use for credits. */
const BUDGET_MODES = ["none", "job_based", "consumption_usd", "consumption_tokens"];

/** Every field of every kind, by name. */
export const FIELDS: Readonly<Record<AccountKind, Readonly<Record<string, FieldSpec>>>> = Object.freeze({
  key: {
    ...PROFILE,
    description: plain(text, "profile"),
    ...MODELS,
    ...LIMITS,
    ...BUDGETS,
    ...IP_RANGES,
    ...RULES,
    ...ALIASES,
    teamId: plain(text, "team"),
    userId: plain(text, "owner"),
    serviceAccount: unset(plain(flag, "owner"), false),
    status: unset(narrowing(choice(["active", "disabled", "revoked"]), "status"), "active"),
    expiresMs: narrowing(moment),
    tags: unset(narrowing(labels), []),
    roles: unset(plain(labels, "roles"), []),
    allowedRoutes: unset(narrowing(routes, "routes"), []),
    tempBudgetIncreaseUsd: plain(usd, "budget"),
    tempBudgetExpiresMs: plain(moment, "budget"),
  },
  team: {
    ...PROFILE,
    ...MODELS,
    ...LIMITS,
    ...BUDGETS,
    ...IP_RANGES,
    ...RULES,
    ...ALIASES,
    ...SUSPENDABLE,
    orgId: plain(text, "owner"),
    budgetMode: unset(plain(choice(BUDGET_MODES), "budget"), "none"),
    memberPermissions: unset(plain(memberPermissions, "members"), []),
  },
  user: {
    ...PROFILE,
    ...MODELS,
    ...LIMITS,
    ...BUDGETS,
    ...SUSPENDABLE,
    email: plain(text, "profile"),
    role: unset(
      plain(choice(["internal_user", "internal_user_viewer", "proxy_admin", "proxy_admin_viewer"]), "roles"),
      "internal_user",
    ),
  },
  org: { ...PROFILE, ...MODELS, ...LIMITS, ...BUDGETS, ...IP_RANGES, ...RULES, ...SUSPENDABLE },
  group: { alias: plain(text, "profile"), models: unset(plain(members), []) },
});

/** What people call a kind. */
export const NOUNS: Readonly<Record<AccountKind, string>> = {
  key: "key",
  team: "team",
  user: "user",
  org: "organisation",
  group: "access group",
};

/** A field's name as the routes and the messages write it: `maxParallelRequests` → `max_parallel_requests`. */
export function wireName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The field. @throws AccountError `invalid_field` for one that the kind does not have */
export function fieldOf(kind: AccountKind, field: string): FieldSpec {
  const spec = Object.hasOwn(FIELDS[kind], field) ? FIELDS[kind][field] : undefined;
  if (spec !== undefined) return spec;
  throw new AccountError("invalid_field", `A ${NOUNS[kind]} has no field \`${wireName(field)}\``, { field });
}

/** The value as it is stored; null for the default. @throws AccountError `invalid_field` */
export function readField(kind: AccountKind, field: string, value: unknown): Json {
  const { type } = fieldOf(kind, field);
  try {
    return type.read(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new AccountError("invalid_field", `\`${wireName(field)}\` ${error.message}`, { field, cause: error });
  }
}

/** All fields, those that are not stored at what they hold when unset. */
export function complete(kind: AccountKind, stored: Fields): Fields {
  return Object.fromEntries(
    Object.entries(FIELDS[kind]).map(([field, { whenUnset = null }]) => [field, stored[field] ?? whenUnset]),
  );
}
