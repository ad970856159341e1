// The last good rule set of each rules directory, in SQLite.
import type Database from "better-sqlite3";
import type { Clock } from "../../types.ts";
import type { KeptRules, RuleStore } from "../store.ts";
import { guarded } from "./errors.ts";

interface StoredRules {
  readonly hash: string;
  readonly kept_ms: number;
  readonly files: string;
}

const KEEP = `
  INSERT INTO kept_rules (directory, hash, kept_ms, files) VALUES (?, ?, ?, ?)
  ON CONFLICT (directory) DO UPDATE SET hash = excluded.hash, kept_ms = excluded.kept_ms, files = excluded.files`;

/** `RuleStore` on SQLite: one row a directory, replaced whole in one statement. */
export class SqliteRules implements RuleStore {
  readonly #db: Database.Database;
  readonly #clock: Clock;

  constructor(db: Database.Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  keep(directory: string, { hash, files }: Omit<KeptRules, "keptMs">): void {
    guarded(() => {
      // Several processes load the same edit: the first one writes.
      if (this.#row(directory)?.hash === hash) return;
      const keptMs = Math.floor(this.#clock.nowMs());
      const texts = JSON.stringify(files.map(({ name, text }) => ({ name, text })));
      this.#db.prepare<[string, string, number, string]>(KEEP).run(directory, hash, keptMs, texts);
    });
  }

  kept(directory: string): KeptRules | null {
    const row = guarded(() => this.#row(directory));
    return row === undefined ? null : { hash: row.hash, keptMs: row.kept_ms, files: JSON.parse(row.files) };
  }

  #row(directory: string): StoredRules | undefined {
    return this.#db.prepare<[string], StoredRules>("SELECT * FROM kept_rules WHERE directory = ?").get(directory);
  }
}
