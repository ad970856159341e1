// What is set on keys, teams, users, organisations and access groups, at a running gateway over real HTTP.
import t, { type Test } from "tap";
import type { Actor } from "../../src/accounts/caller.ts";
import { Keys } from "../../src/accounts/keys.ts";
import { Accounts } from "../../src/accounts/service.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { CHAT_ANSWER, json, startUpstream } from "../support/upstream.ts";

const master: Actor = { kind: "master" };
const PROVIDERS = [{ name: "demo", base_url: "demo:", wire: "openai" }];

interface Rig {
  readonly gateway: TestGateway;
  readonly accounts: Accounts;
  readonly keys: Keys;
  /** Status and error message of a chat completion. */
  ask(secret: string, model?: string): Promise<string>;
}

async function rig(t: Test, config: object = {}, providers: readonly object[] = PROVIDERS): Promise<Rig> {
  const gateway = await startTestGateway(t, { providers, config });
  const accounts = new Accounts({ directory: gateway.store.directory });
  const keys = new Keys({ accounts, pepper: gateway.pepper, nowMs: Date.now });
  const ask = async (secret: string, model = "gpt-4o-mini"): Promise<string> => {
    const body = { model, max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
    const answer = await gateway.chat(body, { authorization: `Bearer ${secret}` });
    const { error } = (await answer.json()) as { error?: { message: string } };
    return `${answer.status}${error === undefined ? "" : ` ${error.message}`}`;
  };
  await accounts.create(master, "org", { id: "acme", fields: {} });
  await accounts.create(master, "team", { id: "ml", fields: { orgId: "acme" } });
  await accounts.create(master, "user", { id: "ann", fields: {} });
  return { gateway, accounts, keys, ask };
}

t.test("models of a key, its team, its user and its organisation each narrow, from the next request on", async (t) => {
  const { accounts, keys, ask } = await rig(t);
  const { key, secret } = await keys.create(master, { alias: "app", teamId: "ml", userId: "ann" });
  t.equal(await ask(secret), "200");
  for (const [kind, id] of [
    ["key", key.id],
    ["team", "ml"],
    ["user", "ann"],
    ["org", "acme"],
  ] as const) {
    await accounts.update(master, kind, id, { models: ["gpt-4o"] });
    t.match(await ask(secret), /^403 Access denied: model gpt-4o-mini .*is denied by /, kind);
    t.equal(await ask(secret, "gpt-4o"), "200", kind);
    await accounts.update(master, kind, id, { models: ["gpt-4o*"] });
    t.equal(await ask(secret), "200", `${kind}: a pattern`);
    await accounts.update(master, kind, id, { models: null });
  }
});

t.test("an access group stands for its models, and a change of it counts at the next request", async (t) => {
  const { accounts, keys, ask } = await rig(t, { models: { fast: { provider: "demo", model: "gpt-4o-mini" } } });
  const { secret } = await keys.create(master, { teamId: "ml" });
  await accounts.update(master, "team", "ml", { accessGroups: ["gpt-models"] });
  t.match(await ask(secret), /^403 None of its access groups has a model/, "a group that is not there has no model");
  const { id } = await accounts.create(master, "group", {
    fields: { alias: "gpt-models", models: ["gpt-4o", "fast"] },
  });
  t.equal(await ask(secret, "gpt-4o"), "200");
  t.equal(await ask(secret, "fast"), "200", "by an alias");
  t.match(await ask(secret, "o3"), /^403 /);
  await accounts.update(master, "group", id, { models: ["o3"] });
  t.match(await ask(secret, "gpt-4o"), /^403 /);
  t.equal(await ask(secret, "o3"), "200");
  const named = await keys.create(master, { models: ["gpt-models", "gpt-4"] });
  t.equal(await ask(named.secret, "o3"), "200", "also where models are listed");
  t.equal(await ask(named.secret, "gpt-4"), "200");
  t.match(await ask(named.secret, "gpt-4o"), /^403 /);
});

t.test("what a key may not use is not in its list of models", async (t) => {
  const { gateway, keys } = await rig(t);
  const { secret } = await keys.create(master, { models: ["gpt-4o", "o*"] });
  const answer = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } });
  const { data } = (await answer.json()) as { data: { id: string }[] };
  const ids = data.map(({ id }) => id);
  t.ok(ids.includes("gpt-4o") && ids.includes("o3"));
  t.notOk(ids.includes("gpt-4o-mini"));
});

t.test("an alias of a key or its team stands for a model before rules decide, and is listed", async (t) => {
  const { gateway, accounts, keys, ask } = await rig(t);
  const { key, secret } = await keys.create(master, {
    teamId: "ml",
    models: ["gpt-4o"],
    modelAliases: { best: "gpt-4o", cheap: "gpt-4o-mini" },
  });
  const names = async (): Promise<string[]> => {
    const answer = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } });
    return ((await answer.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
  };
  t.equal(await ask(secret, "best"), "200");
  t.match(await ask(secret, "cheap"), /^403 Access denied: model gpt-4o-mini /, "an alias lets nobody past the rules");
  t.same(await names(), ["best", "gpt-4o"]);
  await accounts.update(master, "team", "ml", { modelAliases: { best: "gpt-4o-mini", "gpt-4o-mini": "gpt-4o" } });
  t.equal(await ask(secret, "best"), "200", "the key's own wins");
  t.equal(await ask(secret, "gpt-4o-mini"), "200", "a model's own name may be an alias; it counts at the next request");
  t.equal(await ask(secret, "__proto__"), "404 No provider here serves the model `__proto__`");
  await accounts.update(master, "key", key.id, { modelAliases: { best: "gpt-4o-min" } });
  t.match(await ask(secret, "best"), /^404 .*did you mean `gpt-4o-mini`/, "one step: an alias of an alias is no model");
  const body = { model: "gpt-4o-mini", max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
  const answer = await gateway.chat(body, { authorization: `Bearer ${secret}` });
  t.equal(answer.headers.get("x-tollgate-model"), "gpt-4o");
  t.match(await answer.json(), { model: "gpt-4o" }, "what is sent on is what it stands for");
});

