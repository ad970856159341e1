// Keys, teams, organisations, their budgets and rules in SQLite.
import type Database from "better-sqlite3";
import type { Budget, Clock, InlineRules, Subject } from "../../types.ts";
import type {
  AccountStore,
  KeyListing,
  KeyLookup,
  KeyRow,
  KeyStatus,
  NewBudget,
  NewKey,
  NewTeam,
  OrgRow,
  TeamRow,
} from "../store.ts";
import { StoreError } from "../store.ts";
import {
  type FoundKey,
  newId,
  orgOf,
  type StoredKey,
  type StoredOrg,
  type StoredTeam,
  toKeyRow,
  toListing,
  toPrincipal,
} from "./account-rows.ts";
import { Budgets } from "./budgets.ts";
import { guarded, isDuplicate } from "./errors.ts";
import { assertFits, InlineRuleTexts } from "./inline-rules.ts";

const KEYS = `
  SELECT keys.*, teams.alias AS team_alias, teams.rules AS team_rules,
    organizations.id AS org_id, organizations.alias AS org_alias, organizations.rules AS org_rules
  FROM keys LEFT JOIN teams ON teams.id = keys.team_id LEFT JOIN organizations ON organizations.id = teams.org_id`;
const TEAMS = `
  SELECT teams.*, organizations.alias AS org_alias
  FROM teams LEFT JOIN organizations ON organizations.id = teams.org_id`;
const NEW_KEY = `
  INSERT INTO keys
    (id, alias, hash, prefix, last_four, status, team_id, user_alias, roles, tags, created_ms, expires_ms, rules)
  VALUES
    (@id, @alias, @hash, @prefix, @last_four, @status, @team_id, @user_alias, @roles, @tags, @created_ms, @expires_ms, @rules)`;
const NEW_TEAM = `
  INSERT INTO teams (id, alias, created_ms, org_id, rules) VALUES (@id, @alias, @created_ms, @org_id, @rules)`;
const NEW_ORG = "INSERT INTO organizations (id, alias, created_ms, rules) VALUES (@id, @alias, @created_ms, @rules)";

/** `AccountStore` on SQLite. */
export class SqliteAccounts implements AccountStore {
  readonly #db: Database.Database;
  readonly #clock: Clock;
  readonly #budgets: Budgets;
  readonly #rules: InlineRuleTexts;
  readonly #revision: Database.Statement<[], number>;
  readonly #bump: Database.Statement<[]>;
  readonly #keyByHash: Database.Statement<[Buffer], FoundKey>;
  readonly #keyByName: Database.Statement<[string, string, string], FoundKey>;
  readonly #teamByName: Database.Statement<[string, string, string], StoredTeam>;
  readonly #orgByName: Database.Statement<[string, string, string], StoredOrg>;

