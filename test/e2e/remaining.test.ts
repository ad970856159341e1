// What is left of budgets and limits: asked over HTTP on both planes, and on the command line.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { Actor } from "../../src/accounts/caller.ts";
import { Keys } from "../../src/accounts/keys.ts";
import { Accounts } from "../../src/accounts/service.ts";
import type { LimitJson, LimitsJson } from "../../src/limits.ts";
import { tollgate } from "../support/cli.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { CHAT_ANSWER, json, startUpstream } from "../support/upstream.ts";

const master: Actor = { kind: "master" };
const ADMIN_KEY = "adm-of-this-test";
const BODY = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 20 };
/** The scripted answer's 10 input and 5 output tokens of gpt-4o-mini: $0.0000045. */
const COST = "0.0000045";

const RULES = `version 1
default allow
limit 100 requests per 1m by key as rate
limit 1M tokens per 1h by team model gpt-4o* as tokens
limit 4 concurrent by header["x-user"] as users
budget $9 per day by model as models
for team spies {
  budget $1 per day
}
budget $2 per month when stream as streams
for key other {
  limit 1 requests per 1h
}
`;

interface Rig {
  readonly gateway: TestGateway;
  readonly accounts: Accounts;
  /** The secret of key `app`, of team ml and user ann. */
  readonly secret: string;
  readonly keys: Keys;
  get(
    path: string,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: LimitsJson & { detail?: string } }>;
}

async function setUp(t: Test): Promise<Rig> {
  const upstream = await startUpstream(json(CHAT_ANSWER));
  t.teardown(() => upstream.close());
  const gateway = await startTestGateway(t, {
    providers: [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }],
    config: { admin: { listen: "127.0.0.1:0", key: ADMIN_KEY } },
    rules: { "a.rules": RULES },
  });
  const accounts = new Accounts({ directory: gateway.store.directory, checkRules: () => undefined });
  const keys = new Keys({ accounts, pepper: gateway.pepper, nowMs: Date.now });
  await accounts.create(master, "org", { id: "acme", fields: { budgets: [{ limitUsd: "500", window: "month" }] } });
  await accounts.create(master, "team", {
    id: "ml",
    fields: {
      alias: "ML",
      orgId: "acme",
      budgets: [{ limitUsd: "5", window: "30d" }],
      softBudgetUsd: "4",
      tpmLimit: 9_000,
    },
  });
  await accounts.create(master, "user", { id: "ann", fields: { softBudgetUsd: "3" } });
  const { secret } = await keys.create(master, {
    ...{ alias: "app", teamId: "ml", userId: "ann", budgets: [{ limitUsd: "1", window: "day" }] },
    ...{ tempBudgetIncreaseUsd: "2", tempBudgetExpiresMs: Date.UTC(2099, 0, 1) },
    modelBudgets: { "gpt-4o": { limitUsd: "7", window: "month" } },
  });
  const get: Rig["get"] = async (path, headers = { "x-admin-key": ADMIN_KEY }) => {
    const answer = await fetch(path.startsWith("http") ? path : `${gateway.adminUrl}${path}`, { headers });
    return { status: answer.status, body: (await answer.json()) as LimitsJson };
  };
  return { gateway, accounts, secret, keys, get };
}

const bearer = (secret: string): Record<string, string> => ({ authorization: `Bearer ${secret}` });

/** By the rule's id, or what it is of. */
const find = ({ limits }: LimitsJson, name: string): LimitJson | undefined =>
  limits.find(({ rule, scope, alias }) => rule === name || `${scope} ${alias}` === name);

t.test("a key is told every budget and limit that its requests are held to", async (t) => {
  const { gateway, secret, get } = await setUp(t);
  const before = await get(`${gateway.url}/-/limits`, bearer(secret));
  t.equal(before.status, 200, "on the data plane");
  t.match(before.body, { kind: "key", alias: "app" });
  t.match(find(before.body, "key app"), {
    ...{ kind: "budget", label: "key app's daily budget", unit: "usd", limit: "3", spent: "0", remaining: "3" },
    ...{ window: "day", resets_at: /T00:00:00\.000Z$/, raise: { amount: "2", until: "2099-01-01T00:00:00.000Z" } },
  });
  t.match(find(before.body, "team ML"), { limit: "5", window: "30d", soft_limit: "4", raise: null });
  t.match(find(before.body, "user ann"), {
    limit: null,
    spent: "0",
    remaining: null,
    window: "total",
    soft_limit: "3",
  });
  t.match(find(before.body, "org acme"), { limit: "500", window: "month" });
  t.match(find(before.body, "rate"), {
    ...{ kind: "limit", unit: "requests", limit: "100", spent: "0", remaining: "100", window: "last 1m", models: null },
    ...{ label: "limit 100 requests per 1m for key app", text: "limit 100 requests per 1m by key as rate" },
  });
  const tokens = find(before.body, "tokens");
  t.match(tokens, { limit: "1000000", label: /for team ML$/, sometimes: false });
  t.ok(tokens?.models?.includes("gpt-4o") && !tokens.models.includes("o3"));
  t.match(find(before.body, "users"), {
    counted_by: ['header["x-user"]'],
    spent: null,
    limit: null,
    window: "in flight",
  });
  t.match(find(before.body, "streams"), { sometimes: true, window: "month", limit: "2" });
  t.equal(find(before.body, "models"), undefined, "of models nothing was used yet");
  t.match(find(before.body, "team:ML:account-tpm"), { unit: "tokens", limit: "9000", window: "last 1m" });
  t.match(
    before.body.limits.find(({ rule }) => rule?.startsWith("key:app:account-budget")),
    { models: ["gpt-4o"], limit: "7", window: "month" },
  );
  t.notOk(
    before.body.limits.some(({ text }) => /\$1 per day|1 requests per 1h/.test(text ?? "")),
    "others' are theirs",
  );

  t.equal((await gateway.chat(BODY, bearer(secret))).status, 200);
  const { body: after } = await get("/-/limits", bearer(secret));
  t.match(find(after, "key app"), { spent: COST, reserved: "0", remaining: "2.9999955" });
  t.match(find(after, "org acme"), { spent: COST, reserved: "0" });
  t.match(find(after, "user ann"), { spent: COST });
  t.match(find(after, "rate"), { spent: "1", remaining: "99", resets_at: /^20/ });
  t.match(find(after, "tokens"), { spent: "15", remaining: "999985" });
  t.match(find(after, "models"), { models: ["gpt-4o-mini"], spent: COST, limit: "9" });
  for (const { limit, spent, reserved, remaining } of after.limits) {
    if (limit === null) continue;
    const sum = Number(spent) + Number(reserved) + Number(remaining);
    t.ok(Math.abs(sum - Number(limit)) < 1e-12, "spent + reserved + remaining = limit");
  }
});

