// The table of what was charged because a process died. Every function runs inside the caller's transaction.
import type Database from "better-sqlite3";
import type { Charge, Recovery } from "../store.ts";

const INSERT = "INSERT INTO recoveries (at_ms, process, pid, quota, win, unit, amount) VALUES (?, ?, ?, ?, ?, ?, ?)";
const SINCE = `
  SELECT at_ms AS atMs, process, pid, quota, win AS "window", unit, amount FROM recoveries
  WHERE at_ms >= ? ORDER BY at_ms DESC, rowid DESC`;

type Stored = { [Field in keyof Recovery]: Recovery[Field] extends number ? bigint : Recovery[Field] };

/** Recoveries, kept for good: they are few, and a person may have to explain a bill with them. */
export class Recoveries {
  readonly #insert: Database.Statement<[number, string, number, string, string, string, bigint]>;
  readonly #since: Database.Statement<[number], Stored>;

  constructor(db: Database.Database) {
    this.#insert = db.prepare(INSERT);
    this.#since = db.prepare<[number], Stored>(SINCE).safeIntegers();
  }

  /** Adds a row for each charge. */
  add(atMs: number, process: string, pid: number, charged: readonly Charge[]): void {
    for (const { quota, window, unit, amount } of charged) {
      this.#insert.run(Math.trunc(atMs), process, pid, quota, window, unit, amount);
    }
  }

  /** What was charged at or after an instant, newest first. */
  since(sinceMs: number): readonly Recovery[] {
    return this.#since.all(sinceMs).map((row) => ({ ...row, atMs: Number(row.atMs), pid: Number(row.pid) }));
  }
}
