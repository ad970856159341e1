// Opens the database that the config names, and the secret that keys are hashed with.
import { randomBytes } from "node:crypto";
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { SetupError } from "../errors.ts";
import type { Clock } from "../types.ts";
import { openSqlite } from "./sqlite/open.ts";
import { type AccountStore, type Store, StoreError, type StoreEvent } from "./store.ts";

/** The part of the config that says where things are kept. */
export interface StoreConfig {
  /** `sqlite:` and an absolute path, or a `postgres://` URL. */
  readonly database: string;
  readonly durability: "normal" | "full";
}

/** What a store works with. */
export interface OpenStoreOptions {
  readonly clock: Clock;
  readonly onEvent?: (event: StoreEvent) => void;
}

const SQLITE = "sqlite:";
const PEPPER_BYTES = 32;

/**
 * Opens (and creates) the database.
 * @throws SetupError 78 when it cannot be opened, or is of a kind that this version does not have
 */
export function openStore(config: StoreConfig, options: OpenStoreOptions): Store {
  const path = sqlitePath(config.database);
  try {
    return openSqlite({ path, durability: config.durability, ...options });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new SetupError(error.message, 78, error);
  }
}

/** Whether there is something to open: `openStore` would make a new database otherwise, or does not know its kind. */
export function databaseExists({ database }: StoreConfig): boolean {
  return database.startsWith(SQLITE) && existsSync(sqlitePath(database));
}

/**
 * The pepper: HMAC key of all virtual keys' hashes. From `TOLLGATE_PEPPER` (64 hex digits, or base64, of 32 bytes),
 * else from `<database file>.pepper`, which is made, for its owner only, when it is not there. Several processes may
 * do so at the same time: one file wins.
 * @param accounts a file that is not there is not made when there are keys already: none of them would fit it
 * @throws SetupError 78 when the variable or the file cannot be used
 */
export function loadPepper(
  config: StoreConfig,
  env: Readonly<Record<string, string | undefined>>,
  accounts: Pick<AccountStore, "hasKeys">,
): Buffer {
  const given = env.TOLLGATE_PEPPER;
  if (given !== undefined && given !== "") return decode(given, "the environment variable TOLLGATE_PEPPER");
  const file = `${sqlitePath(config.database)}.pepper`;
  try {
    return decode(readIfThere(file) ?? makeFor(accounts, file), `the pepper file ${file}`);
  } catch (error) {
    if (error instanceof SetupError) throw error;
    throw new SetupError(`the pepper file ${file} cannot be used: ${(error as Error).message}`, 78, error);
  }
}

function sqlitePath(database: string): string {
  if (database.startsWith(SQLITE)) return database.slice(SQLITE.length);
  throw new SetupError("Postgres is not in this version: write `database: sqlite:FILE`");
}

function makeFor(accounts: Pick<AccountStore, "hasKeys">, file: string): string {
  const hasKeys = accounts.hasKeys();
  // Read again: another process may have made the file, and then a key, since it was found missing.
  if (hasKeys) return readIfThere(file) ?? refuseToReplace(file);
  return create(file) ?? readFileSync(file, "utf8");
}

function refuseToReplace(file: string): never {
  throw new SetupError(
    `the pepper file ${file} is missing, and the keys in the database were made with it: ` +
      "put it back from a backup, or set TOLLGATE_PEPPER; without it every key is unknown",
  );
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Written whole under a name of its own, then linked: nobody reads half a file. null when another process was first. */
function create(file: string): string | null {
  const text = `${randomBytes(PEPPER_BYTES).toString("hex")}\n`;
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  writeFileSync(draft, text, { mode: 0o600, flag: "wx", flush: true });
  try {
    linkSync(draft, file);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return null;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function decode(text: string, where: string): Buffer {
  const trimmed = text.trim();
  const bytes = /^[0-9a-f]{64}$/i.test(trimmed) ? Buffer.from(trimmed, "hex") : Buffer.from(trimmed, "base64");
  if (bytes.length === PEPPER_BYTES && /^[\w+/-]+={0,2}$/.test(trimmed)) return bytes;
  throw new SetupError(`${where} does not hold ${PEPPER_BYTES} bytes in hex or base64`);
}
