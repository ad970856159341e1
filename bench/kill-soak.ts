// Soak: kills a busy process with kill -9 many times and audits the database after each. `node bench/kill-soak.ts [cycles]`
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { audit, killCycle } from "../test/store/kill-cycle.ts";

const cycles = Number(process.argv[2] ?? 100);
const dir = mkdtempSync(join(tmpdir(), "tollgate-kill-soak-"));
const path = join(dir, "tollgate.db");
const acknowledged: string[] = [];
let faults = 0;
for (let cycle = 1; cycle <= cycles; cycle += 1) {
  const delays = Array.from({ length: 1 + (cycle % 2) }, () => Math.random() * 300);
  acknowledged.push(...(await killCycle(path, delays)));
  const found = await audit(path, acknowledged);
  for (const fault of found.faults) console.error(`cycle ${cycle}: ${fault}`);
  faults += found.faults.length;
  const figures = `${acknowledged.length} acknowledged, ${found.rows} rows, ${found.unaccounted} nano-USD unaccounted`;
  console.log(`cycle ${cycle}: ${figures}, ${faults} faults`);
}
rmSync(dir, { recursive: true });
process.exitCode = faults === 0 ? 0 : 1;
