// `node bench/accounts.ts [--keys N] [--json]`: what a look-up and a page cost in a database with many keys.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Database from "better-sqlite3";
import { Accounts } from "../src/accounts/service.ts";
import { systemClock } from "../src/clock.ts";
import { openSqlite } from "../src/store/sqlite/open.ts";

const { values } = parseArgs({
  options: { keys: { type: "string", default: "1000000" }, json: { type: "boolean", default: false } },
});
const KEYS = Number(values.keys);
const TEAMS = 1_000;
const PROBES = 2_000;
const folder = mkdtempSync(join(tmpdir(), "tollgate-accounts-"));
const path = join(folder, "tollgate.db");
/** The hash of key n: nobody needs its secret. */
const hashOf = (n: number): Buffer => {
  const hash = Buffer.alloc(32);
  hash.writeUInt32BE((n * 2_654_435_761) >>> 0);
  hash.writeUInt32BE(n, 4);
  return hash;
};

try {
  await openSqlite({ path, clock: systemClock }).close();
  fill();
  const store = openSqlite({ path, clock: systemClock });
  const accounts = new Accounts({ directory: store.directory });
  const master = { kind: "master" } as const;
  const admin = { kind: "user", userId: "u1" } as const;
  const any = (): number => 1 + Math.floor(Math.random() * KEYS);
  const rows = [
    await time("first sight of a key", PROBES, () => store.accounts.findKey(hashOf(any()))),
    await time("an unknown key", PROBES, () => store.accounts.findKey(hashOf(KEYS + any()))),
    await time("revision", PROBES, () => store.accounts.revision()),
    await time("a page of 100, first", 50, () => accounts.list(master, "key")),
    await time("a page of 100, anywhere", 50, () => accounts.list(master, "key", { after: `key_${any()}` })),
    await time("numbered page, the last", 20, () => accounts.list(master, "key", { skip: KEYS - 100 })),
    await time("alias prefix, 100 of many", 50, () => accounts.list(master, "key", { aliasPrefix: "app-1" })),
    await time("alias prefix, few", 50, () => accounts.list(master, "key", { aliasPrefix: `app-${any()}` })),
    await time("search, many have it", 50, () => accounts.list(master, "key", { search: "app-" })),
    await time("search, few have it", 50, () => accounts.list(master, "key", { search: String(any()) })),
    await time("search, none has it", 50, () => accounts.list(master, "key", { search: `x${any()}` })),
    await time("a team admin's search", 50, () => accounts.list(admin, "key", { search: "app-1" })),
    await time("count of a search", 10, () => accounts.count(master, "key", { search: "app-1" })),
    await time("names near to a wrong one", 50, () => store.accounts.namesNear("key", `qpp-${any()}`)),
    await time("a team admin's page", 50, () => accounts.list(admin, "key")),
    await time("count of all", 10, () => accounts.count(master, "key")),
    await time("count of a team", 50, () => accounts.count(master, "key", { within: { teamIds: ["team_7"] } })),
    await time("a change, with its audit", 200, (n) =>
      accounts.update(master, "key", `key_${any()}`, { rpmLimit: n + 1 }),
    ),
    await time("what changed since", 200, () => store.accounts.changesSince(store.accounts.revision() - 10)),
  ];
  const megabytes = Math.round(statSync(path).size / 1e6);
  await store.close();
  const runs = [await run("gateway start", "run", "--json"), await run("keys list --json", "keys", "list", "--json")];
  if (values.json) process.stdout.write(`${JSON.stringify({ keys: KEYS, megabytes, rows, runs })}\n`);
  else {
    process.stdout.write(`${KEYS} keys in ${TEAMS} teams, ${megabytes} MB; Node ${process.version}\n`);
    for (const { what, p50Us, p99Us } of rows) {
      process.stdout.write(`${what.padEnd(28)} p50 ${text(p50Us)}  p99 ${text(p99Us)}\n`);
    }
    for (const { what, seconds, peakMegabytes } of runs) {
      process.stdout.write(`${what.padEnd(28)} ${seconds.toFixed(2)} s, ${peakMegabytes} MB of memory at most\n`);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}

function text(us: number): string {
  return (us < 1_000 ? `${us.toFixed(1)} us` : `${(us / 1_000).toFixed(1)} ms`).padStart(10);
}

/**
 * A command line as a process of its own, until it says where it listens or ends. Beside the shipped rules it has one
 * that names keys, known and misspelt.
 */
async function run(what: string, ...argv: string[]) {
  const config = join(folder, "tollgate.yaml");
  const listeners = { listen: "127.0.0.1:0", admin: { listen: "127.0.0.1:0" } };
  writeFileSync(config, JSON.stringify({ ...listeners, database: `sqlite:${path}`, rules: join(folder, "rules") }));
  cpSync(join(import.meta.dirname, "..", "rules"), join(folder, "rules"), { recursive: true });
  writeFileSync(
    join(folder, "rules", "keys.rules"),
    'deny key [app-77, qpp-77, new-key] for team [team-7, "team 7"]\n',
  );
  const env = { ...process.env, TOLLGATE_PEPPER: "0".repeat(64) };
  const begunMs = performance.now();
  const entry = join(import.meta.dirname, "..", "src", "tollgate.cjs");
  const child = spawn(process.execPath, [entry, ...argv, "--config", config], {
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  let peakMegabytes = 0;
  let isListening = false;
  child.stdout.on("data", (chunk: Buffer) => {
    peakMegabytes = peakOf(child.pid) ?? peakMegabytes;
    if (isListening || !chunk.includes('"admin_url"')) return;
    isListening = true;
    child.kill();
  });
  let seconds = 0;
  const ended = once(child, "exit");
  while (!isListening && child.exitCode === null) {
    seconds = (performance.now() - begunMs) / 1_000;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`tollgate ${argv.join(" ")} ended with ${code}`);
  return { what, seconds, peakMegabytes };
}

/** Most memory that the process has had at one time; null where the system does not say. */
function peakOf(pid: number | undefined): number | null {
  try {
    const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return kilobytes === undefined ? null : Math.round(Number(kilobytes) / 1e3);
  } catch {
    return null;
  }
}

/** Every key has a user, a team, a limit, a list of models and a budget. */
function fill(): void {
  const db = new Database(path);
  const key = db.prepare(`
    INSERT INTO keys (id, alias, hash, prefix, last_four, team_id, user_id, settings, created_ms, updated_ms)
    VALUES (?, ?, ?, 'sk-abcd', 'wxyz', ?, ?, '{"models":["gpt-4o-mini","gpt-4o"],"rpmLimit":60}', 1, 1)`);
  const budget = db.prepare(
    "INSERT INTO budgets (id, scope, subject_id, win, limit_nano_usd) VALUES (?, 'key', ?, 'month', 5)",
  );
  db.transaction(() => {
    for (let n = 1; n <= TEAMS; n += 1) {
      db.prepare("INSERT INTO teams (id, alias, created_ms, updated_ms) VALUES (?, ?, 1, 1)").run(
        `team_${n}`,
        `team ${n}`,
      );
      db.prepare("INSERT INTO users (id, alias, created_ms, updated_ms) VALUES (?, ?, 1, 1)").run(`u${n}`, `user ${n}`);
      db.prepare("INSERT INTO memberships VALUES ('team', ?, ?, 'admin', 1)").run(`team_${n}`, `u${n}`);
    }
    for (let n = 1; n <= KEYS; n += 1) {
      key.run(`key_${n}`, `app-${n}`, hashOf(n), `team_${1 + (n % TEAMS)}`, `u${1 + ((n * 7) % TEAMS)}`);
      budget.run(`bud_${n}`, `key_${n}`);
    }
  })();
  db.close();
}

async function time(what: string, times: number, run: (n: number) => unknown) {
  const us: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const before = process.hrtime.bigint();
    await run(n);
    us.push(Number(process.hrtime.bigint() - before) / 1_000);
  }
  us.sort((a, b) => a - b);
  const at = (part: number): number => us[Math.min(us.length - 1, Math.floor(us.length * part))] ?? 0;
  return { what, p50Us: at(0.5), p99Us: at(0.99) };
}
