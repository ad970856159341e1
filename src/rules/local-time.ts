// Wall-clock time in a time zone: offsets are cached, so that a reading costs no Intl call.

const DAY_MS = 86_400_000;
/** Zones change their offset only on a quarter of an hour. */
const SLICE_MS = 900_000;

/** The parts of a local time that rules read. */
export interface LocalTime {
  /** Minutes since local midnight, 0 to 1439. */
  readonly minute: number;
  /** Day of the month, 1 to 31. */
  readonly day: number;
  /** Days since 1970-01-01 of the local date. */
  readonly date: number;
  /** 0 = Monday to 6 = Sunday. */
  readonly weekday: number;
}

/** A time zone. */
export interface Zone {
  readonly name: string;
  /** @param nowMs wall clock, milliseconds since the epoch. */
  at(nowMs: number): LocalTime;
}

export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

const zones = new Map<string, Zone>();

/** An IANA time zone by name (`UTC`, `Europe/Berlin`); null when this runtime knows none such. */
export function zoneOf(name: string): Zone | null {
  const known = zones.get(name);
  if (known !== undefined) return known;
  try {
    const zone = makeZone(name);
    zones.set(name, zone);
    return zone;
  } catch {
    return null;
  }
}

/** `2027-01-31` → days since 1970-01-01; null when there is no such day. */
export function parseDate(text: string): number | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (match === null) return null;
  const ms = Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3]));
  return formatDate(ms / DAY_MS) === text ? ms / DAY_MS : null;
}

/** The moment at which it is so many minutes past midnight on a local date; where the clock skips it, one near it. */
export function momentOf(zone: Zone, date: number, minute: number): number {
  const wanted = date * DAY_MS + minute * 60_000;
  let found = wanted;
  // Twice: the first guess may lie on the other side of a change of offset.
  for (let i = 0; i < 2; i += 1) {
    const seen = zone.at(found);
    found += wanted - (seen.date * DAY_MS + seen.minute * 60_000);
  }
  return found;
}

/** `2026-11-21T22:30`, local to the zone, or with `Z` or `+01:00`; a date alone is its midnight; null when it is none. */
export function parseMoment(text: string, zone: Zone): number | null {
  const match = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}):(\d{2})(?::\d{2})?(Z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  const date = parseDate(match?.[1] ?? "");
  const [hours, minutes] = [Number(match?.[2] ?? 0), Number(match?.[3] ?? 0)];
  if (match === null || date === null || hours > 23 || minutes > 59) return null;
  if (match[4] !== undefined) return Date.parse(text) || null;
  return momentOf(zone, date, hours * 60 + minutes);
}

/** Days since 1970-01-01 → `2027-01-31`. */
export function formatDate(days: number): string {
  return new Date(days * DAY_MS).toISOString().slice(0, 10);
}

/** Minutes since midnight → `22:05`. */
export function formatTime(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

function makeZone(name: string): Zone {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
  let slice = Number.NaN;
  let offsetMs = 0;
  let minuteIndex = Number.NaN;
  let last: LocalTime = { minute: 0, day: 1, date: 0, weekday: 3 };
  return {
    name,
    at(nowMs) {
      const index = Math.floor(nowMs / 60_000);
      if (index === minuteIndex) return last;
      const nowSlice = Math.floor(nowMs / SLICE_MS);
      if (nowSlice !== slice) {
        offsetMs = offsetAt(format, nowSlice * SLICE_MS);
        slice = nowSlice;
      }
      last = partsOf(nowMs + offsetMs);
      minuteIndex = index;
      return last;
    },
  };
}

/** Milliseconds that local time is ahead of UTC. */
function offsetAt(format: Intl.DateTimeFormat, atMs: number): number {
  const text = format.formatToParts(atMs).find((part) => part.type === "timeZoneName")?.value ?? "GMT";
  const match = /^GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text);
  if (match === null) throw new Error(`unexpected time zone offset ${text}`);
  const seconds = Number(match[2] ?? 0) * 3600 + Number(match[3] ?? 0) * 60 + Number(match[4] ?? 0);
  return (match[1] === "-" ? -seconds : seconds) * 1000;
}

function partsOf(localMs: number): LocalTime {
  const date = Math.floor(localMs / DAY_MS);
  return {
    minute: Math.floor((localMs - date * DAY_MS) / 60_000),
    day: new Date(date * DAY_MS).getUTCDate(),
    date,
    weekday: (((date + 3) % 7) + 7) % 7,
  };
}
