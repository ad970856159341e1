// `test` blocks: what the request is that they describe, and what becomes of a set whose tests fail.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { ATTRIBUTES } from "../../src/rules/attribute-table.ts";
import { build, snapshotOf } from "../../src/rules/build.ts";
import { vocabularyOf } from "../../src/rules/catalogue.ts";
import { createRuleService } from "../../src/rules/engine.ts";
import { StatementCache } from "../../src/rules/parse.ts";
import { coverageOf, runTests, type TestRun } from "../../src/rules/run-tests.ts";
import type { Target } from "../../src/types.ts";
import { CATALOGUE, call, checkedSet, GPT4, NOW_MS, principal, report, source, target } from "./samples.ts";

const AZURE: Target = { ...GPT4, provider: "azure" };

/** Estimates are unknown, and so match, where they are not given. */
const OTHER_ESTIMATES = new Map([
  ["tokens.input", "tokens.input 1"],
  ["cost.estimate", "cost.estimate $9"],
]);

/** The runs of a set's tests. */
function runs(rules: string): readonly TestRun[] {
  const models = () => [...CATALOGUE.models(), AZURE];
  const { tests, diagnostics } = build(
    snapshotOf([source(rules)]),
    { ...CATALOGUE, models, teams: () => [] },
    new StatementCache(),
    NOW_MS,
  );
  if (tests.length === 0) throw new Error(JSON.stringify(diagnostics.map(({ message }) => message)));
  return tests;
}

/** Whether a deny with the condition meets a request of which the facts are given. */
function meets(given: string, condition: string): boolean {
  const facts = given === "" ? "" : `given ${given}\n `;
  const [run] = runs(`default allow\ndeny when ${condition} as it\ntest "x" {\n ${facts} expect deny by it\n}\n`);
  return run?.failures.length === 0;
}

t.test("every attribute that is given is what conditions see", async (t) => {
  const given: Record<string, readonly [string, string]> = {
    model: ["model gpt-4", "model = gpt-4"],
    provider: ["provider openai", "provider = openai"],
    "model.family": ["model.family claude", "model.family = claude"],
    "model.context": ["model.context 8k", "model.context = 8000"],
    price: ["price $7/M", "price = 7"],
    "price.input": ["price.input $7/M", "price.input = 7"],
    "price.output": ["price.output $7/M", "price.output = 7"],
    "price.cached": ["price.cached $7/M", "price.cached = 7"],
    key: ["key ci", "key = ci"],
    team: ["team ml", "team = ml"],
    org: ["org acme", "org = acme"],
    user: ["user ann", "user = ann"],
    role: ["role [a, b]", "role has a and role has b"],
    tag: ["tag gold", "tag = gold"],
    "key.age": ["key.age 3d", "key.age >= 72h and key.age < 73h"],
    endpoint: ["endpoint images", "endpoint = images"],
    path: ['path "/v1/x"', 'path = "/v1/x"'],
    method: ["method GET", "method = GET"],
    "model.requested": ["model.requested best", "model.requested = best"],
    stream: ["stream true", "stream"],
    tools: ["tools true", "tools"],
    "tools.count": ["tools.count 3", "tools.count = 3 and tools"],
    vision: ["vision true", "vision"],
    n: ["n 3", "n = 3"],
    temperature: ["temperature 0.5", "temperature = 0.5"],
    "reasoning.effort": ["reasoning.effort high", "reasoning.effort = high"],
    max_tokens: ["max_tokens 9k", "max_tokens = 9000"],
    "messages.count": ["messages.count 7", "messages.count = 7"],
    "tokens.input": ["tokens.input 9k", "tokens.input = 9000"],
    "cost.estimate": ["cost.estimate $0.50", "cost.estimate = $0.50"],
    "request.bytes": ["request.bytes 3GB", "request.bytes > 2GB"],
    header: ['header["X-Env"] prod', 'header["x-env"] = prod'],
    metadata: ['metadata["job"] x', 'metadata["job"] = x'],
    ip: ["ip 10.1.2.3", "ip in [10.0.0.0/8]"],
    time: ["time 22:30", "time = 22:30 and hour = 22"],
    hour: ["hour 5", "hour = 5 and time = 05:00"],
    day: ["day 31", "day = 31"],
    date: ["date 2026-11-21", "date = 2026-11-21 and weekday = sat"],
    weekday: ["weekday sun", "weekday = sun"],
  };
  t.same(Object.keys(given).sort(), [...ATTRIBUTES.keys()].sort(), "every attribute is here");
  for (const [name, [facts, condition]] of Object.entries(given)) {
    t.ok(meets(facts, condition), facts);
    const known = /^(model\.[fc]|price|max_tokens)/.test(name) ? "model gpt-4" : (OTHER_ESTIMATES.get(name) ?? "");
    t.notOk(meets(known, condition), `not without ${facts}`);
  }
  t.ok(
    meets("endpoint messages, reasoning.effort high, temperature 0.5", "reasoning.effort = high and temperature = 0.5"),
  );
  t.ok(meets("day 13, weekday fri", "day = 13 and weekday = fri"));
});

