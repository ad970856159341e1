// Which window of a quota is open now. Here: calendar windows in a time zone, what each is called and when it ends.
import type { WindowSpan } from "../store/store.ts";
import type { BudgetWindow, Clock, QuotaWindow } from "../types.ts";
import { everyWindowAt, IN_FLIGHT, slidingStepAt } from "./fixed-windows.ts";
import { SteadyClock } from "./steady-clock.ts";
import { localDate, startOfDate } from "./time-zone.ts";

/** One window, or one step of a sliding one: what is reserved in it is charged to one counter. */
export interface Window {
  /** `2026-11-21`, `2026-W47` (ISO week), `2026-11`, `2026`, `total` …; sortable within a kind. */
  readonly index: string;
  /** First millisecond of the window, since the epoch. */
  readonly startMs: number;
  /** First millisecond after it; infinite for `total`. */
  readonly endMs: number;
  /** When nothing that is used in it counts any more; null for never (`total`) and for what is in flight. */
  readonly freedMs: number | null;
  /** The counters that are held against the limit together; null for this one alone. */
  readonly span: WindowSpan | null;
  /** When its counter may be forgotten; null: kept for good. */
  readonly expiresMs: number | null;
}

const TOTAL: Window = {
  index: "total",
  startMs: Number.NEGATIVE_INFINITY,
  endMs: Infinity,
  freedMs: null,
  span: null,
  expiresMs: null,
};

/** A clock that steps back by no more than this stays in the newest window seen. */
const STEP_BACK_MS = 24 * 3_600_000;

/** A date as the number of days since 1970-01-01. */
type Day = number;

/**
 * The windows that are open now. Two comparisons while a window lasts; the calendar is asked once when it ends.
 *
 * A wall clock that steps back grants nothing twice. Each window has one counter, which is kept for good, so coming
 * back to an earlier window finds what was spent in it. Besides, a step back of up to a day (NTP, a restored VM) stays
 * in the newest window: nobody who used up today gets the rest of yesterday. A longer step means that the clock was
 * ahead by mistake, and its windows are left: staying would freeze budgets until the mistaken date. Windows without a
 * calendar go by a clock that never goes back: see steady-clock.ts.
 */
export class Windows {
  /** The clock of windows without a calendar. */
  readonly steady: SteadyClock;
  readonly #clock: Clock;
  readonly #timeZone: string;
  /** The rules' windows are objects that live as long as the rules; most requests are answered here. */
  readonly #byObject = new WeakMap<QuotaWindow, OpenWindow>();
  /** By what they are: windows that are alike share one, whatever rules they came with. */
  readonly #byName = new Map<string, OpenWindow>();

  /** Throws a RangeError when there is no such IANA time zone. */
  constructor(clock: Clock, timeZone: string) {
    this.steady = new SteadyClock(clock);
    this.#clock = clock;
    this.#timeZone = timeZone;
    localDate(0, timeZone);
  }

  /** The window of that kind that requests are charged to now. Throws a RangeError when its time zone is unknown. */
  current(kind: BudgetWindow | QuotaWindow): Window {
    if (typeof kind === "string") return (this.#byName.get(kind) ?? this.#calendar(kind, this.#timeZone, kind)).now();
    let open = this.#byObject.get(kind);
    if (open === undefined) {
      open = this.#open(kind);
      this.#byObject.set(kind, open);
    }
    return open.now();
  }

  /** The wall clock, milliseconds since the epoch. */
  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** Milliseconds until nothing that is used in this window of that kind counts any more; null for never. */
  freedInMs(kind: BudgetWindow | QuotaWindow, freedMs: number | null): number | null {
    if (freedMs === null) return null;
    const isCalendar = typeof kind === "string" || kind.kind === "calendar";
    return Math.max(0, freedMs - (isCalendar ? this.#clock : this.steady).nowMs());
  }

  #open(kind: QuotaWindow): OpenWindow {
    switch (kind.kind) {
      case "none":
        return new OpenWindow(this.#clock, 0, () => IN_FLIGHT);
      case "calendar":
        return this.#calendar(kind.period, kind.zone, `${kind.period} ${kind.zone}`);
      case "every": {
        const { durationMs } = kind;
        return this.#named(`e${durationMs}`, this.steady, 0, (atMs) => everyWindowAt(durationMs, atMs));
      }
      case "sliding": {
        const { durationMs } = kind;
        return this.#named(`s${durationMs}`, this.steady, 0, (atMs) => slidingStepAt(durationMs, atMs));
      }
    }
  }

  #calendar(period: BudgetWindow, timeZone: string, name: string): OpenWindow {
    return this.#named(name, this.#clock, STEP_BACK_MS, (atMs) => windowAt(period, atMs, timeZone));
  }

  #named(name: string, clock: Pick<Clock, "nowMs">, stepBackMs: number, at: (atMs: number) => Window): OpenWindow {
    const open = this.#byName.get(name) ?? new OpenWindow(clock, stepBackMs, at);
    this.#byName.set(name, open);
    return open;
  }
}

/** The open window of one kind: the same object while it lasts. */
class OpenWindow {
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #stepBackMs: number;
  readonly #at: (atMs: number) => Window;
  #window: Window | null = null;

  constructor(clock: Pick<Clock, "nowMs">, stepBackMs: number, at: (atMs: number) => Window) {
    this.#clock = clock;
    this.#stepBackMs = stepBackMs;
    this.#at = at;
  }

  now(): Window {
    const nowMs = this.#clock.nowMs();
    const open = this.#window;
    if (open !== null && nowMs < open.endMs && nowMs >= open.startMs - this.#stepBackMs) return open;
    this.#window = this.#at(nowMs);
    return this.#window;
  }
}

/** The window of that kind which holds an instant. */
export function windowAt(kind: BudgetWindow, atMs: number, timeZone: string): Window {
  if (kind === "total") return TOTAL;
  const { index, first, next } = calendarWindow(kind, localDate(atMs, timeZone));
  const endMs = startOfDate(next, timeZone);
  return { index, startMs: startOfDate(first, timeZone), endMs, freedMs: endMs, span: null, expiresMs: null };
}

/** The window around a local date: its index, its first day and the day after its last. */
function calendarWindow(kind: Exclude<BudgetWindow, "total">, day: Day): { index: string; first: Day; next: Day } {
  const date = new Date(day * 86_400_000);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  const iso = date.toISOString();
  switch (kind) {
    case "day":
      return { index: iso.slice(0, 10), first: day, next: day + 1 };
    case "week":
      return isoWeek(day);
    case "month":
      return { index: iso.slice(0, 7), first: dayOf(year, month), next: dayOf(year, month + 1) };
    case "year":
      return { index: iso.slice(0, 4), first: dayOf(year, 0), next: dayOf(year + 1, 0) };
  }
}

/** ISO 8601: weeks start on Monday and belong to the year that holds their Thursday. */
function isoWeek(day: Day): { index: string; first: Day; next: Day } {
  const weekday = (((day + 3) % 7) + 7) % 7;
  const first = day - weekday;
  const year = new Date((first + 3) * 86_400_000).getUTCFullYear();
  const week = Math.floor((first + 3 - dayOf(year, 0)) / 7) + 1;
  return { index: `${year}-W${String(week).padStart(2, "0")}`, first, next: first + 7 };
}

function dayOf(year: number, month: number): Day {
  return Date.UTC(year, month, 1) / 86_400_000;
}
