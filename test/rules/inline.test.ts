// Rules kept on organisations, teams and keys: what they may do, to whom, and what happens when they are broken.
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { compileSet } from "../../src/rules/compile.ts";
import { createDecide } from "../../src/rules/decide.ts";
import { createRuleService } from "../../src/rules/engine.ts";
import { InlineRuleSets } from "../../src/rules/inline.ts";
import { InlineRulesError, withInline } from "../../src/rules/inline-bind.ts";
import { interpret } from "../../src/rules/interpret.ts";
import { decisionOf } from "../../src/rules/verdict.ts";
import type { Call, Decision, InlineRules, Principal, Target } from "../../src/types.ts";
import { caller, callOf, moment, request, statements, targetList } from "./arbitrary.ts";
import { CATALOGUE, call, checkedSet, decideBy, GPT4, keptOn, MINI, NOW_MS, OPUS, principal } from "./samples.ts";

const RUNS = { numRuns: 300 };

t.test("the plainest rule on a team denies the team and nobody else", async (t) => {
  const decide = decideBy("default allow\n");
  const text = "# why\ndeny model gpt-4 when price > 10\n";
  t.match(decide(call(), principal({ team: "ml", rules: { team: text } })), {
    effect: "deny",
    ruleIds: ["team:ml:2"],
    denial: {
      ruleId: "team:ml:2",
      message: "Access denied: model gpt-4 (price $60/M) is denied by team ml's rules, line 2 (price > $10/M)",
    },
  });
  t.equal(decide(call(), principal({ team: "ml" })).effect, "allow");
});

t.test("all three apply; the files' denial is shown first, then the widest subject's", async (t) => {
  const rules = { org: "deny model gpt-4 as a\n", team: "deny model [gpt-4, gpt-4o-mini] as b\n", key: "deny as z\n" };
  const by = principal({ team: "ml", org: "acme", rules });
  const decide = decideBy("default allow\ndeny model gpt-4 as zz\n");
  t.same(decide(call({ targets: [GPT4] }), by).ruleIds, ["zz", "org:acme:a", "team:ml:b", "key:ci:z"]);
  t.equal(decide(call({ targets: [OPUS] }), by).denial?.ruleId, "key:ci:z");
  const several = decide(call({ targets: [OPUS, MINI, GPT4] }), by).denial;
  t.equal(several?.ruleId, "zz", "over all targets");
  t.equal(decide(call({ targets: [OPUS, MINI] }), by).denial?.ruleId, "team:ml:b");
});

t.test("warn, shadow, off, until, let, timezone and blocks mean what they mean in files", async (t) => {
  const text = `timezone Europe/Berlin
let @big = [gpt-4, claude-opus-*]
warn model @big as big
shadow deny model @big
off deny
deny until 2026-11-20
for role intern {
  deny when hour in 13..13 because "not over lunch"
}
`;
  const decide = decideBy("default allow\nlet @big = [gpt-4o-mini]\n");
  const by = (roles: string[]) => principal({ team: "ml", roles, rules: { team: text } });
  t.match(decide(call(), by([])), { effect: "allow", warnings: ["team:ml:big"], shadowIds: ["team:ml:4"] });
  t.match(decide(call(), by(["intern"])).denial, { message: "not over lunch", ruleId: "team:ml:8" }, "13:00 in Berlin");
  const other = decide(call({ targets: [MINI] }), by([]));
  t.equal(other.warnings, undefined, "names of rule files are not seen, nor do they clash");
});

t.test("names that would not fit a header, or end a sentence, are written so that they do", async (t) => {
  const by = principal({ team: 'm"ü\u001b[2J', rules: { team: "deny\n" } });
  const { denial } = decideBy("default allow\n")(call(), by);
  t.match(denial?.ruleId, /^[\x20-\x7e]+:1$/);
  t.notMatch(denial?.message, /\p{Cc}/u);
});