t.test("an admin may ask of any object, others of what they may see", async (t) => {
  const { gateway, secret, get, keys } = await setUp(t);
  await gateway.chat(BODY, bearer(secret));
  const { body: team } = await get("/-/limits?team=ML");
  t.match(team, { kind: "team", id: "ml", alias: "ML" });
  t.match(find(team, "team ML"), { spent: COST });
  t.match(find(team, "org acme"), { limit: "500" });
  t.match(find(team, "tokens"), { spent: "15", label: /for team ML$/ });
  t.equal(find(team, "rate"), undefined, "what counts keys apart is the keys'");
  t.match((await get("/-/limits?org=acme")).body.limits[0], { scope: "org", spent: COST });
  t.match((await get("/-/limits?user=ann")).body.limits[0], { scope: "user", spent: COST, limit: null });
  t.match(await get("/-/limits"), { status: 400, body: { detail: /^Name a key/ } });
  t.match(await get("/-/limits?key=app&team=ML"), { status: 400 });
  t.match(await get("/-/limits?team=nobody"), { status: 404 });
  t.match(await get("/-/limits?teem=ML"), { status: 400 });
  t.match(await get("/-/limits", {}), { status: 401 });
  const { secret: other } = await keys.create(master, { alias: "other" });
  t.match(await get("/-/limits?key=app", bearer(other)), { status: 404 });
  t.match(await get("/-/limits?team=ml", bearer(other)), { status: 404 });
  t.match(await get("/-/limits?team=ml", bearer(secret)), { status: 200 }, "its own team's");
  const own = await get("/-/limits", bearer(other));
  t.ok(own.body.limits.some(({ text }) => text?.includes("limit 1 requests per 1h")));
  const { secret: caller } = await keys.create(master, { keyType: "llm_api" });
  t.equal((await get(`${gateway.url}/-/limits`, bearer(caller))).status, 200, "a key that only calls models too");
});

t.test("the command says the same, beside the gateway", async (t) => {
  const { gateway, secret, get, accounts } = await setUp(t);
  await gateway.chat(BODY, bearer(secret));
  const run = (...argv: string[]) => tollgate(gateway.directory, ["limits", ...argv]);
  const ofKey = JSON.parse((await run("app", "--json")).stdout) as LimitsJson;
  const told = (await get("/-/limits?key=app")).body;
  const plain = ({ limits }: LimitsJson) =>
    limits.map(({ resets_at: _, reserved: __, remaining: ___, ...rest }) => rest);
  t.strictSame(plain(ofKey), plain(told));
  const { stdout } = await run("app");
  t.match(stdout, /^WHAT +LIMIT +SPENT +RESERVED +LEFT +RESETS/);
  t.match(stdout, /key app's daily budget +\$3 +\$0\.0000045 .* raised by \$2 until 2099-01-01T00:00Z/);
  t.match(stdout, /user ann's total budget +- +\$0\.0000045 +\$\d\S* +- +- +soft \$3/);
  t.match(stdout, /limit 100 requests per 1m for key app +100 requests +1 requests/);
  t.match(stdout, /limit 4 concurrent +- .* for each header\["x-user"\]/);
  t.match((await run("--team", "ML")).stdout, /team ML's 30d budget +\$5/);
  await accounts.create(master, "user", { id: "bob", fields: {} });
  writeFileSync(join(gateway.directory, "rules", "a.rules"), "version 1\ndefault allow\n");
  t.match(await run("--user", "bob"), { code: 0, stdout: "", stderr: "user bob has no budget and no limit\n" });
  t.match(await run("ap"), { code: 1, stderr: /no key has the id or alias `ap`: did you mean `app`/ });
  t.match(await run("--org", "x"), { code: 1, stderr: /no organisation has the id or alias `x`/ });
  t.match(await run(), { code: 64, stderr: /KEY is missing/ });
  t.match(await run("--team", "ML", "--org", "acme"), { code: 64, stderr: /name one key, team, user or organisation/ });
  writeFileSync(join(gateway.directory, "rules", "a.rules"), "version 1\nlimmit 5\n");
  t.match(await run("app"), { code: 2, stderr: /the rules have an error/ });
});
