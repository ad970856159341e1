// Opens the SQLite file: created for its owner only, WAL, the chosen durability, the current schema.
import { closeSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import Database from "better-sqlite3";
import { StoreError } from "../store.ts";
import { isSqliteError, reasonOf } from "./errors.ts";
import { migrate } from "./migrations.ts";

/** `normal`: a commit survives kill -9, a power cut may lose the newest. `full`: each batch is fsynced. */
export type Durability = "normal" | "full";

/** Opening waits longer for a lock than the hot path may: nothing is served yet. */
const OPEN_BUSY_TIMEOUT_MS = 5_000;

/** Opens or creates the file and migrates it. Throws `cannot_open` with a sentence that says what is wrong. */
export function openDatabase(path: string, durability: Durability): Database.Database {
  const file = resolve(path);
  if (path === ":memory:" || path === "") {
    throw new StoreError("cannot_open", "The database must be a file: one in memory would forget what was spent");
  }
  createPrivately(file);
  try {
    return prepare(new Database(file, { timeout: OPEN_BUSY_TIMEOUT_MS }), durability);
  } catch (error) {
    if (!isSqliteError(error)) throw error;
    throw new StoreError("cannot_open", `${file} cannot be opened as a database: ${reasonOf(error)}`, error);
  }
}

function prepare(db: Database.Database, durability: Durability): Database.Database {
  try {
    const mode = db.pragma("journal_mode = WAL", { simple: true });
    if (mode !== "wal") throw new StoreError("cannot_open", `${db.name} lies where SQLite's WAL mode does not work`);
    db.pragma(`synchronous = ${durability === "full" ? "FULL" : "NORMAL"}`);
    db.pragma("foreign_keys = ON");
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** SQLite gives the WAL files the database's own mode, so it is enough to create that one as 0600. */
function createPrivately(file: string): void {
  try {
    closeSync(openSync(file, "a", 0o600));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new StoreError("cannot_open", `The database's directory ${dirname(file)} does not exist`, error);
    }
    const reason = code === "EISDIR" ? "it is a directory" : `${(error as Error).message}`;
    throw new StoreError("cannot_open", `The database ${file} cannot be written: ${reason}`, error);
  }
}
