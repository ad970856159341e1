// Rows of the keys and teams tables, and what they become outside the store.
import { randomBytes } from "node:crypto";
import type { Budget, InlineRules, Principal, Subject } from "../../types.ts";
import type { Fields } from "../directory.ts";
import type { KeyRow, KeyStatus } from "../store.ts";

/** A row of `keys`. */
export interface StoredKey extends Subject {
  /** A JSON object; left out of a row to insert, and so is the next. */
  readonly settings?: string;
  readonly spend_epoch?: number;
  readonly hash: Buffer;
  readonly prefix: string;
  readonly last_four: string;
  readonly status: KeyStatus;
  readonly team_id: string | null;
  readonly user_id: string | null;
  /** A JSON array of strings. */
  readonly roles: string;
  /** A JSON array of strings. */
  readonly tags: string;
  readonly created_ms: number;
  readonly expires_ms: number | null;
  /** In the rule language; null for none. */
  readonly rules: string | null;
}

/** A row of what a key belongs to; of an organisation, a team or a user. */
export interface OwnerRow extends Subject {
  readonly status: string;
  /** A JSON object. */
  readonly settings: string;
  readonly rules?: string | null;
  readonly org_id?: string | null;
  readonly spend_epoch: number;
}

/** A row of `teams`, with its organisation's alias. */
export interface StoredTeam extends Subject {
  readonly created_ms: number;
  readonly org_id: string | null;
  readonly org_alias: string | null;
  readonly rules: string | null;
}

/** A row of `organizations`. */
export interface StoredOrg extends Subject {
  readonly created_ms: number;
  readonly rules: string | null;
}

/** A fresh id: `key_` and 24 hexadecimal digits. */
export function newId(kind: "key" | "team" | "org" | "user" | "grp" | "bud" | "proc" | "iam"): string {
  return `${kind}_${randomBytes(12).toString("hex")}`;
}

/** The row as callers see it, without the hash. */
export function toKeyRow(key: StoredKey): KeyRow {
  return {
    id: key.id,
    alias: key.alias,
    prefix: key.prefix,
    lastFour: key.last_four,
    status: key.status,
    teamId: key.team_id,
    createdMs: key.created_ms,
    expiresMs: key.expires_ms,
  };
}

/** Whose key it is, with the rules that apply to its requests. */
export function toPrincipal(
  key: Pick<StoredKey, "id" | "alias" | "created_ms" | "roles" | "tags">,
  owners: readonly Owner[],
  budgets: readonly Budget[],
  rules: readonly InlineRules[],
): Principal {
  const modelAliases = aliasesOf(owners);
  const subject = (scope: Owner["scope"]): Subject | null =>
    owners.find((owner) => owner.scope === scope)?.subject ?? null;
  return Object.freeze({
    key: Object.freeze({ id: key.id, alias: key.alias }),
    keyCreatedMs: key.created_ms,
    team: subject("team"),
    org: subject("org"),
    user: subject("user"),
    roles: Object.freeze(JSON.parse(key.roles) as string[]),
    tags: Object.freeze(JSON.parse(key.tags) as string[]),
    budgets: Object.freeze(budgets),
    ...(modelAliases === null ? {} : { modelAliases }),
    ...(rules.length === 0 ? {} : { rules: Object.freeze(rules) }),
  });
}

/** The key's own, then its team's. */
function aliasesOf(owners: readonly Owner[]): NonNullable<Principal["modelAliases"]> | null {
  const all = ["team", "key"].map((scope) => owners.find((owner) => owner.scope === scope)?.settings.modelAliases);
  if (all.every((aliases) => aliases === undefined || aliases === null)) return null;
  return Object.freeze(Object.assign({}, ...all) as Record<string, string>);
}

/** The key or something it belongs to: what is kept there applies to the key's requests. */
export interface Owner {
  readonly scope: InlineRules["scope"];
  readonly subject: Subject;
  /** In the rule language; null for none. */
  readonly rules: string | null;
  readonly status: string;
  readonly settings: Fields;
  /** How often what was spent was forgotten: part of the names of counters that have no budget's id. */
  readonly spendEpoch: number;
}

/** The row as an owner. */
export function toOwner(scope: Owner["scope"], row: OwnerRow): Owner {
  const subject = Object.freeze({ id: row.id, alias: row.alias });
  const settings = row.settings === "{}" ? NO_FIELDS : (JSON.parse(row.settings) as Fields);
  const { status, spend_epoch: spendEpoch } = row;
  return { scope, subject, rules: row.rules ?? null, status, settings, spendEpoch };
}

const NO_FIELDS: Fields = Object.freeze({});

/** The organisation of a team. */
export function orgOf({ org_id, org_alias }: Pick<StoredTeam, "org_id" | "org_alias">): Subject | null {
  return org_id === null ? null : Object.freeze({ id: org_id, alias: org_alias ?? org_id });
}
