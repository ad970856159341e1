// Budgets of keys and teams in SQLite.
import type Database from "better-sqlite3";
import type { Budget, BudgetWindow, Subject } from "../../types.ts";
import { type NewBudget, StoreError } from "../store.ts";
import { type FoundKey, newId } from "./account-rows.ts";

/** The largest INTEGER: about $9.2 billion in nano-USD. */
const LIMIT_MAX = 2n ** 63n - 1n;

const SET = `
  INSERT INTO budgets (id, scope, subject_id, win, limit_nano_usd) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (subject_id, scope, win) DO UPDATE SET limit_nano_usd = excluded.limit_nano_usd
  RETURNING id, win, limit_nano_usd`;
const OF = "SELECT id, win, limit_nano_usd FROM budgets WHERE subject_id = ? AND scope = ? ORDER BY rowid";

interface StoredBudget {
  readonly id: string;
  readonly win: BudgetWindow;
  readonly limit_nano_usd: bigint;
}

/** The budgets table. Every function runs inside the caller's transaction. */
export class Budgets {
  readonly #set: Database.Statement<[string, string, string, string, bigint], StoredBudget>;
  readonly #of: Database.Statement<[string, string], StoredBudget>;

  constructor(db: Database.Database) {
    this.#set = db.prepare<[string, string, string, string, bigint], StoredBudget>(SET).safeIntegers();
    this.#of = db.prepare<[string, string], StoredBudget>(OF).safeIntegers();
  }

  /** Sets the subject's budget for that window; one that was there keeps its id. `out_of_range`. */
  set(scope: "key" | "team", subject: Subject, { limitNanoUsd, window }: NewBudget): Budget {
    if (limitNanoUsd < 0n || limitNanoUsd > LIMIT_MAX) {
      throw new StoreError("out_of_range", "A budget must lie between $0 and $9,223,372,036.854775807");
    }
    const row = this.#set.get(newId("bud"), scope, subject.id, window, limitNanoUsd);
    if (row === undefined) throw new Error("INSERT … RETURNING returned no row");
    return toBudget(row, scope, subject);
  }

  /** The subject's own budgets, oldest first. */
  of(scope: "key" | "team", subject: Subject): readonly Budget[] {
    return this.#of.all(subject.id, scope).map((row) => toBudget(row, scope, subject));
  }

  /** All budgets that a key's requests are charged to: its own, then its team's. */
  ofKey(key: FoundKey): readonly Budget[] {
    const own = this.of("key", key);
    if (key.team_id === null) return own;
    return [...own, ...this.of("team", { id: key.team_id, alias: key.team_alias ?? key.team_id })];
  }
}

function toBudget(row: StoredBudget, scope: Budget["scope"], subject: Subject): Budget {
  return Object.freeze({
    id: row.id,
    scope,
    subject: Object.freeze({ id: subject.id, alias: subject.alias }),
    limitNanoUsd: row.limit_nano_usd,
    window: row.win,
  });
}
