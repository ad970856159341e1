// Keys, teams, organisations, their budgets and rules in SQLite.
import type Database from "better-sqlite3";
import type { Budget, InlineRules, Principal, Subject } from "../../types.ts";
import type { AccountKind } from "../directory.ts";
import type {
  AccountStore,
  KeyLookup,
  KeyRow,
  KeyStatus,
  NewBudget,
  NewKey,
  NewTeam,
  OrgRow,
  RuleScope,
  TeamRow,
} from "../store.ts";
import { StoreError } from "../store.ts";
import type { AccountChanges, Changed, Log } from "./account-changes.ts";
import { newId, orgOf, type StoredKey, type StoredOrg, type StoredTeam, toKeyRow } from "./account-rows.ts";
import type { Budgets } from "./budgets.ts";
import { guarded, isDuplicate } from "./errors.ts";
import { assertFits, InlineRuleTexts } from "./inline-rules.ts";
import { KeyLookups } from "./key-lookups.ts";
import { LastUsed } from "./last-used.ts";
import { Names } from "./names.ts";

const TEAMS = `
  SELECT teams.*, organizations.alias AS org_alias
  FROM teams LEFT JOIN organizations ON organizations.id = teams.org_id`;
const NEW_KEY = `
  INSERT INTO keys
    (id, alias, hash, prefix, last_four, status, team_id, user_id, roles, tags, created_ms, updated_ms, expires_ms, rules)
  VALUES (@id, @alias, @hash, @prefix, @last_four, @status, @team_id, @user_id, @roles, @tags, @created_ms, @created_ms,
    @expires_ms, @rules)`;
const NEW_TEAM = `
  INSERT INTO teams (id, alias, created_ms, updated_ms, org_id, rules)
  VALUES (@id, @alias, @created_ms, @created_ms, @org_id, @rules)`;
const NEW_ORG = `
  INSERT INTO organizations (id, alias, created_ms, updated_ms, rules)
  VALUES (@id, @alias, @created_ms, @created_ms, @rules)`;
/** Who changes accounts by these methods, in the audit log. */
const LOCAL = "local";

/** What the accounts work with. */
export interface AccountsOptions {
  readonly db: Database.Database;
  readonly changes: AccountChanges;
  readonly budgets: Budgets;
  readonly nowMs: () => number;
}

/** `AccountStore` on SQLite. */
export class SqliteAccounts implements AccountStore {
  readonly #db: Database.Database;
  readonly #changes: AccountChanges;
  readonly #budgets: Budgets;
  readonly #rules: InlineRuleTexts;
  readonly #lookups: KeyLookups;
  readonly #lastUsed: LastUsed;
  readonly #names: Names;
  readonly #keyByHash: Database.Statement<[Buffer], StoredKey>;
  readonly #keyInGrace: Database.Statement<[Buffer], StoredKey & { readonly until_ms: number }>;
  readonly #keyByName: Database.Statement<[string, string, string], StoredKey>;
  readonly #teamByName: Database.Statement<[string, string, string], StoredTeam>;
  readonly #orgByName: Database.Statement<[string, string, string], StoredOrg>;

