// The budget plugin on a real ledger: what it holds, what it charges, what it tells those it refuses.
import t, { type Test } from "tap";
import type { Reserving } from "../../../plugins/budget/attributes.ts";
import budgetPlugin from "../../../plugins/budget/index.ts";
import { createLedger } from "../../../src/ledger/engine.ts";
import { GatewayError, type Host } from "../../../src/plugin.ts";
import type { Budget, Call, Decision, Outcome, Principal, RuleQuota, Target, Wire } from "../../../src/types.ts";
import { FakeClock } from "../../ledger/fake-clock.ts";
import { newKey } from "../../ledger/samples.ts";
import { SqliteTestDatabase } from "../../store/sqlite-database.ts";
import { fakeHost } from "../../support/host.ts";

const usd = (dollars: number) => BigInt(Math.round(dollars * 1e9));

/** Targets by what they may cost at most, in nano-USD; null is unpriced. */
const cheap = target("cheap");
const dear = target("dear");
const unpriced = target("house", "vllm");
const huge = target("huge");
const COSTS = new Map<Target, number | null>([
  [cheap, 1_000_000],
  [dear, 20_000_000],
  [unpriced, null],
  [huge, 1e30],
]);

const call = { wire: "openai" } as Call;

interface Rig {
  readonly hooks: Reserving;
  readonly host: Host;
  readonly database: SqliteTestDatabase;
  readonly clock: FakeClock;
  spent(budget: Budget | undefined): bigint;
  principal(alias: string): Principal;
  close(): Promise<void>;
}

function rig(t: Test): Rig {
  const database = new SqliteTestDatabase(t);
  const clock = new FakeClock();
  const store = database.open({ clock });
  t.teardown(() => store.close());
  const ledger = createLedger({ store: store.ledger, clock, timeZone: "UTC" });
  const costBound: Host["costBound"] = (_call, of) => ({
    inputTokens: of === dear ? 300 : 30,
    outputTokens: 70,
    costNanoUsd: COSTS.get(of) ?? null,
  });
  const host = fakeHost({ ledger, clock, costBound, accounts: store.accounts });
  return {
    hooks: budgetPlugin.setup(host, { warn_at: [] }) as Rig["hooks"],
    host,
    database,
    clock,
    spent: (budget) => store.ledger.counter({ quota: `budget:${budget?.id}`, window: "2026-11" }).spent,
    principal: (alias) => {
      const found = store.accounts.findKey(newKey(alias).hash);
      if (found === null) throw new Error(`no key ${alias}`);
      return found.principal;
    },
    close: () => store.close(),
  };
}

t.test(
  "the dearest allowed target is held in the key's and the team's budgets; the actual cost is charged",
  async (t) => {
    const { hooks, host, principal, spent } = rig(t);
    host.accounts.createTeam("ml", { limitNanoUsd: usd(100), window: "month" });
    host.accounts.createKey(newKey("demo", { teamAlias: "ml", budget: { limitNanoUsd: usd(5), window: "month" } }));
    const who = principal("demo");
    const reservation = await hooks.reserve(call, who, allow(cheap, dear));
    t.equal(reservation.amountNanoUsd, 20_000_000);
    await hooks.settle(reservation, outcome(1_234));
    t.same(who.budgets.map(spent), [1_234n, 1_234n]);
    const unused = await hooks.reserve(call, who, allow(cheap));
    await hooks.settle(unused, { ...outcome(0), usage: null, kind: "not_sent" });
    t.same(who.budgets.map(spent), [1_234n, 1_234n]);
    t.equal(host.ledger.holdsOpen, 0);
  },
);

