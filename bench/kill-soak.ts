// Soak: a gateway under load is killed with kill -9 again and again; after each kill its database is held against what
// the clients saw and what the provider billed. `node bench/kill-soak.ts --help`
import { once } from "node:events";
import { Agent } from "node:http";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Database from "better-sqlite3";
import { formatUsd } from "../src/money.ts";
import { PLAIN, type SoakGateway, SoakRig, STREAM, stop } from "./soak-rig.ts";

const HELP = `node bench/kill-soak.ts [--cycles N] [--workers N] [--clients N]

Kills \`tollgate run\` with kill -9 at a random moment under load, N times; with several workers, one worker at a time.
Each time: every answer that a client saw whole is one row with the same usage, the budget's counter is the rows and what
was charged as unaccounted, nothing stays reserved, and the provider billed no more than was charged. Exit code 1 when
anything differs. Defaults: 100 cycles, 1 worker, 20 clients.`;

/** Between the first whole answer of a cycle and the kill, at most, milliseconds. */
const KILL_AFTER_MS = 150;
/** The provider bills within 20 ms of a request. */
const BILLED_AFTER_MS = 60;
const PROGRESS_EVERY = 25;
const FAULTS_SHOWN = 20;
const INPUT_NANO_USD = 150;
const OUTPUT_NANO_USD = 600;

/** What a client saw of an answer that it saw the end of. */
interface Complete {
  readonly id: string;
  readonly input: number;
  readonly output: number;
}