  constructor({ db, changes, budgets, nowMs }: AccountsOptions) {
    this.#db = db;
    this.#changes = changes;
    this.#budgets = budgets;
    this.#rules = new InlineRuleTexts(db);
    this.#lookups = new KeyLookups(db, budgets, nowMs);
    this.#lastUsed = new LastUsed(db);
    this.#names = new Names(db);
    const named = (table: string): string =>
      `WHERE ${table}.deleted_ms IS NULL AND (${table}.id = ? OR ${table}.alias = ?) ORDER BY ${table}.id = ? DESC`;
    this.#keyByHash = db.prepare("SELECT * FROM keys WHERE hash = ?");
    this.#keyInGrace = db.prepare(`
      SELECT keys.*, grace_secrets.until_ms FROM grace_secrets JOIN keys ON keys.id = grace_secrets.key_id
      WHERE grace_secrets.hash = ?`);
    this.#keyByName = db.prepare(`SELECT * FROM keys ${named("keys")}`);
    this.#teamByName = db.prepare(`${TEAMS} ${named("teams")}`);
    this.#orgByName = db.prepare(`SELECT * FROM organizations ${named("organizations")}`);
  }

  createKey(key: NewKey): KeyRow {
    return this.#change((log, nowMs) => {
      const team = key.teamAlias === undefined ? null : this.#team(key.teamAlias);
      const userId = key.userAlias === undefined ? null : this.#userFor(key.userAlias, nowMs, log);
      const stored = toStored(key, team, userId, nowMs);
      this.#insert(NEW_KEY, stored, "keys.alias", "key");
      if (key.budget !== undefined) this.#budgets.set("key", stored, key.budget);
      logMade(log, "key", stored);
      return toKeyRow(stored);
    });
  }

  /** A secret that was replaced works until its grace period ends, as if the key expired then. */
  findKey(hash: Buffer): KeyLookup | null {
    return guarded(() => {
      const key = this.#keyByHash.get(hash);
      if (key !== undefined) return this.#lookups.of(key);
      const old = this.#keyInGrace.get(hash);
      if (old === undefined) return null;
      const lookup = this.#lookups.of(old);
      return { ...lookup, expiresMs: Math.min(lookup.expiresMs ?? old.until_ms, old.until_ms) };
    });
  }

  getKey(idOrAlias: string): KeyLookup {
    return guarded(() => this.#lookups.of(this.#key(idOrAlias)));
  }

  limited(kind: Budget["scope"], idOrAlias: string): Principal {
    if (kind === "key") return this.getKey(idOrAlias).principal;
    return guarded(() => {
      const principal = this.#lookups.ofOwner(kind, idOrAlias);
      if (principal !== null) return principal;
      throw new StoreError("no_such_object", `There is no ${kind} called ${idOrAlias}`);
    });
  }

  hasKeys(): boolean {
    return guarded(() => this.#db.prepare("SELECT 1 FROM keys LIMIT 1").get() !== undefined);
  }

  hasName(kind: AccountKind, name: string): boolean {
    return guarded(() => this.#names.has(kind, name));
  }

  namesNear(kind: AccountKind, word: string): readonly string[] {
    return guarded(() => this.#names.near(kind, word));
  }

  setKeyStatus(idOrAlias: string, status: KeyStatus): KeyRow {
    return this.#change((log, nowMs) => {
      const key = this.#key(idOrAlias);
      if (key.status === "revoked" && status !== "revoked") {
        throw new StoreError("revoked", `The key ${key.alias} has been revoked, which is final: create another one`);
      }
      this.#db
        .prepare("UPDATE keys SET status = ?, version = version + 1, updated_ms = ?, updated_by = ? WHERE id = ?")
        .run(status, nowMs, LOCAL, key.id);
      const line = { kind: "key", objectId: key.id, objectAlias: key.alias, field: "status" } as const;
      log({ ...line, action: "update", old: key.status, new: status });
      return toKeyRow({ ...key, status });
    });
  }

  createTeam(alias: string, budget?: NewBudget, { orgAlias, rules }: NewTeam = {}): TeamRow {
    return this.#change((log, nowMs) => {
      const org = orgAlias === undefined ? null : this.#org(orgAlias);
      const [org_id, org_alias] = [org?.id ?? null, org?.alias ?? null];
      const team = { id: newId("team"), alias, created_ms: nowMs, org_id, org_alias, rules: rules ?? null };
      this.#insert(NEW_TEAM, team, "teams.alias", "team");
      if (budget !== undefined) this.#budgets.set("team", team, budget);
      logMade(log, "team", team);
      return this.#toTeamRow(team);
    });
  }

  createOrg(alias: string, rules?: string): OrgRow {
    return this.#change((log, nowMs) => {
      const org: StoredOrg = { id: newId("org"), alias, created_ms: nowMs, rules: rules ?? null };
      this.#insert(NEW_ORG, org, "organizations.alias", "organisation");
      logMade(log, "org", org);
      return toOrgRow(org);
    });
  }

  setBudget(scope: "key" | "team", idOrAlias: string, budget: NewBudget): Budget {
    return this.#change((log) => {
      const subject = scope === "key" ? this.#key(idOrAlias) : this.#team(idOrAlias);
      const old = this.#budgets.fieldOf(scope, subject.id);
      const set = this.#budgets.set(scope, subject, budget);
      const line = { kind: scope, objectId: subject.id, objectAlias: subject.alias, field: "budgets" };
      log({ ...line, action: "update", old: [...old], new: [...this.#budgets.fieldOf(scope, subject.id)] });
      return set;
    });
  }

  getRules(scope: RuleScope, idOrAlias: string): { readonly subject: Subject; readonly text: string | null } {
    return guarded(() => {
      const { id, alias, rules } = this.#subject(scope, idOrAlias);
      return { subject: { id, alias }, text: rules };
    });
  }

  setRules(scope: RuleScope, idOrAlias: string, text: string | null): Subject {
    return this.#change((log) => {
      const { id, alias, rules } = this.#subject(scope, idOrAlias);
      this.#rules.set(scope, { id, alias }, text);
      log({ kind: scope, objectId: id, objectAlias: alias, action: "update", field: "rules", old: rules, new: text });
      return { id, alias };
    });
  }

  listRules(): readonly InlineRules[] {
    return guarded(() => this.#rules.all());
  }

  revision(): number {
    return this.#changes.revision();
  }

  changesSince(revision: number): readonly Changed[] | null {
    return this.#changes.since(revision);
  }

  markUsed(keyId: string, atMs: number): void {
    this.#lastUsed.mark(keyId, atMs);
  }

  /** Writes what is noted; the database closes. */
  close(): void {
    this.#lastUsed.flush();
  }

  #change<T>(work: (log: Log, nowMs: number) => T): T {
    return this.#changes.run(LOCAL, work);
  }

  /** The user of that id or alias; one that is not known is made, with the alias as its id. */
  #userFor(alias: string, nowMs: number, log: Log): string {
    const sql = "SELECT id FROM users WHERE deleted_ms IS NULL AND (id = ? OR alias = ?) ORDER BY id = ? DESC";
    const known = this.#db.prepare<[string, string, string], string>(sql).pluck().get(alias, alias, alias);
    if (known !== undefined) return known;
    const taken = this.#db.prepare("SELECT 1 FROM users WHERE id = ?").get(alias) !== undefined;
    const id = taken ? newId("user") : alias;
    const insert = "INSERT INTO users (id, alias, created_ms, updated_ms) VALUES (?, ?, ?, ?)";
    this.#db.prepare(insert).run(id, alias, nowMs, nowMs);
    logMade(log, "user", { id, alias });
    return id;
  }

  /** @param unique the column, as SQLite names it, that says that the alias is taken */
  #insert(sql: string, row: StoredKey | StoredTeam | StoredOrg, unique: string, noun: string): void {
    assertFits(row.rules);
    try {
      this.#db.prepare(sql).run(row);
    } catch (error) {
      if (!isDuplicate(error, unique)) throw error;
      throw new StoreError("alias_taken", `There is a ${noun} called ${row.alias} already`, error);
    }
  }

  #subject(scope: RuleScope, idOrAlias: string): StoredKey | StoredTeam | StoredOrg {
    if (scope === "key") return this.#key(idOrAlias);
    return scope === "team" ? this.#team(idOrAlias) : this.#org(idOrAlias);
  }

  #key(idOrAlias: string): StoredKey {
    const key = this.#keyByName.get(idOrAlias, idOrAlias, idOrAlias);
    if (key === undefined) throw new StoreError("no_such_key", `There is no key called ${idOrAlias}`);
    return key;
  }

  #team(idOrAlias: string): StoredTeam {
    const team = this.#teamByName.get(idOrAlias, idOrAlias, idOrAlias);
    if (team === undefined) throw new StoreError("no_such_team", `There is no team called ${idOrAlias}`);
    return team;
  }

  #org(idOrAlias: string): StoredOrg {
    const org = this.#orgByName.get(idOrAlias, idOrAlias, idOrAlias);
    if (org === undefined) throw new StoreError("no_such_org", `There is no organisation called ${idOrAlias}`);
    return org;
  }

  #toTeamRow(team: StoredTeam): TeamRow {
    const { id, alias, created_ms: createdMs } = team;
    return { id, alias, org: orgOf(team), createdMs, budgets: this.#budgets.of("team", team) };
  }
}

function toOrgRow({ id, alias, created_ms: createdMs }: StoredOrg): OrgRow {
  return { id, alias, createdMs };
}

function logMade(log: Log, kind: "org" | "team" | "user" | "key", { id, alias }: Subject): void {
  log({ action: "create", kind, objectId: id, objectAlias: alias, field: null, old: null, new: { alias } });
}

function toStored(key: NewKey, team: StoredTeam | null, userId: string | null, createdMs: number): StoredKey {
  return {
    id: newId("key"),
    alias: key.alias,
    hash: key.hash,
    prefix: key.prefix,
    last_four: key.lastFour,
    status: "active",
    team_id: team?.id ?? null,
    user_id: userId,
    roles: JSON.stringify(key.roles ?? []),
    tags: JSON.stringify(key.tags ?? []),
    created_ms: createdMs,
    expires_ms: key.expiresMs ?? null,
    rules: key.rules ?? null,
  };
}