t.test("an exhausted budget is refused with its figures, its reset and advice not to retry", async (t) => {
  const { hooks, host, principal } = rig(t);
  host.accounts.createKey(newKey("demo", { budget: { limitNanoUsd: usd(5), window: "month" } }));
  const who = principal("demo");
  const first = await hooks.reserve(call, who, allow(dear));
  await hooks.settle(first, outcome(4_980_000_000));
  const open = await hooks.reserve(call, who, allow(cheap));
  const error = refusal(() => hooks.reserve(call, who, allow(dear)));
  t.equal(
    error.message,
    "Budget has been exceeded! Current cost: 4.98, Max budget: 5. key demo's monthly budget of $5: spent $4.98, reserved $0.001, " +
      "this request may cost up to $0.02; resets 2026-12-01T00:00:00Z",
  );
  t.equal(error.code, "budget_exceeded");
  t.equal(error.status, 429);
  t.same(error.details, {
    retry: false,
    retryAfterSeconds: 86_400,
    headers: { "x-tollgate-budget": who.budgets[0]?.id },
  });
  t.ok(await hooks.reserve(call, who, allow(cheap)), "a cheaper request still fits");
  await hooks.settle(open, outcome(0));
});

t.test("retry-after counts down to the reset; a total budget has none", async (t) => {
  const { hooks, host, principal, clock } = rig(t);
  host.accounts.createKey(newKey("month", { budget: { limitNanoUsd: 1n, window: "month" } }));
  host.accounts.createKey(newKey("total", { budget: { limitNanoUsd: 1n, window: "total" } }));
  clock.setWall("2026-11-30T23:59:00.500Z");
  t.equal(refusal(() => hooks.reserve(call, principal("month"), allow(dear))).details.retryAfterSeconds, 60);
  const error = refusal(() => hooks.reserve(call, principal("total"), allow(dear)));
  t.equal(error.details.retryAfterSeconds, undefined);
  t.match(error.message, /key total's total budget of \$0.000000001: .*; never resets$/);
});

t.test("an unpriced model is refused, with the config that prices it, budget or not", async (t) => {
  const { hooks, host, principal } = rig(t);
  host.accounts.createKey(newKey("demo"));
  const error = refusal(() => hooks.reserve(call, principal("demo"), allow(cheap, unpriced)));
  t.equal(error.code, "model_unpriced");
  t.equal(error.status, 403);
  t.match(
    error.message,
    "models: { house: { provider: vllm, model: house-v1, price: { input: $…/M, output: $…/M } } }",
  );
  t.equal(host.ledger.holdsOpen, 0);
});

t.test("absurd bounds and costs are refused or charged as the most that can be counted", async (t) => {
  const { hooks, host, principal, spent } = rig(t);
  host.accounts.createKey(newKey("demo", { budget: { limitNanoUsd: usd(5), window: "month" } }));
  const who = principal("demo");
  t.equal(refusal(() => hooks.reserve(call, who, allow(huge))).code, "budget_exceeded");
  const reservation = await hooks.reserve(call, who, allow(cheap));
  await hooks.settle(reservation, outcome(1e30));
  t.equal(spent(who.budgets[0]), BigInt(Number.MAX_SAFE_INTEGER));
});

t.test("while the database cannot be written nothing passes, with a budget or without", async (t) => {
  const { hooks, host, principal, close, clock } = rig(t);
  host.accounts.createKey(newKey("rich", { budget: { limitNanoUsd: usd(5), window: "month" } }));
  host.accounts.createKey(newKey("free"));
  const [rich, free] = [principal("rich"), principal("free")];
  t.ok(await hooks.reserve(call, free, allow(dear)));
  await close();
  clock.advance(1_000);
  for (const who of [rich, free]) {
    const error = refusal(() => hooks.reserve(call, who, allow(dear)));
    t.equal(error.code, "store_unavailable");
    t.equal(error.status, 503);
    t.equal(error.details.retryAfterSeconds, 1);
    t.match(error.details.cause, { code: "unavailable" });
  }
});

const MINUTE = { kind: "sliding", durationMs: 60_000 } as const;

/** A statement's counter. */
function rule(unit: RuleQuota["unit"], amount: bigint, more: Partial<RuleQuota> = {}): RuleQuota {
  const id = `quota:${unit}`;
  const label = `limit ${amount} ${unit} per 1m for key demo`;
  return { id, ruleId: "prod.rules:3", label, unit, limit: amount, window: MINUTE, because: null, ...more };
}

function statements(...quotas: readonly (readonly [Target, readonly RuleQuota[]])[]): Decision {
  return { ...allow(...quotas.map(([of]) => of)), quotas: new Map(quotas) };
}

function pairs(headers: readonly string[] = []): Record<string, string> {
  const all: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) all[headers[i] ?? ""] = headers[i + 1] ?? "";
  return all;
}

