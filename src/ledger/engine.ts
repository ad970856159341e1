// The quota engine: reservations come out of leases in memory, settlements go to the store in batches.
import type { CounterChange, CounterState, LeaseWish, LedgerStore } from "../store/store.ts";
import type { Clock } from "../types.ts";
import { Lease } from "./lease.ts";
import type { Balance, Hold, Ledger, Quota, Refusal, ReserveAnswer } from "./ledger.ts";
import { Windows } from "./windows.ts";

/** What the engine works with. */
export interface LedgerOptions {
  readonly store: LedgerStore;
  readonly clock: Clock;
  /** IANA name of the zone that windows begin and end in, e.g. `Europe/Vienna`. */
  readonly timeZone: string;
}

/** A ledger on a store. Throws a RangeError when there is no such time zone. */
export function createLedger(options: LedgerOptions): Ledger {
  return new QuotaEngine(options);
}

/** A hold with the leases that it came out of: it is charged to the windows it was reserved in. */
class OpenHold implements Hold {
  readonly amount: number;
  leases: readonly Lease[] | null;

  constructor(amount: number, leases: readonly Lease[]) {
    this.amount = amount;
    this.leases = leases;
  }
}

const NOTHING_TO_WRITE = Promise.resolve();

/** Every method either does all that it says or, when the store throws, leaves everything as it was. */
class QuotaEngine implements Ledger {
  readonly #store: LedgerStore;
  readonly #clock: Clock;
  readonly #windows: Windows;
  /** The current window's lease of each quota seen lately. */
  readonly #leases = new Map<string, Lease>();
  #holdsOpen = 0;

  constructor({ store, clock, timeZone }: LedgerOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#windows = new Windows(clock, timeZone);
  }

  get holdsOpen(): number {
    return this.#holdsOpen;
  }

  reserve(quotas: readonly Quota[], amount: number): ReserveAnswer {
    assertAmount(amount);
    const leases = this.#leasesOf(quotas);
    if (leases.every((lease) => lease.covers(amount))) {
      this.#store.probe();
    } else {
      const refusal = this.#extend(leases, amount);
      if (refusal !== null) return { ok: false, refusal };
    }
    for (const lease of leases) lease.hold(amount);
    this.#holdsOpen += 1;
    return { ok: true, hold: new OpenHold(amount, leases) };
  }

  settle(hold: Hold, actual: number): Promise<void> {
    assertAmount(actual);
    if (!(hold instanceof OpenHold) || hold.leases === null) throw new Error("A hold is settled once");
    const { amount, leases } = hold;
    const changes = leases.map((lease) => lease.settlement(amount, actual));
    const written = this.#commit(changes, actual);
    for (const [i, change] of changes.entries()) leases[i]?.settled(amount, change);
    hold.leases = null;
    this.#holdsOpen -= 1;
    return written;
  }

  balance(quota: Quota): Balance {
    const { index } = this.#windows.current(quota.window);
    const { spent, leased } = this.#store.counter({ quota: quota.id, window: index });
    const lease = this.#leases.get(quota.id);
    const slack = lease?.window.index === index ? lease.free : 0;
    return { spent, reserved: leased - BigInt(slack) };
  }

  releaseIdle(): void {
    for (const [id, lease] of this.#leases) {
      const change = lease.trim();
      this.#release(lease, change);
      if (lease.isEmpty) this.#leases.delete(id);
    }
  }

  /** The leases of distinct quotas, in the quotas' order. */
  #leasesOf(quotas: readonly Quota[]): readonly Lease[] {
    const leases: Lease[] = [];
    for (const quota of quotas) {
      const lease = this.#leaseOf(quota);
      if (leases.includes(lease)) throw new Error(`Quota ${quota.id} is named twice`);
      leases.push(lease);
    }
    return leases;
  }

  #leaseOf(quota: Quota): Lease {
    const window = this.#windows.current(quota.window);
    const lease = this.#leases.get(quota.id);
    if (lease !== undefined && lease.window.index === window.index) return this.#withLimitOf(quota, lease);
    if (lease !== undefined) {
      this.#release(lease, lease.giveBack());
      lease.isCurrent = false;
    }
    const fresh = new Lease(quota, window);
    this.#leases.set(quota.id, fresh);
    return fresh;
  }

  /** Slack that was granted under a higher limit goes back: the lower one decides about every further unit. */
  #withLimitOf(quota: Quota, lease: Lease): Lease {
    if (quota.limit < lease.quota.limit) {
      this.#release(lease, lease.giveBack());
      lease.keepNoSlack();
    }
    lease.quota = quota;
    return lease;
  }

  /** Extends all leases that do not cover `amount`, in one call; or says which quota cannot. */
  #extend(leases: readonly Lease[], amount: number): Refusal | null {
    const nowMs = this.#clock.monotonicMs();
    const short = leases.filter((lease) => !lease.covers(amount));
    const wishes: LeaseWish[] = [];
    for (const lease of short) {
      const known = lease.knownRefusal(amount, nowMs);
      if (known !== null) return refusalOf(lease, known);
      const wish = lease.wish(amount);
      if (wish === null) return refusalOf(lease, this.#store.counter(lease.counter));
      wishes.push(wish);
    }
    return this.#ask(short, wishes, nowMs);
  }

  #ask(short: readonly Lease[], wishes: readonly LeaseWish[], nowMs: number): Refusal | null {
    const answer = this.#store.lease(wishes);
    for (const [i, lease] of short.entries()) {
      const wish = wishes[i];
      if (wish === undefined) continue;
      if (answer.ok) lease.extend(answer.granted[i] ?? 0, wish);
      else if (i === answer.refused) {
        lease.refuse(wish, answer.state, nowMs);
        return refusalOf(lease, answer.state);
      }
    }
    return null;
  }

  #release(lease: Lease, change: CounterChange): void {
    if (change.release === 0) return;
    this.#store.commit([change]);
    lease.released(change);
  }

  /** What was used is waited for where no quota counts it too: the request's row is written in the same batch. */
  #commit(changes: readonly CounterChange[], actual: number): Promise<void> {
    const needed = changes.filter((change) => change.spend > 0 || change.release > 0);
    return needed.length === 0 && actual === 0 ? NOTHING_TO_WRITE : this.#store.commit(needed);
  }
}

/** The counter's state less this process's own slack, which is not held for any request. */
function refusalOf(lease: Lease, { spent, leased }: CounterState): Refusal {
  return { quota: lease.quota, spent, reserved: leased - BigInt(lease.free), resetsMs: lease.window.resetsMs };
}

function assertAmount(amount: number): void {
  if (Number.isSafeInteger(amount) && amount >= 0) return;
  throw new RangeError(`An amount must be a whole number from 0 to 2^53 - 1, not ${amount}`);
}
