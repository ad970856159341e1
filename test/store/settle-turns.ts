// A process that settles a number of requests in each of a few turns of the event loop, and says when it begins and ends.
// `node settle-turns.ts FILE DURABILITY`
import { writeSync } from "node:fs";
import { systemClock } from "../../src/clock.ts";
import { createLedger } from "../../src/ledger/engine.ts";
import type { Durability } from "../../src/store/sqlite/database.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import { accessRecord, quota, uniform } from "../ledger/samples.ts";

/** How many turns, and how many requests settle in each. */
export const TURNS = 5;
export const EACH = 40;

async function main(path: string, durability: Durability): Promise<void> {
  const store = openSqlite({ path, durability, clock: systemClock });
  const ledger = uniform(createLedger({ store: store.ledger, clock: systemClock, timeZone: "UTC" }));
  const budget = quota("budget:key", 10n ** 15n, "total");
  const holds = Array.from({ length: TURNS * EACH }, () => {
    const answer = ledger.reserve([budget], 1_000);
    if (!answer.ok) throw new Error("There is room for all");
    return answer.hold;
  });
  writeSync(1, "begin\n");
  for (let turn = 0; turn < TURNS; turn += 1) {
    const settled = holds.splice(0, EACH).map((hold, i) => {
      store.requests.append(accessRecord(`${turn}-${i}`, { costNanoUsd: 1_000 }));
      return ledger.settle(hold, 1_000);
    });
    await Promise.all(settled);
  }
  writeSync(1, "end\n");
  await store.close();
}

const [, script, file, durability] = process.argv;
if (script === import.meta.filename && file !== undefined) await main(file, durability as Durability);
