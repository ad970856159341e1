// The gateway as a process: killed at random moments, drained by SIGTERM, told by SIGHUP.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import { systemClock } from "../../src/clock.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import { tollgate } from "../support/cli.ts";
import { type GatewayProcess, gatewayFolder, spawnGateway } from "../support/process.ts";
import { rawRequest } from "../support/raw.ts";
import { until } from "../support/until.ts";
import { chatEvents, json, type ScriptedUpstream, startUpstream, stream } from "../support/upstream.ts";

const CYCLES = 4;
const CLIENTS = 20;
const PATH = "/v1/chat/completions";
const CHAT = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 50 };
const STREAMED = JSON.stringify({ ...CHAT, stream: true, stream_options: { include_usage: true } });

interface Setting {
  readonly upstream: ScriptedUpstream;
  readonly directory: string;
  readonly key: string;
}

async function setUp(t: Test, config: object = {}): Promise<Setting> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }];
  return { upstream, ...(await gatewayFolder(t, { providers, ...config })) };
}

const ask = ({ url }: GatewayProcess, key: string, body = STREAMED): Promise<Response> =>
  fetch(`${url}${PATH}`, { method: "POST", headers: { authorization: `Bearer ${key}` }, body });

/** Each answer uses other tokens than the one before. */
function answerWithUsage(upstream: ScriptedUpstream): void {
  upstream.answer = (req, res, body) => {
    const [prompt_tokens, completion_tokens] = [1 + (upstream.seen.length % 90), 1 + (upstream.seen.length % 7)];
    const usage = { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
    if (body.includes('"stream":true')) return stream(chatEvents(["Hel", "lo!"], usage))(req, res, body);
    return json({ ...CHAT, choices: [], usage })(req, res, body);
  };
}

/** What a client saw of an answer that it saw the end of. */
interface Complete {
  readonly id: string;
  readonly input: number;
  readonly output: number;
}

/** Asks, whole and streamed in turn, until the gateway is gone; adds what was complete. */
async function askUntilGone(gateway: GatewayProcess, key: string, complete: Complete[]): Promise<void> {
  for (let i = 0; ; i += 1) {
    try {
      const streamed = i % 2 === 0;
      const answer = await ask(gateway, key, streamed ? STREAMED : JSON.stringify(CHAT));
      const text = await answer.text();
      if (answer.status !== 200) throw new Error(text);
      const [, input, output] = /"prompt_tokens":(\d+),"completion_tokens":(\d+)/.exec(text) ?? [];
      if (streamed && !text.endsWith("data: [DONE]\n\n")) throw new Error(`ended early: ${text}`);
      complete.push({ id: answer.headers.get("x-request-id") ?? "", input: Number(input), output: Number(output) });
    } catch (error) {
      if (gateway.child.exitCode === null && gateway.child.signalCode === null) await gateway.ended;
      if (!/fetch failed|terminated/.test(String(error))) throw error;
      return;
    }
  }
}

t.test("kill -9: what a client saw complete is in the usage, exactly, and nothing stays reserved", async (t) => {
  const { upstream, directory, key } = await setUp(t);
  answerWithUsage(upstream);
  const complete: Complete[] = [];
  let recoveries = 0;
  const count = (gateway: GatewayProcess): void => {
    recoveries += gateway.logged().filter(({ charged }) => charged !== undefined).length;
  };
  for (let cycle = 0; cycle < CYCLES; cycle += 1) {
    const gateway = await spawnGateway(t, directory);
    const [had, delayMs] = [complete.length, Math.random() * 300];
    const asking = Promise.all(Array.from({ length: CLIENTS }, () => askUntilGone(gateway, key, complete)));
    await until("some are complete", () => complete.length > had, 20_000);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    gateway.child.kill("SIGKILL");
    t.same(await gateway.ended, { code: null, signal: "SIGKILL" });
    await asking;
    count(gateway);
  }
  const last = await spawnGateway(t, directory);
  t.equal((await ask(last, key)).status, 200, "the next start serves");
  last.child.kill("SIGTERM");
  t.same(await last.ended, { code: 0, signal: null });
  count(last);
  auditRows(t, directory, complete);
  await auditCounter(t, directory);
  const usage = await tollgate(directory, ["usage", "--json"]);
  const [row] = JSON.parse(usage.stdout).rows;
  t.ok(row.requests >= complete.length, `${row.requests} in the usage, ${complete.length} seen complete`);
  t.ok(complete.length >= CYCLES, `${upstream.seen.length} were forwarded`);
  t.ok(recoveries >= 1, `${recoveries} starts told what they charged for a crash`);
});

t.test("kill -9: the charge for what was in flight names the requests, and an admin takes it back", async (t) => {
  const admin = { listen: "127.0.0.1:0", key: "adm-of-this-test" };
  const { upstream, directory } = await setUp(t, { admin });
  const made = await tollgate(directory, [
    "keys",
    "create",
    "--alias",
    "tight",
    "--budget",
    "$0.00012 total",
    "--json",
  ]);
  const { key } = JSON.parse(made.stdout);
  upstream.answer = () => undefined;
  const first = await spawnGateway(t, directory);
  const asking = Array.from({ length: 2 }, () => ask(first, key).catch(() => null));
  await until("both are in flight", () => upstream.seen.length === 2);
  await until("the process has told of them", () => inFlightIn(directory) === 2, 5_000);
  first.child.kill("SIGKILL");
  await first.ended;
  await Promise.all(asking);

  const second = await spawnGateway(t, directory);
  upstream.answer = json({
    ...CHAT,
    choices: [],
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
  });
  const api = async (
    path: string,
    method = "GET",
  ): Promise<{ rows: Record<string, unknown>[]; taken_off?: string }> => {
    const answer = await fetch(`${second.adminUrl}${path}`, { method, headers: { "x-admin-key": admin.key } });
    return (await answer.json()) as { rows: Record<string, unknown>[] };
  };
  const status = async (): Promise<number> =>
    (await ask(second, key, JSON.stringify({ ...CHAT, max_tokens: 100 }))).status;
  t.equal(await status(), 429, "the charge counts against the budget");
  const { rows } = await api("/-/ledger/recovered");
  t.match(rows, [{ unit: "usd", quota: /^budget:bud_/, window: "total", reversed: null }]);
  t.equal(rows[0]?.open, rows[0]?.amount);
  const ids = rows[0]?.in_flight as string[];
  t.equal(ids.length, 2);
  t.match(ids[0], /^req_/);
  const { taken_off } = await api(`/-/ledger/recovered/${rows[0]?.id}/reverse`, "POST");
  t.equal(taken_off, rows[0]?.amount);
  t.match(await api(`/-/ledger/recovered/${rows[0]?.id}/reverse`, "POST"), { taken_off: "0" });
  t.match(await api("/-/ledger/recovered/reverse", "POST"), { rows: [] });
  t.match(await api("/-/ledger/recovered/99/reverse", "POST"), { status: 404 });
  await until("a refusal is no longer believed", async () => (await status()) === 200);
  t.match((await tollgate(directory, ["audit"])).stdout, /master +update +key tight +unaccounted/);
});

/** Of how many requests the only gateway has told. */
function inFlightIn(directory: string): number {
  const db = new Database(join(directory, "tollgate.db"), { readonly: true });
  const text = db.prepare<[], string>("SELECT in_flight FROM processes").pluck().get() ?? "[]";
  db.close();
  return (JSON.parse(text) as unknown[]).length;
}

function auditRows(t: Test, directory: string, complete: readonly Complete[]): void {
  const db = new Database(join(directory, "tollgate.db"), { readonly: true });
  const select = db.prepare(
    "SELECT input_tokens AS input, output_tokens AS output, cost_nano_usd AS cost FROM requests WHERE id = ?",
  );
  const faults = complete.flatMap(({ id, input, output }) => {
    const rows = select.all(id);
    const expected = [{ input, output, cost: input * 150 + output * 600 }];
    return JSON.stringify(rows) === JSON.stringify(expected) ? [] : [{ id, rows, expected }];
  });
  db.close();
  t.same(faults, [], "each has one row, with the usage that the client saw");
}

async function auditCounter(t: Test, directory: string): Promise<void> {
  const store = openSqlite({ path: join(directory, "tollgate.db"), clock: systemClock });
  const [budget] = store.accounts.getKey("app").principal.budgets;
  const window = new Date().toISOString().slice(0, 7);
  const { spent, unaccounted, leased } = store.ledger.counter({ quota: `budget:${budget?.id}`, window });
  const [row] = store.requests.usage("key", 0);
  await store.close();
  t.equal(leased, 0n, "nothing is reserved");
  t.equal(spent - unaccounted, row?.costNanoUsd, "the budget and the rows agree");
  t.ok(spent > 0n);
}

/** A provider that sends one word and then waits. */
function holdStreams(upstream: ScriptedUpstream): { release(): void } {
  const [first = "", ...rest] = chatEvents(["Hel", "lo!"]);
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  upstream.answer = async (_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(first);
    await released;
    res.end(rest.join(""));
  };
  return { release: () => release() };
}

const readyStatus = async ({ adminUrl }: GatewayProcess): Promise<number> => (await fetch(`${adminUrl}/readyz`)).status;

t.test("SIGTERM: streams finish, what is new is refused, all is settled, exit code 0", async (t) => {
  const { upstream, directory, key } = await setUp(t);
  const { release } = holdStreams(upstream);
  const gateway = await spawnGateway(t, directory);
  const answer = await ask(gateway, key);
  const { hostname, port } = new URL(gateway.url);
  // A request that has begun when the signal comes: its connection is not idle.
  const text = rawRequest([`POST ${PATH} HTTP/1.1`, `authorization: Bearer ${key}`], STREAMED);
  const late = connect(Number(port), hostname, () => late.write(text.slice(0, 30)));
  let said = "";
  late.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
  const over = new Promise((resolve) => late.once("close", resolve));
  await until("it is connected", () => !late.connecting);

  gateway.child.kill("SIGTERM");
  await until("it drains", async () => (await readyStatus(gateway)) === 503);
  t.match(await (await fetch(`${gateway.adminUrl}/readyz`)).json(), { reason: "draining" });
  t.equal((await fetch(`${gateway.adminUrl}/livez`)).status, 200);
  await t.rejects(ask(gateway, key), { cause: { code: "ECONNREFUSED" } }, "there are no new connections");
  late.write(text.slice(30));
  await over;
  t.match(said, /^HTTP\/1\.1 503 .*"code":"draining"/s);
  t.match(said, /\r\nconnection: close\r\n/i);
  t.match(said, /\r\nretry-after: 1\r\n/i);

  t.equal(gateway.child.exitCode, null, "the stream keeps it alive");
  release();
  t.match(await answer.text(), /lo!.*data: \[DONE\]\n\n$/s);
  t.same(await gateway.ended, { code: 0, signal: null });
  t.equal(upstream.seen.length, 1);
  const id = answer.headers.get("x-request-id") ?? "";
  auditRows(t, directory, [{ id, input: 10, output: 5 }]);
  await auditCounter(t, directory);
});

t.test("SIGTERM: a stream that goes on past limits.drain is cut and charged, exit code 0", async (t) => {
  const { upstream, directory, key } = await setUp(t, { limits: { drain: "200ms" } });
  holdStreams(upstream);
  const gateway = await spawnGateway(t, directory);
  const answer = await ask(gateway, key);
  gateway.child.kill("SIGTERM");
  await t.rejects(answer.text());
  t.same(await gateway.ended, { code: 0, signal: null });
  await auditCounter(t, directory);
});

t.test("a second SIGTERM ends it at once, and the next start charges what was in flight", async (t) => {
  const { upstream, directory, key } = await setUp(t);
  holdStreams(upstream);
  const gateway = await spawnGateway(t, directory);
  const answer = await ask(gateway, key);
  gateway.child.kill("SIGTERM");
  await until("it drains", async () => (await readyStatus(gateway)) === 503);
  gateway.child.kill("SIGTERM");
  t.same(await gateway.ended, { code: 1, signal: null });
  await t.rejects(answer.text());

  const next = await spawnGateway(t, directory);
  const line = await until("the charge is logged", () => next.logged().find(({ charged }) => charged !== undefined));
  t.match(line, { msg: /charged as unaccounted/, pid: gateway.child.pid, charged: [{ amount: /^[1-9]\d*$/ }] });
  next.child.kill("SIGTERM");
  await next.ended;
});

/** Sets how large a file the process may write, in bytes or `unlimited`. */
const limitFiles = (pid: number | undefined, bytes: number | "unlimited"): number | null =>
  spawnSync("prlimit", ["--pid", String(pid), `--fsize=${bytes}:unlimited`]).status;

t.test(
  "a full disk: requests are refused and not forwarded, and what was in flight is charged once there is room",
  {
    skip: spawnSync("prlimit", ["--version"]).status !== 0 && "no prlimit here",
  },
  async (t) => {
    const { upstream, directory, key } = await setUp(t);
    answerWithUsage(upstream);
    const gateway = await spawnGateway(t, directory);
    t.equal((await ask(gateway, key)).status, 200);
    t.equal(limitFiles(gateway.child.pid, 4_096), 0);
    const inFlight = ask(gateway, key, JSON.stringify(CHAT));
    await until("it notices", async () => (await readyStatus(gateway)) === 503);
    const forwarded = upstream.seen.length;
    for (let i = 0; i < 5; i += 1) {
      const refused = await ask(gateway, key);
      t.equal(refused.status, 503);
      t.equal(refused.headers.get("retry-after"), "1");
      t.match(await refused.json(), { error: { code: "store_unavailable" } });
    }
    t.equal(upstream.seen.length, forwarded, "nothing was forwarded");
    t.equal(limitFiles(gateway.child.pid, "unlimited"), 0);
    await until("it recovers", async () => (await readyStatus(gateway)) === 200);
    t.equal((await ask(gateway, key)).status, 200);
    await inFlight;
    gateway.child.kill("SIGTERM");
    t.same(await gateway.ended, { code: 0, signal: null });
    await auditCounter(t, directory);
  },
);

t.test("SIGHUP reads the rules again and says so", async (t) => {
  const { upstream, directory, key } = await setUp(t);
  answerWithUsage(upstream);
  const gateway = await spawnGateway(t, directory);
  const rules = join(directory, "rules", "all.rules");
  writeFileSync(rules, "version 1\ndefault deny\n");
  gateway.child.kill("SIGHUP");
  await until("it is logged", () => gateway.logged().some(({ msg }) => msg === "rules read again"));
  t.equal((await ask(gateway, key)).status, 403);
  writeFileSync(rules, "nonsense\n");
  gateway.child.kill("SIGHUP");
  await until("it is logged", () =>
    gateway.logged().some(({ msg }) => /rules are broken: the set before/.test(String(msg))),
  );
  t.equal((await ask(gateway, key)).status, 403);
  gateway.child.kill("SIGTERM");
  t.same(await gateway.ended, { code: 0, signal: null });
  t.same(upstream.seen, []);
});
