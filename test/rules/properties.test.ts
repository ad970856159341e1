// Laws that hold for every rule set and every call, on random ones.
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { build, snapshotOf } from "../../src/rules/build.ts";
import type { CheckedSet } from "../../src/rules/checked.ts";
import { compileSet } from "../../src/rules/compile.ts";
import { createDecide } from "../../src/rules/decide.ts";
import { interpret } from "../../src/rules/interpret.ts";
import { StatementCache } from "../../src/rules/parse.ts";
import { decisionOf } from "../../src/rules/verdict.ts";
import type { Call, Decision, Principal, Target } from "../../src/types.ts";
import { caller, callOf, HEADERS, moment, openRule, request, statements, targetList } from "./arbitrary.ts";
import { CATALOGUE, checkedSet, GPT4, NOW_MS, principal, source } from "./samples.ts";

const RUNS = { numRuns: 400 };

/** A decision without what differs for good reasons: which line a default stands on. */
function essence({ effect, targets, ruleIds, shadowIds, unknown, quotas }: Decision): object {
  const named = (ids: readonly string[]): string[] => ids.filter((id) => !id.startsWith("rules/")).sort();
  return {
    effect,
    models: targets.map(({ model }) => model),
    quotas: [...(quotas ?? [])].map(([{ model }, of]) => [model, of.map(({ id, limit }) => `${id} ${limit}`).sort()]),
    ruleIds: named(ruleIds),
    shadowIds: named(shadowIds),
    unknown: [...unknown].sort(),
  };
}

function compiled(rules: readonly string[]): (call: Call, principal: Principal, nowMs: number) => Decision {
  const decide = createDecide(compileSet(checkedSet(`${rules.join("\n")}\n`)), 1);
  return (call, principal, nowMs) => decide(call, principal, () => nowMs);
}

function walked(set: CheckedSet, call: Call, principal: Principal, nowMs: number): Decision {
  const factsOf = (target: Target) => ({ call, principal, target, nowMs });
  return decisionOf(
    call.targets.map((target) => interpret(set, factsOf(target))),
    factsOf,
    1,
  );
}

t.test("the compiled rules decide as the plain walk does, memo warm or cold", async (t) => {
  let denied = 0;
  let open = 0;
  let counted = 0;
  fc.assert(
    fc.property(
      statements,
      targetList,
      fc.array(caller, { minLength: 1, maxLength: 2 }),
      fc.array(fc.tuple(request, moment), { minLength: 1, maxLength: 4 }),
      (rules, targets, callers, asked) => {
        const decide = compiled(rules);
        const set = checkedSet(`${rules.join("\n")}\n`);
        const choices = [targets, ...targets.map((one) => [one])];
        for (const [more, nowMs] of [...asked, ...asked]) {
          for (const by of callers) {
            for (const choice of choices) {
              const call = callOf(more, choice);
              const found = decide(call, by, nowMs);
              if (!isDeepStrictEqual({ ...found }, { ...walked(set, call, by, nowMs) })) return false;
              if (found.effect === "deny") denied += 1;
              if (found.unknown.length > 0) open += 1;
              if (found.quotas !== undefined) counted += 1;
            }
          }
        }
        return true;
      },
    ),
    RUNS,
  );
  t.ok(denied > 100 && open > 50 && counted > 60, `denied ${denied}, open ${open}, counted ${counted}`);
});

t.test("many rules that look at the same few attributes are all found, and only those that fire decide", async (t) => {
  const few = fc.array(openRule, { minLength: 3, maxLength: 30 });
  const sent = fc.dictionary(fc.constantFrom(...HEADERS), fc.constantFrom("a", "b", "c"), { maxKeys: 4 });
  let quiet = 0;
  fc.assert(
    fc.property(few, fc.array(fc.tuple(request, sent, moment), { minLength: 4, maxLength: 4 }), (rules, asked) => {
      const set = checkedSet(`default allow\n${rules.map((rule, i) => `${rule} as r${i}`).join("\n")}\n`);
      const decide = createDecide(compileSet(set), 1);
      const by = principal();
      return asked.every(([more, headers, nowMs]) => {
        const call = callOf({ ...more, headers }, [GPT4]);
        const found = decide(call, by, () => nowMs);
        if (found.ruleIds.length === 0) quiet += 1;
        return isDeepStrictEqual({ ...found }, { ...walked(set, call, by, nowMs) });
      });
    }),
    RUNS,
  );
  t.ok(quiet > 20, `${quiet} of ${RUNS.numRuns * 4} are quiet`);
});

