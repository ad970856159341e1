// `tollgate run --workers 2` as a process: one port, one database, budgets and limits held together, signals to all.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { Agent, createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import { systemClock } from "../../src/clock.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import { type GatewayProcess, gatewayFolder, spawnGateway } from "../support/process.ts";
import { until } from "../support/until.ts";
import { chatEvents, json, type ScriptedUpstream, startUpstream, stream } from "../support/upstream.ts";

const TWO = ["--workers", "2"];
const CHAT = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 50 };
const BODY = JSON.stringify(CHAT);
const STREAMED = JSON.stringify({ ...CHAT, stream: true, stream_options: { include_usage: true } });
/** The most that BODY can cost, nano-USD: a byte is at most a token. */
const BOUND = BODY.length * 150 + CHAT.max_tokens * 600;
/** Leases that nobody uses are given back within two seconds. */
const IDLE_MS = 10_000;

interface Setting {
  readonly upstream: ScriptedUpstream;
  readonly directory: string;
  readonly key: string;
}

async function setUp(t: Test, config: object = {}, budget?: string): Promise<Setting> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }];
  return { upstream, ...(await gatewayFolder(t, { providers, ...config }, budget)) };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Asks on a connection of its own, so that the workers take turns. */
function ask({ url }: Pick<GatewayProcess, "url">, key: string, body = BODY): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}` };
    const agent = new Agent({ keepAlive: false });
    const req = request(`${url}/v1/chat/completions`, { method: "POST", headers, agent }, (res: IncomingMessage) => {
      let text = "";
      res.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      res.once("end", () => resolve({ status: res.statusCode ?? 0, text }));
      res.once("error", reject);
    });
    req.once("error", reject);
    req.end(body);
  });
}

const askMany = (gateway: GatewayProcess, key: string, count: number, body?: string): Promise<Answer[]> =>
  Promise.all(Array.from({ length: count }, () => ask(gateway, key, body)));

/** One after the other, each once the one before has reached the provider: idle workers take turns. */
async function askInTurn(
  gateway: GatewayProcess,
  { upstream, key }: Setting,
  count: number,
  body = BODY,
): Promise<Promise<Answer>[]> {
  const answers: Promise<Answer>[] = [];
  const seen = upstream.seen.length;
  for (let i = 1; i <= count; i += 1) {
    const answer = ask(gateway, key, body);
    answer.catch(() => undefined);
    answers.push(answer);
    await until("it is at the provider", () => upstream.seen.length === seen + i);
  }
  return answers;
}

const withStatus = (answers: readonly Answer[], status: number): number =>
  answers.filter((answer) => answer.status === status).length;

interface WorkerFacts {
  readonly worker: number;
  readonly pid: number;
  readonly ready: boolean;
  readonly rules: { readonly hash: string } | null;
}

async function workersOf({ adminUrl }: GatewayProcess): Promise<readonly WorkerFacts[]> {
  const answer = await fetch(`${adminUrl}/readyz?verbose`);
  return ((await answer.json()) as { workers: WorkerFacts[] }).workers;
}

/** A metric's numbers by the label `worker`; those of several lines are summed. */
async function metric({ adminUrl, adminKey }: GatewayProcess, name: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${adminUrl}/metrics`, { headers: { "x-admin-key": adminKey } })).text();
  const sums: Record<string, number> = {};
  for (const [, worker = "", value] of text.matchAll(new RegExp(`^${name}\\{.*worker="(\\d+)".*\\} (.*)$`, "gm"))) {
    sums[worker] = (sums[worker] ?? 0) + Number(value);
  }
  return sums;
}

async function stopWell(t: Test, gateway: GatewayProcess): Promise<void> {
  gateway.child.kill("SIGTERM");
  t.same(await gateway.ended, { code: 0, signal: null });
}

/** The key's budget as committed, with the sum of the rows. */
async function charged(directory: string) {
  const store = openSqlite({ path: join(directory, "tollgate.db"), clock: systemClock });
  const [budget] = store.accounts.getKey("app").principal.budgets;
  const window = new Date().toISOString().slice(0, 7);
  const counter = store.ledger.counter({ quota: `budget:${budget?.id}`, window });
  const [row] = store.requests.usage("key", 0);
  await store.close();
  return { ...counter, rows: row?.costNanoUsd ?? 0n };
}

const isGone = (pid: number): boolean => !existsSync(`/proc/${pid}`);

/** Answers as if all that was reserved was used. */
const useAll = (upstream: ScriptedUpstream) => (): void => {
  const [prompt_tokens, completion_tokens] = [BODY.length, CHAT.max_tokens];
  const usage = { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  upstream.answer = json({ ...CHAT, choices: [], usage });
};

/** A provider that answers when it is told to. */
function holdAnswers(upstream: ScriptedUpstream): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const answer = upstream.answer;
  upstream.answer = async (req, res, body) => {
    await promise;
    answer(req, res, body);
  };
  return resolve;
}

