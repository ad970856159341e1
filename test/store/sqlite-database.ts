// SQLite files for tests: opened as several processes would, and crashed as kill -9 would.
import { join } from "node:path";
import type Database from "better-sqlite3";
import type { Test } from "tap";
import { openDatabase } from "../../src/store/sqlite/database.ts";
import { createSqliteStore, type SqliteStoreOptions } from "../../src/store/sqlite/open.ts";
import type { Store } from "../../src/store/store.ts";
import type { TestDatabase } from "../contract/rig.ts";

/** A fresh file in the test's own directory. */
export class SqliteTestDatabase implements TestDatabase {
  readonly path: string;
  readonly #connections = new Map<Store, Database.Database>();

  constructor(t: Test) {
    this.path = join(t.testdir(), "tollgate.db");
  }

  open(options: SqliteStoreOptions): Store {
    const db = openDatabase(this.path, "normal");
    const store = createSqliteStore(db, options);
    this.#connections.set(store, db);
    return store;
  }

  crash(store: Store): void {
    this.connection(store).close();
  }

  /** The connection under a store, to make it fail. */
  connection(store: Store): Database.Database {
    const db = this.#connections.get(store);
    if (db === undefined) throw new Error("not a store of this database");
    return db;
  }
}
