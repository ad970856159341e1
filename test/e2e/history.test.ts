// What is kept of requests and what is made of it: explained by id, replayed by other rules, counted by rule, scraped.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { tollgate } from "../support/cli.ts";
import { committed } from "../support/committed.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { startUpstream } from "../support/upstream.ts";

const RULES = `version 1
default allow
deny model gpt-4 when price > 10 unless role admin as dear because "Too dear"
shadow deny when stream as no-streams
warn when max_tokens > 1k as long
deny when header["x-env"] = prod as no-prod
deny model never as unused
`;
const ADMIN_KEY = "adm-for-tests-0001";

async function setUp(t: Test, config: object = {}): Promise<TestGateway> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }];
  const admin = { listen: "127.0.0.1:0", key: ADMIN_KEY };
  return startTestGateway(t, { providers, config: { admin, ...config }, rules: { "a.rules": RULES } });
}

/** Sends a request and tells its id. */
async function ask(gateway: TestGateway, body: object, headers: Record<string, string> = {}): Promise<string> {
  const messages = [{ role: "user", content: "Hi" }];
  const response = await gateway.chat({ model: "gpt-4o-mini", max_tokens: 20, messages, ...body }, headers);
  await response.text();
  // Nobody waits for the row of a refused request.
  await committed();
  return response.headers.get("x-request-id") ?? "";
}

/** Rules in a folder of their own, beside those in force. */
function candidate(gateway: TestGateway, text: string): string {
  mkdirSync(join(gateway.directory, "new"), { recursive: true });
  writeFileSync(join(gateway.directory, "new", "b.rules"), text);
  return "new";
}

t.test("a request is explained by its id, before and after the rules change", async (t) => {
  const gateway = await setUp(t);
  const run = (...argv: string[]) => tollgate(gateway.directory, ["explain", ...argv]);
  const denied = await ask(gateway, { model: "gpt-4" });
  const { stdout, code } = await run(denied);
  t.equal(code, 0);
  t.match(
    stdout,
    new RegExp(`^request ${denied}, received 20.*\nkey tester, asked for gpt-4: status 403 permission_denied`),
  );
  t.match(
    stdout,
    /\ndecided then: deny by dear\nby these rules \([0-9a-f]{12}\), which decide it so now:\n\ndeny: Too dear\n/,
  );
  t.match(stdout, /rules\/a\.rules:3 \(dear\) {2}deny model gpt-4 .*\n {4}yes {6}model gpt-4 {4}model is gpt-4\n/);
  t.match(stdout, /it would be allowed with\n {2}model /);

  const headers = { "x-env": "dev", "x-other": "y" };
  const long = await ask(gateway, { max_tokens: 2_000, stream: true, temperature: 0.5 }, headers);
  const json = JSON.parse((await run(long, "--json")).stdout);
  t.match(json, {
    request: { id: long, key: "tester", status: 200, model_requested: "gpt-4o-mini" },
    recorded: { effect: "allow", rule_ids: [], shadow_ids: ["no-streams"], warnings: ["long"], generation: 1 },
    same_rules: true,
    effect: "allow",
    targets: [{ provider: "openai", others: [{ id: "long" }, { id: "no-streams" }] }],
  });

  writeFileSync(
    join(gateway.directory, "rules", "a.rules"),
    'version 1\ndefault allow\ndeny when header["x-other"] = z as z\n',
  );
  const changed = (await run(long)).stdout;
  t.match(changed, /decided then: allow by default; shadow: no-streams; warnings: long\n/);
  t.match(
    changed,
    /the rules have changed since: by rules [0-9a-f]{12} \(generation 1\); the rules of now decide it otherwise:/,
  );
  t.match(
    changed,
    /unknown {2}header\["x-other"\] = z {2}header\["x-other"\] is unknown\n[\s\S]*\nunknown: header\["x-other"\]\n/,
  );
  t.match(await run("req_mi8w2k1f9c0d3e4a5b_1z"), {
    code: 1,
    stderr: /no request `req_mi8w2k1f9c0d3e4a5b_1z` that rules decided/,
  });
  t.match(await run("req_mine"), { code: 1 }, "an id that is not ours is looked for all the same");
});

