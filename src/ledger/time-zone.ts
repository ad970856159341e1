// Local dates in an IANA time zone, by Intl: slow (microseconds), so for the turn of a window only.

const DAY_MS = 86_400_000;

/** Local midnight is never further than this from the date's midnight in UTC. */
const OFFSET_MAX_MS = 26 * 3_600_000;

const formats = new Map<string, Intl.DateTimeFormat>();

/** The local date of an instant, as days since 1970-01-01. Throws a RangeError when there is no such zone. */
export function localDate(atMs: number, timeZone: string): number {
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(atMs)) part[type] = Number(value);
  const { year = Number.NaN, month = Number.NaN, day = Number.NaN } = part;
  return Date.UTC(year, month - 1, day) / DAY_MS;
}

/**
 * The first instant of a local date, in milliseconds since the epoch. Found by bisection over local dates, so that
 * days which begin at 01:00, last 23 or 25 hours or were left out altogether need no special case.
 */
export function startOfDate(day: number, timeZone: string): number {
  let before = day * DAY_MS - OFFSET_MAX_MS;
  let reached = day * DAY_MS + OFFSET_MAX_MS;
  while (reached - before > 1) {
    const middle = Math.floor((before + reached) / 2);
    if (localDate(middle, timeZone) >= day) reached = middle;
    else before = middle;
  }
  return reached;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
    timeZone,
    year: "numeric",
    month: "numeric",
    day: "numeric",
  });
  formats.set(timeZone, format);
  return format;
}
