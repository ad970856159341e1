// What SQLite throws, told as StoreErrors.
import Database from "better-sqlite3";
import { StoreError } from "../store.ts";

type SqliteError = InstanceType<typeof Database.SqliteError>;

/** Told to callers, by the first two words of SQLite's code. */
const REASONS: Readonly<Record<string, string>> = {
  SQLITE_BUSY: "it is locked by another process",
  SQLITE_LOCKED: "it is locked by another connection",
  SQLITE_FULL: "there is no space left",
  SQLITE_IOERR: "the disk reports an error",
  SQLITE_READONLY: "it is read-only",
  SQLITE_CORRUPT: "it is damaged",
  SQLITE_NOTADB: "it is not an SQLite database",
  SQLITE_CANTOPEN: "it cannot be opened",
};

/** Why the database failed, for people; SQLite's own words where we have none. */
export function reasonOf(error: SqliteError): string {
  const family = error.code.split("_").slice(0, 2).join("_");
  return `${REASONS[family] ?? error.message} (${error.code})`;
}

/** True for an error that SQLite reported. */
export function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Database.SqliteError;
}

/** Whatever made a write fail, as `unavailable`: nothing may be forwarded that could not be charged. */
export function toUnavailable(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const reason = isSqliteError(error) ? reasonOf(error) : (error as Error).message;
  return new StoreError("unavailable", `The database cannot be used: ${reason}`, error);
}

/** Runs `work`; an SQLite failure leaves as `unavailable`, anything else as it is. */
export function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw isSqliteError(error) ? toUnavailable(error) : error;
  }
}

/** True when the error is a broken UNIQUE constraint on that column (`keys.alias`). */
export function isDuplicate(error: unknown, column: string): boolean {
  return isSqliteError(error) && error.code === "SQLITE_CONSTRAINT_UNIQUE" && error.message.endsWith(`: ${column}`);
}