t.test("a candidate is replayed over what the gateway recorded, while it runs", async (t) => {
  const gateway = await setUp(t);
  const run = (...argv: string[]) => tollgate(gateway.directory, ["rules", "replay", ...argv]);
  const first = candidate(gateway, "default allow\n");
  const denied = await ask(gateway, { model: "gpt-4" });
  for (let i = 0; i < 3; i += 1) await ask(gateway, { n: 2 });
  const long = await ask(gateway, { max_tokens: 5_000 });
  await gateway.chat({}, { authorization: "Bearer sk-nonsense" });
  t.match(await run(first), {
    code: 2,
    stderr: "5 requests replayed: 0 newly denied, 1 newly allowed, 4 unchanged, 0 undecidable\n",
  });
  t.same(await run("rules"), {
    code: 0,
    stdout:
      "RESULT         REQUESTS  RECORDED COST\nnewly denied          0\nnewly allowed         0\nundecidable           0\nunchanged             5\n",
    stderr: "5 requests replayed: 0 newly denied, 0 newly allowed, 5 unchanged, 0 undecidable\n",
  });
  const strict = candidate(
    gateway,
    'default allow\ndeny when n > 1 as one\ndeny when max_tokens > 4k and header["x-new"] = a as new\n',
  );
  const { stdout, code } = await run(strict, "--json");
  t.equal(code, 2);
  const found = JSON.parse(stdout);
  t.match(found, {
    requests: 5,
    unchanged: 0,
    newly_denied: {
      requests: 3,
      by_key: [{ key: "tester", team: "-", requests: 3 }],
      by_team: [{ team: "-", requests: 3 }],
      by_rule: [{ rule: "one", requests: 3 }],
      examples: [
        {
          key: "tester",
          model: "gpt-4o-mini",
          old: { effect: "allow", rule: null },
          new: { effect: "deny", rule: "one" },
        },
      ],
    },
    newly_allowed: { requests: 1, examples: [{ request_id: denied, old: { effect: "deny", rule: "dear" } }] },
    undecidable: {
      requests: 1,
      examples: [{ request_id: long, new: { effect: null }, missing: ['header["x-new"]'] }],
      missing: [{ attribute: 'header["x-new"]', requests: 1 }],
    },
  });
  const cost = gateway.store.requests.usage("key", 0)[0]?.costNanoUsd ?? 0n;
  t.ok(Number(found.newly_denied.cost_usd) > 0 && Number(found.newly_denied.cost_usd) * 1e9 < Number(cost));
  const text = (await run(strict)).stdout;
  t.match(text, /newly denied, by key\nKEY +TEAM +REQUESTS +RECORDED COST\ntester +- +3 +\$0\.\d+\n/);
  t.match(text, new RegExp(`${denied} +tester +gpt-4 +deny by dear +allow by new/b\\.rules:1\n`));
  t.match(text, /rests on header\["x-new"\]\n[\s\S]*not recorded\nATTRIBUTE +REQUESTS\nheader\["x-new"\] +1\n$/);
  t.match(await run("rules", "--limit", "2"), { code: 0, stderr: /^2 requests replayed/ });
  t.match(await run(first, "--since", "2999-01-01"), { code: 0, stderr: /^0 requests replayed/ });
});

