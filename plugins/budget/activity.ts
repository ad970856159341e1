// How busy each key is in this process: requests let through in the last minute, and those under way.

/** What a rate looks back over, in buckets of a second. */
const BUCKETS = 60;
const BUCKET_MS = 1_000;
/** When so many keys are kept, those that have been idle for a minute are dropped. */
const KEYS_MAX = 10_000;

interface Counts {
  /** Requests by second, at the second's number modulo their count. */
  readonly perSecond: Uint32Array;
  /** Number of the newest second that is in `perSecond`. */
  second: number;
  /** Sum of `perSecond`. */
  total: number;
  underWay: number;
}

/** Counts in memory: another process, or this one after a restart, counts for itself. */
export class Activity {
  readonly #nowMs: () => number;
  readonly #byKey = new Map<string, Counts>();
  #keysMax = KEYS_MAX;

  /** @param nowMs a clock that never steps back, milliseconds */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** A request of the key is let through. */
  began(keyId: string): void {
    const second = this.#second();
    let counts = this.#byKey.get(keyId);
    if (counts === undefined) {
      counts = { perSecond: new Uint32Array(BUCKETS), second, total: 0, underWay: 0 };
      this.#byKey.set(keyId, counts);
      if (this.#byKey.size > this.#keysMax) this.#dropIdle(second);
    }
    advance(counts, second);
    const at = second % BUCKETS;
    counts.perSecond[at] = (counts.perSecond[at] ?? 0) + 1;
    counts.total += 1;
    counts.underWay += 1;
  }

  /** It has ended. */
  ended(keyId: string): void {
    const counts = this.#byKey.get(keyId);
    if (counts !== undefined) counts.underWay -= 1;
  }

  /** Requests of the last 60 seconds, to the second. */
  rate(keyId: string): number {
    const counts = this.#byKey.get(keyId);
    if (counts === undefined) return 0;
    advance(counts, this.#second());
    return counts.total;
  }

  /** Requests under way. */
  concurrency(keyId: string): number {
    return this.#byKey.get(keyId)?.underWay ?? 0;
  }

  #second(): number {
    return Math.floor(this.#nowMs() / BUCKET_MS);
  }

  /** Keys that are in use stay, however many: the next look is when there are twice as many. */
  #dropIdle(second: number): void {
    for (const [keyId, counts] of this.#byKey) {
      if (counts.underWay === 0 && second - counts.second >= BUCKETS) this.#byKey.delete(keyId);
    }
    this.#keysMax = Math.max(KEYS_MAX, 2 * this.#byKey.size);
  }
}

/** Forgets the seconds that have left the window. */
function advance(counts: Counts, second: number): void {
  const passed = Math.min(second - counts.second, BUCKETS);
  for (let i = 1; i <= passed; i += 1) {
    const at = (counts.second + i) % BUCKETS;
    counts.total -= counts.perSecond[at] ?? 0;
    counts.perSecond[at] = 0;
  }
  counts.second = Math.max(second, counts.second);
}
