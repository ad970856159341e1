// Calendar windows: names, ends, daylight saving, clocks that step.
import fc from "fast-check";
import t from "tap";
import { budgetWindowText, parseBudgetWindow } from "../../src/budget-window.ts";
import { Windows, windowAt } from "../../src/ledger/windows.ts";
import { FakeClock } from "./fake-clock.ts";

const at = (iso: string) => Date.parse(iso);
const iso = (ms: number | null) => (ms === null || !Number.isFinite(ms) ? null : new Date(ms).toISOString());

t.test("each kind has an index, a first instant and a reset, in the zone's own calendar", async (t) => {
  const cases = [
    ["day", "UTC", "2026-11-21T12:00:00Z", "2026-11-21", "2026-11-21T00:00:00.000Z", "2026-11-22T00:00:00.000Z"],
    ["week", "UTC", "2026-11-21T12:00:00Z", "2026-W47", "2026-11-16T00:00:00.000Z", "2026-11-23T00:00:00.000Z"],
    ["week", "UTC", "2026-11-23T00:00:00Z", "2026-W48", "2026-11-23T00:00:00.000Z", "2026-11-30T00:00:00.000Z"],
    ["week", "UTC", "2027-01-03T23:59:59Z", "2026-W53", "2026-12-28T00:00:00.000Z", "2027-01-04T00:00:00.000Z"],
    ["week", "UTC", "2024-12-30T00:00:00Z", "2025-W01", "2024-12-30T00:00:00.000Z", "2025-01-06T00:00:00.000Z"],
    ["week", "UTC", "1969-12-31T00:00:00Z", "1970-W01", "1969-12-29T00:00:00.000Z", "1970-01-05T00:00:00.000Z"],
    ["month", "UTC", "2026-12-31T23:59:59Z", "2026-12", "2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"],
    ["year", "UTC", "2026-11-21T12:00:00Z", "2026", "2026-01-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"],
    ["total", "UTC", "2026-11-21T12:00:00Z", "total", null, null],
    [
      "day",
      "Asia/Kolkata",
      "2026-11-21T19:00:00Z",
      "2026-11-22",
      "2026-11-21T18:30:00.000Z",
      "2026-11-22T18:30:00.000Z",
    ],
    [
      "month",
      "America/New_York",
      "2026-12-01T04:59:59Z",
      "2026-11",
      "2026-11-01T04:00:00.000Z",
      "2026-12-01T05:00:00.000Z",
    ],
    [
      "year",
      "Pacific/Kiritimati",
      "2026-12-31T10:00:00Z",
      "2027",
      "2026-12-31T10:00:00.000Z",
      "2027-12-31T10:00:00.000Z",
    ],
  ] as const;
  for (const [kind, zone, now, index, start, end] of cases) {
    const window = windowAt(kind, at(now), zone);
    t.same([window.index, iso(window.startMs), iso(window.freedMs)], [index, start, end], `${kind} ${zone} ${now}`);
  }
});

t.test("days of 23 and 25 hours, without a midnight and without a day at all", async (t) => {
  const cases = [
    ["Europe/Vienna", "2026-03-29T10:00:00Z", "2026-03-29", "2026-03-28T23:00:00.000Z", 23],
    ["Europe/Vienna", "2026-10-25T10:00:00Z", "2026-10-25", "2026-10-24T22:00:00.000Z", 25],
    ["America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06", "2026-09-06T04:00:00.000Z", 23],
    ["America/Santiago", "2026-04-04T12:00:00Z", "2026-04-04", "2026-04-04T03:00:00.000Z", 25],
    ["Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-29", "2011-12-29T10:00:00.000Z", 24],
    ["Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31", "2011-12-30T10:00:00.000Z", 24],
  ] as const;
  for (const [zone, now, index, start, hours] of cases) {
    const window = windowAt("day", at(now), zone);
    t.same([window.index, iso(window.startMs)], [index, start], `${zone} ${now}`);
    t.equal((window.endMs - window.startMs) / 3_600_000, hours, `${zone} ${index} lasts ${hours} hours`);
  }
});

t.test("windows of a kind follow each other without gap or overlap, their indexes in order", async (t) => {
  for (const kind of ["day", "week", "month", "year"] as const) {
    for (const zone of ["UTC", "Europe/Vienna", "America/Santiago", "Africa/Cairo"]) {
      let window = windowAt(kind, at("2025-12-15T12:00:00Z"), zone);
      for (let i = 0; i < 60; i += 1) {
        const next = windowAt(kind, window.endMs, zone);
        if (next.startMs !== window.endMs || next.index <= window.index) t.fail(`${kind} ${zone} ${next.index}`);
        if (windowAt(kind, window.endMs - 1, zone).index !== window.index) t.fail(`${kind} ${zone} ${window.index}`);
        window = next;
      }
    }
  }
});

t.test("a step back of up to a day stays in the newest window, a longer one leaves it", async (t) => {
  const clock = new FakeClock("2026-11-21T23:59:59Z");
  const windows = new Windows(clock, "UTC");
  t.equal(windows.current("day").index, "2026-11-21");
  clock.advance(1_000);
  t.equal(windows.current("day").index, "2026-11-22");
  clock.stepWall(-1);
  t.equal(windows.current("day").index, "2026-11-22");
  clock.setWall("2026-11-21T00:00:00Z");
  t.equal(windows.current("day").index, "2026-11-22");
  clock.setWall("2026-11-20T23:59:59Z");
  t.equal(windows.current("day").index, "2026-11-20");
  clock.setWall("2036-01-01T00:00:00Z");
  t.equal(windows.current("month").index, "2036-01");
  clock.setWall("2026-11-21T00:00:00Z");
  t.equal(windows.current("month").index, "2026-11", "a clock that was ten years ahead does not freeze budgets");
  t.equal(windows.current("total").index, "total");
});

t.test("the same window is the same object, and an unknown zone is refused at once", async (t) => {
  const clock = new FakeClock();
  const windows = new Windows(clock, "Europe/Vienna");
  const first = windows.current("month");
  clock.advance(60_000);
  t.equal(windows.current("month"), first);
  t.throws(() => new Windows(clock, "Mars/Olympus"), RangeError);
});

t.test("a length is read as it is written, and written in the largest unit that is whole", (t) => {
  const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
  const unit = fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[]));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999 }), unit, (count, name) => {
      const window = parseBudgetWindow(`${count}${name}`);
      if (window === null || typeof window === "string") throw new Error("is a length");
      const again = parseBudgetWindow(budgetWindowText(window));
      const same = JSON.stringify(again) === JSON.stringify(window);
      return same && window.durationMs === count * units[name];
    }),
  );
  t.same(
    ["24h", "90m", "120s", "30d"].map((text) => budgetWindowText(parseBudgetWindow(text) ?? "day")),
    [...["1d", "90m", "2m", "30d"]],
  );
  for (const text of ["month", "total"]) t.equal(parseBudgetWindow(text), text);
  for (const text of ["", "0d", "1mo", "30", "d", "1.5h", "1000000s"]) t.equal(parseBudgetWindow(text), null, text);
  t.end();
});
