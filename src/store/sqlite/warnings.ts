// Which warnings about budgets were told, by whatever process. Every function runs inside the caller's transaction.
import type Database from "better-sqlite3";
import type { CounterId } from "../store.ts";

/** Longer than any window but `total`. */
const KEPT_MS = 400 * 86_400_000;

/** The table of warnings: a row for each window and amount, which is few. */
export class Warnings {
  readonly #nowMs: () => number;
  readonly #insert: Database.Statement<[string, string, bigint, number]>;
  readonly #prune: Database.Statement<[number]>;

  constructor(db: Database.Database, nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#insert = db.prepare(
      "INSERT OR IGNORE INTO budget_warnings (quota, win, amount, told_ms) VALUES (?, ?, ?, ?)",
    );
    this.#prune = db.prepare("DELETE FROM budget_warnings WHERE told_ms < ?");
  }

  /** See `LedgerStore.claimWarning`. */
  claim({ quota, window }: CounterId, amount: bigint): boolean {
    const nowMs = this.#nowMs();
    const isFirst = this.#insert.run(quota, window, amount, nowMs).changes === 1;
    if (isFirst) this.#prune.run(nowMs - KEPT_MS);
    return isFirst;
  }
}