  #revisionThisTurn: number | null = null;
  readonly #endTurn = (): void => {
    this.#revisionThisTurn = null;
  };

  constructor(db: Database.Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#budgets = new Budgets(db);
    this.#rules = new InlineRuleTexts(db);
    this.#revision = db.prepare<[], number>("SELECT revision FROM meta").pluck();
    this.#bump = db.prepare("UPDATE meta SET revision = revision + 1");
    this.#keyByHash = db.prepare(`${KEYS} WHERE keys.hash = ?`);
    this.#keyByName = db.prepare(`${KEYS} WHERE keys.id = ? OR keys.alias = ? ORDER BY keys.id = ? DESC`);
    this.#teamByName = db.prepare(`${TEAMS} WHERE teams.id = ? OR teams.alias = ? ORDER BY teams.id = ? DESC`);
    this.#orgByName = db.prepare("SELECT * FROM organizations WHERE id = ? OR alias = ? ORDER BY id = ? DESC");
  }

  createKey(key: NewKey): KeyRow {
    return this.#change(() => {
      const team = key.teamAlias === undefined ? null : this.#team(key.teamAlias);
      const stored = toStored(key, team, this.#now());
      this.#insert(NEW_KEY, stored, "keys.alias", "key");
      if (key.budget !== undefined) this.#budgets.set("key", stored, key.budget);
      return toKeyRow(stored);
    });
  }

  findKey(hash: Buffer): KeyLookup | null {
    return guarded(() => {
      const key = this.#keyByHash.get(hash);
      return key === undefined ? null : this.#toLookup(key);
    });
  }

  getKey(idOrAlias: string): KeyLookup {
    return guarded(() => this.#toLookup(this.#key(idOrAlias)));
  }

  listKeys(): readonly KeyListing[] {
    return guarded(() => {
      const keys = this.#db.prepare<[], FoundKey>(`${KEYS} ORDER BY keys.rowid`).all();
      return keys.map((key) => toListing(key, this.#budgets.of("key", key)));
    });
  }

  setKeyStatus(idOrAlias: string, status: KeyStatus): KeyRow {
    return this.#change(() => {
      const key = this.#key(idOrAlias);
      if (key.status === "revoked" && status !== "revoked") {
        throw new StoreError("revoked", `The key ${key.alias} has been revoked, which is final: create another one`);
      }
      this.#db.prepare<[KeyStatus, string]>("UPDATE keys SET status = ? WHERE id = ?").run(status, key.id);
      return toKeyRow({ ...key, status });
    });
  }

  createTeam(alias: string, budget?: NewBudget, { orgAlias, rules }: NewTeam = {}): TeamRow {
    return this.#change(() => {
      const org = orgAlias === undefined ? null : this.#org(orgAlias);
      const [org_id, org_alias] = [org?.id ?? null, org?.alias ?? null];
      const team = { id: newId("team"), alias, created_ms: this.#now(), org_id, org_alias, rules: rules ?? null };
      this.#insert(NEW_TEAM, team, "teams.alias", "team");
      if (budget !== undefined) this.#budgets.set("team", team, budget);
      return this.#toTeamRow(team);
    });
  }

  listTeams(): readonly TeamRow[] {
    return guarded(() => {
      const teams = this.#db.prepare<[], StoredTeam>(`${TEAMS} ORDER BY teams.rowid`).all();
      return teams.map((team) => this.#toTeamRow(team));
    });
  }

  createOrg(alias: string, rules?: string): OrgRow {
    return this.#change(() => {
      const org: StoredOrg = { id: newId("org"), alias, created_ms: this.#now(), rules: rules ?? null };
      this.#insert(NEW_ORG, org, "organizations.alias", "organisation");
      return toOrgRow(org);
    });
  }

  listOrgs(): readonly OrgRow[] {
    return guarded(() => {
      const orgs = this.#db.prepare<[], StoredOrg>("SELECT * FROM organizations ORDER BY rowid").all();
      return orgs.map(toOrgRow);
    });
  }

  setBudget(scope: "key" | "team", idOrAlias: string, budget: NewBudget): Budget {
    return this.#change(() => {
      const subject = scope === "key" ? this.#key(idOrAlias) : this.#team(idOrAlias);
      return this.#budgets.set(scope, subject, budget);
    });
  }

  getRules(
    scope: InlineRules["scope"],
    idOrAlias: string,
  ): { readonly subject: Subject; readonly text: string | null } {
    return guarded(() => {
      const { id, alias, rules } = this.#subject(scope, idOrAlias);
      return { subject: { id, alias }, text: rules };
    });
  }

  setRules(scope: InlineRules["scope"], idOrAlias: string, text: string | null): Subject {
    return this.#change(() => {
      const { id, alias } = this.#subject(scope, idOrAlias);
      this.#rules.set(scope, { id, alias }, text);
      return { id, alias };
    });
  }

  listRules(): readonly InlineRules[] {
    return guarded(() => this.#rules.all());
  }

  /** Read once a turn of the event loop: requests that arrive together share the look. */
  revision(): number {
    if (this.#revisionThisTurn !== null) return this.#revisionThisTurn;
    const revision = guarded(() => this.#revision.get() ?? 0);
    this.#revisionThisTurn = revision;
    setImmediate(this.#endTurn);
    return revision;
  }

  /** One transaction; whoever caches accounts, in any process, sees that they changed. */
  #change<T>(work: () => T): T {
    const change = this.#db.transaction(() => {
      const result = work();
      this.#bump.run();
      return result;
    });
    this.#revisionThisTurn = null;
    return guarded(() => change.immediate());
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

  #subject(scope: InlineRules["scope"], idOrAlias: string): StoredKey | StoredTeam | StoredOrg {
    if (scope === "key") return this.#key(idOrAlias);
    return scope === "team" ? this.#team(idOrAlias) : this.#org(idOrAlias);
  }

  #key(idOrAlias: string): FoundKey {
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

  #toLookup(key: FoundKey): KeyLookup {
    const principal = toPrincipal(key, this.#budgets.ofKey(key));
    return { status: key.status, expiresMs: key.expires_ms, principal };
  }

  #toTeamRow(team: StoredTeam): TeamRow {
    const { id, alias, created_ms: createdMs } = team;
    return { id, alias, org: orgOf(team), createdMs, budgets: this.#budgets.of("team", team) };
  }

  #now(): number {
    return Math.trunc(this.#clock.nowMs());
  }
}

function toOrgRow({ id, alias, created_ms: createdMs }: StoredOrg): OrgRow {
  return { id, alias, createdMs };
}

function toStored(key: NewKey, team: StoredTeam | null, createdMs: number): StoredKey {
  return {
    id: newId("key"),
    alias: key.alias,
    hash: key.hash,
    prefix: key.prefix,
    last_four: key.lastFour,
    status: "active",
    team_id: team?.id ?? null,
    user_alias: key.userAlias ?? null,
    roles: JSON.stringify(key.roles ?? []),
    tags: JSON.stringify(key.tags ?? []),
    created_ms: createdMs,
    expires_ms: key.expiresMs ?? null,
    rules: key.rules ?? null,
  };
}
