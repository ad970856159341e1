// `node bench/rules/cedar-soak.ts [--sets N] [--seed N]`: the differential test against Cedar, for as long as you like.
import { parseArgs } from "node:util";
import { compareWithCedar } from "../../test/rules/cedar.ts";

const REQUESTS = 4;
const STEP = 5_000;

const { values } = parseArgs({
  options: { sets: { type: "string", default: "250000" }, seed: { type: "string", default: "1" } },
});
const sets = Number(values.sets);
const start = performance.now();
let compared = 0;
for (let done = 0; done < sets && process.exitCode === undefined; done += STEP) {
  const run = compareWithCedar(Number(values.seed) + done, Math.min(STEP, sets - done), REQUESTS);
  compared += run.compared;
  if (run.mismatch !== null) {
    process.stdout.write(`\n${run.mismatch}\n`);
    process.exitCode = 1;
  } else process.stderr.write(`\r${compared} decisions compared`);
}
const seconds = Math.round((performance.now() - start) / 1000);
process.stdout.write(
  `\n${compared} decisions compared in ${seconds} s, ${process.exitCode === 1 ? "a mismatch" : "no mismatch"}\n`,
);
