// Budgets of accounts at a running gateway: on every object, window and model, raised for a time, reset by an admin.
import t, { type Test } from "tap";
import type { Actor } from "../../src/accounts/caller.ts";
import { Keys } from "../../src/accounts/keys.ts";
import { Accounts } from "../../src/accounts/service.ts";
import { formatUsd } from "../../src/money.ts";
import { tollgate } from "../support/cli.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { CHAT_ANSWER, json, type ScriptedUpstream, startUpstream } from "../support/upstream.ts";

const master: Actor = { kind: "master" };
const BODY = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 20 };
/** gpt-4o-mini costs 150 nano-USD an input token, 600 an output token; a byte of the body is at most one token. */
const BOUND = JSON.stringify(BODY).length * 150 + 20 * 600;
/** The scripted answer's 10 input and 5 output tokens. */
const COST = 10 * 150 + 5 * 600;
/** Enough for one request that is under way and `more` that have been charged. */
const enoughFor = (more: number): string => formatUsd(BOUND + more * COST);

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The wall clock can be moved; the monotonic one goes with it, for windows without a calendar. */
class MovedClock {
  aheadMs = Date.UTC(2026, 10, 21, 12) - Date.now();
  nowMs = (): number => Date.now() + this.aheadMs;
  monotonicMs = (): number => performance.now() + this.aheadMs;
}

interface Rig {
  readonly gateway: TestGateway;
  readonly upstream: ScriptedUpstream;
  readonly accounts: Accounts;
  readonly keys: Keys;
  readonly clock: MovedClock;
  run(...argv: string[]): ReturnType<typeof tollgate>;
  /** The status of a chat completion, and the message of an error. */
  ask(secret: string, model?: string): Promise<string>;
}

async function rig(t: Test): Promise<Rig> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const clock = new MovedClock();
  const providers = [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }];
  const gateway = await startTestGateway(t, { providers, clock });
  const accounts = new Accounts({ directory: gateway.store.directory });
  const keys = new Keys({ accounts, pepper: gateway.pepper, nowMs: clock.nowMs });
  const ask = async (secret: string, model = BODY.model): Promise<string> => {
    const answer = await gateway.chat({ ...BODY, model }, { authorization: `Bearer ${secret}` });
    const { error } = (await answer.json()) as { error?: { message: string } };
    return `${answer.status}${error === undefined ? "" : ` ${error.message}`}`;
  };
  await accounts.create(master, "org", { id: "acme", fields: {} });
  await accounts.create(master, "team", { id: "ml", fields: { orgId: "acme" } });
  await accounts.create(master, "user", { id: "ann", fields: {} });
  return {
    ...{ gateway, upstream, accounts, keys, clock, ask },
    run: (...argv) => tollgate(gateway.directory, argv),
  };
}

t.test("a budget of any owner, on any window, is held to and begins anew with the next window", async (t) => {
  const { accounts, keys, clock, ask } = await rig(t);
  const owners = [
    ["key", null],
    ["team", "ml"],
    ["user", "ann"],
    ["org", "acme"],
  ] as const;
  const windows = [
    ["day", "daily", DAY_MS],
    ["12h", "12h", 12 * HOUR_MS],
    ["30d", "30d", 30 * DAY_MS],
    ["month", "monthly", 31 * DAY_MS],
  ] as const;
  for (const [i, [kind, owner]] of owners.entries()) {
    const [window, name, lengthMs] = windows[i] ?? windows[0];
    const { key, secret } = await keys.create(master, { alias: `of ${kind}`, teamId: "ml", userId: "ann" });
    const id = owner ?? key.id;
    await accounts.update(master, kind, id, { budgets: [{ limitUsd: enoughFor(1), window }] });
    t.same([await ask(secret), await ask(secret)], ["200", "200"], kind);
    const alias = owner ?? `of ${kind}`;
    t.match(
      await ask(secret),
      new RegExp(
        `^429 Budget has been exceeded! Current cost: \\S+, Max budget: \\S+\\. ${kind} ${alias}'s ${name} budget of`,
      ),
    );
    clock.aheadMs += lengthMs;
    t.same([await ask(secret), await ask(secret)], ["200", "200"], `${kind}: the next ${window}`);
    t.match(await ask(secret), /^429 /);
    await accounts.update(master, kind, id, { budgets: null });
  }
});

