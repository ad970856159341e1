// The SQL of counters and leases. Every function runs inside the caller's transaction.
import type Database from "better-sqlite3";
import { grantFor } from "../grant.ts";
import type { Charge, CounterChange, CounterId, CounterState, LeaseAnswer, LeaseWish } from "../store.ts";

// Amounts are bound as BigInt: SQLite adds a JavaScript number as a float, which is not exact past 2^53.
// min(spent, MAX - x) + x: a sum past 2^63 - 1 stays there instead of turning into a float.
const SPEND = `
  INSERT INTO counters (quota, win, spent, unaccounted) VALUES (?, ?, ?, ?)
  ON CONFLICT (quota, win) DO UPDATE SET
    spent = min(spent, 9223372036854775807 - excluded.spent) + excluded.spent,
    unaccounted = min(unaccounted, 9223372036854775807 - excluded.unaccounted) + excluded.unaccounted`;
const UNCHARGE = `
  UPDATE counters SET spent = max(spent - ?, 0), unaccounted = max(unaccounted - ?, 0) WHERE quota = ? AND win = ?`;
const TAKE = `
  INSERT INTO leases (quota, win, process, amount) VALUES (?, ?, ?, ?)
  ON CONFLICT (quota, win, process) DO UPDATE SET amount = amount + excluded.amount`;
const GIVE = "UPDATE leases SET amount = amount - ? WHERE quota = ? AND win = ? AND process = ? AND amount >= ?";
const LEASE = "SELECT amount FROM leases WHERE quota = ? AND win = ? AND process = ?";
const COUNTER = "SELECT spent, unaccounted FROM counters WHERE quota = ? AND win = ?";
const LEASES_OF = 'SELECT quota, win AS "window", amount FROM leases WHERE process = ? AND amount > 0';
const LEASED = "SELECT coalesce(sum(amount), 0) FROM leases WHERE quota = ? AND win = ?";

/** Counters and the leases of one process on them. */
export class Counters {
  readonly #process: string;
  readonly #spend: Database.Statement<[string, string, bigint, bigint]>;
  readonly #uncharge: Database.Statement<[bigint, bigint, string, string]>;
  readonly #take: Database.Statement<[string, string, string, bigint]>;
  readonly #give: Database.Statement<[bigint, string, string, string, bigint]>;
  readonly #lease: Database.Statement<[string, string, string], bigint>;
  readonly #counter: Database.Statement<[string, string], { spent: bigint; unaccounted: bigint }>;
  readonly #leased: Database.Statement<[string, string], bigint>;
  readonly #leasesOf: Database.Statement<[string], Charge>;
  readonly #dropLeases: Database.Statement<[string]>;
  readonly #dropEmpty: Database.Statement<[string]>;

  constructor(db: Database.Database, process: string) {
    this.#process = process;
    this.#spend = db.prepare(SPEND);
    this.#uncharge = db.prepare(UNCHARGE);
    this.#take = db.prepare(TAKE);
    this.#give = db.prepare(GIVE);
    this.#lease = db.prepare<[string, string, string], bigint>(LEASE).pluck().safeIntegers();
    this.#counter = db.prepare<[string, string], { spent: bigint; unaccounted: bigint }>(COUNTER).safeIntegers();
    this.#leased = db.prepare<[string, string], bigint>(LEASED).pluck().safeIntegers();
    this.#leasesOf = db.prepare<[string], Charge>(LEASES_OF).safeIntegers();
    this.#dropLeases = db.prepare("DELETE FROM leases WHERE process = ?");
    this.#dropEmpty = db.prepare("DELETE FROM leases WHERE process = ? AND amount = 0");
  }

  /** The counter as it stands; zeros when it has never been used. */
  state(id: CounterId): CounterState {
    const row = this.#counter.get(id.quota, id.window);
    const leased = this.#leased.get(id.quota, id.window) ?? 0n;
    const { quota, window } = id;
    return { quota, window, spent: row?.spent ?? 0n, unaccounted: row?.unaccounted ?? 0n, leased };
  }

  /** Grants every wish, or undoes those before the first that cannot be met. */
  grantAll(wishes: readonly LeaseWish[]): LeaseAnswer {
    const granted: number[] = [];
    for (const [refused, wish] of wishes.entries()) {
      const state = this.state(wish);
      const amount = grantFor(wish, wish.limit - state.spent - state.leased);
      if (amount === null) {
        for (const [i, done] of granted.entries()) this.#release(wishes[i] ?? wish, done);
        return { ok: false, refused, state };
      }
      this.#take.run(wish.quota, wish.window, this.#process, BigInt(amount));
      granted.push(amount);
    }
    return { ok: true, granted };
  }

  /** Writes one change. */
  apply(change: CounterChange): void {
    if (change.spend > 0) this.#spend.run(change.quota, change.window, BigInt(change.spend), 0n);
    if (change.release > 0) this.#release(change, change.release);
  }

  /** Charges all leases of a dead process to their counters, as `unaccounted`, and removes them. */
  chargeLeasesOf(process: string): readonly Charge[] {
    const charged = this.#leasesOf.all(process);
    for (const { quota, window, amount } of charged) this.#spend.run(quota, window, amount, amount);
    this.#dropLeases.run(process);
    return charged;
  }

  /** Removes this process's leases: all of them, or only the empty rows. */
  drop(which: "all" | "empty"): void {
    (which === "all" ? this.#dropLeases : this.#dropEmpty).run(this.#process);
  }

  #release(id: CounterId, amount: number): void {
    const wanted = BigInt(amount);
    if (this.#give.run(wanted, id.quota, id.window, this.#process, wanted).changes === 1) return;
    // This process was taken for dead: the part that is missing was charged, and is now accounted for after all.
    const left = this.#lease.get(id.quota, id.window, this.#process) ?? 0n;
    this.#give.run(left, id.quota, id.window, this.#process, left);
    this.#uncharge.run(wanted - left, wanted - left, id.quota, id.window);
  }
}