t.test("a limit serves to its last request, with what is left in the headers, and refuses the next", async (t) => {
  const { hooks, host, principal, clock } = rig(t);
  host.accounts.createKey(newKey("demo"));
  const who = principal("demo");
  const decision = statements([cheap, [rule("requests", 2n), rule("tokens", 1_000n)]]);
  const first = await hooks.reserve(call, who, decision);
  t.same(pairs(first.headers), {
    "x-ratelimit-limit-requests": "2",
    "x-ratelimit-remaining-requests": "1",
    "x-ratelimit-reset-requests": "1m1s",
    "x-ratelimit-limit-tokens": "1000",
    "x-ratelimit-remaining-tokens": "900",
    "x-ratelimit-reset-tokens": "1m1s",
  });
  await hooks.settle(first, outcome(7));
  clock.advance(20_000);
  const second = await hooks.reserve(call, who, decision);
  t.match(pairs(second.headers), { "x-ratelimit-remaining-requests": "0", "x-ratelimit-remaining-tokens": "898" });
  const error = refusal(() => hooks.reserve(call, who, decision));
  t.equal(error.code, "rate_limit_exceeded");
  t.equal(error.status, 429);
  t.equal(
    error.message,
    "Rate limit has been reached! limit 2 requests per 1m for key demo: " +
      "1 used, 1 reserved for requests in flight; try again in 41s",
  );
  t.same(error.details, {
    ruleId: "prod.rules:3",
    retryAfterSeconds: 41,
    headers: {
      "x-ratelimit-limit-requests": "2",
      "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-reset-requests": "1m1s",
    },
  });
  clock.advance(41_000);
  const third = await hooks.reserve(call, who, decision);
  t.ok(third, "and the time it named is true");
  await hooks.settle(second, { ...outcome(0), kind: "not_sent", usage: null, target: null });
  await hooks.settle(third, { ...outcome(0), kind: "upstream_error", usage: null });
  t.match(
    host.ledger.balance(rule("requests", 2n)),
    { spent: 1n, reserved: 0n },
    "what was sent counts, served or not",
  );
  t.match(host.ledger.balance(rule("tokens", 1_000n)), { spent: 0n, reserved: 0n });
});

t.test("the tightest limit of a unit is shown, in the dialect of the caller", async (t) => {
  const { hooks, host, principal } = rig(t);
  host.accounts.createKey(newKey("demo"));
  const hourly = rule("requests", 3n, { id: "hourly", window: { kind: "every", durationMs: 3_600_000 } });
  const decision = statements([cheap, [rule("requests", 5n), hourly]]);
  const shown = async (wire: Wire) => {
    const reservation = await hooks.reserve({ wire } as Call, principal("demo"), decision);
    await hooks.settle(reservation, { ...outcome(0), kind: "not_sent", usage: null });
    return pairs(reservation.headers);
  };
  t.same(await shown("gemini"), {
    "x-ratelimit-limit-requests": "3",
    "x-ratelimit-remaining-requests": "2",
    "x-ratelimit-reset-requests": "1h0m0s",
  });
  t.same(await shown("anthropic"), {
    "anthropic-ratelimit-requests-limit": "3",
    "anthropic-ratelimit-requests-remaining": "2",
    "anthropic-ratelimit-requests-reset": "2026-11-21T13:00:00Z",
  });
  t.same((await hooks.reserve(call, principal("demo"), allow(cheap))).headers, undefined);
});

