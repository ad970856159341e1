// Lengths of time as LiteLLM writes them (`30s 30m 30h 30d 1mo`), and what they are here: lengths, windows, moments.
import { parseDuration } from "../../src/plugin.ts";

/** Words of LiteLLM's that mean a window of the calendar, and ours; a window without a word of theirs keeps ours. */
const WINDOWS: readonly (readonly [theirs: string, ours: string])[] = [
  ["1mo", "month"],
  ["monthly", "month"],
  ["weekly", "week"],
  ["daily", "day"],
  ["yearly", "year"],
];

const LENGTH = /^([1-9]\d{0,5})\s*(s|m|h|d|w)$/;
/** Longer than this nothing lasts that is meant: a hundred years. */
const LENGTH_MS_MAX = 100 * 365.25 * 86_400_000;

/** `30d` is thirty days, `1mo` the calendar's month, none never ends. @throws TypeError with words for people */
export function windowOf(duration: string | null): string {
  if (duration === null || duration === "") return "total";
  const word = duration.trim();
  if (word === "total") return "total";
  const known = WINDOWS.find(([theirs, ours]) => theirs === word || ours === word)?.[1];
  if (known !== undefined) return known;
  const [, count, unit] = LENGTH.exec(word) ?? [];
  if (count === undefined) throw new TypeError("must be a length such as 30s, 30m, 30h, 30d or 1mo");
  return unit === "w" ? `${Number(count) * 7}d` : `${count}${unit}`;
}

/** A window as `windowOf` reads it back; null for one that never ends. */
export function durationOf(window: string): string | null {
  if (window === "total") return null;
  return window === "month" ? "1mo" : window;
}

/**
 * When something ends that begins now; null for never (`-1`).
 * @throws TypeError with words for people
 */
export function endOf(duration: string | null, nowMs: number): number | null {
  if (duration === null || duration === "-1") return null;
  const months = /^([1-9]\d{0,2})\s*mo$/.exec(duration.trim())?.[1];
  if (months !== undefined) return monthsLater(nowMs, Number(months));
  return nowMs + lengthOf(duration);
}

/** Milliseconds. @throws TypeError with words for people */
export function lengthOf(duration: string): number {
  const length = LENGTH.test(duration.trim()) ? parseDuration(duration.replaceAll(" ", "")) : null;
  if (length?.ok === true && length.value <= LENGTH_MS_MAX) return length.value;
  throw new TypeError("must be a length such as 30s, 30m, 30h, 30d or 1mo; -1 for never");
}

/** The same day and time so many months later, in UTC; a month that is shorter ends with its last day. */
function monthsLater(fromMs: number, months: number): number {
  const from = new Date(fromMs);
  const later = new Date(fromMs);
  later.setUTCMonth(from.getUTCMonth() + months);
  if (later.getUTCDate() !== from.getUTCDate()) later.setUTCDate(0);
  return later.getTime();
}
