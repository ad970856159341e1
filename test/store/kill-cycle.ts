// One kill -9 cycle: a process that reserves, settles and records as fast as it can is killed, and its file is audited.
// As a script (`node kill-cycle.ts FILE`) it is that process.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createLedger } from "../../src/ledger/engine.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import type { Store } from "../../src/store/store.ts";
import type { Clock } from "../../src/types.ts";
import { accessRecord, quota, type UniformLedger, uniform } from "../ledger/samples.ts";

const QUOTAS = [quota("budget:key", 10n ** 15n, "total"), quota("budget:team", 10n ** 14n, "total")];
const BOUND = 1_000_000;
const IN_FLIGHT = 20;

const systemClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** What an audit of the file found wrong; empty when it is sound. */
export interface Audit {
  readonly faults: readonly string[];
  /** Rows in the request table. */
  readonly rows: number;
  /** Nano-USD charged for all crashes so far. */
  readonly unaccounted: bigint;
}

/** Runs `processes` on one file, kills each after its delay, and returns the ids that they had said were on disk. */
export async function killCycle(path: string, killAfterMs: readonly number[]): Promise<string[]> {
  const acknowledged = await Promise.all(killAfterMs.map((delayMs) => runUntilKilled(path, delayMs)));
  return acknowledged.flat();
}

async function runUntilKilled(path: string, delayMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (output === "") setTimeout(() => child.kill("SIGKILL"), delayMs);
    output += text;
  });
  await once(child, "close");
  // The last line may be cut by the kill.
  return output.split("\n").slice(0, -1);
}

/** Opens the file as the next process would and compares rows, counters and what was acknowledged. */
export async function audit(path: string, acknowledged: readonly string[]): Promise<Audit> {
  const store = openSqlite({ path, clock: systemClock });
  const faults: string[] = [];
  const [usage] = store.requests.usage("key", 0);
  const written = new Set(store.requests.usage("model", 0).map((row) => row.name));
  for (const id of acknowledged) if (!written.has(id)) faults.push(`${id} was acknowledged and is not on disk`);
  let unaccounted = 0n;
  for (const { id } of QUOTAS) {
    const state = store.ledger.counter({ quota: id, window: "total" });
    unaccounted = state.unaccounted;
    if (state.leased !== 0n) faults.push(`${id}: ${state.leased} is still leased`);
    if (state.spent - state.unaccounted !== usage?.costNanoUsd) {
      faults.push(`${id}: spent ${state.spent}, unaccounted ${state.unaccounted}, rows sum to ${usage?.costNanoUsd}`);
    }
  }
  await store.close();
  return { faults, rows: usage?.requests ?? 0, unaccounted };
}

/** The process that is killed. Each request's id is printed once its settlement is on disk. */
async function main(path: string): Promise<never> {
  const store = openSqlite({ path, clock: systemClock });
  const ledger = uniform(createLedger({ store: store.ledger, clock: systemClock, timeZone: "UTC" }));
  setInterval(() => {
    store.ledger.heartbeat();
    ledger.releaseIdle();
  }, 20);
  for (let i = 0; ; i += 1) {
    const turn = Array.from({ length: 1 + (i % IN_FLIGHT) }, (_, j) =>
      serve(store, ledger, `${process.pid}-${i}-${j}`),
    );
    await Promise.all(turn);
  }
}

async function serve(store: Store, ledger: UniformLedger, id: string): Promise<void> {
  const answer = ledger.reserve(QUOTAS, BOUND);
  if (!answer.ok) return;
  for (let turns = Math.random() * 3; turns > 0; turns -= 1) await new Promise(setImmediate);
  const costNanoUsd = Math.floor(Math.random() * BOUND * 1.1);
  const written = ledger.settle(answer.hold, costNanoUsd);
  store.requests.append(accessRecord(id, { costNanoUsd, model: id }));
  await written;
  process.stdout.write(`${id}\n`);
}

const [, script, file] = process.argv;
if (script === fileURLToPath(import.meta.url) && file !== undefined) await main(file);
