// Budgets of organisations, teams, users and keys in SQLite.
import type Database from "better-sqlite3";
import { budgetWindowText, parseBudgetWindow } from "../../budget-window.ts";
import { formatUsd, parseUsd } from "../../money.ts";
import type { Budget, Subject } from "../../types.ts";
import { type NewBudget, StoreError } from "../store.ts";
import { newId, type Owner } from "./account-rows.ts";
import { TABLES } from "./directory-rows.ts";

export type BudgetScope = Budget["scope"];

/** A budget as a field of an account object: decimal USD, and a period or a length (`30d`). */
export interface BudgetField {
  readonly limitUsd: string;
  readonly window: string;
}

/** The largest INTEGER: about $9.2 billion in nano-USD. */
export const LIMIT_MAX = 2n ** 63n - 1n;

/** The ledger's name for a budget's counter: this and the budget's id. */
const QUOTA_PREFIX = "budget:";
const SET = `
  INSERT INTO budgets (id, scope, subject_id, win, limit_nano_usd) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (subject_id, scope, win) DO UPDATE SET limit_nano_usd = excluded.limit_nano_usd
  RETURNING id, win, limit_nano_usd`;
const OF = "SELECT id, win, limit_nano_usd FROM budgets WHERE subject_id = ? AND scope = ? ORDER BY rowid";
const NEWEST_COUNTER = "SELECT win, spent FROM counters WHERE quota = ? ORDER BY win DESC LIMIT 1";
const OF_MANY = `
  SELECT id, scope, subject_id, win, limit_nano_usd FROM budgets WHERE subject_id IN (?, ?, ?, ?) ORDER BY rowid`;
interface OwnedBudget extends StoredBudget {
  readonly scope: BudgetScope;
  readonly subject_id: string;
}

interface StoredBudget {
  readonly id: string;
  readonly win: string;
  readonly limit_nano_usd: bigint;
}

/** What was spent of a budget, as JSON; `in` is the newest window that anything was spent in, null where nothing ever was. */
export type BudgetSpend = {
  readonly limitUsd: string;
  readonly window: string;
  readonly spentUsd: string;
  readonly in: string | null;
};