t.test(
  "a rule that several teams keep is each one's own in what they are told, also where the request decides",
  async (t) => {
    const decide = decideBy("default allow\ndeny when stream unless role x\n");
    const text = "deny when max_tokens > 10\ndeny when n > 1\n";
    for (const team of ["ml", "search", "ml"]) {
      const by = principal({ team, rules: { team: text } });
      t.equal(decide(call({ maxTokens: 11 }), by).denial?.ruleId, `team:${team}:1`);
      const all = decide(call({ maxTokens: 11, n: 2, stream: true }), by);
      t.same(all.ruleIds, ["rules/a.rules:2", `team:${team}:1`, `team:${team}:2`], "the files' come first");
    }
    const by = principal({ team: "ml", org: "acme", rules: { org: text, team: text } });
    t.same(decide(call({ maxTokens: 11 }), by).ruleIds, ["org:acme:1", "team:ml:1"]);
  },
);

t.test("a text is read once for all who keep it, and each is named", async (t) => {
  const inline = new InlineRuleSets();
  const of = (team: string): Principal => principal({ team, rules: { team: "deny model gpt-4\n" } });
  const ids = ["ml", "search"].map((team) =>
    inline.candidates({ principal: of(team), target: GPT4 }).map(({ rule }) => rule.id),
  );
  t.same(ids, [["team:ml:1"], ["team:search:1"]]);
  const stolen = { ...of("ml"), rules: [keptOn("team", "deny\n", "search")] };
  t.throws(() => inline.candidates({ principal: stolen, target: GPT4 }), /another subject's/);
});

t.test("limits and budgets have counters of their own, whoever keeps the same text", async (t) => {
  const text = "limit 5 requests per 1m\nbudget $5 per month by key as spend\n";
  const decide = decideBy("default allow\nlimit 5 requests per 1m\nbudget $9 per month by key as spend\n");
  const counters = (by: Principal) => decide(call(), by).quotas?.get(GPT4) ?? [];
  const ml = counters(principal({ team: "ml", rules: { team: text } }));
  t.same(
    ml.map(({ ruleId, label }) => [ruleId, label]),
    [
      ["rules/a.rules:2", "limit 5 requests per 1m"],
      ["spend", "budget $9 per month for key ci"],
      ["team:ml:1", "team ml's limit 5 requests per 1m"],
      ["team:ml:spend", "team ml's budget $5 per month for key ci"],
    ],
  );
  const ids = (all: typeof ml): string[] => all.map(({ id }) => id);
  const search = ids(counters(principal({ team: "search", rules: { team: text } })));
  const own = ids(counters(principal({ rules: { key: text } })));
  t.equal(new Set([...ids(ml), ...search, ...own]).size, 8, "two of the files, two for each that keeps some");
  const mate = ids(counters(principal({ key: "mate", team: "ml", rules: { team: text } })));
  t.same([mate[2] === ml[2]?.id, mate[3] === ml[3]?.id], [true, false], "the team's without `by` is all its keys'");
  const raised = "\nlimit 50 requests per 1m\n";
  t.equal(ids(counters(principal({ team: "ml", rules: { team: raised } })))[2], ml[2]?.id, "what was used stays used");
});

t.test("broken rules deny their subject's requests, are told once, and are nobody else's business", async (t) => {
  const errors: { fields: Record<string, unknown>; message: string }[] = [];
  const log = { error: (fields: object, message: string) => errors.push({ fields: { ...fields }, message }) };
  const directory = t.testdir({ "all.rules": "default allow\n" });
  const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 };
  const service = createRuleService({ directory, catalogue: { models: () => [] }, clock, log });
  await service.load();
  const broken = (key: string): Principal => principal({ key, team: "ml", rules: { team: "deny\ndney model x\n" } });
  const first = broken("a");
  for (const by of [first, first, broken("b")]) {
    t.match(service.decide(call(), by), {
      effect: "deny",
      targets: [],
      denial: { code: "policy_error", message: /^The rules kept on team ml could not be evaluated/ },
      generation: 1,
    });
  }
  t.match(errors, [{ fields: { scope: "team", subject: { alias: "ml" }, report: /E102[\s\S]*--> team ml:2:1/ } }]);
  t.equal(errors.length, 1);
  for (const text of ["default allow\n", "allow\n", "for role a {\n  allow\n}\n"]) {
    const widening = principal({ rules: { key: text } });
    t.equal(service.decide(call(), widening).denial?.code, "policy_error", text);
  }
  t.equal(service.decide(call(), principal({ team: "search" })).effect, "allow");
  t.equal(service.decide(call(), principal({ team: "ml", rules: { team: "deny model x\n" } })).effect, "allow");
  t.throws(() => withInline(checkedSet("default allow\n"), first), InlineRulesError);
});

