// LiteLLM's shape and ours: lengths, budgets, whole rows there and back, and what is refused instead of dropped.
import fc from "fast-check";
import t from "tap";
import { readBudgets } from "../../../plugins/admin-litellm/budgets.ts";
import { durationOf, endOf, lengthOf, windowOf } from "../../../plugins/admin-litellm/durations.ts";
import { UNSUPPORTED } from "../../../plugins/admin-litellm/fields.ts";
import { startWorld } from "./world.ts";

const DAY = 86_400_000;

t.test("a duration is a length, `1mo` the calendar's month, none never ends", async (t) => {
  for (const [theirs, ours] of [
    ["30s", "30s"],
    ["30m", "30m"],
    ["30h", "30h"],
    ["30d", "30d"],
    ["2w", "14d"],
    ["1mo", "month"],
    ["monthly", "month"],
    ["day", "day"],
    ["total", "total"],
  ] as const) {
    t.equal(windowOf(theirs), ours);
    t.equal(windowOf(durationOf(ours)), ours, `${ours} there and back`);
  }
  t.same([windowOf(null), windowOf(""), durationOf("total"), durationOf("month")], ["total", "total", null, "1mo"]);
  for (const bad of ["30", "d", "-1", "0d", "1.5d", "2mo", "30 days", "1y"]) {
    t.throws(() => windowOf(bad), { name: "TypeError", message: /^must be a length such as/ }, bad);
  }
});

t.test("a key ends a duration from now; a month later is the same day, or the month's last", async (t) => {
  const now = Date.parse("2027-01-31T10:00:00Z");
  const ends = (text: string | null): string | null => {
    const ms = endOf(text, now);
    return ms === null ? null : new Date(ms).toISOString();
  };
  t.equal(endOf("30d", now), now + 30 * DAY);
  t.equal(endOf("90m", now), now + 5_400_000);
  t.equal(ends("1mo"), "2027-02-28T10:00:00.000Z");
  t.equal(ends("2mo"), "2027-03-31T10:00:00.000Z");
  t.same([endOf(null, now), endOf("-1", now)], [null, null]);
  for (const bad of ["", "soon", "0s", "999999w", "-5d"]) t.throws(() => endOf(bad, now), TypeError, bad);
  t.equal(lengthOf("24h"), DAY);
});

t.test("budgets: what is not sent stays, and what has no window of its own is refused", async (t) => {
  const main = { limitUsd: "5", window: "30d" };
  const daily = { limitUsd: "1", window: "day" };
  const stored = { budgets: [main, daily] };
  t.equal(readBudgets({}, stored), null, "nothing was sent");
  t.same(readBudgets({ max_budget: 6 }, stored), { budgets: [{ ...main, limitUsd: 6 }, daily], noMainBudget: false });
  t.same(readBudgets({ budget_duration: "1mo" }, stored)?.budgets, [{ ...main, window: "month" }, daily]);
  t.same(readBudgets({ max_budget: null }, stored), { budgets: [daily], noMainBudget: true });
  t.same(readBudgets({ max_budget: "" }, { budgets: [main] }), { budgets: [], noMainBudget: false });
  t.same(readBudgets({ budget_limits: null }, stored)?.budgets, [main]);
  const alike = readBudgets({ budget_limits: [{ budget_duration: "1d", max_budget: 2 }] }, {});
  t.same(alike, { budgets: [{ limitUsd: 2, window: "1d" }], noMainBudget: true });
  const more = { budgets: [daily], noMainBudget: true };
  t.same(readBudgets({ max_budget: 9 }, more), {
    budgets: [{ limitUsd: 9, window: "total" }, daily],
    noMainBudget: false,
  });
  t.throws(() => readBudgets({ budget_duration: "30d" }, {}), /`budget_duration` says nothing without `max_budget`/);
  t.throws(() => readBudgets({ budget_limits: [{ budget_duration: "30d", max_budget: 1 }] }, stored), /window twice/);
  t.throws(() => readBudgets({ max_budget: 1, budget_duration: "soon" }, {}), /`budget_duration` must be a length/);
});

