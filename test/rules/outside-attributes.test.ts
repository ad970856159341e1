// Attributes that others read: how they are declared, read, compared, given in tests, and what a fault comes to.
import { join } from "node:path";
import t, { type Test } from "tap";
import { createExplainCommand } from "../../src/cli/explain.ts";
import { build, snapshotOf } from "../../src/rules/build.ts";
import type { RuleCatalogue } from "../../src/rules/catalogue.ts";
import { createRuleService } from "../../src/rules/engine.ts";
import { estimateAttributes } from "../../src/rules/estimate-attributes.ts";
import {
  type AttributeDeclaration,
  type AttributeReader,
  type AttributeValue,
  declarationsProblem,
  outsideAttribute,
} from "../../src/rules/outside-attributes.ts";
import { StatementCache } from "../../src/rules/parse.ts";
import { renderText } from "../../src/rules/render.ts";
import type { RuleService } from "../../src/rules/service.ts";
import type { Call, CostBound, Decision, Principal } from "../../src/types.ts";
import { runIn } from "../support/cli.ts";
import { CATALOGUE, call, GPT4, MINI, NOW_MS, principal, source, UNPRICED } from "./samples.ts";

const WORDS: AttributeDeclaration = { name: "prompt.words", type: "number", note: "words", fixedBy: "request" };
const LEFT: AttributeDeclaration = {
  name: "purse.left",
  type: "money",
  note: "what is left",
  fixedBy: "now",
  mayLack: true,
  percent: true,
};

type Read = readonly (readonly [AttributeDeclaration, AttributeReader | null])[];

function catalogueOf(read: Read): RuleCatalogue {
  return { ...CATALOGUE, attributes: () => read.map(([declaration, reader]) => outsideAttribute(declaration, reader)) };
}

/** What `check` says of rules beside these attributes. */
function report(rules: string, ...declared: AttributeDeclaration[]): string {
  const catalogue = catalogueOf(declared.map((one) => [one, null]));
  return renderText(build(snapshotOf([source(rules)]), catalogue, new StatementCache(), NOW_MS).diagnostics);
}

interface Service extends RuleService {
  readonly errors: unknown[];
}

/** A service that has loaded the rules. */
async function service(t: Test, rules: string, catalogue: RuleCatalogue): Promise<Service> {
  const directory = t.testdir({ "a.rules": `default allow\n${rules}\n` });
  const errors: unknown[] = [];
  const log = { error: (fields: object) => errors.push((fields as { err: unknown }).err) };
  const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 };
  const made = createRuleService({ directory, catalogue, clock, log });
  const load = await made.load();
  if (!load.ok) throw new Error(load.report);
  return Object.assign(made, { errors });
}

/** What rules come to for an attribute that is read as the value. */
async function decided(
  t: Test,
  rule: string,
  declaration: AttributeDeclaration,
  read: AttributeReader | AttributeValue,
): Promise<Decision> {
  const reader = typeof read === "function" ? read : () => read;
  return (await service(t, rule, catalogueOf([[declaration, reader]]))).decide(call(), principal());
}

