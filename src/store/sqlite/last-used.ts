// When keys were last used, to the minute, written in batches and off the way of a request.
import type Database from "better-sqlite3";
import { isSqliteError } from "./errors.ts";

/** How long notes are gathered, milliseconds. */
const GATHER_MS = 1_000;
const MINUTE_MS = 60_000;
/** Keys whose last note is remembered: past so many all are forgotten, and noted again. */
const KEYS_MAX = 100_000;

/** Notes of use. */
export class LastUsed {
  readonly #db: Database.Database;
  readonly #update: Database.Statement<[number, string, number]>;
  /** Key → when it was last noted. */
  readonly #noted = new Map<string, number>();
  #waiting = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#update = db.prepare("UPDATE keys SET last_used_ms = ? WHERE id = ? AND coalesce(last_used_ms, 0) < ?");
  }

  /** See `AccountStore.markUsed`. */
  mark(keyId: string, atMs: number): void {
    const noted = this.#noted.get(keyId);
    if (noted !== undefined && atMs - noted < MINUTE_MS) return;
    if (this.#noted.size >= KEYS_MAX) this.#noted.clear();
    this.#noted.set(keyId, atMs);
    this.#waiting.set(keyId, Math.trunc(atMs));
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS).unref();
  }

  /** Writes all notes in one transaction. A database that cannot be written loses them: they are no more than a hint. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const waiting = this.#waiting;
    this.#waiting = new Map();
    if (waiting.size === 0 || !this.#db.open) return;
    try {
      this.#db
        .transaction(() => {
          for (const [keyId, atMs] of waiting) this.#update.run(atMs, keyId, atMs);
        })
        .immediate();
    } catch (error) {
      if (!isSqliteError(error)) throw error;
    }
  }
}