t.test(
  "a request that is larger than the limit is told that it never fits; slots come free when requests end",
  async (t) => {
    const { hooks, host, principal, clock } = rig(t);
    host.accounts.createKey(newKey("demo"));
    const who = principal("demo");
    const never = refusal(() => hooks.reserve(call, who, statements([dear, [rule("tokens", 369n)]])));
    t.equal(never.details.retry, false);
    t.equal(never.details.retryAfterSeconds, undefined);
    t.match(never.message, /this request may use up to 370; it never fits: lower `max_tokens` or send less$/);
    const slots = rule("concurrent", 1n, { window: { kind: "none" }, label: "limit 1 concurrent for key demo" });
    const open = await hooks.reserve(call, who, statements([cheap, [slots]]));
    t.same(open.headers, []);
    const full = refusal(() => hooks.reserve(call, who, statements([cheap, [slots]])));
    t.equal(
      full.message,
      "Rate limit has been reached! limit 1 concurrent for key demo: 1 in flight; try again when a request has ended",
    );
    t.same(full.details, { ruleId: "prod.rules:3", retryAfterSeconds: 1, headers: {} });
    await hooks.settle(open, outcome(5));
    clock.advance(100);
    t.ok(await hooks.reserve(call, who, statements([cheap, [slots]])));
  },
);

t.test("a budget statement is told with its label, its reset and the rule's own words", async (t) => {
  const { hooks, host, principal } = rig(t);
  host.accounts.createKey(newKey("demo"));
  const who = principal("demo");
  const window = { kind: "calendar", period: "day", zone: "Europe/Vienna" } as const;
  const label = "budget $0.02 per day for team ml";
  const small = rule("nano-usd", 20_000_000n, { label, window, because: "Ask #ai-platform for more" });
  await hooks.settle(await hooks.reserve(call, who, statements([cheap, [small]])), outcome(10_000_000));
  const error = refusal(() => hooks.reserve(call, who, statements([dear, [small]])));
  t.equal(error.code, "budget_exceeded");
  t.equal(
    error.message,
    "Ask #ai-platform for more (Budget has been exceeded! Current cost: 0.01, Max budget: 0.02. budget $0.02 per day for team ml: spent $0.01, " +
      "reserved $0, this request may cost up to $0.02; resets 2026-11-21T23:00:00Z)",
  );
  t.same(error.details, { retry: false, retryAfterSeconds: 39_600, ruleId: "prod.rules:3" });
});

t.test("statements of every allowed target are held, those of the dialled one are charged", async (t) => {
  const { hooks, host, principal, spent } = rig(t);
  host.accounts.createKey(newKey("demo", { budget: { limitNanoUsd: usd(5), window: "month" } }));
  const who = principal("demo");
  const both = rule("tokens", 1_000n, { id: "both" });
  const onlyCheap = rule("requests", 10n, { id: "cheap" });
  const onlyDear = rule("nano-usd", usd(1), { id: "dear", window: { kind: "every", durationMs: 60_000 } });
  const decision = statements([cheap, [both, onlyCheap]], [dear, [both, onlyDear]]);
  const reservation = await hooks.reserve(call, who, decision);
  const balances = () => [both, onlyCheap, onlyDear].map((quota) => host.ledger.balance(quota));
  t.same(
    balances().map(({ reserved }) => reserved),
    [370n, 1n, 20_000_000n],
  );
  await hooks.settle(reservation, outcome(1_000));
  t.same(
    balances().map((each) => [each.spent, each.reserved]),
    [
      [2n, 0n],
      [1n, 0n],
      [0n, 0n],
    ],
  );
  t.equal(spent(who.budgets[0]), 1_000n, "a key's own budget is charged whichever it was");
});

function target(model: string, provider = "openai"): Target {
  const name = { provider, wire: "openai", model, upstreamModel: `${model}-v1` } as const;
  return { ...name, family: null, contextTokens: null, outputTokensMax: null, price: null };
}

function allow(...targets: readonly Target[]): Decision {
  return { effect: "allow", targets, denial: null, ruleIds: [], shadowIds: [], unknown: [], generation: 1 };
}

function outcome(costNanoUsd: number): Outcome {
  const usage = { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, cacheWriteTokens: 0, estimated: false };
  return { kind: "completed", target: cheap, usage, costNanoUsd };
}

function refusal(reserve: () => unknown): GatewayError {
  try {
    reserve();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}