t.test("a name or a price that is gone, and a test that no longer passes, do not lock anybody out", async (t) => {
  const text = 'deny model gone as x\ntest "was true" {\n  given model gone\n  expect deny by team:ml:1\n}\n';
  const by = principal({ team: "ml", rules: { team: text } });
  t.equal(decideBy("default allow\n")(call(), by).effect, "allow");
});

/** Texts that may be kept. */
const kept = statements.map((all) =>
  all.filter((line) => !/^(default|allow|(shadow|off) allow)/.test(line)).join("\n"),
);

/** A caller, the same one with rules kept, and what they are kept on. */
const keepers = fc
  .record({ by: caller, org: fc.option(kept), team: fc.option(kept), key: fc.option(kept) })
  .map(({ by, org, team, key }) => {
    const bare: Principal = { ...by, org: { id: "id_acme", alias: "acme" } };
    const rules: InlineRules[] = [];
    if (org !== null) rules.push(keptOn("org", org, "acme"));
    if (team !== null && by.team !== null) rules.push(keptOn("team", team, by.team.alias));
    if (key !== null) rules.push(keptOn("key", key, by.key.alias));
    return { bare, by: Object.freeze({ ...bare, ...(rules.length === 0 ? {} : { rules }) }) };
  });

/** Kept rules may compare what plugins register. */
const inlineSets = (): InlineRuleSets => new InlineRuleSets(undefined, CATALOGUE);

function interpreted(rules: readonly string[], call: Call, by: Principal, nowMs: number): Decision {
  const set = withInline(checkedSet(`${rules.join("\n")}\n`), by, CATALOGUE);
  const factsOf = (target: Target) => ({ call, principal: by, target, nowMs });
  return decisionOf(
    call.targets.map((target) => interpret(set, factsOf(target))),
    factsOf,
    1,
  );
}

t.test("kept rules compiled decide as the plain walk does, memo warm or cold", async (t) => {
  let denied = 0;
  const asked = fc.array(fc.tuple(request, moment), { minLength: 1, maxLength: 2 });
  fc.assert(
    fc.property(statements, targetList, keepers, asked, (rules, targets, { by }, all) => {
      const decide = createDecide(compileSet(checkedSet(`${rules.join("\n")}\n`)), 1, inlineSets());
      return [...all, ...all].every(([more, nowMs]) => {
        const of = callOf(more, targets);
        const found = decide(of, by, () => nowMs);
        if (found.ruleIds.some((id) => /^(org|team|key):/.test(id))) denied += 1;
        return isDeepStrictEqual({ ...found }, { ...interpreted(rules, of, by, nowMs) });
      });
    }),
    RUNS,
  );
  t.ok(denied > 100, `kept rules decide often enough: ${denied}`);
});

t.test("kept rules never allow what the files deny, and change nothing for anybody else", async (t) => {
  let narrowed = 0;
  fc.assert(
    fc.property(statements, targetList, keepers, request, moment, (rules, targets, { bare, by }, more, nowMs) => {
      const set = compileSet(checkedSet(`${rules.join("\n")}\n`));
      const of = callOf(more, targets);
      const alone = createDecide(set, 1, inlineSets())(of, bare, () => nowMs);
      const decide = createDecide(set, 1, inlineSets());
      const own = decide(of, by, () => nowMs);
      if (own.targets.length < alone.targets.length) narrowed += 1;
      return (
        own.targets.every((target) => alone.targets.includes(target)) &&
        isDeepStrictEqual({ ...decide(of, bare, () => nowMs) }, { ...alone })
      );
    }),
    RUNS,
  );
  t.ok(narrowed > 30, `kept rules narrow often enough: ${narrowed}`);
});
