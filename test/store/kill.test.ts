// kill -9 at random moments: nothing that was acknowledged is lost, nothing stays reserved, rows and counters agree.
import { join } from "node:path";
import t from "tap";
import { audit, killCycle } from "./kill-cycle.ts";

const CYCLES = 4;

t.test("after kill -9 the file is sound, with one process on it and with two", async (t) => {
  const path = join(t.testdir(), "tollgate.db");
  const acknowledged: string[] = [];
  let unaccounted = 0n;
  for (let cycle = 0; cycle < CYCLES; cycle += 1) {
    const delays = Array.from({ length: 1 + (cycle % 2) }, () => Math.random() * 150);
    acknowledged.push(...(await killCycle(path, delays)));
    const found = await audit(path, acknowledged);
    t.same(found.faults, [], `cycle ${cycle}: ${found.rows} rows, ${found.unaccounted} unaccounted`);
    t.ok(found.unaccounted >= unaccounted);
    unaccounted = found.unaccounted;
  }
  t.ok(acknowledged.length > 100, `${acknowledged.length} were acknowledged`);
});
