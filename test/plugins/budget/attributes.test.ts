// What rules may compare of budgets and traffic, read from a real ledger and from what the plugin let through.
import t, { type Test } from "tap";
import { Activity } from "../../../plugins/budget/activity.ts";
import { type BudgetState, type Reserving, readersOf } from "../../../plugins/budget/attributes.ts";
import budgetPlugin from "../../../plugins/budget/index.ts";
import { createLedger } from "../../../src/ledger/engine.ts";
import {
  type AttributeReader,
  type AttributeValue,
  type Ledger,
  type PluginHooks,
  StoreError,
} from "../../../src/plugin.ts";
import type { Call, Decision, Outcome, Principal, Target } from "../../../src/types.ts";
import { FakeClock } from "../../ledger/fake-clock.ts";
import { newKey } from "../../ledger/samples.ts";
import { SqliteTestDatabase } from "../../store/sqlite-database.ts";
import { fakeHost } from "../../support/host.ts";

const USD = 1_000_000_000n;
const CALL = {} as Call;
const TARGET = { provider: "openai", model: "m" } as Target;
const DECISION = { effect: "allow", targets: [TARGET] } as unknown as Decision;

type As = Parameters<AttributeReader>[3];

/** The plugin on a database with the key `demo` ($10 a month) of the team `ml` ($100 a month), and `free` without budget. */
function rig(t: Test) {
  const clock = new FakeClock();
  const store = new SqliteTestDatabase(t).open({ clock });
  t.teardown(() => store.close());
  const ledger = createLedger({ store: store.ledger, clock, timeZone: "UTC" });
  const costBound = () => ({ inputTokens: 0, outputTokens: 0, costNanoUsd: Number(USD) });
  const host = fakeHost({ ledger, clock, costBound, accounts: store.accounts });
  const hooks = budgetPlugin.setup(host, { warn_at: [] }) as Reserving & Required<Pick<PluginHooks, "readAttributes">>;
  store.accounts.createTeam("ml", { limitNanoUsd: 100n * USD, window: "month" });
  store.accounts.createKey(newKey("demo", { teamAlias: "ml", budget: { limitNanoUsd: 10n * USD, window: "month" } }));
  store.accounts.createKey(newKey("free"));
  const principal = (alias: string): Principal => {
    const found = store.accounts.findKey(newKey(alias).hash);
    if (found === null) throw new Error(`no key ${alias}`);
    return found.principal;
  };
  const read = (name: string, who: Principal, as: As = "value"): AttributeValue =>
    hooks.readAttributes[name]?.(CALL, who, TARGET, as);
  return { clock, hooks, demo: principal("demo"), free: principal("free"), read };
}

const used = (dollars: bigint): Outcome => ({
  kind: "completed",
  target: TARGET,
  usage: { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, cacheWriteTokens: 0, estimated: false },
  costNanoUsd: Number(dollars * USD),
});

t.test("budgets are read as money and as shares, with what requests under way hold", async (t) => {
  const { hooks, demo, read } = rig(t);
  const values = (): AttributeValue[] =>
    ["budget.spent", "budget.remaining"].flatMap((name) => [read(name, demo), read(name, demo, "percent")]);
  t.same(values(), [0, 0, Number(10n * USD), 100]);
  const first = await hooks.reserve(CALL, demo, DECISION);
  t.same(values(), [Number(USD), 10, Number(9n * USD), 90], "held");
  await hooks.settle(first, used(4n));
  t.same(values(), [Number(4n * USD), 40, Number(6n * USD), 60], "charged");
  const second = await hooks.reserve(CALL, demo, DECISION);
  await hooks.settle(second, used(8n));
  t.same(values(), [Number(12n * USD), 120, 0, 0], "an overrun");
});

t.test("without a budget they are unset; while the database cannot be read, unknown; a fault stays one", async (t) => {
  const { demo, free, read } = rig(t);
  t.equal(read("budget.remaining", free), null);
  t.equal(read("budget.spent", free, "percent"), null);
  const failing = (error: Error): AttributeReader | undefined => {
    const balance = () => {
      throw error;
    };
    const host = fakeHost({ ledger: { balance } as unknown as Ledger, clock: new FakeClock() });
    return budgetPlugin.setup(host, { warn_at: [] }).readAttributes?.["budget.remaining"];
  };
  t.equal(failing(new StoreError("unavailable", "no disk"))?.(CALL, demo, TARGET, "value"), undefined);
  t.throws(() => failing(new Error("a fault"))?.(CALL, demo, TARGET, "value"), { message: "a fault" });
});

t.test("of several budgets, what is left is the least and what is spent the most", async (t) => {
  const states: BudgetState[] = [
    { spent: 9n * USD, limit: 10n * USD },
    { spent: 50n * USD, limit: 1_000n * USD },
    { spent: 0n, limit: 0n },
  ];
  const readers = (budgets: readonly BudgetState[]) =>
    readersOf({ budgets: () => budgets, rate: () => 0, concurrency: () => 0 });
  const read = (budgets: readonly BudgetState[], name: string, as: As): AttributeValue =>
    readers(budgets)[name]?.(CALL, {} as Principal, TARGET, as);
  t.equal(read(states.slice(0, 2), "budget.remaining", "value"), Number(USD));
  t.equal(read(states.slice(0, 2), "budget.remaining", "percent"), 10);
  t.equal(read(states.slice(0, 2), "budget.spent", "value"), Number(50n * USD));
  t.equal(read(states.slice(0, 2), "budget.spent", "percent"), 90);
  t.equal(read(states, "budget.remaining", "percent"), 0, "of a budget of nothing, nothing is left");
  t.equal(read(states, "budget.spent", "percent"), 100);
});

t.test("a key's rate and concurrency count what was let through, and only its own", async (t) => {
  const { hooks, demo, free, read, clock } = rig(t);
  const open = await hooks.reserve(CALL, demo, DECISION);
  clock.advance(1_000);
  const other = await hooks.reserve(CALL, demo, DECISION);
  t.same([read("requests.rate", demo), read("concurrency", demo)], [2, 2]);
  t.same([read("requests.rate", free), read("concurrency", free)], [0, 0]);
  await hooks.settle(open, used(0n));
  t.same([read("requests.rate", demo), read("concurrency", demo)], [2, 1]);
  clock.advance(59_000);
  t.equal(read("requests.rate", demo), 1, "the first is a minute ago");
  clock.advance(3_600_000);
  t.same([read("requests.rate", demo), read("concurrency", demo)], [0, 1]);
  await hooks.settle(other, used(0n));
  t.equal(read("concurrency", demo), 0);
  const refuse = () => hooks.reserve(CALL, demo, { ...DECISION, targets: [] } as Decision);
  await hooks.settle(await refuse(), used(100n));
  t.throws(() => hooks.reserve(CALL, demo, DECISION), { code: "budget_exceeded" });
  t.equal(read("concurrency", demo), 0, "what is refused is not counted");
});

t.test("idle keys are forgotten once there are many, busy ones never", async (t) => {
  let nowMs = 0;
  const activity = new Activity(() => nowMs);
  activity.began("busy");
  for (let i = 0; i < 10_000; i += 1) {
    activity.began(`key${i}`);
    activity.ended(`key${i}`);
  }
  t.equal(activity.rate("key0"), 1, "young ones stay");
  nowMs = 120_000;
  for (let i = 0; i < 25_000; i += 1) activity.began(`more${i}`);
  t.equal(activity.concurrency("busy"), 1);
  t.equal(activity.rate("more0"), 1);
  t.equal(activity.rate("key0"), 0);
  activity.ended("nobody");
});