t.test("requests above max_parallel_requests are refused until one of those in flight has ended", async (t) => {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }];
  const { keys, ask, accounts } = await rig(t, {}, providers);
  const { key, secret } = await keys.create(master, { maxParallelRequests: 2 });
  const held: (() => unknown)[] = [];
  upstream.answer = (req, res, body) => void held.push(() => json(CHAT_ANSWER)(req, res, body));
  const inFlight = [ask(secret), ask(secret)];
  await until("both are in flight", () => held.length === 2);
  t.match(await ask(secret), /^429 /);
  await accounts.update(master, "key", key.id, { maxParallelRequests: 3 });
  const third = ask(secret);
  await until("the third is in flight", () => held.length === 3);
  t.match(await ask(secret), /^429 /, "a change counts at once, and what is in flight is counted on");
  upstream.answer = json(CHAT_ANSWER);
  for (const answer of held) answer();
  t.same(await Promise.all([...inFlight, third]), ["200", "200", "200"]);
  t.equal(await ask(secret), "200");
});

t.test("addresses, limits and budgets of the objects are kept", async (t) => {
  const { accounts, keys, ask } = await rig(t);
  const away = await keys.create(master, { ipRanges: ["10.0.0.0/8", "2001:db8::/32"] });
  t.match(await ask(away.secret), /^403 Access denied: .*ip/);
  const home = await keys.create(master, { ipRanges: ["127.0.0.0/8"] });
  t.equal(await ask(home.secret), "200");
  const twice = await keys.create(master, { rpmLimit: 2 });
  t.same([await ask(twice.secret), await ask(twice.secret)], ["200", "200"]);
  t.match(await ask(twice.secret), /^429 /);
  await accounts.update(master, "key", twice.key.id, { rpmLimit: 3 });
  t.equal(await ask(twice.secret), "200", "a higher limit keeps what was used");
  t.match(await ask(twice.secret), /^429 /);
  const one = await keys.create(master, { modelRpmLimits: { "gpt-4o": 1 } });
  t.same([await ask(one.secret, "gpt-4o"), await ask(one.secret), await ask(one.secret)], ["200", "200", "200"]);
  t.match(await ask(one.secret, "gpt-4o"), /^429 /);
  const few = await keys.create(master, { tpmLimit: 3 });
  t.match(await ask(few.secret), /^429 /);
  for (const wish of [
    { budgets: [{ limitUsd: "0.000000001", window: "30d" }] },
    { budgets: [{ limitUsd: "0.000000001", window: "month" }] },
    { modelBudgets: { "gpt-4o-mini": { limitUsd: "0.000000001", window: "day" } } },
  ]) {
    const { secret } = await keys.create(master, wish);
    t.match(await ask(secret), /^429 Budget has been exceeded!/, JSON.stringify(wish));
  }
});

t.test("a limit of a user or a team is shared by all its keys", async (t) => {
  const { accounts, keys, ask } = await rig(t);
  for (const [kind, id, owner] of [
    ["user", "ann", { userId: "ann" }],
    ["team", "ml", { teamId: "ml" }],
  ] as const) {
    await accounts.update(master, kind, id, { rpmLimit: 2 });
    const secrets = [await keys.create(master, owner), await keys.create(master, owner)].map(({ secret }) => secret);
    t.same(await Promise.all(secrets.map((secret) => ask(secret))), ["200", "200"]);
    t.match(await ask(secrets[0] as string), /^429 /, kind);
  }
});

t.test("rotation, blocking, suspension and deletion count at the next request", async (t) => {
  const { accounts, keys, ask } = await rig(t);
  const { key, secret } = await keys.create(master, { teamId: "ml" });
  t.equal(await ask(secret), "200");
  const rotated = await keys.regenerate(master, key.id, 60_000);
  t.same([await ask(secret), await ask(rotated.secret)], ["200", "200"]);
  const last = await keys.regenerate(master, key.id);
  t.match([await ask(secret), await ask(rotated.secret), await ask(last.secret)], [/^401 /, /^401 /, /^200/]);
  await keys.setBlocked(master, key.id, true);
  t.match(await ask(last.secret), /^401 .*disabled/);
  await keys.setBlocked(master, key.id, false);
  await accounts.update(master, "team", "ml", { status: "paused" });
  t.equal(await ask(last.secret), "403 The virtual key's team is paused");
  await accounts.update(master, "team", "ml", { status: "active" });
  await accounts.update(master, "key", key.id, { keyType: "read_only" });
  t.match(await ask(last.secret), /^403 Virtual key is not allowed to call this route/);
  await accounts.update(master, "key", key.id, { keyType: "default" });
  t.equal(await ask(last.secret), "200");
  await accounts.remove(master, "key", [key.id]);
  t.match(await ask(last.secret), /^401 .*revoked/);
});
