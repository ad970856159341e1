// One process's lease on one counter: what it took from the store and what of it is held for open requests.
import type { CounterChange, CounterId, CounterState, LeaseWish, WindowUse } from "../store/store.ts";
import type { Quota } from "./ledger.ts";
import type { Window } from "./windows.ts";

/** Twice the number of requests' worth of slack that a lease under steady load keeps. */
const HEAT_MAX = 64;
/** A refusal by the store is believed this long: another process may give something back. */
const REFUSAL_TTL_MS = 100;

/** What the store said when it refused. */
export interface StoreRefusal {
  readonly state: CounterState;
  /** For a sliding window: what of each step is taken, earliest first. */
  readonly uses: readonly WindowUse[];
}

interface KnownRefusal extends StoreRefusal {
  readonly need: number;
  readonly limit: bigint;
  readonly untilMs: number;
}

/**
 * Bookkeeping in memory only; whoever calls tells the store. Amounts are safe integers in the quota's unit.
 *
 * How much slack a lease keeps follows demand: none at first, one request's worth after the second extension, twice as
 * much after each further one; `trim` (every second) halves it. Where the store grants less than that, because the
 * quota runs out, no more than what it granted is kept. So a crash charges what was in flight and little more, and no
 * process sits on the last of a quota.
 */
export class Lease {
  #quota: Quota;
  /** Most slack that is ever kept: of a small limit, such as three slots, none. */
  #slackTop: number;
  readonly window: Window;
  /** False once the quota has moved on to another window: then nothing is kept. */
  isCurrent = true;
  #granted = 0;
  #reserved = 0;
  #holds = 0;
  #heat = 0;
  /** Most slack that may be kept, by what the store said last; 0 once it is no longer sure that the limit covers any. */
  #slackMax = Number.MAX_SAFE_INTEGER;
  #usedSinceTrim = false;
  #unit = 1;
  #refusal: KnownRefusal | null = null;
  /** What nobody holds a lease on, by the store's last answer and what this process gave back since. */
  #left = 0;

  /** @param before the quota's lease on its window before, whose demand goes on */
  constructor(quota: Quota, window: Window, before: Lease | null = null) {
    this.#quota = quota;
    this.#slackTop = slackTopOf(quota);
    this.window = window;
    if (before === null) return;
    this.#heat = before.#heat;
    this.#unit = before.#unit;
    this.#usedSinceTrim = before.#usedSinceTrim;
  }

  /** The quota as it was last asked for: its limit and label may change, its id does not. */
  get quota(): Quota {
    return this.#quota;
  }

  set quota(quota: Quota) {
    if (quota.limit !== this.#quota.limit) this.#left += Number(quota.limit - this.#quota.limit);
    this.#quota = quota;
    this.#slackTop = slackTopOf(quota);
  }

  /** The counter that this is a lease on. */
  get counter(): CounterId {
    return { quota: this.quota.id, window: this.window.index };
  }

  /** What can be reserved without asking the store. */
  get free(): number {
    return this.#granted - this.#reserved;
  }

  /** What can still be reserved by anyone, as far as this process knows. */
  get remaining(): number {
    return Math.max(0, this.#left + this.free);
  }

  /** True while a hold is open on it. */
  get isHeld(): boolean {
    return this.#holds > 0;
  }

  /** True when nothing is leased and no hold is open, not even one of 0: it can be forgotten. */
  get isEmpty(): boolean {
    return this.#granted === 0 && this.#holds === 0;
  }

  /** True when `amount` fits. An amount of 0 fits as long as something is left, so that an overrun refuses it too. */
  covers(amount: number): boolean {
    return this.free >= amount && this.free > 0;
  }

  /** Holds `amount`, which must be free. */
  hold(amount: number): void {
    this.#reserved += amount;
    this.#holds += 1;
    this.#usedSinceTrim = true;
    if (amount > 0) this.#unit = amount;
  }

  /** What to ask of the store so that `amount` is covered; null when this process holds all that a number can count. */
  wish(amount: number): LeaseWish | null {
    const need = amount - this.free;
    const most = Number.MAX_SAFE_INTEGER - this.#granted;
    if (need > most) return null;
    const want = Math.min(need + this.#slackWanted(amount), most);
    const { index: window, span, expiresMs } = this.window;
    const { id, unit, limit } = this.quota;
    return { quota: id, window, unit, limit, need, want, span, expiresMs };
  }

  /** The store granted this much more for the wish; `state` is the counter as it was before. */
  extend(granted: number, wish: LeaseWish, state: CounterState): void {
    this.#granted += granted;
    this.#left = Number(wish.limit - state.spent - state.leased) - granted;
    this.#slackMax = granted < wish.want ? granted - wish.need : Number.MAX_SAFE_INTEGER;
    this.#heat = Math.min(Math.max(this.#heat * 2, 1), HEAT_MAX);
    this.#refusal = null;
  }

  /** The store refused this wish. */
  refuse({ need, limit }: LeaseWish, { state, uses }: StoreRefusal, nowMs: number): void {
    this.#refusal = { need, limit, state, uses, untilMs: nowMs + REFUSAL_TTL_MS };
  }

  /** What the store said when it last refused, while that also answers this request; else null. */
  knownRefusal(amount: number, nowMs: number): StoreRefusal | null {
    const known = this.#refusal;
    if (known === null || nowMs >= known.untilMs || known.limit !== this.quota.limit) return null;
    return amount - this.free >= known.need ? known : null;
  }

  /** What settling a hold of `amount` with `actual` writes; changes nothing yet. */
  settlement(amount: number, actual: number): CounterChange {
    const free = this.free + amount;
    const fromLease = Math.min(actual, free);
    return this.#change(actual, fromLease + this.#excess(free - fromLease, amount));
  }

  /** The settlement is in the store's queue. */
  settled(amount: number, change: CounterChange): void {
    this.#reserved -= amount;
    this.#holds -= 1;
    this.released(change);
    if (change.spend > change.release) this.keepNoSlack();
  }

  /** The limit was lowered or overrun: what open holds give back belongs to the store until it grants something again. */
  keepNoSlack(): void {
    this.#slackMax = 0;
  }

  /** What giving back all that is free writes; changes nothing yet. */
  giveBack(): CounterChange {
    return this.#change(0, this.free);
  }

  /** What giving back idle slack writes; halves the slack to keep. */
  trim(): CounterChange {
    this.#heat = this.#usedSinceTrim ? this.#heat >> 1 : 0;
    this.#usedSinceTrim = false;
    return this.#change(0, Math.max(0, this.free - this.#slackKept(this.#unit)));
  }

  /** The change is in the store's queue. */
  released(change: CounterChange): void {
    this.#granted -= change.release;
    this.#left += change.release - change.spend;
    this.#refusal = null;
  }

  /** What of `free` is more than worth keeping; some more than the slack may stay, so that not every settlement gives back. */
  #excess(free: number, amount: number): number {
    const keep = this.#slackKept(amount);
    return free > 2 * keep ? free - keep : 0;
  }

  #slackKept(amount: number): number {
    return this.isCurrent ? Math.min(this.#slackWanted(amount), this.#slackMax) : 0;
  }

  #slackWanted(amount: number): number {
    return Math.min((this.#heat >> 1) * Math.max(amount, 1), this.#slackTop);
  }

  #change(spend: number, release: number): CounterChange {
    return { quota: this.quota.id, window: this.window.index, spend, release, expiresMs: this.window.expiresMs };
  }
}

/** An eighth of the limit, as of what is left: see store/grant.ts. */
function slackTopOf({ limit }: Quota): number {
  return Number(limit / 8n);
}
