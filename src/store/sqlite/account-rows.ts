// Rows of the keys and teams tables, and what they become outside the store.
import { randomBytes } from "node:crypto";
import type { Budget, Principal, Subject } from "../../types.ts";
import type { KeyListing, KeyRow, KeyStatus } from "../store.ts";

/** A row of `keys`, with its team's alias. */
export interface StoredKey extends Subject {
  readonly hash: Buffer;
  readonly prefix: string;
  readonly last_four: string;
  readonly status: KeyStatus;
  readonly team_id: string | null;
  readonly team_alias: string | null;
  readonly user_alias: string | null;
  /** A JSON array of strings. */
  readonly roles: string;
  /** A JSON array of strings. */
  readonly tags: string;
  readonly created_ms: number;
  readonly expires_ms: number | null;
}

/** A row of `teams`. */
export interface StoredTeam extends Subject {
  readonly created_ms: number;
}

/** A fresh id: `key_` and 24 hexadecimal digits. */
export function newId(kind: "key" | "team" | "bud" | "proc"): string {
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
export function toListing(key: StoredKey, budgets: readonly Budget[]): KeyListing {
  return { ...toKeyRow(key), team: teamOf(key), budgets };
}

/** Whose key it is. A user is known by its alias alone. */
export function toPrincipal(key: StoredKey, budgets: readonly Budget[]): Principal {
  return Object.freeze({
    key: Object.freeze({ id: key.id, alias: key.alias }),
    keyCreatedMs: key.created_ms,
    team: teamOf(key),
    org: null,
    user: key.user_alias === null ? null : Object.freeze({ id: key.user_alias, alias: key.user_alias }),
    roles: Object.freeze(JSON.parse(key.roles) as string[]),
    tags: Object.freeze(JSON.parse(key.tags) as string[]),
    budgets: Object.freeze(budgets),
  });
}

function teamOf(key: StoredKey): Subject | null {
  return key.team_id === null ? null : Object.freeze({ id: key.team_id, alias: key.team_alias ?? key.team_id });
}
