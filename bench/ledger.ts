// How fast the ledger settles: requests that reserve, settle and write their row, a hundred in flight, on one core; and by
// the clock, with each durability.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { createLedger } from "../src/ledger/engine.ts";
import type { Hold, Need, Quota } from "../src/ledger/ledger.ts";
import { openSqlite } from "../src/store/sqlite/open.ts";
import { accessRecord } from "../test/ledger/samples.ts";
import { quartiles } from "./statistics.ts";

const REQUESTS = 20_000;
const IN_FLIGHT = 100;
const SLICES = 8;
/** Commits in a slice that is timed by the clock. */
const TURNS = 200;

const quota = (id: string, unit: Quota["unit"], window: Quota["window"], limit = 10n ** 15n): Quota => ({
  id,
  label: id,
  unit,
  limit,
  window,
});
const MINUTE = { kind: "sliding", durationMs: 60_000 } as const;
const TWO_BUDGETS: readonly Need[] = [
  { quota: quota("key", "nano-usd", "month"), amount: 30_000 },
  { quota: quota("team", "nano-usd", "month"), amount: 30_000 },
];
const CASES: Readonly<Record<string, readonly Need[]>> = {
  "no quota": [],
  "two budgets": TWO_BUDGETS,
  "two budgets, requests and tokens a minute": [
    ...TWO_BUDGETS,
    { quota: quota("rpm", "requests", MINUTE, 10n ** 9n), amount: 1 },
    { quota: quota("tpm", "tokens", MINUTE, 10n ** 12n), amount: 500 },
  ],
  "four slots, 24 refusals for each served": [{ quota: quota("slots", "concurrent", { kind: "none" }, 4n), amount: 1 }],
};
const record = accessRecord("req_bench", { costNanoUsd: 10_000 });

for (const [name, needs] of Object.entries(CASES)) {
  const perSecond: number[] = [];
  for (let slice = 0; slice <= SLICES; slice += 1) {
    const { cpuUs } = await run(needs, REQUESTS, IN_FLIGHT, "normal");
    if (slice > 0) perSecond.push((REQUESTS / cpuUs) * 1e6);
  }
  print(name, perSecond, "settlements a CPU second");
}
for (const inFlight of [1, 10, 100, 1_000]) {
  for (const durability of ["normal", "full"] as const) {
    const perSecond: number[] = [];
    for (let slice = 0; slice < SLICES; slice += 1) {
      const requests = Math.min(REQUESTS, inFlight * TURNS);
      const { wallMs } = await run(TWO_BUDGETS, requests, inFlight, durability);
      perSecond.push((requests / wallMs) * 1e3);
    }
    print(`durability ${durability}, two budgets, ${inFlight} in flight`, perSecond, "settlements a second");
  }
}

function print(name: string, perSecond: readonly number[], unit: string): void {
  const { low, median, high } = quartiles(perSecond);
  const [middle, from, to] = [median, low, high].map((value) => Math.round(value));
  process.stdout.write(`${name}: ${middle} (${from}–${to}) ${unit}\n`);
}

/** Microseconds of CPU, and milliseconds by the clock, for all requests; `inFlight` settle in each turn. */
async function run(
  needs: readonly Need[],
  requests: number,
  inFlight: number,
  durability: "normal" | "full",
): Promise<{ cpuUs: number; wallMs: number }> {
  const directory = mkdtempSync(join(tmpdir(), "tollgate-ledger-"));
  const store = openSqlite({ path: join(directory, "tollgate.db"), durability, clock: systemClock });
  const ledger = createLedger({ store: store.ledger, clock: systemClock, timeZone: "UTC" });
  const actuals = needs.map(({ amount }) => Math.ceil(amount / 3));
  const before = process.cpuUsage();
  const startedMs = performance.now();
  for (let done = 0; done < requests; ) {
    const holds: Hold[] = [];
    for (let i = 0; i < inFlight; i += 1) {
      const answer = ledger.reserve(needs);
      if (answer.ok) holds.push(answer.hold);
    }
    const settled = holds.map((hold) => {
      store.requests.append(record);
      return ledger.settle(hold, actuals);
    });
    await Promise.all(settled);
    done += holds.length;
  }
  const wallMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(before);
  await store.close();
  rmSync(directory, { recursive: true });
  return { cpuUs: user + system, wallMs };
}
