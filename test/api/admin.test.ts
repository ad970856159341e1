// The HTTP API: declared routes served, checked, documented; and the gateway's own over real accounts.
import t, { type Test } from "tap";
import { Throttle } from "../../src/api/throttle.ts";
import { GatewayError } from "../../src/errors.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { sendRaw } from "../support/raw.ts";
import { startUpstream } from "../support/upstream.ts";

const ADMIN_KEY = "adm-of-this-test";

type Json = Record<string, unknown>;

/** One answer. */
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Json;
}

interface Rig {
  readonly gateway: TestGateway;
  /** Asks as the admin, or with another credential. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

async function setUp(t: Test): Promise<Rig> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const gateway = await startTestGateway(t, {
    providers: [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }],
    config: { admin: { listen: "127.0.0.1:0", key: ADMIN_KEY } },
  });
  const ask: Rig["ask"] = async (method, path, body, headers = { "x-admin-key": ADMIN_KEY }) => {
    const sent = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
    const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
    const answer = await fetch(`${gateway.adminUrl}${path}`, { method, headers: { ...type, ...headers }, ...sent });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, json: text === "" ? {} : (JSON.parse(text) as Json) };
  };
  return { gateway, ask };
}

const bearer = (key: unknown): Record<string, string> => ({ authorization: `Bearer ${key}` });

t.test("an object is made, listed, shown, changed and deleted; unchanged fields change nothing", async (t) => {
  const { ask } = await setUp(t);
  const made = await ask("POST", "/-/teams", { id: "ml", alias: "ML", budgets: [{ limit_usd: 5, window: "month" }] });
  t.match(made, { status: 201, json: { id: "ml", alias: "ML", budgets: [{ limit_usd: "5", window: "month" }] } });
  t.match((await ask("GET", "/-/teams")).json, { items: [{ id: "ml" }], next: null });
  const shown = await ask("GET", "/-/teams/ML");
  t.strictSame(shown.json, made.json);
  const same = await ask("PATCH", "/-/teams/ml", { alias: "ML", budgets: [{ limit_usd: "5.0", window: "month" }] });
  t.equal(same.headers.get("etag"), shown.headers.get("etag"), "nothing was written");
  const changed = await ask("PATCH", "/-/teams/ml", { budgets: null, status: "suspended" });
  t.match(changed.json, { budgets: [], status: "suspended" });
  t.equal((await ask("DELETE", "/-/teams/ml")).status, 204);
  t.match(await ask("GET", "/-/teams/ml"), { status: 404, json: { code: "not_found" } });
  const { json } = await ask("GET", "/-/audit?object=ml");
  t.same(
    (json.items as Json[]).map(({ action, field, actor }) => [action, field, actor]),
    [
      ["create", null, "master"],
      ["update", "budgets", "master"],
      ["update", "status", "master"],
      ["delete", null, "master"],
    ],
  );
});

t.test("a lost update is refused: the second of two changes made on one version answers 412", async (t) => {
  const { ask } = await setUp(t);
  await ask("POST", "/-/users", { id: "ann", alias: "Ann" });
  const etag = (await ask("GET", "/-/users/ann")).headers.get("etag") ?? "";
  const on = { "x-admin-key": ADMIN_KEY, "if-match": etag };
  const first = await ask("PATCH", "/-/users/ann", { rpm_limit: 5 }, on);
  t.equal(first.status, 200);
  t.match(await ask("PATCH", "/-/users/ann", { rpm_limit: 9 }, on), { status: 412, json: { code: "outdated" } });
  t.match(await ask("DELETE", "/-/users/ann", undefined, on), { status: 412 });
  t.match((await ask("GET", "/-/users/ann")).json, { rpm_limit: 5 }, "nothing is lost");
  const odd = { "x-admin-key": ADMIN_KEY, "if-match": "W/yesterday" };
  t.match(await ask("PATCH", "/-/users/ann", {}, odd), { status: 400, json: { field: "if-match" } });
});

t.test("a key's secret is shown once, works at once, and is replaced with a grace period", async (t) => {
  const { gateway, ask } = await setUp(t);
  const made = await ask("POST", "/-/keys", { alias: "bot" });
  const { key } = made.json;
  t.match(key, /^sk-\w{40}$/);
  const hello = { model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] };
  t.equal((await gateway.chat(hello, bearer(key))).status, 200);
  t.notOk(JSON.stringify((await ask("GET", "/-/keys/bot")).json).includes(String(key)));
  const rotated = await ask("POST", "/-/keys/bot/rotate", { grace_period: "1h" });
  t.equal((await gateway.chat(hello, bearer(key))).status, 200, "in its grace period");
  t.equal((await gateway.chat(hello, bearer(rotated.json.key))).status, 200);
  t.equal((await ask("POST", "/-/keys/bot/rotate")).status, 200, "without a body: no grace");
  t.equal((await gateway.chat(hello, bearer(key))).status, 401);
  t.equal((await gateway.chat(hello, bearer(rotated.json.key))).status, 401);
  await ask("PATCH", "/-/keys/bot", { status: "disabled" });
  t.notOk(JSON.stringify(gateway.logged).includes(String(key).slice(7)), "no secret in the log");
});

t.test("a virtual key has its owner's rights and no more, and what it may not see is not there", async (t) => {
  const { ask } = await setUp(t);
  await ask("POST", "/-/users", { id: "ann", alias: "Ann" });
  await ask("POST", "/-/users", { id: "bob", alias: "Bob" });
  const ann = bearer((await ask("POST", "/-/keys", { alias: "ann-1", user_id: "ann" })).json.key);
  const bobs = await ask("POST", "/-/keys", { alias: "bob-1", user_id: "bob" });
  t.match((await ask("GET", "/-/keys", undefined, ann)).json, { items: [{ alias: "ann-1" }] });
  const stranger = await ask("GET", `/-/keys/${bobs.json.id}`, undefined, ann);
  const nobody = await ask("GET", "/-/keys/key_that_is_not_there", undefined, ann);
  t.equal(stranger.status, 404);
  t.equal(stranger.json.detail, nobody.json.detail);
  t.match(await ask("POST", "/-/teams", { alias: "mine" }, ann), { status: 403, json: { code: "not_permitted" } });
  t.match(await ask("GET", "/-/audit", undefined, ann), { status: 403 });
  t.match(await ask("GET", "/-/usage", undefined, ann), { status: 401 });
  t.match(await ask("POST", "/-/reload", undefined, ann), { status: 401 });
  const narrow = await ask("POST", "/-/keys", { alias: "ann-llm", user_id: "ann", key_type: "llm_api" });
  t.match(await ask("GET", "/-/keys", undefined, bearer(narrow.json.key)), {
    status: 403,
    json: { detail: /Only allowed to call routes: \['llm_api_routes'\]. Tried to call route: \/-\/keys/ },
  });
});

t.test("a key that is bound to addresses manages nothing from elsewhere", async (t) => {
  const { ask } = await setUp(t);
  await ask("POST", "/-/orgs", { id: "acme", alias: "acme" });
  await ask("POST", "/-/teams", { id: "ml", alias: "ml", org_id: "acme" });
  const key = bearer((await ask("POST", "/-/keys", { alias: "k", team_id: "ml" })).json.key);
  const bind = (path: string, ranges: readonly string[]) => ask("PATCH", path, { ip_ranges: ranges });
  const status = async (): Promise<number> => (await ask("GET", "/-/keys", undefined, key)).status;
  t.equal(await status(), 200);
  for (const path of ["/-/keys/k", "/-/teams/ml", "/-/orgs/acme"]) {
    await bind(path, ["10.0.0.0/8", "2001:db8::/32"]);
    t.equal(await status(), 403, path);
    await bind(path, ["10.0.0.0/8", "127.0.0.1"]);
    t.equal(await status(), 200, path);
  }
});

t.test("a key that IAM rules bind to addresses manages nothing from elsewhere, the rules neither", async (t) => {
  const { ask } = await setUp(t);
  await ask("POST", "/-/orgs", { id: "acme", alias: "acme" });
  await ask("POST", "/-/teams", { id: "ml", alias: "ml", org_id: "acme" });
  const key = bearer((await ask("POST", "/-/keys", { alias: "k", team_id: "ml" })).json.key);
  const bind = async (path: string, ruleType: string, ipCidrs: readonly string[]) =>
    ((await ask("POST", `${path}/iam`, { ruleType, ruleValue: { ipCidrs } })).json.rule as Json).id;
  const status = async (): Promise<number> => (await ask("GET", "/-/keys", undefined, key)).status;
  for (const path of ["/keys/api/k", "/projects/ml", "/orgs/acme"]) {
    const elsewhere = await bind(path, "allow_ip_cidrs", ["10.0.0.0/8", "2001:db8::/32"]);
    t.equal(await status(), 403, path);
    await bind(path, "allow_ip_cidrs", ["127.0.0.1"]);
    t.equal(await status(), 200, "one of several that allow");
    await ask("DELETE", `${path}/iam/${elsewhere}`);
    const denying = await bind(path, "deny_ip_cidrs", ["127.0.0.0/8"]);
    t.equal(await status(), 403, path);
    await ask("PATCH", `${path}/iam/${denying}`, { status: "inactive" });
    t.equal(await status(), 200, path);
  }
});

t.test("an owner's own list of addresses is no alternative to an admin's", async (t) => {
  const { ask } = await setUp(t);
  await ask("POST", "/-/users", { id: "ann" });
  const key = bearer((await ask("POST", "/-/keys", { alias: "k", user_id: "ann" })).json.key);
  const other = bearer((await ask("POST", "/-/keys", { alias: "other", user_id: "ann" })).json.key);
  const allow = (ipCidrs: readonly string[], as?: Record<string, string>) =>
    ask("POST", "/keys/api/k/iam", { ruleType: "allow_ip_cidrs", ruleValue: { ipCidrs } }, as);
  await allow(["10.0.0.0/8"]);
  t.equal((await allow(["127.0.0.1"], other)).status, 201);
  t.equal((await ask("GET", "/-/keys", undefined, key)).status, 403);
});

t.test("virtual keys on the admin key's routes are refused, and lock nobody of the address out", async (t) => {
  const { ask } = await setUp(t);
  const key = bearer((await ask("POST", "/-/keys", { alias: "k" })).json.key);
  const fresh = bearer((await ask("POST", "/-/keys", { alias: "fresh" })).json.key);
  for (let i = 0; i < 25; i += 1) t.equal((await ask("GET", "/-/usage", undefined, key)).status, 401);
  t.equal((await ask("GET", "/-/keys", undefined, fresh)).status, 200, "one that was not seen before");
});

t.test("a list of keys narrowed by team and by user has those that are both", async (t) => {
  const { ask } = await setUp(t);
  for (const id of ["ann", "bob"]) await ask("POST", "/-/users", { id });
  await ask("POST", "/-/teams", { id: "ml" });
  for (const [alias, user_id, team_id] of [
    ["ann-ml", "ann", "ml"],
    ["bob-ml", "bob", "ml"],
    ["ann", "ann", null],
  ]) {
    await ask("POST", "/-/keys", { alias, user_id, team_id });
  }
  const listed = async (query: string) =>
    ((await ask("GET", `/-/keys?${query}`)).json.items as Json[]).map(({ alias }) => alias);
  t.same(await listed("team=ml"), ["ann-ml", "bob-ml"]);
  t.same(await listed("user=ann"), ["ann-ml", "ann"]);
  t.same(await listed("team=ml&user=ann"), ["ann-ml"]);
});

t.test("an alias cannot be emptied, and a key made with an empty one has its own", async (t) => {
  const { ask } = await setUp(t);
  await ask("POST", "/-/orgs", { id: "acme" });
  await ask("POST", "/-/teams", { id: "ml" });
  await ask("POST", "/-/users", { id: "ann" });
  const made = await ask("POST", "/-/keys", { alias: "" });
  t.match(made, { status: 201, json: { alias: /^sk-/ } });
  for (const path of ["/-/orgs/acme", "/-/teams/ml", "/-/users/ann", `/-/keys/${made.json.id}`]) {
    for (const alias of ["", null]) {
      t.match(await ask("PATCH", path, { alias }), {
        status: 400,
        json: { detail: "`alias` is missing", field: "alias" },
      });
    }
  }
});

t.test("members of teams and organisations are added, listed and removed", async (t) => {
  const { gateway, ask } = await setUp(t);
  await ask("POST", "/-/users", { id: "ann", alias: "Ann Lee/QA" });
  await ask("POST", "/-/teams", { id: "ml", alias: "ml" });
  const put = await ask("PUT", "/-/teams/ml/members/Ann%20Lee%2FQA", { role: "admin" });
  t.match(put, { status: 200, json: { user: "ann", role: "admin" } }, "an alias with a blank and a slash");
  t.match((await ask("GET", "/-/teams/ml/members")).json, { items: [{ user: "ann" }], next: null });
  const ann = bearer((await ask("POST", "/-/keys", { alias: "a", user_id: "ann" })).json.key);
  t.match((await ask("GET", "/-/teams", undefined, ann)).json, { items: [{ id: "ml" }] });
  const own = await ask("POST", "/-/keys", { alias: "ann-ml", user_id: "ann", team_id: "ml" });
  const hello = { model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] };
  t.equal((await gateway.chat(hello, bearer(own.json.key))).status, 200);
  t.equal((await ask("DELETE", "/-/teams/ml/members/ann", undefined, ann)).status, 204);
  t.equal((await gateway.chat(hello, bearer(own.json.key))).status, 401, "its key of that team is disabled");
  t.match((await ask("GET", "/-/teams", undefined, ann)).json, { items: [] });
});

t.test("bad input is told clearly, and nothing is changed", async (t) => {
  const { ask } = await setUp(t);
  const refuse = async (method: string, path: string, body: unknown, status: number, json: object): Promise<void> => {
    t.match(await ask(method, path, body), { status, json }, `${method} ${path} ${JSON.stringify(body)}`);
  };
  await refuse("POST", "/-/keys", { alais: "x" }, 400, { field: "alais", detail: /did you mean `alias`/ });
  await refuse("POST", "/-/keys", { budgets: [{ limit: 5 }] }, 400, { field: "budgets.0.limit_usd" });
  await refuse("POST", "/-/keys", { alias: 5 }, 400, { field: "alias" });
  await refuse("POST", "/-/keys", [], 400, { code: "invalid_request" });
  await refuse("POST", "/-/keys", '{"alias":', 400, { code: "invalid_json" });
  const nested = (depth: number): string =>
    `{"alias":"deep","metadata":${'{"a":'.repeat(depth - 1)}1${"}".repeat(depth)}`;
  await refuse("POST", "/-/keys", nested(101), 400, { detail: "The body nests more than 100 deep" });
  await refuse("POST", "/-/keys", nested(50_000), 400, { detail: "The body nests more than 100 deep" });
  t.equal((await ask("DELETE", `/-/keys/${(await ask("POST", "/-/keys", nested(100))).json.id}`)).status, 204);
  await refuse("POST", "/-/keys", { alias: "r", rules: "deny modle x" }, 400, {
    field: "rules",
    detail: /did you mean/,
  });
  await refuse("POST", "/-/keys", { alias: "r", expires: "tomorrow" }, 400, { field: "expires" });
  await refuse("POST", "/-/teams", {}, 400, { field: "alias" });
  await refuse("POST", "/-/teams", undefined, 400, { detail: /needs a JSON body/ });
  await refuse("GET", "/-/keys?limit=0", undefined, 400, { field: "limit" });
  await refuse("GET", "/-/keys?limit=1001", undefined, 400, { field: "limit" });
  await refuse("GET", "/-/keys?limit=1&limit=2", undefined, 400, { field: "limit", detail: /twice/ });
  await refuse("GET", "/-/keys?lmit=1", undefined, 400, { field: "lmit", detail: /did you mean `limit`/ });
  await refuse("GET", "/-/groups?team=x", undefined, 400, { field: "team" });
  await refuse("GET", "/-/nothing", undefined, 404, { code: "not_found" });
  await refuse("PUT", "/-/keys", {}, 405, { detail: "/-/keys takes GET, POST" });
  await ask("POST", "/-/teams", { id: "ml", alias: "ml" });
  await refuse("POST", "/-/teams", { alias: "ml" }, 409, { code: "taken" });
  const plain = { "x-admin-key": ADMIN_KEY, "content-type": "text/plain" };
  t.match(await ask("POST", "/-/teams", { alias: "other" }, plain), { status: 415 });
  t.match((await ask("GET", "/-/teams")).json, { items: [{ id: "ml" }] });
  t.match((await ask("GET", "/-/keys")).json, { items: [{ alias: "tester" }] });
});

t.test("a body beyond the limit and a path with two readings are refused", async (t) => {
  const { gateway, ask } = await setUp(t);
  const large = await ask("POST", "/-/teams", { alias: "x", metadata: { a: "x".repeat(11_000_000) } });
  t.match(large, { status: 413, json: { code: "request_too_large" } });
  const head = `Host: x\r\nX-Admin-Key: ${ADMIN_KEY}\r\nConnection: close\r\n\r\n`;
  for (const target of ["/-/x/../keys", "/-/x/%2e%2e/keys", "//-/keys", "/-\\keys", "http://h/-/keys", "/-/%ff"]) {
    const answer = await sendRaw(gateway.adminUrl, `GET ${target} HTTP/1.1\r\n${head}`);
    t.match(answer, /^HTTP\/1\.1 404 /, target);
  }
});

t.test("the two kinds of credentials open their own doors only", async (t) => {
  const { gateway, ask } = await setUp(t);
  const wrong = [{}, { "x-admin-key": "adm-guess" }, bearer("adm-guess"), { "x-admin-key": gateway.key }];
  for (const headers of wrong) t.equal((await ask("GET", "/-/usage", undefined, headers as never)).status, 401);
  t.equal((await ask("GET", "/-/usage", undefined, bearer(ADMIN_KEY))).status, 200);
  const outside = await fetch(`${gateway.url}/v1/models`, { headers: bearer(ADMIN_KEY) });
  t.equal(outside.status, 401);
  t.equal(
    (await fetch(`${gateway.url}/-/keys`, { headers: bearer(gateway.key) })).status,
    404,
    "not on the data plane",
  );
});

t.test("whoever guesses credentials is slowed down, and nobody else", async (t) => {
  let nowMs = 0;
  const throttle = new Throttle(() => nowMs);
  const refused = (ip: string, credential: string): number => {
    try {
      throttle.assertMayTry(ip, credential);
      return 0;
    } catch (error) {
      return error instanceof GatewayError ? (error.details.retryAfterSeconds ?? 0) : Number.NaN;
    }
  };
  throttle.good("1.1.1.1", "real");
  for (let n = 0; n < 20; n += 1) {
    t.equal(refused("1.1.1.1", `guess ${n}`), 0);
    throttle.wrong("1.1.1.1", `guess ${n}`);
  }
  nowMs = 10_000;
  t.equal(refused("1.1.1.1", "guess 20"), 50, "until the minute is over");
  t.equal(refused("1.1.1.1", "real"), 0, "one that was good lately");
  t.equal(refused("2.2.2.2", "real"), 0, "another address");
  nowMs = 60_000;
  t.equal(refused("1.1.1.1", "guess 20"), 0);
});

t.test("wrong admin keys from one address answer 429 with retry-after", async (t) => {
  const { ask } = await setUp(t);
  t.equal((await ask("GET", "/-/usage")).status, 200);
  for (let n = 0; n < 20; n += 1) await ask("GET", "/-/usage", undefined, bearer(`adm-${n}`));
  const late = await ask("GET", "/-/usage", undefined, bearer("adm-20"));
  t.match(late, { status: 429, json: { code: "rate_limit_exceeded" } });
  t.ok(Number(late.headers.get("retry-after")) > 0);
  t.equal((await ask("GET", "/-/usage")).status, 200, "the right one is still taken");
});

t.test(
  "the document lists every route with its shapes, and the page shows it without anything from elsewhere",
  async (t) => {
    const { gateway } = await setUp(t);
    const document = (await (await fetch(`${gateway.adminUrl}/openapi.json`)).json()) as {
      openapi: string;
      paths: Record<string, Record<string, { operationId: string; parameters: Json[]; responses: Json }>>;
    };
    t.equal(document.openapi, "3.1.0");
    t.match(document.paths["/-/keys"]?.post, { operationId: "createKey", requestBody: { required: true } });
    t.match(document.paths["/-/keys/{id}"]?.get?.parameters, [{ name: "id", in: "path", required: true }]);
    const ids = Object.values(document.paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    );
    t.equal(new Set(ids).size, ids.length);
    const page = await fetch(`${gateway.adminUrl}/docs`);
    const html = await page.text();
    for (const id of ids) t.ok(html.includes(`id="${id}"`), id);
    t.match(
      html,
      /<code>budgets\[\]\.limit_usd<\/code><\/td><td>text or number<\/td><td>US dollars/,
      "fields of fields",
    );
    t.match(html, /<code>expires<\/code> <span class="quiet">optional<\/span><\/td><td>moment \(ISO 8601\) or null/);
    t.notMatch(html, /<script|src=|href="http/);
    t.match(page.headers.get("content-security-policy"), /default-src 'none'/);
  },
);