t.test("a value decides by its declared type; unknown counts as a match, unset as none", async (t) => {
  const one = (type: AttributeDeclaration["type"]): AttributeDeclaration => ({ ...WORDS, type, mayLack: true });
  const cases: readonly (readonly [AttributeDeclaration["type"], AttributeValue, string, string])[] = [
    ["number", 7, "> 5", "> 9"],
    ["number", 0.5, "< 1", "= 1"],
    ["name", "de", "= de", "= en"],
    ["name", ["de", "fr"], "has fr", "has en"],
    ["bool", true, "= true", "= false"],
    ["money", 5_000_000_000, ">= $5", "< $5"],
    ["price", 10_000_000, "= 10", "> $10/M"],
    ["percent", 12.5, "< 13%", "< 12%"],
    ["tokens", 8_000, "= 8k", "> 8k"],
    ["bytes", 2_000, "= 2kb", "> 2kb"],
    ["duration", 60_000, "= 1m", "> 1m"],
    ["ip", "10.1.2.3", "in [10.0.0.0/8]", "in [11.0.0.0/8]"],
  ];
  for (const [type, value, holds, fails] of cases) {
    t.equal((await decided(t, `deny when prompt.words ${holds}`, one(type), value)).effect, "deny", `${type} ${holds}`);
    t.equal(
      (await decided(t, `deny when prompt.words ${fails}`, one(type), value)).effect,
      "allow",
      `${type} ${fails}`,
    );
    const unknown = await decided(t, `deny when prompt.words ${fails}`, one(type), undefined);
    t.match(unknown, { effect: "deny", unknown: ["prompt.words"] }, `${type} unknown`);
    t.equal((await decided(t, `deny when prompt.words ${holds}`, one(type), null)).effect, "allow", `${type} unset`);
  }
  t.equal((await decided(t, "deny when prompt.words is unset", one("name"), [])).effect, "deny", "an empty set");
});

t.test("money that has a share is read as one when it is compared with a percentage", async (t) => {
  const seen: string[] = [];
  const reader: AttributeReader = (_call, _principal, _target, as) => {
    seen.push(as);
    return as === "percent" ? 4 : 20_000_000_000;
  };
  const denial = async (condition: string): Promise<string | undefined> =>
    (await decided(t, `deny when ${condition} as low`, LEFT, reader)).denial?.message;
  t.equal(
    await denial("purse.left < 10%"),
    "Access denied: model gpt-4 (purse.left 4%) is denied by low (purse.left < 10%)",
  );
  t.equal(await denial("purse.left in 0%..3%"), undefined);
  t.equal((await denial("purse.left in [4%, 9%]")) === undefined, false);
  t.same(new Set(seen), new Set(["percent"]));
  t.match(await denial("purse.left < $25.50"), "(purse.left $20) is denied by low (purse.left < $25.50)");
  t.equal(await denial("purse.left > $20"), undefined);
});

t.test("it is read only when a live rule compares it, and what a request fixes once a target", async (t) => {
  const reads: string[] = [];
  const reader: AttributeReader = (_call, _principal, { model }) => {
    reads.push(model);
    return 3;
  };
  const rules = `deny when prompt.words > 5 and stream
deny model gpt-4 when prompt.words > 7
warn when prompt.words > 1
off deny when prompt.words > 2 and n > 1`;
  const rig = await service(t, rules, catalogueOf([[WORDS, reader]]));
  const asked = call({ targets: [GPT4, MINI], stream: true });
  t.match(rig.decide(asked, principal()), { effect: "allow", warnings: [/./] });
  rig.decide(asked, principal());
  t.same(reads, ["gpt-4", "gpt-4o-mini"]);
  reads.length = 0;
  const other = await service(
    t,
    "off deny when prompt.words > 5\ndeny team ml when prompt.words > 5",
    catalogueOf([[WORDS, reader]]),
  );
  other.decide(asked, principal());
  t.same(reads, [], "nobody asks");
});

t.test("what a key fixes is read once a principal and target, what the clock fixes once a decision", async (t) => {
  let reads = 0;
  const counting =
    (value: (by: Principal) => AttributeValue): AttributeReader =>
    (_call, by) => {
      reads += 1;
      return value(by);
    };
  const ofKey: AttributeDeclaration = { ...WORDS, name: "desk", type: "name", fixedBy: "key" };
  const rule = 'deny when desk = "7" because "Not from there"';
  const byKey = await service(t, rule, catalogueOf([[ofKey, counting(({ key }) => key.alias)]]));
  const who = principal({ key: "7" });
  for (let i = 0; i < 3; i += 1) t.equal(byKey.decide(call(), who).effect, "deny");
  t.equal(byKey.decide(call(), principal({ key: "8" })).effect, "allow");
  t.equal(reads, 2);
  reads = 0;
  const ofNow = catalogueOf([[{ ...WORDS, fixedBy: "now" }, counting(() => 3)]]);
  const now = await service(t, "deny when prompt.words > 5\nwarn when prompt.words > 1", ofNow);
  for (let i = 0; i < 3; i += 1) t.ok(now.decide(call(), who).warnings);
  t.equal(reads, 3);
});