t.test(
  "two workers share a budget: not a nano-dollar too much, and the last request that fits is served",
  async (t) => {
    const fits = 40;
    const budget = `$${((fits + 0.5) * BOUND) / 1e9} per month`;
    const { upstream, directory, key } = await setUp(t, {}, budget);
    useAll(upstream)();
    const gateway = await spawnGateway(t, directory, TWO);
    const answers = await askMany(gateway, key, 100);
    t.equal(withStatus(answers, 200) + withStatus(answers, 429), 100);
    t.ok(upstream.seen.length <= fits, `${upstream.seen.length} were served at once`);
    const refusal = await until(
      "the rest is used",
      async () => {
        const { status, text } = await ask(gateway, key);
        return status === 429 && upstream.seen.length === fits && text;
      },
      IDLE_MS,
    );
    t.match(refusal, /Budget has been exceeded!/);
    const requests = await metric(gateway, "tollgate_requests_total");
    t.ok((requests["1"] ?? 0) > 0 && (requests["2"] ?? 0) > 0, `both have worked: ${JSON.stringify(requests)}`);
    const costs = Object.values(await metric(gateway, "tollgate_cost_usd_total"));
    t.equal(Math.round(costs.reduce((sum, cost) => sum + cost, 0) * 1e9), fits * BOUND, "the metrics add up");
    await stopWell(t, gateway);
    const { spent, unaccounted, leased, rows } = await charged(directory);
    t.same(
      { spent, unaccounted, leased, rows },
      { spent: BigInt(fits * BOUND), unaccounted: 0n, leased: 0n, rows: spent },
    );
  },
);

t.test("two workers share slots and a limit on requests exactly", async (t) => {
  const { upstream, directory, key } = await setUp(t);
  writeFileSync(
    join(directory, "rules", "all.rules"),
    "default allow\nlimit 3 concurrent by key\nlimit 10 requests per 1h by key\n",
  );
  const release = holdAnswers(upstream);
  const gateway = await spawnGateway(t, directory, TWO);
  const crowd = askMany(gateway, key, 20);
  await until("three are in flight", () => upstream.seen.length === 3);
  await until("the others are refused", async () => sum(await metric(gateway, "tollgate_errors_total")) === 17);
  release();
  t.equal(withStatus(await crowd, 200), 3);
  await until(
    "seven more are served",
    async () => {
      await ask(gateway, key);
      return upstream.seen.length === 10;
    },
    IDLE_MS,
  );
  t.equal(withStatus(await askMany(gateway, key, 20), 429), 20);
  t.equal(upstream.seen.length, 10);
  await stopWell(t, gateway);
});

const sum = (numbers: Record<string, number>): number => Object.values(numbers).reduce((all, one) => all + one, 0);

t.test("kill -9 of a worker: the other goes on, another takes its place, what it held is charged", async (t) => {
  const setting = await setUp(t);
  const { upstream, directory, key } = setting;
  const gateway = await spawnGateway(t, directory, TWO);
  t.equal(withStatus(await askMany(gateway, key, 4), 200), 4);
  const release = holdAnswers(upstream);
  const held = await askInTurn(gateway, setting, 4);
  const [victim, other] = (await workersOf(gateway)) as [WorkerFacts, WorkerFacts];
  process.kill(victim.pid, "SIGKILL");
  const lost = await until("it is told", () => gateway.logged().find(({ msg }) => /^a worker ended/.test(String(msg))));
  t.match(lost, { level: "error", worker: victim.worker, pid: victim.pid, signal: "SIGKILL" });
  const told = await until("the charge is told", () => gateway.logged().find(({ charged }) => charged !== undefined));
  t.match(told, { pid: victim.pid, msg: /charged as unaccounted/, charged: [{ amount: /^[1-9]\d*$/ }] });
  release();
  const ended = await Promise.allSettled(held);
  t.equal(
    ended.filter(({ status }) => status === "rejected").length,
    2,
    "those of the worker that died have broken off",
  );
  t.equal(ended.filter((one) => one.status === "fulfilled" && one.value.status === 200).length, 2);
  const now = await until(
    "another serves",
    async () => {
      const all = await workersOf(gateway);
      return all.length === 2 && all.every(({ ready }) => ready) && all;
    },
    IDLE_MS,
  );
  t.equal(now.find(({ worker }) => worker === other.worker)?.pid, other.pid);
  t.not(now.find(({ worker }) => worker === victim.worker)?.pid, victim.pid);
  t.equal(withStatus(await askMany(gateway, key, 4), 200), 4);
  t.same(Object.keys(await metric(gateway, "tollgate_requests_total")), ["1", "2"], "both serve");
  t.same(await metric(gateway, "tollgate_worker_restarts_total"), { 0: 1 });
  process.kill(other.pid, "SIGTERM");
  await until(
    "one that is told to end is replaced too",
    async () => {
      const all = await workersOf(gateway);
      return all.length === 2 && all.every(({ pid }) => pid !== other.pid);
    },
    IDLE_MS,
  );
  t.match(
    gateway.logged().find(({ pid, code }) => pid === other.pid && code !== undefined),
    { code: 0, signal: null },
  );
  await stopWell(t, gateway);
  const { spent, unaccounted, leased, rows } = await charged(directory);
  t.equal(leased, 0n);
  t.equal(spent - unaccounted, rows);
  t.ok(unaccounted >= BigInt(2 * BOUND), "what was in flight is charged in full");
});

