// The quota engine: reservations come out of leases in memory, settlements go to the store in batches.
import type { CounterChange, CounterState, InFlight, LeaseWish, LedgerStore, Recovery } from "../store/store.ts";
import type { Clock } from "../types.ts";
import { startOfStep } from "./fixed-windows.ts";
import type { Lease, StoreRefusal } from "./lease.ts";
import { Leases } from "./leases.ts";
import type { Balance, Hold, Ledger, Need, Quota, Refusal, ReserveAnswer, Standing } from "./ledger.ts";
import { lastFreedMs, refusalOf } from "./refusal.ts";
import { Windows } from "./windows.ts";

/** What the engine works with. */
export interface LedgerOptions {
  readonly store: LedgerStore;
  readonly clock: Clock;
  /** IANA name of the zone that windows begin and end in where a quota names none, e.g. `Europe/Vienna`. */
  readonly timeZone: string;
}

/** A ledger on a store. Throws a RangeError when there is no such time zone. */
export function createLedger(options: LedgerOptions): Ledger {
  return new QuotaEngine(options);
}

/** A hold with the leases that it came out of: it is charged to the windows it was reserved in. */
class OpenHold implements Hold {
  readonly needs: readonly Need[];
  readonly requestId: string | null;
  leases: readonly Lease[] | null;

  constructor(needs: readonly Need[], leases: readonly Lease[], requestId: string | null) {
    this.needs = needs;
    this.leases = leases;
    this.requestId = requestId;
  }
}

/** Requests in flight that are told of: a line of some 100 bytes each, once a second. */
const IN_FLIGHT_MAX = 1_000;

const NOTHING_TO_WRITE = Promise.resolve();
const NO_USES: StoreRefusal["uses"] = [];

/** Every method either does all that it says or, when the store throws, leaves everything as it was. */
class QuotaEngine implements Ledger {
  readonly #store: LedgerStore;
  readonly #clock: Clock;
  readonly #windows: Windows;
  readonly #leases: Leases;
  /** The oldest first. */
  readonly #open = new Set<OpenHold>();

  constructor({ store, clock, timeZone }: LedgerOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#windows = new Windows(clock, timeZone);
    this.#leases = new Leases(store, this.#windows);
    this.#passTime();
  }

  get holdsOpen(): number {
    return this.#open.size;
  }

  reserve(needs: readonly Need[], requestId: string | null = null): ReserveAnswer {
    for (const { amount } of needs) assertAmount(amount);
    for (;;) {
      const leases = this.#leasesOf(needs);
      const answer = coverAll(leases, needs) ? this.#store.probe() : this.#extend(leases, needs);
      if (answer === BEHIND) continue;
      if (answer !== undefined) return { ok: false, refusal: answer };
      leases.forEach((lease, i) => {
        lease.hold(amountOf(needs, i));
      });
      const hold = new OpenHold(needs, leases, requestId);
      this.#open.add(hold);
      return { ok: true, hold };
    }
  }

  settle(hold: Hold, actuals: readonly number[] | null): Promise<void> {
    const leases = openLeasesOf(hold);
    const changes = leases.map((lease, i) => changeOf(lease, hold, i, actuals));
    const written = this.#commit(changes, actuals !== null);
    changes.forEach((change, i) => {
      leases[i]?.settled(amountOf(hold.needs, i), change);
    });
    (hold as OpenHold).leases = null;
    this.#open.delete(hold as OpenHold);
    return written;
  }