t.test("what cannot be replayed is said clearly", async (t) => {
  const gateway = await setUp(t);
  const run = (...argv: string[]) => tollgate(gateway.directory, ["rules", "replay", ...argv]);
  t.match(await run(), { code: 64, stderr: /rules replay: NEW is missing/ });
  t.match(await run("nowhere"), { code: 64, stderr: /no such file or directory: `nowhere`/ });
  t.match(await run(candidate(gateway, "dney\n")), { code: 2, stderr: /E102/ });
  const good = candidate(gateway, "default allow\n");
  t.match(await run(good, "--limit", "0"), { code: 64, stderr: /--limit takes a whole number/ });
  t.match(await run(good, "--since", "yesterday"), { code: 64, stderr: /--since takes a duration/ });
  const empty = t.testdir({ rules: { "a.rules": RULES } });
  t.match(await tollgate(empty, ["rules", "replay", "rules"]), { code: 1, stderr: /there is no database yet/ });
  t.match(await tollgate(empty, ["explain", "req_x"]), { code: 1 });
  t.match(await tollgate(empty, ["rules", "list"]), { code: 0, stderr: "5 rules; no database, so no hits\n" });
});

t.test("rules are listed with their hits, and those that never matched", async (t) => {
  const gateway = await setUp(t);
  const run = (...argv: string[]) => tollgate(gateway.directory, ["rules", "list", ...argv]);
  await ask(gateway, { model: "gpt-4" });
  await ask(gateway, { model: "gpt-4" });
  await ask(gateway, { max_tokens: 2_000, stream: true });
  const { stdout, stderr } = await run();
  t.match(stdout, /^WHERE +ID +OWNER +HITS +LAST HIT +RULE\nrules\/a\.rules:3 +dear +2 +0s ago +deny model gpt-4/);
  t.match(stdout, /no-streams +1 +0s ago[\s\S]* long +1 [\s\S]* unused +0 +deny model never/);
  t.match(stderr, /^5 rules; hits since 20\d\d-\d\d-\d\d\n$/);
  t.match(JSON.parse((await run("--json")).stdout).rules, [
    { id: "dear", hits: 2, last_hit: /^20/ },
    { id: "no-streams", hits: 1 },
    { id: "long", hits: 1 },
    { id: "no-prod", hits: 0, last_hit: null },
    { id: "unused", hits: 0 },
  ]);
  const unused = await run("--unused");
  t.match(unused.stdout, /no-prod[\s\S]*unused/);
  t.notMatch(unused.stdout, /dear/);
  t.match(unused.stderr, /^2 unused rules/);
});

t.test("requests that limits and budgets counted or refused are their hits", async (t) => {
  const gateway = await setUp(t);
  const statements = "limit 2 requests per 1h as twice\nbudget $5 per day\nlimit 9 concurrent model never as idle\n";
  writeFileSync(join(gateway.directory, "rules", "a.rules"), `version 1\ndefault allow\n${statements}`);
  await gateway.reloadRules();
  for (let i = 0; i < 3; i += 1) await ask(gateway, {});
  const run = (...argv: string[]) => tollgate(gateway.directory, ["rules", "list", ...argv]);
  t.match(JSON.parse((await run("--json")).stdout).rules, [
    { effect: "limit", id: "twice", hits: 3, refused: 1, last_hit: /^20/ },
    { effect: "budget", hits: 2, refused: 0 },
    { effect: "limit", id: "idle", hits: 0, refused: 0, last_hit: null },
  ]);
  t.match((await run()).stdout, /HITS +REFUSED +LAST HIT[\s\S]*twice +3 +1 +0s ago +limit 2 requests per 1h/);
  t.match((await run("--unused")).stdout, /idle +0 +0 +limit 9 concurrent/);
  const refused = gateway.logged.filter(({ refused_by }) => refused_by !== undefined);
  t.match(refused, [{ refused_by: "twice", status: 429, error: "rate_limit_exceeded" }]);
});

t.test("header and metadata values are kept only where the config lets them be", async (t) => {
  const gateway = await setUp(t, { recording: { values: false } });
  const id = await ask(gateway, {}, { "x-env": "dev" });
  t.equal(gateway.store.requests.find(id, null)?.facts, '{"max":20}');
  t.match(
    (await tollgate(gateway.directory, ["explain", id])).stdout,
    /decided otherwise now, .* not recorded make a difference/,
  );
});

