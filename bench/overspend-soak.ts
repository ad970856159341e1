// Soak: many connections spend a budget at once, through one gateway or several on one database; the provider's own books
// say whether more was spent than the budget allows. `node bench/overspend-soak.ts --help`
import { type ChildProcess, execFileSync, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../src/clock.ts";
import { formatUsd } from "../src/money.ts";
import { openSqlite } from "../src/store/sqlite/open.ts";

const HELP = `node bench/overspend-soak.ts [--requests N] [--connections N] [--gateways N] [--json]

Sends requests for a key whose budget covers about half of them, all connections at once, and then one by one until the
budget refuses. The provider bills each answer by chance. Prints what it billed, what the gateway charged, and the
overspend. Exit code 1 when there is any, or when the books differ. Defaults: 20000 requests, 500 connections, 1 gateway.`;

const ENTRY = join(import.meta.dirname, "..", "src", "tollgate.cjs");
const MAX_TOKENS = 20;
const [PLAIN = "", STREAM = ""] = [false, true].map((stream) =>
  JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: MAX_TOKENS, stream }),
);
/** The most a request can cost, nano-USD: a byte is at most a token. */
const BOUND = Math.max(PLAIN.length, STREAM.length) * 150 + MAX_TOKENS * 600;

interface Books {
  readonly requests: number;
  readonly tokens: number;
  readonly nanoUsd: number;
  readonly inFlightMost: number;
}

interface Gateway {
  readonly url: string;
  readonly child: ChildProcess;
}

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "20000" },
    connections: { type: "string", default: "500" },
    gateways: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}
const [requests, connections, gateways] = [values.requests, values.connections, values.gateways].map(Number) as [
  number,
  number,
  number,
];

const directory = mkdtempSync(join(tmpdir(), "tollgate-overspend-"));
const upstream = fork(new URL("billing-upstream.ts", import.meta.url));
try {
  process.exitCode = await soak();
} finally {
  upstream.disconnect();
  rmSync(directory, { recursive: true, force: true });
}

async function soak(): Promise<number> {
  const [{ url }] = (await once(upstream, "message")) as [{ url: string }];
  const budget = Math.floor((requests / 2) * (BOUND / 2));
  const key = prepare(url, budget);
  const running = await Promise.all(Array.from({ length: gateways }, start));
  const startedMs = performance.now();
  const statuses = await crowd(running, key);
  const seconds = (performance.now() - startedMs) / 1_000;
  const tail = await spendTheRest(running, key);
  await Promise.all(running.map(stop));
  return report({ budget, statuses, tail, seconds, books: await booksOf() });
}

/** A folder with config, rules and a key, made by the commands that people use. */
function prepare(upstreamUrl: string, budget: number): string {
  mkdirSync(join(directory, "rules"));
  writeFileSync(join(directory, "rules", "all.rules"), "version 1\ndefault allow\n");
  const providers = [{ name: "openai", base_url: `${upstreamUrl}/v1`, wire: "openai" }];
  const listeners = { listen: "127.0.0.1:0", admin: { listen: "127.0.0.1:0" } };
  const log = { file: join(directory, "gateway.log") };
  writeFileSync(join(directory, "tollgate.yaml"), JSON.stringify({ ...listeners, providers, log }));
  const words = ["keys", "create", "--alias", "soak", "--budget", `$${formatUsd(budget)} per year`, "--json"];
  return JSON.parse(execFileSync(process.execPath, [ENTRY, ...words], { cwd: directory, encoding: "utf8" })).key;
}

async function start(): Promise<Gateway> {
  const child = spawn(process.execPath, [ENTRY, "run", "--json"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { url: JSON.parse(line.toString()).url, child };
}

async function stop({ child }: Gateway): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

/** All connections at work until every request is answered; how many answers had which status. */
async function crowd(running: readonly Gateway[], key: string): Promise<Map<number, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: Math.ceil(connections / running.length) });
  const statuses = new Map<number, number>();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (;;) {
      const turn = next++;
      if (turn >= requests) return;
      const { url } = running[turn % running.length] as Gateway;
      const status = await post(url, key, turn % 4 === 0 ? STREAM : PLAIN, agent);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  agent.destroy();
  return statuses;
}

/** One by one, a gateway after the other, until each refuses twice: how many were served. */
async function spendTheRest(running: readonly Gateway[], key: string): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  let served = 0;
  for (let refused = 0; refused < 2 * running.length; ) {
    // Idle leases are given back within two seconds.
    if (refused > 0) await new Promise((resolve) => setTimeout(resolve, 2_500));
    const { url } = running[(served + refused) % running.length] as Gateway;
    if ((await post(url, key, PLAIN, agent)) !== 200) refused += 1;
    else {
      served += 1;
      refused = 0;
    }
  }
  agent.destroy();
  return served;
}

function post(url: string, key: string, body: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, "content-length": body.length };
    const req = request(`${url}/v1/chat/completions`, { method: "POST", headers, agent }, (res) => {
      res.resume();
      res.once("end", () => resolve(res.statusCode ?? 0));
      res.once("error", reject);
    });
    req.once("error", reject);
    req.end(body);
  });
}

async function booksOf(): Promise<Books> {
  upstream.send("books");
  const [books] = (await once(upstream, "message")) as [Books];
  return books;
}

interface Result {
  readonly budget: number;
  readonly statuses: ReadonlyMap<number, number>;
  readonly tail: number;
  readonly seconds: number;
  readonly books: Books;
}

function report({ budget, statuses, tail, seconds, books }: Result): number {
  const store = openSqlite({ path: join(directory, "tollgate.db"), clock: systemClock });
  const [row] = store.requests.usage("key", 0);
  const [own] = store.accounts.getKey("soak").principal.budgets;
  const year = String(new Date().getUTCFullYear());
  const { spent, leased } = store.ledger.counter({ quota: `budget:${own?.id}`, window: year });
  void store.close();
  const overspend = Math.max(0, books.nanoUsd - budget);
  const result = {
    requests,
    connections,
    gateways,
    seconds: Number(seconds.toFixed(1)),
    answers: Object.fromEntries(statuses),
    served_afterwards: tail,
    in_flight_most: books.inFlightMost,
    budget_usd: formatUsd(budget),
    billed_usd: formatUsd(books.nanoUsd),
    charged_usd: formatUsd(spent),
    rows_usd: formatUsd(row?.costNanoUsd ?? 0n),
    left_usd: formatUsd(budget - books.nanoUsd),
    largest_request_usd: formatUsd(BOUND),
    overspend_usd: formatUsd(overspend),
  };
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else for (const [name, value] of Object.entries(result)) process.stdout.write(`${name}: ${show(value)}\n`);
  const agree = spent === BigInt(books.nanoUsd) && row?.costNanoUsd === spent && leased === 0n;
  if (!agree) process.stderr.write("the provider's books and the gateway's differ\n");
  return overspend === 0 && agree ? 0 : 1;
}

function show(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
