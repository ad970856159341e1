// The SQL of counters and leases. Every function runs inside the caller's transaction.
import type Database from "better-sqlite3";
import { grantFor } from "../grant.ts";
import type {
  Charge,
  CounterChange,
  CounterId,
  CounterState,
  LeaseAnswer,
  LeaseWish,
  WindowSpan,
  WindowUse,
} from "../store.ts";
import type { Recoveries } from "./recoveries.ts";

// Amounts are bound as BigInt: SQLite adds a JavaScript number as a float, which is not exact past 2^53.
// min(spent, MAX - x) + x: a sum past 2^63 - 1 stays there instead of turning into a float.
const SPEND = `
  INSERT INTO counters (quota, win, spent, unaccounted, expires_ms) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (quota, win) DO UPDATE SET
    spent = min(spent, 9223372036854775807 - excluded.spent) + excluded.spent,
    unaccounted = min(unaccounted, 9223372036854775807 - excluded.unaccounted) + excluded.unaccounted`;
const UNCHARGE = `
  UPDATE counters SET spent = spent - min(@amount, unaccounted), unaccounted = unaccounted - min(@amount, unaccounted)
  WHERE quota = @quota AND win = @window`;
const TAKE = `
  INSERT INTO leases (quota, win, process, amount, expires_ms, unit) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (quota, win, process) DO UPDATE SET amount = amount + excluded.amount`;
const GIVE = "UPDATE leases SET amount = amount - ? WHERE quota = ? AND win = ? AND process = ? AND amount >= ?";
const LEASE = "SELECT amount FROM leases WHERE quota = ? AND win = ? AND process = ?";
const COUNTER = "SELECT spent, unaccounted FROM counters WHERE quota = ? AND win = ?";
const LEASES_OF = `
  SELECT quota, win AS "window", unit, amount, expires_ms AS expiresMs FROM leases WHERE process = ? AND amount > 0`;
const LEASED = "SELECT coalesce(sum(amount), 0) FROM leases WHERE quota = ? AND win = ?";
// Each window counts up to 2^55 here, so that the sum of a span's windows, which are fewer than 256, never overflows.
const SPAN_SPENT = `
  SELECT coalesce(sum(min(spent, 36028797018963968)), 0) AS spent,
    coalesce(sum(min(unaccounted, 36028797018963968)), 0) AS unaccounted, max(win) AS newest
  FROM counters WHERE quota = ? AND win BETWEEN ? AND ?`;
const SPAN_LEASED = `
  SELECT coalesce(sum(amount), 0) AS leased, max(win) AS newest FROM leases
  WHERE quota = ? AND win BETWEEN ? AND ? AND amount > 0`;
const USES = `
  SELECT win AS "window", sum(taken) AS taken FROM (
    SELECT win, min(spent, 36028797018963968) AS taken FROM counters WHERE quota = ? AND win BETWEEN ? AND ?
    UNION ALL SELECT win, amount FROM leases WHERE quota = ? AND win BETWEEN ? AND ?
  ) GROUP BY win HAVING sum(taken) > 0 ORDER BY win`;
const PASS_TIME = "UPDATE meta SET ledger_ms = max(ledger_ms, ?) WHERE id = 1 RETURNING ledger_ms";
const PRUNE = `
  DELETE FROM counters WHERE (quota, win) IN (SELECT quota, win FROM counters WHERE expires_ms <= ? LIMIT 1000)`;

interface StoredLease extends Charge {
  readonly expiresMs: bigint | null;
}

type Milliseconds = number | bigint | null;

/** Counters and the leases of one process on them. */
export class Counters {
  readonly #process: string;
  readonly #recoveries: Recoveries;
  readonly #spend: Database.Statement<[string, string, bigint, bigint, Milliseconds]>;
  readonly #uncharge: Database.Statement<[CounterId & { readonly amount: bigint }]>;
  readonly #take: Database.Statement<[string, string, string, bigint, Milliseconds, string]>;
  readonly #give: Database.Statement<[bigint, string, string, string, bigint]>;
  readonly #lease: Database.Statement<[string, string, string], bigint>;
  readonly #counter: Database.Statement<[string, string], { spent: bigint; unaccounted: bigint }>;
  readonly #leased: Database.Statement<[string, string], bigint>;
  readonly #spanSpent: Database.Statement<unknown[], { spent: bigint; unaccounted: bigint; newest: string | null }>;
  readonly #spanLeased: Database.Statement<unknown[], { leased: bigint; newest: string | null }>;
  readonly #uses: Database.Statement<unknown[], WindowUse>;
  readonly #leasesOf: Database.Statement<[string], StoredLease>;
  readonly #dropLeases: Database.Statement<[string]>;
  readonly #dropEmpty: Database.Statement<[string]>;
  readonly #passTime: Database.Statement<[number], number>;
  readonly #prune: Database.Statement<[number]>;