t.test("what is not given has its declared value, and a model that the catalogue has is the catalogue's", async (t) => {
  t.ok(meets("", "price is set or price is unset"), "an unknown price is unknown");
  t.ok(meets("model gpt-4", "price = 60 and price.input = 30 and model.context = 128k"));
  t.ok(meets("model gpt-4, price.input $1/M", "price = 60 and price.input = 1"));
  t.ok(meets("", "team is unset and role is unset and not stream and n = 1 and weekday = wed and hour = 12"));
  t.ok(meets("model mystery", "price > 1000"), "unknown counts as a match");
});

t.test("a model of two providers is decided for both", async (t) => {
  const [both, one] = runs(
    'default allow\ndeny provider openai as no-openai\ntest "a" {\n given model gpt-4\n expect allow\n}\ntest "b" {\n given model gpt-4, provider openai\n expect deny by no-openai\n}\n',
  );
  t.same(both?.decision.targets, [AZURE]);
  t.same(both?.failures, []);
  t.same(one?.failures, []);
});

t.test("`at` is a moment in the file's time zone, or in its own", async (t) => {
  const at = (text: string): boolean =>
    runs(
      `timezone Europe/Berlin\ndefault allow\ndeny when time = 02:30 and date = 2026-07-01 as it\ntest "x" at ${text} { expect deny by it }\n`,
    )[0]?.failures.length === 0;
  t.ok(at("2026-07-01T02:30"));
  t.ok(at("2026-07-01T00:30Z"));
  t.ok(at("2026-07-01T04:30+04:00"));
  t.notOk(at("2026-07-01"));
  t.ok(
    runs('default allow\ndeny when time = 00:00 as it\ntest "x" at 2026-07-01 { expect deny by it }\n')[0]?.failures
      .length === 0,
  );
});

t.test("`by` names rules that decide, a default too; `warn` one that warns", async (t) => {
  const rules = "default deny\nallow team ml as ml\nwarn team ml as careful\n";
  const [run] = runs(
    `${rules}test "x" {\n given team ml\n expect allow by ml warn careful\n expect allow by rules/a.rules:1\n expect deny\n}\n`,
  );
  t.same(run?.decision.warnings, ["careful"]);
  t.equal(run?.failures.length, 2);
  t.match(run?.failures, [/expected allow by rules\/a.rules:1, got allow by ml/, /expected deny, got allow by ml/]);
  t.same(runs(`${rules}test "x" { expect deny by rules/a.rules:1 }\n`)[0]?.failures, []);
});

t.test("a rule that is off or past says so", async (t) => {
  const [off, past] = runs(
    'default allow\noff deny team ml as a\ndeny team ml until 2025-01-01 as b\ntest "x" {\n given team ml\n expect deny by a\n}\ntest "y" {\n given team ml\n expect deny by b\n}\n',
  );
  t.match(off?.failures, [/./, /^a is off$/]);
  t.match(past?.failures, [/./, /^b is past its `until`$/]);
});

t.test("coverage counts what fired and what was seen both ways", async (t) => {
  const set = checkedSet(
    'default allow\ndeny team ml when stream or n > 1 as a\nshadow deny as b\noff deny as c\ntest "x" {\n given team ml, stream true\n expect deny\n}\ntest "y" {\n given team ml\n expect allow\n}\n',
  );
  const { rules } = coverageOf(set, runTests(set, vocabularyOf(CATALOGUE)));
  t.match(rules, [
    {
      rule: { id: "a" },
      fired: 1,
      conditions: [
        { text: "team ml", held: 2, failed: 0 },
        { text: "stream", held: 1, failed: 1 },
        { text: "n > 1", held: 0, failed: 2 },
      ],
    },
    { rule: { id: "b" }, fired: 2, conditions: [] },
  ]);
  t.equal(rules.length, 2);
});

t.test("a failing test keeps the rules before, and its repair brings the new ones", async (t) => {
  const directory = t.testdir({ "a.rules": "default allow\n" });
  const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 };
  const service = createRuleService({ directory, catalogue: CATALOGUE, clock });
  t.match(await service.load(), { ok: true, generation: 1 });
  const write = (expected: string): void =>
    writeFileSync(
      join(directory, "a.rules"),
      `default allow\ndeny model gpt-4\ndeny team ml\ntest "gpt-4" {\n  given model gpt-4\n  expect ${expected}\n}\n`,
    );
  write("allow");
  t.match(await service.load(), {
    ok: false,
    generation: 1,
    report: /^error\[E222\]: test "gpt-4" fails: expected allow, got deny by /,
  });
  t.equal(service.decide(call(), principal()).effect, "allow");
  write("deny");
  t.match(await service.load(), { ok: true, generation: 2, report: "" }, "hints are no warning");
  t.equal(service.decide(call(), principal()).effect, "deny");
});

