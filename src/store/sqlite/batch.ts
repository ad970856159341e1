// The write batch: all that settles in one turn of the event loop, in one transaction, retried until it is on disk.
import type Database from "better-sqlite3";
import type { AccessRecord, Clock } from "../../types.ts";
import { type CounterChange, StoreError, type StoreEvent } from "../store.ts";
import type { Counters } from "./counters.ts";
import { toUnavailable } from "./errors.ts";
import type { Requests } from "./requests.ts";
import type { RuleHitTable } from "./rule-hits.ts";
import type { SpendTable } from "./spend.ts";
import { Waiters } from "./waiters.ts";
import { WriteQueue } from "./write-queue.ts";

/** A failed write is tried again after this long, then after twice as long, up to the longest. */
const RETRY_FIRST_MS = 20;
const RETRY_LONGEST_MS = 1_000;
/** A retry blocks the event loop only this long for a lock: while it fails nothing is waiting for its success. */
const RETRY_BUSY_TIMEOUT_MS = 25;

/** What a batch is made of. */
export interface BatchOptions {
  readonly db: Database.Database;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly requests: Requests;
  readonly hits: RuleHitTable;
  readonly spend: SpendTable;
  readonly busyTimeoutMs: number;
  readonly commitTimeoutMs: number;
  readonly onEvent: (event: StoreEvent) => void;
}

const nothing = (): void => undefined;

/** The queue in front of the database. Every write of the ledger and the request table goes through it. */
export class Batch {
  readonly #options: BatchOptions;
  readonly #transaction: (work: () => unknown) => unknown;
  readonly #waiters: Waiters;
  readonly #queue = new WriteQueue();
  #scheduled = false;
  #closed = false;
  #failure: { readonly error: StoreError; readonly sinceMs: number } | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  #retryMs = RETRY_FIRST_MS;
  #provenMs = Number.NEGATIVE_INFINITY;

  constructor(options: BatchOptions) {
    this.#options = options;
    this.#waiters = new Waiters(options.commitTimeoutMs);
    const { db } = options;
    this.#transaction = db.transaction((work: () => unknown) => {
      this.#queue.writeTo(options.counters, options.requests, options.hits, options.spend);
      return work();
    }).immediate;
    db.pragma(`busy_timeout = ${options.busyTimeoutMs}`);
  }

  /** Milliseconds, on the monotonic clock, since a write last succeeded. */
  get provenAgoMs(): number {
    return this.#options.clock.monotonicMs() - this.#provenMs;
  }

  /** Throws `unavailable` when the last write failed or the store is closed. Touches no disk. */
  assertWritable(): void {
    if (this.#closed) throw new StoreError("unavailable", "The database is closed");
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** See `LedgerStore.commit`. */
  commit(changes: readonly CounterChange[]): Promise<void> {
    if (this.#closed) throw new StoreError("unavailable", "The database is closed");
    this.#queue.addChanges(changes);
    this.#schedule();
    return this.#waiters.join();
  }

  /** See `RequestStore.append`. */
  append(record: AccessRecord): void {
    this.#queue.addRow(record);
    if (!this.#closed) this.#schedule();
  }

  /**
   * One write transaction at once: what is queued, then `work`. When it fails nothing of either is written, the queue
   * is kept and retried, and `unavailable` is thrown.
   */
  write<T>(work: () => T): T {
    let result: T;
    try {
      result = this.#transaction(work) as T;
    } catch (cause) {
      const error = toUnavailable(cause);
      this.#failed(error);
      throw error;
    }
    this.#succeeded();
    return result;
  }

  /**
   * Takes no more, writes what is queued and then `work`; tries until the commit time-out, then throws `unavailable`.
   * Where there is neither, the database is not touched.
   */
  async close(work: (() => void) | null): Promise<void> {
    this.#closed = true;
    this.#stopRetrying();
    if (work === null && this.#queue.isEmpty) return this.#waiters.resolve();
    const deadlineMs = performance.now() + this.#options.commitTimeoutMs;
    for (;;) {
      try {
        return this.write(work ?? nothing);
      } catch (error) {
        this.#stopRetrying();
        if (performance.now() >= deadlineMs || !this.#options.db.open) {
          this.#waiters.reject(error);
          throw error;
        }
      }
      await new Promise((done) => setTimeout(done, RETRY_FIRST_MS));
    }
  }

  /**
   * The commit waits for the end of the next turn of the event loop: under load it has twice as much to write, and a
   * request costs a tenth less CPU; an idle loop turns in microseconds.
   */
  #schedule(): void {
    if (this.#scheduled || this.#failure !== null) return;
    this.#scheduled = true;
    setImmediate(() => setImmediate(() => this.#whenDue()));
  }

  #whenDue(): void {
    this.#scheduled = false;
    if (!this.#closed && this.#failure === null) this.#flushIfNeeded();
  }

  /** A lease that was taken later in the turn may have written the queue already. */
  #flushIfNeeded(): void {
    if (this.#queue.isEmpty) this.#waiters.resolve();
    else this.#flush();
  }

  #flush(): void {
    try {
      this.write(nothing);
    } catch (error) {
      // write() has kept the queue and will retry: callers learn it from assertWritable(), people from the event.
      if (!(error instanceof StoreError)) throw error;
    }
  }

  #succeeded(): void {
    this.#provenMs = this.#options.clock.monotonicMs();
    if (!this.#queue.isEmpty) this.#queue.clear();
    this.#waiters.resolve();
    if (this.#failure !== null) this.#recovered(this.#failure.sinceMs);
  }

  #recovered(sinceMs: number): void {
    const { db, busyTimeoutMs, onEvent } = this.#options;
    this.#failure = null;
    this.#stopRetrying();
    this.#retryMs = RETRY_FIRST_MS;
    db.pragma(`busy_timeout = ${busyTimeoutMs}`);
    onEvent({ kind: "available", afterMs: this.#provenMs - sinceMs });
    const count = this.#queue.takeDropped();
    if (count > 0) onEvent({ kind: "rows_dropped", count });
  }

  #failed(error: StoreError): void {
    this.#waiters.expire(error);
    if (this.#failure === null) {
      this.#failure = { error, sinceMs: this.#options.clock.monotonicMs() };
      if (this.#options.db.open) this.#options.db.pragma(`busy_timeout = ${RETRY_BUSY_TIMEOUT_MS}`);
      this.#options.onEvent({ kind: "unavailable", error });
    }
    if (this.#retryTimer !== null || this.#closed || !this.#options.db.open) return;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      this.#flush();
    }, this.#retryMs).unref();
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LONGEST_MS);
  }

  #stopRetrying(): void {
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
  }
}