/** The budgets table. What writes runs inside the caller's transaction. */
export class Budgets {
  readonly #db: Database.Database;
  readonly #set: Database.Statement<[string, string, string, string, bigint], StoredBudget>;
  readonly #of: Database.Statement<[string, string], StoredBudget>;
  readonly #ofMany: Database.Statement<(string | null)[], OwnedBudget>;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#set = db.prepare<[string, string, string, string, bigint], StoredBudget>(SET).safeIntegers();
    this.#of = db.prepare<[string, string], StoredBudget>(OF).safeIntegers();
    this.#ofMany = db.prepare<(string | null)[], OwnedBudget>(OF_MANY).safeIntegers();
  }

  /** Sets the subject's budget for that window; one that was there keeps its id. `out_of_range`. */
  set(scope: BudgetScope, subject: Subject, { limitNanoUsd, window }: NewBudget): Budget {
    return toBudget(this.#put(scope, subject.id, budgetWindowText(window), limitNanoUsd), scope, subject);
  }

  /** Makes these the subject's budgets. One whose window stays keeps its id, and so what was spent. */
  replace(scope: BudgetScope, id: string, budgets: readonly BudgetField[] | null): void {
    const kept = (budgets ?? []).map(({ window }) => window);
    const others =
      "DELETE FROM budgets WHERE subject_id = ? AND scope = ? AND win NOT IN (SELECT value FROM json_each(?))";
    this.#db.prepare(others).run(id, scope, JSON.stringify(kept));
    for (const { limitUsd, window } of budgets ?? []) this.#put(scope, id, window, parseUsd(limitUsd) ?? -1n);
  }

  /** Gives all the subject's budgets new ids: their counters begin at nothing. */
  renew(scope: BudgetScope, id: string): void {
    const sql = "UPDATE budgets SET id = ? WHERE id = ?";
    for (const budget of this.#of.all(id, scope)) this.#db.prepare(sql).run(newId("bud"), budget.id);
  }

  /** The subject's own budgets, oldest first. */
  of(scope: BudgetScope, subject: Subject): readonly Budget[] {
    return this.#of.all(subject.id, scope).map((row) => toBudget(row, scope, subject));
  }

  /** What was spent of each of the subject's own budgets, oldest first. */
  spendOf(scope: BudgetScope, id: string): readonly BudgetSpend[] {
    const newest = this.#db
      .prepare<[string], { readonly win: string; readonly spent: bigint }>(NEWEST_COUNTER)
      .safeIntegers();
    return this.#of.all(id, scope).map((row) => {
      const counter = newest.get(`${QUOTA_PREFIX}${row.id}`);
      return { ...toField(row), spentUsd: formatUsd(counter?.spent ?? 0n), in: counter?.win ?? null };
    });
  }

  /** All the subject's own budgets, oldest first. */
  fieldOf(scope: BudgetScope, id: string): readonly { readonly limitUsd: string; readonly window: string }[] {
    return this.#of.all(id, scope).map(toField);
  }

  /** The ids of all the subject's own budgets, in the same order. */
  idsOf(scope: BudgetScope, id: string): readonly string[] {
    return this.#of.all(id, scope).map((budget) => budget.id);
  }

  /** Whose budget the quota of that id counts; null for one that is no budget, or is not there any more. */
  ownerOf(quota: string): (Subject & { readonly kind: BudgetScope }) | null {
    if (!quota.startsWith(QUOTA_PREFIX)) return null;
    const sql = "SELECT scope AS kind, subject_id AS id FROM budgets WHERE id = ?";
    const id = quota.slice(QUOTA_PREFIX.length);
    const owner = this.#db.prepare<[string], { kind: BudgetScope; id: string }>(sql).get(id);
    if (owner === undefined) return null;
    const alias = `SELECT alias FROM ${TABLES[owner.kind].name} WHERE id = ?`;
    return { ...owner, alias: this.#db.prepare<[string], string>(alias).pluck().get(owner.id) ?? owner.id };
  }

  /** All budgets that a key's requests are charged to: its own, its team's, its user's, its organisation's. */
  ofOwners(owners: readonly Owner[]): readonly Budget[] {
    const [a = null, b = null, c = null, d = null] = owners.map(({ subject }) => subject.id);
    const rows = this.#ofMany.all(a, b, c, d);
    return owners.flatMap((owner) => {
      const own = rows.filter((row) => row.scope === owner.scope && row.subject_id === owner.subject.id);
      return withSoft(
        own.map((row) => toBudget(row, owner.scope, owner.subject)),
        owner,
      );
    });
  }

  #put(scope: BudgetScope, id: string, window: string, limitNanoUsd: bigint): StoredBudget {
    if (limitNanoUsd < 0n || limitNanoUsd > LIMIT_MAX) {
      throw new StoreError("out_of_range", "A budget must lie between $0 and $9,223,372,036.854775807");
    }
    const row = this.#set.get(newId("bud"), scope, id, window, limitNanoUsd);
    if (row === undefined) throw new Error("INSERT … RETURNING returned no row");
    return row;
  }
}

function toField({ win, limit_nano_usd }: StoredBudget): { readonly limitUsd: string; readonly window: string } {
  return { limitUsd: formatUsd(limit_nano_usd), window: win };
}

function toBudget(row: StoredBudget, scope: BudgetScope, subject: Subject): Budget {
  return Object.freeze({
    id: row.id,
    scope,
    subject: Object.freeze({ id: subject.id, alias: subject.alias }),
    limitNanoUsd: row.limit_nano_usd,
    window: windowOf(row.win),
  });
}

/** One object for each window, so that the ledger finds what it knows of it. */
const windows = new Map<string, Budget["window"]>();

function windowOf(text: string): Budget["window"] {
  const window = windows.get(text) ?? parseBudgetWindow(text);
  if (window === null) throw new Error(`the database has a budget on \`${text}\``);
  windows.set(text, window);
  return window;
}

/** The soft budget is of the first one, the main one; without any it is a budget of its own, that only warns. */
function withSoft(budgets: readonly Budget[], { scope, subject, settings, spendEpoch }: Owner): readonly Budget[] {
  const soft = typeof settings.softBudgetUsd === "string" ? parseUsd(settings.softBudgetUsd) : null;
  if (soft === null) return budgets;
  const [main, ...rest] = budgets;
  if (main !== undefined) return [Object.freeze({ ...main, softNanoUsd: soft }), ...rest];
  const id = `soft_${scope}_${subject.id}_${spendEpoch}`;
  const limits = { limitNanoUsd: LIMIT_MAX, softNanoUsd: soft, isSoftOnly: true } as const;
  return [Object.freeze({ id, scope, subject, ...limits, window: "total" })];
}
