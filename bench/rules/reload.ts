// `node bench/rules/reload.ts`: how long loading takes, how long it stalls the event loop, and what an edit costs.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRuleService } from "../../src/rules/engine.ts";
import { CATALOGUE, mixedText } from "./sets.ts";

const SIZES = [100, 1_000, 10_000];
const EDITS = 7;

for (const size of SIZES) {
  const directory = mkdtempSync(join(tmpdir(), "tollgate-reload-"));
  const file = join(directory, "a.rules");
  const text = mixedText(size);
  const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
  const service = createRuleService({ directory, catalogue: CATALOGUE, clock });
  writeFileSync(file, text);
  const first = await timed(async () => {
    const load = await service.load();
    if (!load.ok) throw new Error(load.report);
  });
  const edits = [];
  for (let i = 0; i < EDITS; i += 1) {
    writeFileSync(file, `${text}deny model gpt-0 for team edited-${i}\n`);
    edits.push(await timed(() => service.load()));
  }
  const edit = edits.sort((a, b) => a.totalMs - b.totalMs)[Math.floor(EDITS / 2)] ?? first;
  const show = ({ totalMs, stallMs }: Timed): string =>
    `${totalMs.toFixed(1)} ms, longest stall ${stallMs.toFixed(1)} ms`;
  process.stdout.write(
    `${String(size).padStart(6)} rules: first load ${show(first)}; edit of one line ${show(edit)}\n`,
  );
  rmSync(directory, { recursive: true });
}

interface Timed {
  readonly totalMs: number;
  readonly stallMs: number;
}

/** Runs the work while a chain of immediates looks for the longest time that the loop was not free. */
async function timed(work: () => Promise<unknown>): Promise<Timed> {
  let [stallMs, last, running] = [0, performance.now(), true];
  const tick = (): void => {
    const now = performance.now();
    stallMs = Math.max(stallMs, now - last);
    last = now;
    if (running) setImmediate(tick);
  };
  setImmediate(tick);
  const start = performance.now();
  await work();
  const totalMs = performance.now() - start;
  await new Promise((resolve) => setImmediate(resolve));
  running = false;
  return { totalMs, stallMs };
}
