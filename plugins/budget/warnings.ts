// Warns of budgets that run out: a line in the log and a webhook when one passes a threshold, a header while it is above.
import { type Balance, type Hold, type Host, type Ledger, type Quota, StoreError } from "../../src/plugin.ts";
import { type Threshold, usedText, type Watched } from "./thresholds.ts";

/** How long after a charge its budget is looked at: all charges in between share the look. */
const LOOK_AFTER_MS = 100;
/** Budgets that are looked at in one go, some 10 us each; the others have their turn after as long again. */
const LOOKS_MAX = 200;
/** Budgets that something is known of; past so many all are forgotten, and looked at anew. */
const KNOWN_MAX = 10_000;
/** A float beyond 2^53 is off by this at most, in nano-USD, for the largest limits. */
const SLACK = 2_048;

/** A threshold that was passed. */
export interface Warning {
  readonly watched: Watched;
  readonly threshold: Threshold;
  readonly balance: Balance;
  /** For people. */
  readonly text: string;
}

/** What warnings work with. */
export interface WarningsOptions {
  readonly host: Host;
  /** What to watch of a quota. */
  watch(quota: Quota): Watched | null;
  /** Told of each threshold once for each window, whatever process it was passed in. */
  tell(warning: Warning): void;
}

/** What is known of one budget. */
interface Known {
  watched: Watched;
  /** What is left when the first threshold is passed: more left is not worth a look. */
  nearest: number;
  /** The window that was looked at last; null: none yet. */
  window: string | null;
  /** Until when that window is open, milliseconds since the epoch. */
  endsMs: number;
  /** How many thresholds were passed there. */
  passed: number;
  /** How many of them were told, by any process. */
  told: number;
  /** For the header; null below the first threshold. */
  text: string | null;
}

/** Nothing here is waited for by a request: at its ends two numbers are compared. */
export class BudgetWarnings {
  readonly #options: WarningsOptions;
  readonly #ledger: Ledger;
  /** null: not watched. A principal's and a rule's quotas are objects that last; several may be one budget's. */
  readonly #byQuota = new WeakMap<Quota, Known | null>();
  /** By the quota's id: what is known outlives a changed key. */
  readonly #known = new Map<string, Known>();
  readonly #due = new Set<Known>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: WarningsOptions) {
    this.#options = options;
    this.#ledger = options.host.ledger;
  }

  /** The header's value while one of the hold's budgets is above a threshold, as far as that is known; else null. */
  headerFor(hold: Hold): string | null {
    let shown: string | null = null;
    for (let i = 0; i < hold.needs.length; i += 1) {
      const known = this.#knownOf(hold.needs[i]?.quota);
      if (known === null || this.#ledger.remaining(hold, i) > known.nearest) continue;
      if (known.window === null) this.#look(known, false);
      if (known.text !== null && this.#options.host.clock.nowMs() < known.endsMs) shown ??= known.text;
    }
    return shown === null ? null : shown.replace(/[^\x20-\x7e]/g, "?");
  }

  /** Called before a hold is settled with these amounts, null when it is void: says whether `look` is wanted after. */
  isNear(hold: Hold, actuals: readonly number[] | null): boolean {
    if (actuals === null) return false;
    let isNear = false;
    for (let i = 0; i < hold.needs.length; i += 1) {
      const known = this.#knownOf(hold.needs[i]?.quota);
      if (known === null) continue;
      const overrun = Math.max(0, (actuals[i] ?? 0) - (hold.needs[i]?.amount ?? 0));
      if (this.#ledger.remaining(hold, i) - overrun > known.nearest) continue;
      this.#due.add(known);
      isNear = true;
    }
    return isNear;
  }

  /** What is due is looked at soon: called once the charge is on disk. */
  lookSoon(): void {
    this.#timer ??= setTimeout(() => this.lookNow(LOOKS_MAX), LOOK_AFTER_MS).unref();
  }

  /** Looks at what is due. */
  lookNow(most = Number.POSITIVE_INFINITY): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    let looks = 0;
    for (const known of this.#due) {
      if (looks === most) {
        this.lookSoon();
        return;
      }
      this.#due.delete(known);
      this.#look(known, true);
      looks += 1;
    }
  }

  #knownOf(quota: Quota | undefined): Known | null {
    if (quota === undefined) return null;
    let known = this.#byQuota.get(quota);
    if (known !== undefined) return known;
    const watched = this.#options.watch(quota);
    known = watched === null ? null : this.#remember(watched);
    this.#byQuota.set(quota, known);
    return known;
  }

  /** A quota of the same id and limit is known already; with another limit its thresholds are others. */
  #remember(watched: Watched): Known {
    const nearest = nearestOf(watched);
    const known = this.#known.get(watched.quota.id);
    const isSame = known?.nearest === nearest && known.watched.thresholds.length === watched.thresholds.length;
    if (known !== undefined && isSame) {
      known.watched = watched;
      return known;
    }
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    const fresh = { watched, nearest, window: null, endsMs: 0, passed: 0, told: 0, text: null };
    this.#known.set(watched.quota.id, fresh);
    return fresh;
  }

  /** While the database cannot be read nothing changes: the next charge looks again. */
  #look(known: Known, tells: boolean): void {
    try {
      const balance = this.#ledger.balance(known.watched.quota);
      this.#note(known, balance);
      if (tells) this.#tell(known, balance);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }

  #note(known: Known, { spent, window, resetsMs }: Balance): void {
    const { thresholds } = known.watched;
    if (window !== known.window) known.told = 0;
    known.window = window;
    known.endsMs = resetsMs ?? Number.POSITIVE_INFINITY;
    known.passed = thresholds.filter(({ nanoUsd }) => spent >= nanoUsd).length;
    known.text = known.passed === 0 ? null : usedText(known.watched, spent);
  }

  #tell(known: Known, balance: Balance): void {
    const { watched, passed } = known;
    for (const threshold of watched.thresholds.slice(known.told, passed)) {
      if (this.#ledger.claimWarning(watched.quota, balance.window, threshold.nanoUsd)) {
        this.#options.tell({ watched, threshold, balance, text: usedText(watched, balance.spent) });
      }
      known.told += 1;
    }
  }
}

function nearestOf({ quota, thresholds }: Watched): number {
  const left = quota.limit - (thresholds[0]?.nanoUsd ?? quota.limit);
  return Number(left) + (quota.limit > BigInt(Number.MAX_SAFE_INTEGER) ? SLACK : 0);
}
