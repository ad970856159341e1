// Rules that change while requests run, the ways to ask for it, and the health endpoints.
import { renameSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import t, { type Test } from "tap";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { type ScriptedUpstream, startUpstream } from "../support/upstream.ts";

const ADMIN_KEY = "adm-for-tests";
const HELLO = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 20 };
const ALLOW = "version 1\ndefault allow\n";
const DENY = `${ALLOW}deny model gpt-4o-mini as no-mini\n`;
const BROKEN = `${ALLOW}deny modle gpt-4o-mini\n`;
const CLIENTS = 60;
/** The next answer follows an edit within this. */
const FOLLOWS_MS = 10_000;

interface Setting {
  readonly gateway: TestGateway;
  readonly upstream: ScriptedUpstream;
  /** Replaces the rules as editors do. */
  edit(rules: string): void;
}

async function setUp(t: Test): Promise<Setting> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }];
  const config = { admin: { listen: "127.0.0.1:0", key: ADMIN_KEY } };
  const gateway = await startTestGateway(t, { providers, config, rules: { "all.rules": ALLOW } });
  const file = join(gateway.directory, "rules", "all.rules");
  const edit = (rules: string): void => {
    writeFileSync(`${file}.draft`, rules);
    renameSync(`${file}.draft`, file);
  };
  return { gateway, upstream, edit };
}

/** Clients that send one request after the other, each on a connection of its own. */
class Load {
  /** Each client's answers: a status each time that it changed. */
  readonly changes: (number | string)[][] = Array.from({ length: CLIENTS }, () => []);
  answers = 0;
  #stopped = false;
  readonly #running: Promise<unknown>;

  constructor(gateway: TestGateway) {
    this.#running = Promise.all(this.changes.map((changes) => this.#run(gateway, changes)));
  }

  async #run({ url, key }: TestGateway, changes: (number | string)[]): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let connections = 0;
    while (!this.#stopped) {
      const { status, reused } = await post(`${url}/v1/chat/completions`, key, agent);
      connections += reused ? 0 : 1;
      this.answers += 1;
      if (changes.at(-1) !== status) changes.push(status);
    }
    if (connections > 1) changes.push(`${connections} connections`);
    agent.destroy();
  }

  /** All clients' newest answers have this status. */
  async follows(status: number, withinMs = FOLLOWS_MS): Promise<void> {
    await until(`all are answered ${status}`, () => this.changes.every((seen) => seen.at(-1) === status), withinMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

function post(url: string, key: string, agent: Agent): Promise<{ status: number | string; reused: boolean }> {
  const body = JSON.stringify(HELLO);
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${key}`, "content-length": body.length };
    const req = request(url, { method: "POST", agent, headers }, (res) => {
      res.resume();
      res.once("end", () => resolve({ status: res.statusCode ?? 0, reused: req.reusedSocket }));
      res.once("error", (error) => resolve({ status: error.message, reused: req.reusedSocket }));
    });
    req.once("error", (error) => resolve({ status: error.message, reused: req.reusedSocket }));
    req.end(body);
  });
}

t.test("rules edited under load: the next answers follow, and no request fails", async (t) => {
  const { gateway, edit } = await setUp(t);
  const load = new Load(gateway);
  t.teardown(() => load.stop());
  await load.follows(200);
  for (const [rules, status] of [[DENY, 403] as const, [ALLOW, 200] as const, [DENY, 403] as const]) {
    edit(rules);
    await load.follows(status);
  }

  const generation = gateway.logged.findLast((line) => line.generation !== undefined)?.generation;
  const before = load.answers;
  edit(BROKEN);
  const line = await until(
    "the broken rules are logged",
    () => gateway.logged.find(({ report }) => report),
    FOLLOWS_MS,
  );
  t.match(line, { level: 50, generation, report: /unknown .*`modle`.*did you mean `model`/s });
  t.match(line.msg, /keeping generation \d/);
  await until("the set before serves on", () => load.answers > before + 10 * CLIENTS);
  edit(ALLOW);
  await load.follows(200);
  await load.stop();
  t.same(
    load.changes,
    Array(CLIENTS).fill([200, 403, 200, 403, 200]),
    "each client saw each edit once, and nothing else",
  );
  t.ok(load.answers > 20 * CLIENTS, `${load.answers} answers`);
});

t.test("reloadRules, which SIGHUP calls, has the rules in force when it is done", async (t) => {
  const { gateway, upstream, edit } = await setUp(t);
  edit(DENY);
  t.match(await gateway.reloadRules(), { ok: true, rules: 1 });
  t.equal((await gateway.chat(HELLO)).status, 403);
  edit(BROKEN);
  t.match(await gateway.reloadRules(), { ok: false, rules: 1, report: /`modle`/ });
  t.equal((await gateway.chat(HELLO)).status, 403, "the set before stays in force");
  t.same(upstream.seen, []);
});

t.test("POST /-/reload on the admin listener reads the rules, for whoever has the admin key", async (t) => {
  const { gateway, upstream, edit } = await setUp(t);
  const reload = (headers: Record<string, string>, method = "POST", path = "/-/reload"): Promise<Response> =>
    fetch(`${gateway.adminUrl}${path}`, { method, headers });
  edit(DENY);
  const strangers = [
    {},
    { authorization: `Bearer ${gateway.key}` },
    { "x-admin-key": "" },
    { "x-admin-key": "adm-guess" },
  ];
  for (const headers of strangers) {
    const refused = await reload(headers as Record<string, string>);
    t.equal(refused.status, 401);
    t.match(await refused.json(), { code: "invalid_api_key", detail: "The admin key is missing or wrong" });
  }
  const admin = { "x-admin-key": ADMIN_KEY };
  const done = await reload(admin);
  t.equal(done.status, 200);
  t.match(await done.json(), { ok: true, rules: 1, report: "" });
  t.equal((await gateway.chat(HELLO)).status, 403);
  edit(BROKEN);
  const broken = await reload({ authorization: `Bearer ${ADMIN_KEY}` });
  t.equal(broken.status, 422);
  t.match(await broken.json(), { ok: false, report: /rules\/all\.rules:3/ });
  const wrong = await reload(admin, "GET");
  t.equal(wrong.status, 405);
  t.equal(wrong.headers.get("allow"), "POST");
  t.equal((await reload(admin, "POST", "/-/nothing")).status, 404);
  const outside = await fetch(`${gateway.url}/-/reload`, { method: "POST", headers: admin });
  t.equal(outside.status, 404, "the data plane knows nothing of it");
  t.same(upstream.seen, []);
});

t.test("health is answered on both listeners, without a key and without asking a provider", async (t) => {
  const { gateway, upstream } = await setUp(t);
  for (const url of [gateway.url, gateway.adminUrl]) {
    for (const path of ["/livez", "/readyz", "/health"]) {
      const answer = await fetch(`${url}${path}`);
      t.equal(answer.status, 200, path);
      t.strictSame(await answer.json(), { status: "healthy" });
    }
    const verbose = await fetch(`${url}/readyz?verbose`);
    t.match(await verbose.json(), { status: "healthy", rules: { generation: 1 }, active_requests: 0 });
    const head = await fetch(`${url}/health`, { method: "HEAD" });
    t.equal(head.status, 200);
    t.equal(await head.text(), "");
  }
  t.same(upstream.seen, []);
});
