// This process's leases on the windows that are open now: found by quota, turned with the window, given back when idle.
import type { CounterChange, LedgerStore } from "../store/store.ts";
import { Lease } from "./lease.ts";
import type { Quota } from "./ledger.ts";
import type { Windows } from "./windows.ts";

/** Leases that no request is held on are kept up to this many: what a rule counts by may be anything that callers send. */
const LEASES_MAX = 10_000;
/** How many leases are looked at to make room for one. */
const LOOKED_AT = 8;

/** Every method either does all that it says or, when the store throws, leaves everything as it was. */
export class Leases {
  readonly #store: LedgerStore;
  readonly #windows: Windows;
  /** By quota; the longest unused are near the front once there are many. */
  readonly #leases = new Map<string, Lease>();

  constructor(store: LedgerStore, windows: Windows) {
    this.#store = store;
    this.#windows = windows;
  }

  /** The quota's lease on the window that is open now. */
  of(quota: Quota): Lease {
    const window = this.#windows.current(quota.window);
    const lease = this.#leases.get(quota.id);
    if (lease !== undefined && lease.window === window) return this.#withLimitOf(quota, lease);
    if (lease === undefined) this.#makeRoom();
    else {
      this.#release(lease, lease.giveBack());
      lease.isCurrent = false;
    }
    const fresh = new Lease(quota, window, lease);
    this.#leases.set(quota.id, fresh);
    return fresh;
  }

  /** What the quota's lease on that window has free. */
  freeOf(quota: Quota, window: string): number {
    const lease = this.#leases.get(quota.id);
    return lease?.window.index === window ? lease.free : 0;
  }

  /** Gives idle slack back and forgets what is empty. */
  releaseIdle(): void {
    for (const [id, lease] of this.#leases) {
      this.#release(lease, lease.trim());
      if (lease.isEmpty) this.#leases.delete(id);
    }
  }

  /** Slack that was granted under a higher limit goes back: the lower one decides about every further unit. */
  #withLimitOf(quota: Quota, lease: Lease): Lease {
    if (quota.limit < lease.quota.limit) {
      this.#release(lease, lease.giveBack());
      lease.keepNoSlack();
    }
    if (quota !== lease.quota) lease.quota = quota;
    return lease;
  }

  /** Gives up the first lease that no request is held on; those that are held go to the end of the line. */
  #makeRoom(): void {
    if (this.#leases.size < LEASES_MAX) return;
    let looked = 0;
    for (const [id, lease] of this.#leases) {
      if (!lease.isHeld) this.#release(lease, lease.giveBack());
      this.#leases.delete(id);
      if (!lease.isHeld) return;
      this.#leases.set(id, lease);
      looked += 1;
      if (looked === LOOKED_AT) return;
    }
  }

  #release(lease: Lease, change: CounterChange): void {
    if (change.release === 0) return;
    this.#store.commit([change]);
    lease.released(change);
  }
}
