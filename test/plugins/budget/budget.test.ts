// The budget plugin on a real ledger: what it holds, what it charges, what it tells those it refuses.
import t, { type Test } from "tap";
import budgetPlugin from "../../../plugins/budget/index.ts";
import { createLedger } from "../../../src/ledger/engine.ts";
import { GatewayError, type Host, type PluginHooks } from "../../../src/plugin.ts";
import type { Budget, Call, Decision, Outcome, Principal, Target } from "../../../src/types.ts";
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

const call = {} as Call;

interface Rig {
  readonly hooks: Required<Pick<PluginHooks, "reserve" | "settle">>;
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
    inputTokens: 0,
    outputTokens: 0,
    costNanoUsd: COSTS.get(of) ?? null,
  });
  const host = fakeHost({ ledger, clock, costBound, accounts: store.accounts });
  return {
    hooks: budgetPlugin.setup(host, {}) as Rig["hooks"],
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
    "Budget has been exceeded! key demo's monthly budget of $5: spent $4.98, reserved $0.001, " +
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
