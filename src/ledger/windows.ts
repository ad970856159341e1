// Calendar windows in a time zone: which one it is now, what it is called, when it ends.
import type { BudgetWindow, Clock } from "../types.ts";
import { localDate, startOfDate } from "./time-zone.ts";

/** One calendar window. */
export interface Window {
  /** `2026-11-21`, `2026-W47` (ISO week), `2026-11`, `2026` or `total`; sortable within a kind. */
  readonly index: string;
  /** First millisecond of the window, since the epoch. */
  readonly startMs: number;
  /** First millisecond after it; infinite for `total`. */
  readonly endMs: number;
  /** `endMs`; null for `total`. */
  readonly resetsMs: number | null;
}

const TOTAL: Window = { index: "total", startMs: Number.NEGATIVE_INFINITY, endMs: Infinity, resetsMs: null };

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
 * ahead by mistake, and its windows are left: staying would freeze budgets until the mistaken date.
 */
export class Windows {
  readonly #clock: Clock;
  readonly #timeZone: string;
  readonly #open = new Map<BudgetWindow, Window>([["total", TOTAL]]);

  /** Throws a RangeError when there is no such IANA time zone. */
  constructor(clock: Clock, timeZone: string) {
    this.#clock = clock;
    this.#timeZone = timeZone;
    localDate(0, timeZone);
  }

  /** The window of that kind that requests are charged to now. */
  current(kind: BudgetWindow): Window {
    const open = this.#open.get(kind);
    const nowMs = this.#clock.nowMs();
    if (open !== undefined && nowMs < open.endMs && nowMs >= open.startMs - STEP_BACK_MS) return open;
    const window = windowAt(kind, nowMs, this.#timeZone);
    this.#open.set(kind, window);
    return window;
  }
}

/** The window of that kind which holds an instant. */
export function windowAt(kind: BudgetWindow, atMs: number, timeZone: string): Window {
  if (kind === "total") return TOTAL;
  const { index, first, next } = calendarWindow(kind, localDate(atMs, timeZone));
  const endMs = startOfDate(next, timeZone);
  return { index, startMs: startOfDate(first, timeZone), endMs, resetsMs: endMs };
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