t.test(
  "a reload reaches both: by the admin's route, by SIGHUP, and by the files alone; the log file is opened anew",
  async (t) => {
    const { directory, key } = await setUp(t, { log: { file: "gateway.log" } });
    const gateway = await spawnGateway(t, directory, TWO);
    const rules = join(directory, "rules", "all.rules");
    writeFileSync(rules, "default deny\n");
    const headers = { "x-admin-key": gateway.adminKey };
    const answer = await fetch(`${gateway.adminUrl}/-/reload`, { method: "POST", headers });
    const { hash, workers } = (await answer.json()) as { hash: string; workers: object[] };
    t.match(workers, [
      { worker: 1, ok: true, hash },
      { worker: 2, ok: true, hash },
    ]);
    t.equal(withStatus(await askMany(gateway, key, 6), 403), 6);

    writeFileSync(rules, "default deny\nnonsense\n");
    const broken = await fetch(`${gateway.adminUrl}/-/reload`, { method: "POST", headers });
    t.equal(broken.status, 422);
    t.match(await broken.json(), {
      ok: false,
      hash,
      workers: [
        { ok: false, hash },
        { ok: false, hash },
      ],
    });

    const log = join(directory, "gateway.log");
    renameSync(log, `${log}.1`);
    writeFileSync(rules, "default allow\n");
    gateway.child.kill("SIGHUP");
    await until("it is logged", () => existsSync(log) && readFileSync(log, "utf8").includes("rules read again"));
    t.equal(withStatus(await askMany(gateway, key, 6), 200), 6);
    await until("the new file has what both did", () =>
      [1, 2].every((worker) => new RegExp(`"worker":${worker},.*"msg":"request"`).test(readFileSync(log, "utf8"))),
    );

    writeFileSync(rules, "default deny\n");
    await until("both have seen it", async () => withStatus(await askMany(gateway, key, 6), 403) === 6);
    await stopWell(t, gateway);
    for (const line of readFileSync(log, "utf8").trimEnd().split("\n"))
      t.type(JSON.parse(line), Object, "a whole line");
  },
);

t.test("SIGTERM drains both: streams finish, what is new is refused, all is settled, exit code 0", async (t) => {
  const setting = await setUp(t);
  const { upstream, directory, key } = setting;
  upstream.answer = stream(chatEvents(["Hel", "lo!"]));
  const release = holdAnswers(upstream);
  const gateway = await spawnGateway(t, directory, TWO);
  const pids = (await workersOf(gateway)).map(({ pid }) => pid);
  const streams = await askInTurn(gateway, setting, 6, STREAMED);
  t.same(Object.values(await metric(gateway, "tollgate_requests_in_flight")).toSorted(), [0, 3, 3]);
  gateway.child.kill("SIGTERM");
  await until("it drains", async () => (await fetch(`${gateway.adminUrl}/readyz`)).status === 503);
  await until("there are no new connections", () =>
    ask(gateway, key).then(
      () => false,
      ({ code }) => code === "ECONNREFUSED",
    ),
  );
  t.equal(gateway.child.exitCode, null, "the streams keep it alive");
  release();
  for (const { text } of await Promise.all(streams)) t.match(text, /lo!.*data: \[DONE\]\n\n$/s);
  t.same(await gateway.ended, { code: 0, signal: null });
  t.ok(pids.every(isGone));
  const { spent, leased, rows } = await charged(directory);
  t.same({ spent, leased }, { spent: rows, leased: 0n });
  t.ok(spent > 0n);
});

