// Soak: many connections spend a budget at once, through one gateway, its workers or several gateways on one database; the
// provider's own books say whether more was spent than the budget allows. `node bench/overspend-soak.ts --help`
import { Agent } from "node:http";
import { parseArgs } from "node:util";
import { formatUsd } from "../src/money.ts";
import { BOUND, type Books, PLAIN, type SoakGateway, SoakRig, STREAM, stop } from "./soak-rig.ts";

const HELP = `node bench/overspend-soak.ts [--requests N] [--connections N] [--gateways N] [--workers N] [--limits] [--json]

Sends requests for a key whose budget covers about half of them, all connections at once, and then one by one until the
budget refuses. The provider bills each answer by chance. Prints what it billed, what the gateway charged, and the
overspend. --workers N: each gateway has so many. --limits: the rules hold the same money as a \`budget\` statement too,
and have a \`limit\` on requests and one on tokens, which are large enough. Exit code 1 when there is any overspend, or
when the books differ. Defaults: 20000 requests, 500 connections, 1 gateway of 1 process.`;

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "20000" },
    connections: { type: "string", default: "500" },
    gateways: { type: "string", default: "1" },
    workers: { type: "string", default: "1" },
    limits: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}
const [requests, connections, gateways, workers] = [
  values.requests,
  values.connections,
  values.gateways,
  values.workers,
].map(Number) as [number, number, number, number];

const rig = new SoakRig();
try {
  process.exitCode = await soak();
} finally {
  rig.close();
}

async function soak(): Promise<number> {
  const budget = Math.floor((requests / 2) * (BOUND / 2));
  await rig.prepare({ budgetNanoUsd: budget, rules: values.limits ? limits(budget) : "" });
  const running = await Promise.all(Array.from({ length: gateways }, () => rig.start(workers)));
  const startedMs = performance.now();
  const statuses = await crowd(running);
  const seconds = (performance.now() - startedMs) / 1_000;
  const tail = await spendTheRest(running);
  const codes = await Promise.all(running.map(stop));
  if (codes.some((code) => code !== 0)) process.stderr.write(`exit codes ${codes.join(", ")}\n`);
  return report({ budget, statuses, tail, seconds, books: await rig.books() });
}

/** The rules' statements, counted with the key's budget: the money is held twice, the rest has room for all. */
function limits(budget: number): string {
  return [
    `budget $${formatUsd(budget)} per year by key`,
    `limit ${requests * 2} requests per 1h by key`,
    `limit ${requests * 1_000} tokens per 1h by key`,
    "",
  ].join("\n");
}

/** All connections at work until every request is answered; how many answers had which status. */
async function crowd(running: readonly SoakGateway[]): Promise<Map<number, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: Math.ceil(connections / running.length) });
  const statuses = new Map<number, number>();
  let next = 0;
  const client = async (): Promise<void> => {
    for (;;) {
      const turn = next++;
      if (turn >= requests) return;
      const { url } = running[turn % running.length] as SoakGateway;
      const status = await statusOf(url, turn % 4 === 0 ? STREAM : PLAIN, agent);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  agent.destroy();
  return statuses;
}

/** One by one, a gateway after the other, until each refuses twice for each of its workers: how many were served. */
async function spendTheRest(running: readonly SoakGateway[]): Promise<number> {
  // A connection each: the workers of a gateway take turns.
  const agent = new Agent({ keepAlive: false });
  let served = 0;
  for (let refused = 0; refused < 2 * running.length * workers; ) {
    // Idle leases are given back within two seconds.
    if (refused > 0) await new Promise((resolve) => setTimeout(resolve, 2_500));
    const { url } = running[(served + refused) % running.length] as SoakGateway;
    if ((await statusOf(url, PLAIN, agent)) !== 200) refused += 1;
    else {
      served += 1;
      refused = 0;
    }
  }
  return served;
}

async function statusOf(url: string, body: string, agent: Agent): Promise<number> {
  return (await rig.ask(url, body, agent)).answer.statusCode ?? 0;
}

interface Result {
  readonly budget: number;
  readonly statuses: ReadonlyMap<number, number>;
  readonly tail: number;
  readonly seconds: number;
  readonly books: Books;
}

async function report({ budget, statuses, tail, seconds, books }: Result): Promise<number> {
  const { spent, leased, rowsNanoUsd } = await rig.charged();
  const overspend = Math.max(0, books.nanoUsd - budget);
  const result = {
    requests,
    connections,
    gateways,
    workers,
    limits: values.limits,
    seconds: Number(seconds.toFixed(1)),
    answers: Object.fromEntries(statuses),
    served_afterwards: tail,
    in_flight_most: books.inFlightMost,
    budget_usd: formatUsd(budget),
    billed_usd: formatUsd(books.nanoUsd),
    charged_usd: formatUsd(spent),
    rows_usd: formatUsd(rowsNanoUsd),
    left_usd: formatUsd(budget - books.nanoUsd),
    largest_request_usd: formatUsd(BOUND),
    overspend_usd: formatUsd(overspend),
  };
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else for (const [name, value] of Object.entries(result)) process.stdout.write(`${name}: ${show(value)}\n`);
  const agree = spent === BigInt(books.nanoUsd) && rowsNanoUsd === spent && leased === 0n;
  if (!agree) process.stderr.write("the provider's books and the gateway's differ\n");
  return overspend === 0 && agree ? 0 : 1;
}

function show(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
