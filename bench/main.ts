// `npm run bench`: the governed gateway beside bare http-proxy-3, or beside itself without its ledger, slice by slice in
// one run. Method: bench/README.md.
import { type ChildProcess, fork } from "node:child_process";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import autocannon from "autocannon";
import { cpuOf } from "./cpu.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { type Quartiles, quartiles } from "./statistics.ts";

const HELP = `npm run bench -- [--scenario chat|large|stream] [--slices N] [--seconds N] [--connections N] [--against bare|no-budget]
                 [--json]

Measures CPU time a request of the whole gateway and of bare http-proxy-3 with a keep-alive agent (or of the gateway
without its plugin \`budget\`), in turn, and prints the ratio slice by slice: median and quartiles. Defaults: all scenarios,
12 slices of 3 s, 32 connections, against bare.`;

interface Subject {
  readonly name: string;
  readonly process: ChildProcess;
  readonly url: string;
  readonly key: string;
}

interface Slice {
  readonly cpuUs: number;
  readonly rps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const { values } = parseArgs({
  options: {
    scenario: { type: "string" },
    slices: { type: "string", default: "12" },
    seconds: { type: "string", default: "3" },
    connections: { type: "string", default: "32" },
    against: { type: "string", default: "bare" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}

const chosen = SCENARIOS.filter(({ name }) => values.scenario === undefined || name === values.scenario);
const upstream = await startChild("upstream.ts", {});
const environment = { BENCH_UPSTREAM: upstream.url };
const base = await startBase(values.against);
const gateway = await startChild("gateway.ts", environment);
const results = [];
for (const scenario of chosen) results.push(await compare(scenario));
if (values.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
for (const { process: child } of [upstream, base, gateway]) child.disconnect();

async function startBase(name: string): Promise<Subject> {
  if (name === "bare") return startChild("bare.ts", environment);
  if (name !== "no-budget") throw new Error(`there is nothing to measure against that is called ${name}`);
  return { ...(await startChild("gateway.ts", { ...environment, BENCH_WITHOUT: "budget" })), name };
}

async function startChild(file: string, env: Record<string, string>): Promise<Subject> {
  const child = fork(new URL(file, import.meta.url), { env: { ...process.env, ...env } });
  const { url, key = "none" } = await new Promise<{ url: string; key?: string }>((resolve, reject) => {
    child.once("message", (message) => resolve(message as { url: string }));
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code}`)));
  });
  child.removeAllListeners("exit");
  return { name: file.replace(".ts", ""), process: child, url, key };
}

/** Takes the subjects in turn; the first slice of each warms up and does not count. */
async function compare(scenario: Scenario) {
  const slices = new Map<Subject, Slice[]>([
    [base, []],
    [gateway, []],
  ]);
  for (let i = 0; i <= Number(values.slices); i += 1) {
    process.stderr.write(`\r${scenario.name}: slice ${i} of ${values.slices} `);
    // Which goes first changes, so that neither always runs on a machine that the other has warmed.
    for (const subject of i % 2 === 0 ? [base, gateway] : [gateway, base]) {
      const slice = await load(subject, scenario);
      if (i > 0) slices.get(subject)?.push(slice);
    }
  }
  const [ofBase = [], ofGateway = []] = slices.values();
  const ratios = ofGateway.map((slice, i) => slice.cpuUs / (ofBase[i]?.cpuUs ?? Number.NaN));
  const result = {
    scenario: scenario.name,
    what: scenario.what,
    cpu_ratio: quartiles(ratios),
    base: { name: base.name, ...summary(ofBase) },
    gateway: { name: gateway.name, ...summary(ofGateway) },
  };
  process.stderr.write("\r");
  if (!values.json) print(result);
  return result;
}

async function load(subject: Subject, scenario: Scenario): Promise<Slice> {
  const before = await cpuOf(subject.process);
  const result = await autocannon({
    url: `${subject.url}/v1/chat/completions`,
    method: "POST",
    connections: Number(values.connections),
    duration: Number(values.seconds),
    headers: { "content-type": "application/json", authorization: `Bearer ${subject.key}` },
    body: scenario.body,
  });
  const cpuUs = (await cpuOf(subject.process)) - before;
  const served = result["2xx"];
  if (result.non2xx > 0 || result.errors > 0 || served === 0) {
    throw new Error(
      `${subject.name}: ${result.non2xx} answers were not 2xx, ${result.errors} errors, ${served} served`,
    );
  }
  const { p50: p50Ms, p99: p99Ms } = result.latency;
  return { cpuUs: cpuUs / served, rps: served / result.duration, p50Ms, p99Ms };
}

function summary(slices: readonly Slice[]): Record<keyof Slice, Quartiles> {
  const of = (field: keyof Slice): Quartiles => quartiles(slices.map((slice) => slice[field]));
  return { cpuUs: of("cpuUs"), rps: of("rps"), p50Ms: of("p50Ms"), p99Ms: of("p99Ms") };
}

function print(result: Awaited<ReturnType<typeof compare>>): void {
  const range = ({ low, median, high }: Quartiles, digits: number): string =>
    `${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
  const lines = [
    `${result.scenario}: ${result.what}; Node ${process.version}, ${cpus().length} cores`,
    `  CPU ratio, gateway / ${base.name}: ${range(result.cpu_ratio, 2)}`,
  ];
  for (const { name, cpuUs, rps, p50Ms, p99Ms } of [result.base, result.gateway]) {
    const latency = `p50 ${range(p50Ms, 1)} ms, p99 ${range(p99Ms, 1)} ms`;
    lines.push(`  ${name.padEnd(9)} ${range(cpuUs, 1)} us CPU a request, ${range(rps, 0)} requests/s, ${latency}`);
  }
  process.stdout.write(`${lines.join("\n")}\n`);
}