/** The scrape, by line without its value. */
async function scrape(gateway: TestGateway, headers: Record<string, string> = {}): Promise<Map<string, number>> {
  const response = await fetch(`${gateway.adminUrl}/metrics`, { headers });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text}`);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

t.test("the admin listener shows what was counted, to who has the key", async (t) => {
  const gateway = await setUp(t);
  await ask(gateway, { model: "gpt-4" });
  await ask(gateway, { max_tokens: 2_000 });
  await ask(gateway, { stream: true });
  await gateway.chat({}, { authorization: "Bearer sk-nonsense" });
  t.equal((await fetch(`${gateway.adminUrl}/metrics`)).status, 401);
  t.equal((await fetch(`${gateway.url}/metrics`)).status, 404, "the data plane has none");
  const auth = { authorization: `Bearer ${ADMIN_KEY}` };
  const found = await scrape(gateway, auth);
  const ready = (await (await fetch(`${gateway.adminUrl}/readyz?verbose`)).json()) as { rules: { hash: string } };
  const { hash } = ready.rules;
  t.match(hash, /^[0-9a-f]{12}$/);
  const wanted = {
    'tollgate_requests_total{provider="openai",model="gpt-4o-mini",status="2xx",decision="allow"}': 2,
    'tollgate_requests_total{provider="none",model="gpt-4",status="4xx",decision="deny"}': 1,
    'tollgate_requests_total{provider="none",model="none",status="4xx",decision="none"}': 2,
    'tollgate_errors_total{code="permission_denied"}': 1,
    'tollgate_errors_total{code="invalid_api_key"}': 1,
    'tollgate_rule_hits_total{rule="dear",kind="live"}': 1,
    'tollgate_rule_hits_total{rule="no-streams",kind="shadow"}': 1,
    'tollgate_rule_hits_total{rule="long",kind="warn"}': 1,
    'tollgate_tokens_total{provider="openai",model="gpt-4o-mini",kind="input"}': 20,
    'tollgate_request_duration_seconds_count{provider="openai"}': 2,
    'tollgate_request_duration_seconds_bucket{provider="openai",le="+Inf"}': 2,
    'tollgate_first_byte_seconds_count{provider="none"}': 0,
    [`tollgate_rules_info{generation="1",hash="${hash}"}`]: 1,
    'tollgate_rule_loads_total{result="ok"}': 1,
    tollgate_requests_in_flight: 0,
    tollgate_ready: 1,
    tollgate_unaccounted_usd_total: 0,
  };
  for (const [line, value] of Object.entries(wanted)) t.equal(found.get(line), value, line);
  const usd = Number(gateway.store.requests.usage("key", 0)[0]?.costNanoUsd) / 1e9;
  t.equal(found.get('tollgate_cost_usd_total{provider="openai",model="gpt-4o-mini"}'), usd);
  writeFileSync(join(gateway.directory, "rules", "a.rules"), "dney\n");
  t.equal((await gateway.reloadRules()).ok, false);
  t.equal((await scrape(gateway, auth)).get('tollgate_rule_loads_total{result="failed"}'), 1);
});

t.test("the scrape may be open, and then nothing else is", async (t) => {
  const gateway = await setUp(t, { admin: { listen: "127.0.0.1:0", key: ADMIN_KEY, open_metrics: true } });
  t.equal((await scrape(gateway)).get("tollgate_ready"), 1);
  t.equal((await fetch(`${gateway.adminUrl}/-/reload`, { method: "POST" })).status, 401);
  t.equal((await fetch(`${gateway.adminUrl}/metrics/../-/reload`, { method: "POST" })).status, 401);
});

t.test("a plugin's metrics that fail are logged, and the others served", async (t) => {
  const file = join(import.meta.dirname, "../support/plugins/failing-metrics.ts");
  const gateway = await setUp(t, {
    plugins: ["auth", "iam", file],
    admin: { listen: "127.0.0.1:0", key: ADMIN_KEY, open_metrics: true },
  });
  const found = await scrape(gateway);
  t.equal(found.get("tollgate_ready"), 1);
  t.ok(
    gateway.logged.some(({ msg, source }) => msg === "metrics could not be collected" && source === "failing-metrics"),
  );
});