  standing(hold: Hold, index: number): Standing {
    const lease = openLeasesOf(hold)[index];
    if (lease === undefined) throw new RangeError(`There is no need ${index}`);
    const { quota, window, remaining } = lease;
    return { remaining, resetsInMs: this.#windows.freedInMs(quota.window, window.freedMs) };
  }

  remaining(hold: Hold, index: number): number {
    return openLeasesOf(hold)[index]?.remaining ?? 0;
  }

  claimWarning({ id }: Quota, window: string, amount: bigint): boolean {
    return this.#store.claimWarning({ quota: id, window }, amount);
  }

  recoveries(sinceMs: number): readonly Recovery[] {
    return this.#store.recoveries(sinceMs);
  }

  reverse(...asked: Parameters<LedgerStore["reverse"]>): ReturnType<LedgerStore["reverse"]> {
    return this.#store.reverse(...asked);
  }

  balance(quota: Quota): Balance {
    const window = this.#windows.current(quota.window);
    const { index, span } = window;
    const { spent, leased } = this.#store.counter({ quota: quota.id, window: index }, span);
    const uses = span === null ? NO_USES : this.#store.uses(quota.id, span);
    const resetsInMs = this.#windows.freedInMs(quota.window, lastFreedMs({ quota, window }, uses));
    const resetsMs = resetsInMs === null ? null : this.#windows.nowMs() + resetsInMs;
    return { spent, reserved: leased - BigInt(this.#leases.freeOf(quota, index)), window: index, resetsMs };
  }

  inFlight(): readonly InFlight[] {
    const found: InFlight[] = [];
    for (const { requestId, needs } of this.#open) {
      if (requestId === null) continue;
      found.push({ requestId, quotas: needs.map(({ quota }) => quota.id) });
      if (found.length === IN_FLIGHT_MAX) break;
    }
    return found;
  }

  releaseIdle(): void {
    this.#leases.releaseIdle();
    this.#passTime();
  }

  /** No process stays behind the others for long, not even one that has no requests or has only just started. */
  #passTime(): void {
    const { steady } = this.#windows;
    steady.catchUp(this.#store.passTime(steady.nowMs()));
  }

  /** The leases of distinct quotas, in the needs' order. */
  #leasesOf(needs: readonly Need[]): readonly Lease[] {
    const leases: Lease[] = [];
    for (const { quota } of needs) {
      const lease = this.#leases.of(quota);
      if (leases.includes(lease)) throw new Error(`Quota ${quota.id} is named twice`);
      leases.push(lease);
    }
    return leases;
  }

  /** Extends all leases that do not cover their need, in one call; or says which quota cannot. */
  #extend(leases: readonly Lease[], needs: readonly Need[]): Refusal | typeof BEHIND | undefined {
    const nowMs = this.#clock.monotonicMs();
    const short: Lease[] = [];
    const wishes: LeaseWish[] = [];
    for (const [i, lease] of leases.entries()) {
      const need = needs[i] as Need;
      if (lease.covers(need.amount)) continue;
      const known = lease.knownRefusal(need.amount, nowMs);
      if (known !== null) return refusalOf(need, lease, known, this.#windows);
      const wish = lease.wish(need.amount);
      if (wish === null) return refusalOf(need, lease, this.#asStoreSays(lease), this.#windows);
      short.push(lease);
      wishes.push(wish);
    }
    return this.#ask(short, wishes, (lease) => needs[leases.indexOf(lease)] as Need);
  }

  #ask(
    short: readonly Lease[],
    wishes: readonly LeaseWish[],
    needOf: (lease: Lease) => Need,
  ): Refusal | typeof BEHIND | undefined {
    const answer = this.#store.lease(wishes);
    if (answer.ok) {
      for (const [i, lease] of short.entries()) {
        lease.extend(answer.granted[i] ?? 0, wishes[i] as LeaseWish, answer.states[i] as CounterState);
      }
      return this.#catchUp(short, answer.states) ? BEHIND : undefined;
    }
    const lease = short[answer.refused] as Lease;
    if (this.#catchUp([lease], [answer.state])) return BEHIND;
    const refusal = { state: answer.state, uses: this.#usesOf(lease) };
    lease.refuse(wishes[answer.refused] as LeaseWish, refusal, this.#clock.monotonicMs());
    return refusalOf(needOf(lease), lease, refusal, this.#windows);
  }

  /** Another process writes a later step of a sliding window: this one's time goes on to there. */
  #catchUp(leases: readonly Lease[], states: readonly CounterState[]): boolean {
    let isBehind = false;
    for (const [i, { quota, window }] of leases.entries()) {
      const newest = states[i]?.newest ?? null;
      if (newest === null || newest <= window.index || typeof quota.window === "string") continue;
      if (quota.window.kind !== "sliding") continue;
      isBehind = this.#windows.steady.catchUp(startOfStep(quota.window.durationMs, newest)) || isBehind;
    }
    return isBehind;
  }

  #asStoreSays(lease: Lease): StoreRefusal {
    return { state: this.#store.counter(lease.counter, lease.window.span), uses: this.#usesOf(lease) };
  }

  #usesOf({ quota, window: { span } }: Lease): StoreRefusal["uses"] {
    return span === null ? NO_USES : this.#store.uses(quota.id, span);
  }

  /** What was used is waited for where no quota counts it too: the request's row is written in the same batch. */
  #commit(changes: readonly CounterChange[], isUsed: boolean): Promise<void> {
    const needed = changes.filter((change) => change.spend > 0 || change.release > 0);
    return needed.length === 0 && !isUsed ? NOTHING_TO_WRITE : this.#store.commit(needed);
  }
}

/** This process was behind in time, and has caught up: ask again. */
const BEHIND = Symbol("behind");

function coverAll(leases: readonly Lease[], needs: readonly Need[]): boolean {
  return leases.every((lease, i) => lease.covers(amountOf(needs, i)));
}

/** What settling the hold's need `i` writes. What is in flight ends with the request: nothing of it is ever spent. */
function changeOf(lease: Lease, hold: Hold, i: number, actuals: readonly number[] | null): CounterChange {
  const actual = actuals === null ? 0 : actuals[i];
  assertAmount(actual);
  return lease.settlement(amountOf(hold.needs, i), lease.quota.unit === "concurrent" ? 0 : actual);
}

function openLeasesOf(hold: Hold): readonly Lease[] {
  if (hold instanceof OpenHold && hold.leases !== null) return hold.leases;
  throw new Error("A hold is settled once");
}

function amountOf(needs: readonly Need[], i: number): number {
  return needs[i]?.amount ?? 0;
}

function assertAmount(amount: number | undefined): asserts amount is number {
  if (Number.isSafeInteger(amount) && (amount as number) >= 0) return;
  throw new RangeError(`An amount must be a whole number from 0 to 2^53 - 1, not ${amount}`);
}
