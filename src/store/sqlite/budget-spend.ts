// What was spent of an account's budgets, and forgetting it. Every function runs inside the caller's transaction.
import type Database from "better-sqlite3";
import { modelBudgetName } from "../../accounts/policy.ts";
import { formatUsd } from "../../money.ts";
import type { BudgetScope, BudgetSpend, Budgets } from "./budgets.ts";
import { TABLES } from "./directory-rows.ts";

/** What was spent of a counter of which only the name is known. */
type CounterSpend = { readonly quota: string; readonly spentUsd: string; readonly in: string };

const MODEL_COUNTERS = `
  SELECT quota, max(win) AS win, spent FROM counters WHERE quota >= @prefix AND quota < @prefix || '~' GROUP BY quota`;

/** Spend of budgets by account. */
export class BudgetSpending {
  readonly #db: Database.Database;
  readonly #budgets: Budgets;

  constructor(db: Database.Database, budgets: Budgets) {
    this.#db = db;
    this.#budgets = budgets;
  }

  /**
   * What was spent, each in the newest window that anything was spent in: of its budgets, then of its budgets by model.
   * Counters of models with very long names are known by a hash, and missing.
   */
  of(scope: BudgetScope, id: string): readonly (BudgetSpend | CounterSpend)[] {
    // As rules/quotas.ts makes the id of a counter: a JSON array that begins with its name.
    const name = `${scope} ${id} ${modelBudgetName(this.#epochOf(scope, id))}-`;
    const prefix = `rule:${JSON.stringify([name]).slice(0, -2)}`;
    const ofModels = this.#db
      .prepare<[{ readonly prefix: string }], { quota: string; win: string; spent: bigint }>(MODEL_COUNTERS)
      .safeIntegers()
      .all({ prefix });
    return [
      ...this.#budgets.spendOf(scope, id),
      ...ofModels.map(({ quota, win, spent }) => ({ quota, spentUsd: formatUsd(spent), in: win })),
    ];
  }

  /** Its counters begin at nothing. */
  reset(scope: BudgetScope, id: string): void {
    this.#budgets.renew(scope, id);
    this.#db.prepare(`UPDATE ${TABLES[scope].name} SET spend_epoch = spend_epoch + 1 WHERE id = ?`).run(id);
  }

  #epochOf(scope: BudgetScope, id: string): number {
    const sql = `SELECT spend_epoch FROM ${TABLES[scope].name} WHERE id = ?`;
    return this.#db.prepare<[string], number>(sql).pluck().get(id) ?? 0;
  }
}