const OWN = 'test "gpt-4" {\n  given model gpt-4\n  expect deny by dear\n}\n';
const DEAR = "default allow\ndeny model gpt-4 as dear\n";

t.test(
  "a test in a `.test.rules` file warns and keeps no edit out, not even one that takes its rule away",
  async (t) => {
    const directory = t.testdir({ "a.rules": DEAR, "a.test.rules": OWN });
    const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 };
    const service = createRuleService({ directory, catalogue: CATALOGUE, clock });
    t.match(await service.load(), { ok: true, rules: 1, files: 2, report: "" });
    writeFileSync(join(directory, "a.rules"), "default allow\n");
    const { ok, generation, report } = await service.load();
    t.match({ ok, generation }, { ok: true, generation: 2 });
    t.match(report, /^warning\[E222\]: test "gpt-4" fails: expected deny by dear, got allow by /);
    t.match(report, "no rule or `default` line has the id `dear`");
    t.equal(service.decide(call(), principal()).effect, "allow");
    writeFileSync(join(directory, "a.test.rules"), OWN.replace("expect", "expct"));
    t.match(await service.load(), { ok: false, report: /^error/ }, "what cannot be read is refused there too");
  },
);

t.test("a `.test.rules` file holds no rule: it might be taken for one that is in force", async (t) => {
  const files = [source(DEAR), source(`version 1\ntimezone UTC\ndeny team ml\n${OWN}`, "rules/a.test.rules")];
  const { set, diagnostics } = build(snapshotOf(files), CATALOGUE, new StatementCache(), NOW_MS);
  t.equal(set, null);
  t.match(diagnostics, [{ code: "E230", message: "a file that ends in `.test.rules` holds tests alone" }]);
  t.equal(diagnostics.length, 1);
});

t.test("`failing_tests: warn` loads rules of which a test fails, and nothing else that is wrong", async (t) => {
  const directory = t.testdir({ "a.rules": `${DEAR}${OWN}` });
  const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 };
  const catalogue = { ...CATALOGUE, failingTests: "warn" as const };
  const service = createRuleService({ directory, catalogue, clock });
  await service.load();
  writeFileSync(join(directory, "a.rules"), `${DEAR.replace("dear", "costly")}${OWN}`);
  t.match(await service.load(), { ok: true, generation: 2, report: /^warning\[E222\]/ });
  t.equal(service.decide(call(), principal()).denial?.ruleId, "costly");
  writeFileSync(join(directory, "a.rules"), `${DEAR}${OWN}dney\n`);
  t.match(await service.load(), { ok: false, generation: 2 });
});

t.test("what a test gives may be made up; only what is nearly a known name is told", async (t) => {
  const test = (given: string): string => report(`${DEAR}test "x" {\n given ${given}\n expect deny by dear\n}\n`);
  t.notMatch(test("model gpt-4, team night-shift, key spare, provider azure"), "W301");
  t.match(test("model gpt-4, team serch"), /W301.*did you mean `search`/s);
});

t.test("warnings decide nothing and are told with the decision", async (t) => {
  const set = "default allow\nwarn when price > 10 as dear\nwarn when max_tokens > 8k as long\ndeny team ml\n";
  const directory = t.testdir({ "a.rules": set });
  const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 };
  const service = createRuleService({ directory, catalogue: CATALOGUE, clock });
  await service.load();
  t.match(service.decide(call({ maxTokens: 10 }), principal()), { effect: "allow", warnings: ["dear"] });
  t.match(service.decide(call({ maxTokens: 9000 }), principal()), { effect: "allow", warnings: ["dear", "long"] });
  t.match(service.decide(call({ targets: [target("x", 1)], maxTokens: 1 }), principal()), {
    effect: "allow",
    warnings: undefined,
  });
  t.match(
    service.decide(call({ targets: [target("x", null)], maxTokens: 1 }), principal()).warnings,
    ["dear"],
    "unknown warns",
  );
  t.match(service.decide(call({ maxTokens: 10 }), principal({ team: "ml" })), { effect: "deny", warnings: ["dear"] });
});

t.test("hints stand only where there are tests, and never fail `--strict`", async (t) => {
  t.notMatch(report("default allow\ndeny team ml\n"), "I401");
  t.match(report('default allow\ndeny team ml\ntest "x" { expect allow }\n'), "info[I401]");
});