t.test("a second SIGTERM ends all at once; kill -9 of the first process lets the workers drain and end", async (t) => {
  const { upstream, directory, key } = await setUp(t);
  const release = holdAnswers(upstream);
  const first = await spawnGateway(t, directory, TWO);
  const pids = (await workersOf(first)).map(({ pid }) => pid);
  const cut = askMany(first, key, 2);
  const seen = t.rejects(cut);
  await until("both are at the provider", () => upstream.seen.length === 2);
  first.child.kill("SIGTERM");
  await until("it drains", async () => (await fetch(`${first.adminUrl}/readyz`)).status === 503);
  first.child.kill("SIGTERM");
  t.same(await first.ended, { code: 1, signal: null });
  await seen;
  await until("the workers are gone", () => pids.every(isGone));

  const second = await spawnGateway(t, directory, TWO);
  const others = (await workersOf(second)).map(({ pid }) => pid);
  const finished = askMany(second, key, 2);
  await until("both are at the provider", () => upstream.seen.length === 4);
  second.child.kill("SIGKILL");
  await until("nobody listens", () =>
    ask(second, key).then(
      () => false,
      ({ code }) => code === "ECONNREFUSED",
    ),
  );
  t.notOk(others.some(isGone), "the workers finish what is under way");
  release();
  t.equal(withStatus(await finished, 200), 2);
  await until("the workers are gone", () => others.every(isGone), IDLE_MS);
});

t.test("what keeps one process from starting keeps several from it, in one message", async (t) => {
  const busy = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => busy.once("listening", resolve));
  t.teardown(() => busy.close());
  const { port } = busy.address() as AddressInfo;
  const taken = await setUp(t, { listen: `127.0.0.1:${port}`, workers: 2, log: { file: "gateway.log" } });
  const message = `the gateway ended at its start: tollgate: port ${port} on 127.0.0.1 is in use: stop what listens there, or set another address in the config\n`;
  await t.rejects(spawnGateway(t, taken.directory), { message });
  t.notMatch(readFileSync(join(taken.directory, "gateway.log"), "utf8"), /"level":"(?:error|warn)"/, "it is told once");
  const { directory } = await setUp(t);
  writeFileSync(join(directory, "rules", "all.rules"), "default allow\nnonsense\n");
  const error = await spawnGateway(t, directory, TWO).catch((error: Error) => error.message);
  t.equal(String(error).match(/the rules are broken/g)?.length, 1);
  await t.rejects(
    spawnGateway(t, directory, ["--workers", "0"]),
    /run: --workers takes a number from 1 to 64, not `0`/,
  );
});

t.test("all killed at once come back on the same port, and each that is killed after that too", async (t) => {
  const { directory, key } = await setUp(t);
  const gateway = await spawnGateway(t, directory, TWO);
  const both = async (without: readonly number[]): Promise<readonly number[]> =>
    until(
      "both serve",
      async () => {
        const pids = (await workersOf(gateway)).map(({ pid }) => pid);
        return pids.length === 2 && !pids.some((pid) => without.includes(pid)) && pids;
      },
      IDLE_MS,
    );
  const first = await both([]);
  for (const pid of first) process.kill(pid, "SIGKILL");
  await until("nobody serves", async () => (await fetch(`${gateway.adminUrl}/readyz`)).status === 503);
  t.match(await (await fetch(`${gateway.adminUrl}/readyz`)).json(), { reason: "no worker serves" });
  const second = await both(first);
  t.equal(withStatus(await askMany(gateway, key, 4), 200), 4);
  process.kill(second[0] as number, "SIGKILL");
  await both([...first, second[0] as number]);
  t.equal(withStatus(await askMany(gateway, key, 4), 200), 4);
  t.same(Object.keys(await metric(gateway, "tollgate_requests_total")).length, 2);
  await stopWell(t, gateway);
});

t.test(
  "a connection that was offered to a worker which dies before it takes it is closed, not left hanging",
  async (t) => {
    const { directory, key } = await setUp(t);
    const gateway = await spawnGateway(t, directory, TWO);
    const [stopped] = (await workersOf(gateway)) as [WorkerFacts, WorkerFacts];
    process.kill(stopped.pid, "SIGSTOP");
    const asks = Array.from({ length: 6 }, () => ask(gateway, key));
    let ended = 0;
    for (const one of asks) {
      one.then(
        () => (ended += 1),
        () => (ended += 1),
      );
    }
    await until("the other has answered", () => ended === 5, IDLE_MS);
    process.kill(stopped.pid, "SIGKILL");
    const all = await Promise.allSettled(asks);
    t.equal(all.filter((one) => one.status === "fulfilled" && one.value.status === 200).length, 5);
    t.match(
      all.find(({ status }) => status === "rejected"),
      { reason: { code: "ECONNRESET" } },
    );
    await stopWell(t, gateway);
  },
);
