// What the ledger offers the rest of the gateway: reserve an upper bound on every quota that applies, then settle once.
import type { InFlight, LedgerStore, Recovery } from "../store/store.ts";
import type { BudgetWindow, QuotaUnit, QuotaWindow } from "../types.ts";

/** One thing that is counted against a limit: a budget of an account, or a `RuleQuota`. */
export interface Quota {
  /** Stable name of the counter, e.g. `budget:bud_123`. */
  readonly id: string;
  /** What people call it, for the refusal: `team ml's monthly budget`. */
  readonly label: string;
  readonly unit: QuotaUnit;
  readonly limit: bigint;
  /** A period by its name alone is a calendar window in the ledger's own time zone. */
  readonly window: BudgetWindow | QuotaWindow;
}

/** What a request may use of a quota. */
export interface Need {
  readonly quota: Quota;
  /** The most it can use, in the quota's unit: an integer >= 0. */
  readonly amount: number;
}

/** A successful reservation: held until `settle` is called with it, once. */
export interface Hold {
  /** What is held, in the order that was asked for. */
  readonly needs: readonly Need[];
}

/** Why a reservation was refused. */
export interface Refusal {
  readonly need: Need;
  /** Committed use of the window, in the quota's unit. */
  readonly spent: bigint;
  /** Held for requests in flight, here and in other processes. */
  readonly reserved: bigint;
  /** When nothing that is counted now counts any more, milliseconds since the epoch; null for `total` and in flight. */
  readonly resetsMs: number | null;
  /**
   * In how many milliseconds the need fits, when requests in flight use all that is held for them and no other comes;
   * null when that cannot be said (`total`, in flight) or is never (the need alone is above the limit).
   */
  readonly fitsInMs: number | null;
}

/** The answer to `reserve`. */
export type ReserveAnswer =
  | { readonly ok: true; readonly hold: Hold }
  | { readonly ok: false; readonly refusal: Refusal };

/** What is left of a quota, as far as this process knows: what others took since it last asked the store is not in it. */
export interface Standing {
  /** limit - spent - reserved, in the quota's unit; never below 0. A float beyond 2^53. */
  readonly remaining: number;
  /** In how many milliseconds all of the limit is there again if nothing more is used; null for `total` and in flight. */
  readonly resetsInMs: number | null;
}

/** What is used of a quota in the window that is open now. */
export interface Balance {
  /** Committed, in the quota's unit. */
  readonly spent: bigint;
  /** Held for requests in flight, here and in other processes. */
  readonly reserved: bigint;
  /** Index of the window, `2026-11`; of a sliding one, of the step that is open. */
  readonly window: string;
  /** When all of the limit is there again if nothing more is used, milliseconds since the epoch; null: `total`, in flight. */
  readonly resetsMs: number | null;
}

/** The quota engine. */
export interface Ledger {
  /**
   * Holds what is needed of every quota, or nothing; refused when spent + reserved + amount > limit.
   * Without needs it only asks that the database can be written. Throws a `StoreError` `unavailable` when it cannot,
   * a RangeError when an amount is no such integer.
   * @param requestId for the record of what was in flight, should this process die
   */
  reserve(needs: readonly Need[], requestId?: string): ReserveAnswer;
  /**
   * Charges the actual amounts, in the order of the hold's needs, and frees the rest. One may be more than was held: it
   * is posted in full. Of a quota in flight everything is given back, whatever the amount. null voids the hold: all is
   * given back, nothing was used. The promise resolves when the charge is on disk; it is shared by all that settle in
   * these turns of the event loop. Calling twice with one hold throws.
   */
  settle(hold: Hold, actuals: readonly number[] | null): Promise<void>;
  /** What is left of the quota of the hold's need `index`, in the window that it is charged to; for an open hold. */
  standing(hold: Hold, index: number): Standing;
  /** `standing(hold, index).remaining`, for every request: nothing is made. */
  remaining(hold: Hold, index: number): number;
  /**
   * True for whoever says first, of all processes that share the database and ever did, that what is spent of the quota
   * in that window has passed `amount`. Throws `unavailable`.
   */
  claimWarning(quota: Quota, window: string, amount: bigint): boolean;
  /** Asks the database (some 10 us). Throws `unavailable`. */
  balance(quota: Quota): Balance;
  /** What was charged for dead processes at or after `sinceMs`, newest first. Throws `unavailable`. */
  recoveries(sinceMs: number): readonly Recovery[];
  /** Takes it off again: see `LedgerStore.reverse`. */
  reverse: LedgerStore["reverse"];
  /** Gives idle slack back to the store and lets it forget what no limit needs. Called every second or so. */
  releaseIdle(): void;
  /** What is held for which request, the oldest first; at most a thousand, and none whose request is not named. */
  inFlight(): readonly InFlight[];
  /** How many holds are not yet settled, for drains and tests. */
  readonly holdsOpen: number;
}