  constructor(db: Database.Database, process: string, recoveries: Recoveries) {
    this.#process = process;
    this.#recoveries = recoveries;
    this.#spend = db.prepare(SPEND);
    this.#uncharge = db.prepare(UNCHARGE);
    this.#take = db.prepare(TAKE);
    this.#give = db.prepare(GIVE);
    this.#lease = db.prepare<[string, string, string], bigint>(LEASE).pluck().safeIntegers();
    this.#counter = db.prepare<[string, string], { spent: bigint; unaccounted: bigint }>(COUNTER).safeIntegers();
    this.#leased = db.prepare<[string, string], bigint>(LEASED).pluck().safeIntegers();
    this.#spanSpent = db
      .prepare<unknown[], { spent: bigint; unaccounted: bigint; newest: string | null }>(SPAN_SPENT)
      .safeIntegers();
    this.#spanLeased = db.prepare<unknown[], { leased: bigint; newest: string | null }>(SPAN_LEASED).safeIntegers();
    this.#uses = db.prepare<unknown[], WindowUse>(USES).safeIntegers();
    this.#leasesOf = db.prepare<[string], StoredLease>(LEASES_OF).safeIntegers();
    this.#dropLeases = db.prepare("DELETE FROM leases WHERE process = ?");
    this.#dropEmpty = db.prepare("DELETE FROM leases WHERE process = ? AND amount = 0");
    this.#passTime = db.prepare<[number], number>(PASS_TIME).pluck();
    this.#prune = db.prepare(PRUNE);
  }

  /** The counter as it stands, or the counters of a span together; zeros when never used. */
  state(id: CounterId, span: WindowSpan | null = null): CounterState {
    if (span !== null) return this.#spanState(id, span);
    const row = this.#counter.get(id.quota, id.window);
    const leased = this.#leased.get(id.quota, id.window) ?? 0n;
    const { quota, window } = id;
    return { quota, window, spent: row?.spent ?? 0n, unaccounted: row?.unaccounted ?? 0n, leased, newest: null };
  }

  /** What of each window of a span is taken, earliest first. */
  uses(quota: string, { from, to }: WindowSpan): readonly WindowUse[] {
    return this.#uses.all(quota, from, to, quota, from, to);
  }

  /** Grants every wish, or undoes those before the first that cannot be met. */
  grantAll(wishes: readonly LeaseWish[]): LeaseAnswer {
    const granted: number[] = [];
    const states: CounterState[] = [];
    for (const [refused, wish] of wishes.entries()) {
      const state = this.state(wish, wish.span);
      const amount = grantFor(wish, wish.limit - state.spent - state.leased);
      if (amount === null) {
        for (const [i, done] of granted.entries()) this.#release(wishes[i] ?? wish, done);
        return { ok: false, refused, state };
      }
      this.#take.run(
        wish.quota,
        wish.window,
        this.#process,
        BigInt(amount),
        wish.expiresMs ?? null,
        wish.unit ?? "nano-usd",
      );
      granted.push(amount);
      states.push(state);
    }
    return { ok: true, granted, states };
  }

  /** Writes one change. */
  apply(change: CounterChange): void {
    const { quota, window, spend, expiresMs = null } = change;
    if (spend > 0) this.#spend.run(quota, window, BigInt(spend), 0n, expiresMs);
    if (change.release > 0) this.#release(change, change.release);
  }

  /** Charges all leases of a dead process to their counters, as `unaccounted`, and removes them; slots are only freed. */
  chargeLeasesOf(process: string): readonly Charge[] {
    const charged = this.#leasesOf.all(process).filter(({ unit }) => unit !== "concurrent");
    for (const { quota, window, amount, expiresMs } of charged) {
      this.#spend.run(quota, window, amount, amount, expiresMs);
    }
    this.#dropLeases.run(process);
    return charged.map(({ quota, window, unit, amount }) => ({ quota, window, unit, amount }));
  }

  /** Takes off what was charged as `unaccounted`: no more than there is. */
  uncharge({ quota, window }: CounterId, amount: bigint): void {
    this.#uncharge.run({ quota, window, amount });
  }

  /** Removes this process's leases: all of them, or only the empty rows. */
  drop(which: "all" | "empty"): void {
    (which === "all" ? this.#dropLeases : this.#dropEmpty).run(this.#process);
  }

  /** The latest time that any process has told; removes what has expired by then. */
  passTime(nowMs: number): number {
    const latestMs = this.#passTime.get(Math.floor(nowMs)) ?? nowMs;
    this.#prune.run(latestMs);
    return latestMs;
  }

  #spanState({ quota, window }: CounterId, { from, to }: WindowSpan): CounterState {
    const { spent = 0n, unaccounted = 0n, newest = null } = this.#spanSpent.get(quota, from, to) ?? {};
    const held = this.#spanLeased.get(quota, from, to);
    return { quota, window, spent, unaccounted, leased: held?.leased ?? 0n, newest: later(newest, held?.newest) };
  }

  #release(id: CounterId, amount: number): void {
    const wanted = BigInt(amount);
    if (this.#give.run(wanted, id.quota, id.window, this.#process, wanted).changes === 1) return;
    // This process was taken for dead: the part that is missing was charged, and is now accounted for after all.
    const left = this.#lease.get(id.quota, id.window, this.#process) ?? 0n;
    this.#give.run(left, id.quota, id.window, this.#process, left);
    const charged = this.#recoveries.giveBack(this.#process, id.quota, id.window, wanted - left);
    if (charged > 0n) this.uncharge(id, charged);
  }
}

function later(a: string | null, b: string | null | undefined): string | null {
  if (a === null || b === null || b === undefined) return a ?? b ?? null;
  return a > b ? a : b;
}