t.test("whatever a key is made with, its row is sent back by its owner and changes nothing", async (t) => {
  const { ask, newKey } = await startWorld(t);
  const amount = fc.integer({ min: 0, max: 10 ** 12 }).map((n) => n / 1_000_000);
  const count = fc.option(fc.nat({ max: 10 ** 9 }));
  const duration = fc.constantFrom("30s", "30m", "30h", "30d", "1mo", "day", "week", "year");
  const model = fc.constantFrom("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "house/llama_3.1:8b");
  const byModel = <T>(value: fc.Arbitrary<T>) => fc.dictionary(model, value, { maxKeys: 3 });
  const period = fc.option(duration);
  const whole = byModel(fc.nat({ max: 9_999 }));
  const names = fc.array(fc.constantFrom("a", "b", "prod", "x y"), { maxLength: 4 });
  const body = fc.record(
    {
      models: fc.array(fc.oneof(model, fc.constant("gpt-*")), { maxLength: 3 }),
      ...{ aliases: byModel(model), tpm_limit: count, rpm_limit: count, max_parallel_requests: count },
      ...{ model_tpm_limit: whole, model_rpm_limit: whole, soft_budget: fc.option(amount), tags: names },
      budget_limits: fc.uniqueArray(fc.record({ budget_duration: duration, max_budget: amount }), {
        selector: ({ budget_duration }) => budget_duration,
        maxLength: 3,
      }),
      max_budget: fc.option(amount),
      model_max_budget: byModel(fc.oneof(amount, fc.record({ budget_limit: amount, time_period: period }))),
      metadata: fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
      key_type: fc.constantFrom("default", "llm_api", "read_only", "management"),
      duration: fc.constantFrom(null, "-1", "30d", "2mo"),
      blocked: fc.boolean(),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(body, async (wish) => {
      const { key, ...row } = await newKey("master", { user_id: "ann", ...wish });
      const sent = await ask("ann", "POST", "/key/update", { ...row, key });
      const { key: _key, ...after } = sent.json;
      if (sent.status !== 200) throw new Error(`${sent.status} ${sent.message}`);
      // The window of a budget on seconds may have turned meanwhile.
      const steady = (all: object): string => JSON.stringify(all).replaceAll(/"[a-z_]*reset_at":"[^"]*"/g, "");
      if (steady(after) !== steady(row)) throw new Error(`${steady(row)}\n${steady(after)}`);
    }),
    { numRuns: 60 },
  );
});

t.test(
  "what this gateway has not is refused with what to do instead, and taken where it asks for nothing",
  async (t) => {
    const { ask } = await startWorld(t);
    for (const [name, help] of Object.entries(UNSUPPORTED)) {
      const refused = await ask("master", "POST", "/key/generate", { [name]: "something" });
      t.match(refused, {
        status: 400,
        message: `\`${name}\` is not supported: ${help}`,
        json: { error: { param: name } },
      });
    }
    const nothing = Object.fromEntries(
      Object.keys(UNSUPPORTED).map((name, i) => [name, [null, "", false, 0, [], {}][i % 6]]),
    );
    t.equal((await ask("master", "POST", "/key/generate", nothing)).status, 200);
    for (const [body, message] of [
      [{ max_budgets: 5 }, "The body has an unknown field `max_budgets`: did you mean `max_budget`?"],
      [{ rpm_limit_type: "guaranteed_throughput" }, "`rpm_limit_type` can only be best_effort_throughput"],
      [{ created_at: "2027-01-01" }, "`created_at` cannot be set"],
      [{ key: "sk-of-my-own" }, /unknown field `key`/],
      [{ models: ["no-default-models"] }, /^`models` cannot be no-default-models/],
      [{ duration: "soon" }, /^`duration` must be a length/],
      [{ budget_duration: "30d" }, "`budget_duration` says nothing without `max_budget`"],
      [{ max_budget: "much" }, /^`max_budget` must be an amount in USD/],
      [{ temp_budget_increase: 1, temp_budget_expiry: "soon" }, /^`temp_budget_expiry` must be a date/],
      [{ organization_id: "acme" }, /^`organization_id` is that of the key's team/],
      [{ tpm_limit: -1 }, /tpm_limit/],
      [{ model_max_budget: { m: {} } }, /^`model_max_budget` must have a `budget_limit`/],
    ] as const) {
      const refused = await ask("master", "POST", "/key/generate", body);
      t.match(refused, { status: 400, message, json: { error: { type: "bad_request_error", code: "400" } } });
    }
    const all = await ask("master", "POST", "/key/generate", {
      models: ["all-team-models"],
      team_id: "ml",
      organization_id: "acme",
    });
    t.match(all, { status: 200, json: { models: [], organization_id: "acme", team_alias: "ml" } });
    t.equal((await ask("master", "GET", "/key/list")).json.total_count, 11, "what was refused made nothing");
  },
);