t.test(
  "a reader that throws, waits, or reads something else denies with policy_error, and the log says why",
  async (t) => {
    const faults: readonly (readonly [Partial<AttributeDeclaration>, AttributeReader, string])[] = [
      [
        {},
        () => {
          throw new Error("boom");
        },
        "boom",
      ],
      [{}, () => "many", "`prompt.words` is declared as number that is always set, and was read as string"],
      [{}, () => Number.NaN, "and was read as NaN"],
      [{}, (() => Promise.resolve(1)) as unknown as AttributeReader, "and was read as object"],
      [{}, () => null, "and was read as unset"],
      [{ mayLack: true }, () => true, "is declared as number, and was read as boolean"],
      [{ type: "ip", mayLack: true }, () => "nowhere", "and was read as string"],
      [{ fixedBy: "key" }, ({ stream }) => (stream ? 1 : 2), "fixed by key, so its reader cannot look at the call"],
      [{ fixedBy: "key" }, (_call, _principal, { model }) => model.length, "cannot look at the target"],
      [{ fixedBy: "model" }, (_call, { roles }) => roles.length, "cannot look at the principal"],
    ];
    for (const [more, reader, cause] of faults) {
      const rule = more.type === "ip" ? "allow when prompt.words in [10.0.0.0/8]" : "allow when prompt.words > 5";
      const made = await service(t, rule, catalogueOf([[{ ...WORDS, ...more }, reader]]));
      t.match(made.decide(call(), principal()), { effect: "deny", denial: { code: "policy_error" } }, cause);
      t.match(made.errors, [{ message: "the attribute `prompt.words` could not be read", cause: { message: cause } }]);
    }
  },
);

t.test("the checker knows them, with their units, names and near misses", async (t) => {
  const language: AttributeDeclaration = {
    name: "prompt.language",
    type: "name",
    note: "of the prompt",
    fixedBy: "request",
    known: { closed: true, values: ["de", "en"] },
  };
  const check = (condition: string): string => report(`default allow\ndeny when ${condition}\n`, WORDS, LEFT, language);
  t.equal(check("prompt.words > 5 and purse.left < 10% and prompt.language = de"), "");
  t.match(check("prompt.wrods > 5"), /E201.*did you mean `prompt.words`/s);
  t.match(check("prompt.language = fr"), /E206.*one of de, en/s);
  t.match(
    check("purse.left < 5"),
    /E204.*`purse.left` is an amount of money, `5` is a number.*write it as `\$10` or `10%`/s,
  );
  t.match(check("prompt.words < 5%"), /E204.*`prompt.words` is a number, `5%` is a percentage/s);
  t.match(check("cost.estimate > 5"), /E204.*write it as `\$10`/s);
  t.match(check("cost.estimate > $10/M"), /E204.*`\$10\/M` is a price/s);
  t.match(check("purse.left is unset"), "");
  t.match(check("prompt.words is set"), /E205.*is always set/s);
  t.match(report("default allow\nlimit 9 requests per 1m by prompt.language\n", language), "");
  t.match(report("default allow\nlimit 9 requests per 1m by prompt.words\n", WORDS), "E223");
});

t.test("a test states their values, else they are unknown, also where a reader is at hand", async (t) => {
  const reader: AttributeReader = () => {
    throw new Error("a test reads nothing");
  };
  const rules = (given: string, expected: string): string =>
    `deny when prompt.words > 5 as long
deny when purse.left < 10% as poor
test "x" {
  given model gpt-4${given}
  expect ${expected}
}`;
  const read: Read = [
    [WORDS, reader],
    [LEFT, reader],
  ];
  await service(t, rules(", prompt.words 3, purse.left 10%", "allow"), catalogueOf(read));
  await service(t, rules(", prompt.words 6, purse.left 10%", "deny by long"), catalogueOf(read));
  await service(
    t,
    rules(", prompt.words 5.5, purse.left 9.5%, purse.left $3", "deny by long, poor"),
    catalogueOf(read),
  );
  await service(t, rules("", "deny by long, poor"), catalogueOf(read));
  t.match(report(`default allow\ntest "x" {\n  given purse.left 5\n  expect allow\n}\n`, LEFT), "E204");
});

