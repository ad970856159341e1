// Opens an SQLite database as a Store: wires the parts in this folder together.
import type Database from "better-sqlite3";
import type { Clock } from "../../types.ts";
import type { Store, StoreEvent } from "../store.ts";
import { AccountChanges } from "./account-changes.ts";
import { newId } from "./account-rows.ts";
import { SqliteAccounts } from "./accounts.ts";
import { Batch } from "./batch.ts";
import { Budgets } from "./budgets.ts";
import { Counters } from "./counters.ts";
import { SqliteCredits } from "./credits.ts";
import { type Durability, openDatabase } from "./database.ts";
import { SqliteDirectory } from "./directory.ts";
import { SqliteLedger } from "./ledger.ts";
import { Processes } from "./processes.ts";
import { Recoveries } from "./recoveries.ts";
import { RequestHistory } from "./request-history.ts";
import { RequestList } from "./request-list.ts";
import { Requests } from "./requests.ts";
import { Reversals } from "./reversals.ts";
import { RuleHitTable } from "./rule-hits.ts";
import { SqliteRules } from "./rules.ts";
import { SpendTable } from "./spend.ts";
import { Warnings } from "./warnings.ts";

/** How long a write may wait for another process's lock, blocking the event loop. */
const BUSY_TIMEOUT_MS = 250;
/** How long a settlement waits for the database before its promise rejects. It is written all the same. */
const COMMIT_TIMEOUT_MS = 5_000;

/** What a store works with, whatever opened its database. */
export interface SqliteStoreOptions {
  readonly clock: Clock;
  /** Milliseconds that a write may wait for another process's lock; it blocks the event loop. 250 when left out. */
  readonly busyTimeoutMs?: number;
  /** Milliseconds until the promise of a settlement that cannot be written rejects. 5,000 when left out. */
  readonly commitTimeoutMs?: number;
  /** Name of this process's leases, unique among all that ever use the file. A random one when left out. */
  readonly processId?: string;
  /** Told what people should know: recovered leases, an unavailable database. */
  readonly onEvent?: (event: StoreEvent) => void;
}

/** What `openSqlite` takes. */
export interface OpenSqliteOptions extends SqliteStoreOptions {
  /** The file; created, for its owner only, when it is not there. Its directory must exist. */
  readonly path: string;
  /** `normal` when left out: survives kill -9. `full` adds an fsync to each batch: survives a power cut. */
  readonly durability?: Durability;
}

/**
 * Opens or creates an SQLite database, brings its schema up to date and charges the leases of processes that died.
 * Throws a `StoreError` `cannot_open` with a sentence for people.
 */
export function openSqlite({ path, durability = "normal", ...options }: OpenSqliteOptions): Store {
  return createSqliteStore(openDatabase(path, durability), options);
}

/** A store on a database that is open and migrated; closing the store closes it. */
export function createSqliteStore(db: Database.Database, options: SqliteStoreOptions): Store {
  const { clock, onEvent = () => undefined, processId = newId("proc") } = options;
  const { busyTimeoutMs = BUSY_TIMEOUT_MS, commitTimeoutMs = COMMIT_TIMEOUT_MS } = options;
  const recoveries = new Recoveries(db);
  const counters = new Counters(db, processId, recoveries);
  const requests = new Requests(db);
  const history = new RequestHistory(db);
  const hits = new RuleHitTable(db);
  const listed = new RequestList(db);
  const spend = new SpendTable(db);
  const batch = new Batch({ db, clock, counters, requests, hits, spend, busyTimeoutMs, commitTimeoutMs, onEvent });
  const processes = new Processes(db, processId, clock, counters, recoveries);
  const nowMs = (): number => Math.trunc(clock.nowMs());
  const shared = { db, changes: new AccountChanges(db, nowMs), budgets: new Budgets(db), nowMs };
  const reversals = new Reversals({ ...shared, counters, recoveries });
  const ledger = new SqliteLedger({
    batch,
    counters,
    processes,
    recoveries,
    reversals,
    warnings: new Warnings(db, nowMs),
    onEvent,
  });
  ledger.recover();
  const accounts = new SqliteAccounts(shared);
  let closing: Promise<void> | null = null;
  return {
    accounts,
    directory: new SqliteDirectory({ ...shared, spend }),
    credits: new SqliteCredits(db),
    ledger,
    requests: {
      append: (record) => batch.append(record),
      usage: (groups, sinceMs, untilMs) => requests.usage(groups, sinceMs, untilMs),
      decided: (sinceMs) => history.decided(sinceMs),
      find: (id, receivedMs) => history.find(id, receivedMs),
      ruleHits: (sinceMs) => hits.since(sinceMs),
      list: (query) => listed.page(query),
      spend: (kind, ids) => spend.of(kind, ids),
    },
    rules: new SqliteRules(db, clock),
    close: () => {
      if (closing === null) accounts.close();
      const leave = processes.isEntered ? () => ledger.leave() : null;
      closing ??= batch.close(leave).finally(() => db.close());
      return closing;
    },
  };
}
