// `node bench/rules/main.ts [--sizes 10,100] [--seconds N] [--json]`: decision times by number of rules.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { type Asked, mixedText, requestsFor, simpleRules, simpleText } from "./sets.ts";
import { casbin, cedarWasm, celJs, type Decider, jsonRulesEngine, plainWalk, tollgate } from "./subjects.ts";

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "10,100,1000,10000" },
    seconds: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
/** Decisions that are timed together where one is too short for the clock. */
const BLOCK = 100;
/** Below so many nanoseconds a decision is timed in blocks. */
const SHORT_NS = 20_000;

interface Row {
  readonly rules: number;
  readonly form: "simple" | "mixed";
  readonly subject: string;
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly decisions: number;
  /** Of the 1,000 requests. */
  readonly denied: number;
}

const rows: Row[] = [];
for (const size of values.sizes.split(",").map(Number)) {
  const asked = requestsFor(size);
  const simple = simpleRules(size);
  const add = async (form: Row["form"], subject: string, decide: Decider): Promise<void> => {
    const row = { rules: size, form, subject, ...(await measure(decide, asked)) };
    rows.push(row);
    if (!values.json) print(row);
  };
  await add("simple", "tollgate", tollgate(simpleText(size)));
  await add("simple", "plain walk", plainWalk(simpleText(size)));
  await add("simple", "cedar-wasm", cedarWasm(simple));
  await add("simple", "json-rules-engine", jsonRulesEngine(simple));
  await add("simple", "casbin", await casbin(simple));
  await add("simple", "cel-js", celJs(simple));
  await add("mixed", "tollgate", tollgate(mixedText(size)));
  await add("mixed", "plain walk", plainWalk(mixedText(size)));
  // Those that were too slow to see all requests cannot be compared.
  const whole = rows.filter((row) => row.rules === size && row.form === "simple" && row.decisions >= asked.length);
  const counts = new Set(whole.map(({ denied }) => denied));
  if (counts.size > 1) {
    throw new Error(`the subjects do not agree: ${[...counts].join(", ")} denied`);
  }
}
if (values.json)
  process.stdout.write(`${JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, rows }, null, 2)}\n`);

/** Warms up over all requests or for a second, then times for so long. */
async function measure(
  decide: Decider,
  asked: readonly Asked[],
): Promise<Pick<Row, "p50Ns" | "p99Ns" | "decisions" | "denied">> {
  const budgetNs = Number(values.seconds) * 1e9;
  let denied = 0;
  let warmed = 0;
  const warmUntil = process.hrtime.bigint() + BigInt(budgetNs);
  for (const one of asked) {
    if (!(await decide(one))) denied += 1;
    warmed += 1;
    if (process.hrtime.bigint() > warmUntil) break;
  }
  const meanNs = Number(process.hrtime.bigint() - (warmUntil - BigInt(budgetNs))) / warmed;
  const times = meanNs < SHORT_NS ? timeBlocks(decide, asked, budgetNs) : await timeEach(decide, asked, budgetNs);
  const sorted = Float64Array.from(times.samples).sort();
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return { p50Ns: at(0.5), p99Ns: at(0.99), decisions: Math.min(times.decisions, warmed), denied };
}

/** Short ones: the mean of each block. A call that returns a promise is never this short. */
function timeBlocks(
  decide: Decider,
  asked: readonly Asked[],
  budgetNs: number,
): { samples: number[]; decisions: number } {
  const samples: number[] = [];
  let at = 0;
  const end = process.hrtime.bigint() + BigInt(budgetNs);
  for (let now = process.hrtime.bigint(); now < end; ) {
    for (let i = 0; i < BLOCK; i += 1) {
      decide(asked[at] as Asked);
      at = at + 1 === asked.length ? 0 : at + 1;
    }
    const after = process.hrtime.bigint();
    samples.push(Number(after - now) / BLOCK);
    now = after;
  }
  return { samples: samples.slice(Math.floor(samples.length / 10)), decisions: samples.length * BLOCK };
}

async function timeEach(
  decide: Decider,
  asked: readonly Asked[],
  budgetNs: number,
): Promise<{ samples: number[]; decisions: number }> {
  const samples: number[] = [];
  const end = process.hrtime.bigint() + BigInt(budgetNs);
  for (let i = 0; process.hrtime.bigint() < end || samples.length < 3; i += 1) {
    const before = process.hrtime.bigint();
    await decide(asked[i % asked.length] as Asked);
    samples.push(Number(process.hrtime.bigint() - before));
  }
  return { samples, decisions: samples.length };
}

function print({ rules, form, subject, p50Ns, p99Ns, denied }: Row): void {
  const text = (ns: number): string =>
    ns < 10_000 ? `${ns.toFixed(0)} ns` : ns < 1e7 ? `${(ns / 1e3).toFixed(1)} us` : `${(ns / 1e6).toFixed(1)} ms`;
  process.stdout.write(
    `${String(rules).padStart(6)} ${form.padEnd(7)} ${subject.padEnd(18)} p50 ${text(p50Ns).padStart(10)}  p99 ${text(p99Ns).padStart(10)}  ${denied} denied\n`,
  );
}