t.test("explain takes them as facts, and names those that would turn the decision", async (t) => {
  const cwd = t.testdir({ rules: { "a.rules": "default allow\ndeny when purse.left < 10% as poor\n" } });
  const catalogue = catalogueOf([[LEFT, null]]);
  const command = createExplainCommand(() => ({ directory: join(cwd, "rules"), catalogue }));
  const { stdout } = await runIn(cwd, command.run, ["model=gpt-4", "purse.left=5%"]);
  t.match(stdout, "deny: Access denied: model gpt-4 (purse.left 5%) is denied by poor (purse.left < 10%)");
  t.match(stdout, "it would be allowed with\n  purse.left >= 10%\n");
  const unknown = await runIn(cwd, command.run, ["model=gpt-4"]);
  t.match(unknown.stdout, "unknown: purse.left\n");
  t.match(unknown.stdout, "it would be allowed with\n  purse.left >= 10%\n");
});

t.test("estimates are the upper bounds, worked out once a target and only when a rule asks", async (t) => {
  let asked = 0;
  const boundOf = (_call: Call, { price }: { price: unknown }): CostBound => {
    asked += 1;
    return { inputTokens: 9_000, outputTokens: 1, costNanoUsd: price === null ? null : 500_000_000 };
  };
  const catalogue = { ...CATALOGUE, attributes: () => estimateAttributes(boundOf) };
  const rules =
    "deny when tokens.input > 8k and stream as long\ndeny when cost.estimate > $1 as dear\nwarn when cost.estimate > $0.10 as some";
  const rig = await service(t, rules, catalogue);
  t.match(rig.decide(call({ stream: true }), principal()), { effect: "deny", ruleIds: ["long"], warnings: ["some"] });
  t.equal(asked, 1);
  t.match(rig.decide(call(), principal()), { effect: "allow", unknown: [] });
  t.match(rig.decide(call({ targets: [UNPRICED] }), principal()), {
    effect: "deny",
    ruleIds: ["dear"],
    unknown: ["cost.estimate"],
  });
  asked = 0;
  const idle = await service(t, "deny team ml when tokens.input > 1", catalogue);
  t.equal(idle.decide(call(), principal()).effect, "allow");
  t.equal(asked, 0);
});

t.test("declarations that rules could not use are refused with their reason", async (t) => {
  const problem = (more: object): string | null => declarationsProblem([{ ...WORDS, ...more }], new Set(["stream"]));
  t.equal(problem({}), null);
  t.equal(problem({ name: "concurrency2", type: "name", known: { closed: false, values: [] } }), null);
  for (const name of ["Words", "a-b", "a..b", ".a", "a.", "a.B", "", "a b", "and", "in", "1a", 5, undefined]) {
    t.match(problem({ name }), "is not named by lower-case words with dots between them", String(name));
  }
  t.match(problem({ name: "stream" }), "`stream` has a name that is taken");
  t.match(declarationsProblem([WORDS, WORDS], new Set()), "is taken");
  t.match(problem({ type: "colour" }), "has no `type`, which is one of name, bool");
  t.match(problem({ fixedBy: "moon" }), "has no `fixedBy`");
  t.match(problem({ note: "" }), "has no `note`");
  t.match(problem({ known: { values: ["x"] } }), "names of a `name`");
  t.match(problem({ percent: true }), "which is for money");
  t.match(declarationsProblem({}, new Set()), "not a list");
  t.match(declarationsProblem([null], new Set()), "not an object");
});