const { values } = parseArgs({
  options: {
    cycles: { type: "string", default: "100" },
    workers: { type: "string", default: "1" },
    clients: { type: "string", default: "20" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}
const [cycles, workers, clients] = [values.cycles, values.workers, values.clients].map(Number) as [
  number,
  number,
  number,
];

const faults: string[] = [];
let seen = 0;
let broken = 0;
const rig = new SoakRig();

async function killGateways(): Promise<void> {
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    const gateway = await rig.start();
    const load = new Load(gateway);
    await load.untilSome();
    await pause(Math.random() * KILL_AFTER_MS);
    gateway.child.kill("SIGKILL");
    await once(gateway.child, "close");
    await load.end();
    await pause(BILLED_AFTER_MS);
    checkRows(load.complete, cycle);
    await checkCharges(cycle);
    progress(cycle);
  }
}

async function killWorkers(): Promise<void> {
  const gateway = await rig.start(workers);
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    const load = new Load(gateway);
    await load.untilSome();
    await pause(Math.random() * KILL_AFTER_MS);
    const pids = await workerPids(gateway);
    const victim = pids[Math.floor(Math.random() * pids.length)] as number;
    process.kill(victim, "SIGKILL");
    await whenReplaced(gateway, victim);
    await load.end();
    checkRows(load.complete, cycle);
    progress(cycle);
  }
  const code = await stop(gateway);
  if (code !== 0) faults.push(`the gateway drained with exit code ${code}`);
  await checkCharges(cycles);
}

async function workerPids({ adminUrl }: SoakGateway): Promise<number[]> {
  const answer = await fetch(`${adminUrl}/readyz?verbose`);
  const { workers: all } = (await answer.json()) as { workers: { pid: number; ready: boolean }[] };
  return all.filter(({ ready }) => ready).map(({ pid }) => pid);
}

async function whenReplaced(gateway: SoakGateway, victim: number): Promise<void> {
  for (;;) {
    const pids = await workerPids(gateway);
    if (pids.length === workers && !pids.includes(victim)) return;
    await pause(20);
  }
}

/** Clients that ask, whole and streamed in turn, until they are told to end. */
class Load {
  readonly complete: Complete[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #gateway: SoakGateway;
  readonly #asking: Promise<unknown>;
  #ended = false;

  constructor(gateway: SoakGateway) {
    this.#gateway = gateway;
    this.#asking = Promise.all(Array.from({ length: clients }, (_, i) => this.#askAgain(i)));
  }

  async untilSome(): Promise<void> {
    while (this.complete.length === 0) await pause(2);
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#asking;
    this.#agent.destroy();
  }

  async #askAgain(first: number): Promise<void> {
    for (let i = first; !this.#ended; i += 1) {
      const body = i % 2 === 0 ? PLAIN : STREAM;
      try {
        const { answer, text } = await rig.ask(this.#gateway.url, body, this.#agent);
        this.#note(answer.statusCode, String(answer.headers["x-request-id"]), text, body === STREAM);
      } catch (error) {
        if (/in time/.test(String(error))) faults.push(String(error));
        broken += 1;
        await pause(5);
      }
    }
  }

  #note(status: number | undefined, id: string, text: string, streamed: boolean): void {
    const [, input, output] = /"prompt_tokens":(\d+),"completion_tokens":(\d+)/.exec(text) ?? [];
    const isWhole = streamed ? text.endsWith("data: [DONE]\n\n") : true;
    if (status === 200 && isWhole) this.complete.push({ id, input: Number(input), output: Number(output) });
    else faults.push(`an answer ${status} that is not whole and did not break off: ${text.slice(-300)}`);
  }
}

/** Each answer that was seen whole is one row, with the usage that the client saw. */
function checkRows(complete: readonly Complete[], cycle: number): void {
  const db = new Database(join(rig.directory, "tollgate.db"), { readonly: true });
  const select = db.prepare(
    "SELECT input_tokens AS i, output_tokens AS o, cost_nano_usd AS c FROM requests WHERE id = ?",
  );
  for (const { id, input, output } of complete) {
    const rows = JSON.stringify(select.all(id));
    const expected = JSON.stringify([{ i: input, o: output, c: input * INPUT_NANO_USD + output * OUTPUT_NANO_USD }]);
    if (rows !== expected) faults.push(`cycle ${cycle}: ${id}: ${rows} on disk, ${expected} seen`);
  }
  db.close();
  seen += complete.length;
}

async function checkCharges(cycle: number): Promise<void> {
  const { spent, unaccounted, leased, rowsNanoUsd } = await rig.charged();
  const { nanoUsd } = await rig.books();
  if (leased !== 0n) faults.push(`cycle ${cycle}: ${leased} nano-USD are still reserved`);
  if (spent - unaccounted !== rowsNanoUsd) {
    faults.push(`cycle ${cycle}: spent ${spent}, unaccounted ${unaccounted}, rows ${rowsNanoUsd}`);
  }
  if (BigInt(nanoUsd) > spent) faults.push(`cycle ${cycle}: ${nanoUsd} billed, ${spent} charged`);
}

function progress(cycle: number): void {
  if (cycle % PROGRESS_EVERY !== 0) return;
  process.stderr.write(
    `cycle ${cycle} of ${cycles}: ${seen} seen whole, ${broken} broken off, ${faults.length} faults\n`,
  );
}

async function report(seconds: number): Promise<void> {
  for (const fault of faults.slice(0, FAULTS_SHOWN)) process.stderr.write(`${fault}\n`);
  const { spent, unaccounted, rows } = await rig.charged();
  const { nanoUsd } = await rig.books();
  process.stdout.write(
    `${cycles} kills, ${workers} ${workers === 1 ? "process" : "workers"}, ${clients} clients, ${seconds.toFixed(0)} s: ` +
      `${seen} answers seen whole, ${broken} broken off, ${rows} rows, $${formatUsd(nanoUsd)} billed, ` +
      `$${formatUsd(spent)} charged, $${formatUsd(unaccounted)} of it unaccounted, ${faults.length} faults\n`,
  );
  process.exitCode = faults.length === 0 ? 0 : 1;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

try {
  await rig.prepare({ budgetNanoUsd: 1e15 });
  const startedMs = performance.now();
  if (workers === 1) await killGateways();
  else await killWorkers();
  await report((performance.now() - startedMs) / 1_000);
} finally {
  rig.close();
}
