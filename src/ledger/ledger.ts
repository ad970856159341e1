// What the ledger offers the rest of the gateway: reserve an upper bound on every quota that applies, then settle once.
import type { BudgetWindow } from "../types.ts";

/** One thing that is counted against a limit. Today's unit is nano-USD; tokens and requests come the same way. */
export interface Quota {
  /** Stable name of the counter, e.g. `budget:bud_123`. */
  readonly id: string;
  /** What people call it, for the refusal: `team ml's monthly budget`. */
  readonly label: string;
  readonly scope: "key" | "team" | "user" | "org";
  readonly unit: "nano-usd";
  readonly limit: bigint;
  readonly window: BudgetWindow;
}

/** A successful reservation: held until `settle` is called with it, once. */
export interface Hold {
  /** Held in each of the quotas, in their unit. */
  readonly amount: number;
}

/** Why a reservation was refused. */
export interface Refusal {
  readonly quota: Quota;
  /** Committed spend of the window, in the quota's unit. */
  readonly spent: bigint;
  /** Held for requests in flight, here and in other processes. */
  readonly reserved: bigint;
  /** When the window ends, milliseconds since the epoch; null for `total`. */
  readonly resetsMs: number | null;
}

/** The answer to `reserve`. */
export type ReserveAnswer =
  | { readonly ok: true; readonly hold: Hold }
  | { readonly ok: false; readonly refusal: Refusal };

/** What is used of a quota in the window that is open now. */
export interface Balance {
  /** Committed, in the quota's unit. */
  readonly spent: bigint;
  /** Held for requests in flight, here and in other processes. */
  readonly reserved: bigint;
}

/** The quota engine. */
export interface Ledger {
  /**
   * Holds `amount` (an integer >= 0) in every quota, or in none; refused when spent + reserved + amount > limit.
   * Without quotas it only asks that the database can be written. Throws a `StoreError` `unavailable` when it cannot,
   * a RangeError when the amount is no such integer.
   */
  reserve(quotas: readonly Quota[], amount: number): ReserveAnswer;
  /**
   * Charges the actual amount (it may be more than was held: it is posted in full) and frees the rest.
   * 0 voids the hold. The promise resolves when the charge is on disk; it is shared by all that settle in this turn.
   * Calling twice with one hold throws.
   */
  settle(hold: Hold, actual: number): Promise<void>;
  /** Asks the database (some 10 us). Throws `unavailable`. */
  balance(quota: Quota): Balance;
  /** Gives idle slack back to the store. Called every second or so, with the store's heartbeat. */
  releaseIdle(): void;
  /** How many holds are not yet settled, for drains and tests. */
  readonly holdsOpen: number;
}
