// Rows of the keys and teams tables, and what they become outside the store.
import { randomBytes } from "node:crypto";
import type { Budget, InlineRules, Principal, Subject } from "../../types.ts";
import type { KeyListing, KeyRow, KeyStatus } from "../store.ts";

/** A row of `keys`. */
export interface StoredKey extends Subject {
  readonly hash: Buffer;
  readonly prefix: string;
  readonly last_four: string;
  readonly status: KeyStatus;
  readonly team_id: string | null;
  readonly user_alias: string | null;
  /** A JSON array of strings. */
  readonly roles: string;
  /** A JSON array of strings. */
  readonly tags: string;
  readonly created_ms: number;
  readonly expires_ms: number | null;
  /** In the rule language; null for none. */
  readonly rules: string | null;
}

/** A row of `keys`, with its team and that one's organisation. */
export interface FoundKey extends StoredKey {
  readonly team_alias: string | null;
  readonly team_rules: string | null;
  readonly org_id: string | null;
  readonly org_alias: string | null;
  readonly org_rules: string | null;
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
export function newId(kind: "key" | "team" | "org" | "bud" | "proc"): string {
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

/** The row as it is listed. */
export function toListing(key: FoundKey, budgets: readonly Budget[]): KeyListing {
  return { ...toKeyRow(key), team: teamOf(key), budgets };
}

/** Whose key it is. A user is known by its alias alone. */
export function toPrincipal(key: FoundKey, budgets: readonly Budget[]): Principal {
  const rules = rulesOf(key);
  return Object.freeze({
    key: Object.freeze({ id: key.id, alias: key.alias }),
    keyCreatedMs: key.created_ms,
    team: teamOf(key),
    org: orgOf(key),
    user: key.user_alias === null ? null : Object.freeze({ id: key.user_alias, alias: key.user_alias }),
    roles: Object.freeze(JSON.parse(key.roles) as string[]),
    tags: Object.freeze(JSON.parse(key.tags) as string[]),
    budgets: Object.freeze(budgets),
    ...(rules.length === 0 ? {} : { rules: Object.freeze(rules) }),
  });
}

/** The rules that apply to a key's requests: its organisation's, its team's, its own. */
function rulesOf(key: FoundKey): InlineRules[] {
  const all: InlineRules[] = [];
  const add = (scope: InlineRules["scope"], subject: Subject | null, text: string | null): void => {
    if (subject !== null && text !== null) all.push(Object.freeze({ scope, subject, text }));
  };
  add("org", orgOf(key), key.org_rules);
  add("team", teamOf(key), key.team_rules);
  add("key", Object.freeze({ id: key.id, alias: key.alias }), key.rules);
  return all;
}

function teamOf(key: FoundKey): Subject | null {
  return key.team_id === null ? null : Object.freeze({ id: key.team_id, alias: key.team_alias ?? key.team_id });
}

/** The organisation of a team, or of a key's team. */
export function orgOf({ org_id, org_alias }: Pick<StoredTeam, "org_id" | "org_alias">): Subject | null {
  return org_id === null ? null : Object.freeze({ id: org_id, alias: org_alias ?? org_id });
}