t.test("the order of statements and how often they stand change nothing", async () => {
  const shuffled = statements.chain((rules) =>
    fc.tuple(
      fc.constant(rules),
      fc.shuffledSubarray(rules, { minLength: rules.length }),
      fc.subarray(rules.filter((rule) => !rule.startsWith("let"))),
    ),
  );
  fc.assert(
    fc.property(shuffled, targetList, caller, request, moment, ([rules, moved, again], targets, by, more, nowMs) => {
      const call = callOf(more, targets);
      const before = essence(compiled(rules)(call, by, nowMs));
      const after = essence(compiled([...moved, ...again])(call, by, nowMs));
      return JSON.stringify(before) === JSON.stringify(after);
    }),
    RUNS,
  );
});

t.test("one more deny or only never allows what was denied", async () => {
  const more = statements.map((rules) => rules.filter((rule) => /^(deny|only)/.test(rule)));
  fc.assert(
    fc.property(statements, more, targetList, caller, request, moment, (rules, added, targets, by, asked, nowMs) => {
      const call = callOf(asked, targets);
      const before = compiled(rules)(call, by, nowMs).targets;
      const after = compiled([...rules, ...added.map((rule) => `${rule}x`)])(call, by, nowMs).targets;
      return after.every((target) => before.includes(target));
    }),
    RUNS,
  );
});

t.test("a price that becomes unknown never turns a deny into an allow", async () => {
  fc.assert(
    fc.property(statements, targetList, caller, request, moment, (rules, targets, by, asked, nowMs) => {
      const decide = compiled(rules);
      const known = decide(callOf(asked, targets), by, nowMs).targets.map(({ model }) => model);
      const unpriced = targets.map((target): Target => ({ ...target, price: null }));
      return decide(callOf(asked, unpriced), by, nowMs).targets.every(({ model }) => known.includes(model));
    }),
    RUNS,
  );
});

t.test(
  "a rule that is called covered, idle or, all being known, impossible can go without any decision changing",
  async (t) => {
    const seen = new Map<string, number>();
    const idle = new Set(["W303", "W304", "W310", "W312"]);
    fc.assert(
      fc.property(
        statements,
        targetList,
        fc.array(fc.tuple(caller, request, moment), { minLength: 8, maxLength: 8 }),
        (rules, targets, asked) => {
          const text = `${rules.join("\n")}\n`;
          const { diagnostics } = build(
            snapshotOf([source(text)]),
            { ...CATALOGUE, models: () => [] },
            new StatementCache(),
            NOW_MS,
          );
          const full = compiled(rules);
          return diagnostics.every(({ code, span }) => {
            if (!idle.has(code)) return true;
            seen.set(code, (seen.get(code) ?? 0) + 1);
            const without = compiled(rules.filter((rule) => rule !== text.slice(span.start, span.end)));
            return asked.every(([by, more, nowMs]) => {
              const call = callOf(more, targets);
              const before = full(call, by, nowMs);
              // What is unknown may be both: a deny counts that as a match.
              if (code === "W312" && before.unknown.length > 0) return true;
              const models = (decision: Decision): string => decision.targets.map(({ model }) => model).join();
              return models(before) === models(without(call, by, nowMs));
            });
          });
        },
      ),
      { numRuns: 1_000 },
    );
    t.ok((seen.get("W310") ?? 0) > 10 && (seen.get("W312") ?? 0) > 5, JSON.stringify([...seen]));
  },
);
