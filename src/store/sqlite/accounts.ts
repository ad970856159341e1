// Keys, teams and budgets in SQLite.
import type Database from "better-sqlite3";
import type { Budget, Clock } from "../../types.ts";
import type { AccountStore, KeyListing, KeyLookup, KeyRow, KeyStatus, NewBudget, NewKey, TeamRow } from "../store.ts";
import { StoreError } from "../store.ts";
import { newId, type StoredKey, type StoredTeam, toKeyRow, toListing, toPrincipal } from "./account-rows.ts";
import { Budgets } from "./budgets.ts";
import { guarded, isDuplicate } from "./errors.ts";

const KEYS = `
  SELECT keys.*, teams.alias AS team_alias FROM keys LEFT JOIN teams ON teams.id = keys.team_id`;
const NEW_KEY = `
  INSERT INTO keys (id, alias, hash, prefix, last_four, status, team_id, user_alias, roles, tags, created_ms, expires_ms)
  VALUES (@id, @alias, @hash, @prefix, @last_four, @status, @team_id, @user_alias, @roles, @tags, @created_ms, @expires_ms)`;

/** `AccountStore` on SQLite. */
export class SqliteAccounts implements AccountStore {
  readonly #db: Database.Database;
  readonly #clock: Clock;
  readonly #budgets: Budgets;
  readonly #revision: Database.Statement<[], number>;
  readonly #bump: Database.Statement<[]>;
  readonly #keyByHash: Database.Statement<[Buffer], StoredKey>;
  readonly #keyByName: Database.Statement<[string, string, string], StoredKey>;
  readonly #teamByName: Database.Statement<[string, string, string], StoredTeam>;

  #revisionThisTurn: number | null = null;
  readonly #endTurn = (): void => {
    this.#revisionThisTurn = null;
  };

  constructor(db: Database.Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#budgets = new Budgets(db);
    this.#revision = db.prepare<[], number>("SELECT revision FROM meta").pluck();
    this.#bump = db.prepare("UPDATE meta SET revision = revision + 1");
    this.#keyByHash = db.prepare(`${KEYS} WHERE keys.hash = ?`);
    this.#keyByName = db.prepare(`${KEYS} WHERE keys.id = ? OR keys.alias = ? ORDER BY keys.id = ? DESC`);
    this.#teamByName = db.prepare("SELECT * FROM teams WHERE id = ? OR alias = ? ORDER BY id = ? DESC");
  }

  createKey(key: NewKey): KeyRow {
    return this.#change(() => {
      const team = key.teamAlias === undefined ? null : this.#team(key.teamAlias);
      const stored = toStored(key, team, this.#now());
      try {
        this.#db.prepare(NEW_KEY).run(stored);
      } catch (error) {
        if (!isDuplicate(error, "keys.alias")) throw error;
        throw new StoreError("alias_taken", `There is a key called ${key.alias} already`, error);
      }
      if (key.budget !== undefined) this.#budgets.set("key", stored, key.budget);
      return toKeyRow(stored);
    });
  }

  findKey(hash: Buffer): KeyLookup | null {
    return guarded(() => {
      const key = this.#keyByHash.get(hash);
      if (key === undefined) return null;
      const principal = toPrincipal(key, this.#budgets.ofKey(key));
      return { status: key.status, expiresMs: key.expires_ms, principal };
    });
  }

  listKeys(): readonly KeyListing[] {
    return guarded(() => {
      const keys = this.#db.prepare<[], StoredKey>(`${KEYS} ORDER BY keys.rowid`).all();
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

  createTeam(alias: string, budget?: NewBudget): TeamRow {
    return this.#change(() => {
      const team: StoredTeam = { id: newId("team"), alias, created_ms: this.#now() };
      try {
        this.#db.prepare("INSERT INTO teams (id, alias, created_ms) VALUES (@id, @alias, @created_ms)").run(team);
      } catch (error) {
        if (!isDuplicate(error, "teams.alias")) throw error;
        throw new StoreError("alias_taken", `There is a team called ${alias} already`, error);
      }
      if (budget !== undefined) this.#budgets.set("team", team, budget);
      return this.#toTeamRow(team);
    });
  }

  listTeams(): readonly TeamRow[] {
    return guarded(() => {
      const teams = this.#db.prepare<[], StoredTeam>("SELECT * FROM teams ORDER BY rowid").all();
      return teams.map((team) => this.#toTeamRow(team));
    });
  }

  setBudget(scope: "key" | "team", idOrAlias: string, budget: NewBudget): Budget {
    return this.#change(() => {
      const subject = scope === "key" ? this.#key(idOrAlias) : this.#team(idOrAlias);
      return this.#budgets.set(scope, subject, budget);
    });
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

  #toTeamRow(team: StoredTeam): TeamRow {
    return { id: team.id, alias: team.alias, createdMs: team.created_ms, budgets: this.#budgets.of("team", team) };
  }

  #now(): number {
    return Math.trunc(this.#clock.nowMs());
  }
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
    team_alias: team?.alias ?? null,
    user_alias: key.userAlias ?? null,
    roles: JSON.stringify(key.roles ?? []),
    tags: JSON.stringify(key.tags ?? []),
    created_ms: createdMs,
    expires_ms: key.expiresMs ?? null,
  };
}