t.test("several budgets on one object hold together, each in its own window", async (t) => {
  const { keys, clock, ask } = await rig(t);
  const budgets = [
    { limitUsd: enoughFor(3), window: "month" },
    { limitUsd: enoughFor(1), window: "1h" },
  ];
  const { secret } = await keys.create(master, { alias: "app", budgets });
  t.same([await ask(secret), await ask(secret)], ["200", "200"]);
  t.match(await ask(secret), /^429 .*key app's 1h budget/);
  clock.aheadMs += HOUR_MS;
  t.same([await ask(secret), await ask(secret)], ["200", "200"]);
  clock.aheadMs += HOUR_MS;
  t.match(await ask(secret), /^429 .*key app's monthly budget/);
});

t.test("a budget for one model counts that model alone, beside the others", async (t) => {
  const { accounts, keys, ask, clock } = await rig(t);
  const { key, secret } = await keys.create(master, {
    modelBudgets: { "gpt-4o-mini": { limitUsd: enoughFor(0), window: "day" } },
  });
  t.equal(await ask(secret), "200");
  t.match(await ask(secret), /^429 Budget has been exceeded! .*budget \$\S+ per day/);
  t.equal(await ask(secret, "gpt-4.1-nano"), "200");
  clock.aheadMs += DAY_MS;
  t.equal(await ask(secret), "200");
  await accounts.update(master, "key", key.id, { modelBudgets: { "gpt-4o-mini": { limitUsd: "0", window: "day" } } });
  t.match(await ask(secret), /^429 A budget of \$0 per day leaves nothing to use/);
});

t.test("limits and budgets of nothing let nothing through, on whatever object", async (t) => {
  const { accounts, keys, ask } = await rig(t);
  const { key, secret } = await keys.create(master, { teamId: "ml", userId: "ann" });
  const fields: [string, unknown, RegExp][] = [
    ["rpmLimit", 0, /^429 A limit of 0 requests per 1m leaves nothing to use/],
    ["tpmLimit", 0, /^429 A limit of 0 tokens per 1m/],
    ["maxParallelRequests", 0, /^429 A limit of 0 concurrent/],
    ["modelRpmLimits", { "gpt-4o-mini": 0 }, /^429 A limit of 0 requests/],
    ["budgets", [{ limitUsd: "0", window: "30d" }], /^429 Budget/],
    ["budgets", [{ limitUsd: "0", window: "45s" }], /^429 Budget/],
  ];
  for (const [kind, id] of [
    ["key", key.id],
    ["team", "ml"],
    ["user", "ann"],
    ["org", "acme"],
  ] as const) {
    for (const [field, value, message] of fields) {
      await accounts.update(master, kind, id, { [field]: value });
      t.match(await ask(secret), message, `${kind} ${field}`);
      await accounts.update(master, kind, id, { [field]: null });
    }
  }
  t.equal(await ask(secret), "200");
});

t.test("limits of requests, tokens and slots are held to on whatever object, and by model", async (t) => {
  const { accounts, keys, ask, upstream } = await rig(t);
  const { key, secret } = await keys.create(master, { teamId: "ml", userId: "ann" });
  const tokens = JSON.stringify(BODY).length + 20;
  for (const [kind, id] of [
    ["key", key.id],
    ["team", "ml"],
    ["user", "ann"],
    ["org", "acme"],
  ] as const) {
    await accounts.update(master, kind, id, { rpmLimit: 1 });
    t.equal(await ask(secret), "200", kind);
    t.match(await ask(secret), /^429 Rate limit .*limit 1 requests per 1m/);
    await accounts.update(master, kind, id, { rpmLimit: null, tpmLimit: tokens });
    t.equal(await ask(secret), "200");
    t.match(await ask(secret), /^429 Rate limit .*tokens per 1m/);
    await accounts.update(master, kind, id, { tpmLimit: null, modelTpmLimits: { "gpt-4o-mini": tokens } });
    t.equal(await ask(secret), "200", "its own counter");
    t.match(await ask(secret), /^429 Rate limit .*tokens per 1m/);
    t.equal(await ask(secret, "gpt-4.1-nano"), "200", "another model");
    await accounts.update(master, kind, id, { modelTpmLimits: null, maxParallelRequests: 1 });
    upstream.answer = async (req, res, body) => {
      t.match(await ask(secret), /^429 Rate limit .*limit 1 concurrent/);
      json(CHAT_ANSWER)(req, res, body);
    };
    t.equal(await ask(secret), "200");
    upstream.answer = json(CHAT_ANSWER);
    t.equal(await ask(secret), "200", "its slot is free again");
    await accounts.update(master, kind, id, { maxParallelRequests: null });
  }
});

t.test("a raised budget holds until its end, then the old one, with what was used", async (t) => {
  const { accounts, keys, clock, ask } = await rig(t);
  const budgets = [
    { limitUsd: enoughFor(0), window: "month" },
    { limitUsd: enoughFor(0), window: "30d" },
  ];
  const { key, secret } = await keys.create(master, { alias: "app", budgets });
  t.equal(await ask(secret), "200");
  t.match(await ask(secret), /^429 /);
  const tempBudgetExpiresMs = clock.nowMs() + HOUR_MS;
  await accounts.update(master, "key", key.id, { tempBudgetIncreaseUsd: formatUsd(2 * COST), tempBudgetExpiresMs });
  t.same([await ask(secret), await ask(secret)], ["200", "200"], "raised at the next request");
  t.match(await ask(secret), /^429 /, "by no more than it says");
  clock.aheadMs += HOUR_MS;
  t.match(await ask(secret), new RegExp(`^429 .* of \\$${enoughFor(0)}: spent \\$${formatUsd(3 * COST)}`));
  await accounts.update(master, "key", key.id, { tempBudgetExpiresMs: clock.nowMs() + HOUR_MS });
  t.match(await ask(secret), /^429 /, "what was used under the raise stays used");
  await accounts.update(master, "key", key.id, { tempBudgetIncreaseUsd: formatUsd(3 * COST) });
  t.equal(await ask(secret), "200");
});

t.test("an admin's reset counts at the next request, and the audit log keeps what was spent", async (t) => {
  const { accounts, keys, ask, run, gateway, upstream } = await rig(t);
  const limitUsd = enoughFor(0);
  const modelBudgets = { "gpt-4o-mini": { limitUsd, window: "month" } };
  const { secret } = await keys.create(master, { alias: "app", teamId: "ml", modelBudgets });
  await accounts.update(master, "team", "ml", { budgets: [{ limitUsd, window: "30d" }] });
  t.equal(await ask(secret), "200");
  t.match(await ask(secret), /^429 /);
  t.match(await run("teams", "reset-spend", "ml"), { code: 0, stderr: /the budgets of team ml begin anew/ });
  t.match(await ask(secret), /^429 .*key app's budget/, "the key's budget for the model is its own");
  t.match(await run("keys", "reset-spend", "app", "--json"), { code: 0, stdout: /"reset":true/ });
  t.equal(await ask(secret), "200");
  t.match(await ask(secret), /^429 /);
  const { entries } = JSON.parse((await run("audit", "--json")).stdout) as { entries: Record<string, unknown>[] };
  const spentUsd = formatUsd(COST);
  t.match(
    entries.filter(({ field }) => field === "spend"),
    [
      { actor: "local", action: "update", kind: "team", alias: "ml", old: [{ limitUsd, window: "30d", spentUsd }] },
      {
        actor: "local",
        kind: "key",
        alias: "app",
        old: [{ quota: /account-budget/, spentUsd, in: "2026-11" }],
        new: "0",
      },
    ],
  );
  t.match(await run("teams", "reset-spend", "mll"), { code: 1, stderr: /no team has the id or alias `mll`: did you/ });
  t.match(await run("groups", "reset-spend", "x"), { code: 64, stderr: /unknown subcommand `reset-spend`/ });

  // What is in flight is charged to the counter that it was reserved in.
  await accounts.update(master, "key", "app", { modelBudgets: null });
  await accounts.update(master, "team", "ml", { budgets: [{ limitUsd: enoughFor(1), window: "month" }] });
  upstream.answer = async (req, res, body) => {
    await run("teams", "reset-spend", "ml");
    json(CHAT_ANSWER)(req, res, body);
  };
  t.equal(await ask(secret), "200");
  upstream.answer = json(CHAT_ANSWER);
  t.same([await ask(secret), await ask(secret)], ["200", "200"]);
  t.match(await ask(secret), /^429 /);
  t.equal(gateway.store.requests.usage("team", 0)[0]?.requests, 5, "the usage table forgets nothing");
});
