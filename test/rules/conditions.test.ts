// Conditions that always or never hold: what is told is so, what people write for good reasons is not told.
import fc from "fast-check";
import t from "tap";
import { vocabularyOf } from "../../src/rules/catalogue.ts";
import type { CheckedRule, Cond } from "../../src/rules/checked.ts";
import { type Facts, NO, YES } from "../../src/rules/facts.ts";
import { leafTruth, truthOf } from "../../src/rules/interpret.ts";
import { conditionFindings } from "../../src/rules/lint-conditions.ts";
import { condText } from "../../src/rules/written.ts";
import { caller, callOf, request, targetList } from "./arbitrary.ts";
import { CATALOGUE, checkedSet, NOW_MS, target } from "./samples.ts";

/** `W313 …` for each finding on a rule. */
function told(rule: string, models = [...CATALOGUE.models()]): string[] {
  const [checked] = checkedSet(`default allow\nlet @late = hour >= 20\n${rule}\n`).rules;
  const vocabulary = vocabularyOf({ models: () => models });
  return conditionFindings(checked as CheckedRule, vocabulary).map(({ code, message }) => `${code} ${message}`);
}

t.test("what never or always holds is told with the part that does not", async (t) => {
  const cases: Record<string, string> = {
    "deny when hour > 23": "W312 `hour > 23` never holds",
    "deny when stream and (n < 1 or hour = 24)": "W312 `stream and (n < 1 or hour = 24)` never holds",
    "shadow deny when max_tokens > 8k and max_tokens < 4k": "W312 `max_tokens > 8k and max_tokens < 4k` never holds",
    "deny when (n > 2 or n < 2) and n = 2": "W312 `(n > 2 or n < 2) and n = 2` never holds",
    "deny when n > 2 and n < 3": "W312 `n > 2 and n < 3` never holds",
    "warn for team ml when model gpt-4 and model gpt-4o-mini": "W312 `model gpt-4 and model gpt-4o-mini` never holds",
    "deny when hour >= 0": "W313 `hour >= 0` always holds",
    "deny team ml when n >= 1 and stream": "W313 `n >= 1` always holds",
    "deny when stream or not stream": "W313 `stream or not stream` always holds",
    "deny when @late or hour < 20": "W313 `@late or hour < 20` always holds",
    "deny when max_tokens > 8k and max_tokens > 4k":
      "W313 `max_tokens > 4k` always holds where the rest of the rule does",
    "deny model gpt-4 when model [gpt-4, gpt-4o-mini] and stream":
      "W313 `model [gpt-4, gpt-4o-mini]` always holds where the rest of the rule does",
    "deny model gpt-4 when price > 0": "W313 `price > $0/M` always holds",
    "deny when price.input >= 0": "W313 `price.input >= $0/M` always holds",
    "deny when stream or n < 1": "W314 `n < 1`, a part of an `or`, never holds",
    "deny model gpt-4 when stream or model gpt-4o-mini":
      "W314 `model gpt-4o-mini`, a part of an `or`, never holds where the rest of the rule does",
    "deny when max_tokens > 8k or max_tokens > 16k":
      "W314 `max_tokens > 16k` holds only where `max_tokens > 8k` does, so the `or` needs the wider one alone",
    "deny team ml unless hour in 24..25": "W314 `unless hour in 24..25` never holds",
    "deny model gpt-4 unless model gpt-4o-mini":
      "W314 `unless model gpt-4o-mini` never holds where the rest of the rule does",
    "deny team ml unless n >= 1": "W315 `unless n >= 1` always holds, so the rule does nothing",
    "deny team ml unless (stream or hour >= 0) and n > 0":
      "W315 `unless (stream or hour >= 0) and n > 0` always holds, so the rule does nothing",
    "only model gpt-4 for team ml when time >= 00:00": "W313 `time >= 00:00` always holds",
  };
  for (const [rule, expected] of Object.entries(cases)) t.same(told(rule), [expected], rule);
  t.same(told("deny when hour >= 0 and n >= 1 and stream").length, 2, "each such part");
});

t.test("what people write for good reasons is not told", async (t) => {
  const good = [
    "deny model gpt-4 when price > 10",
    "deny model gpt-4 when price <= 100",
    "deny model [gpt-4, claude-opus-4] when price > 10 or max_tokens > 8k",
    "deny when max_tokens is set and max_tokens > 8k",
    'deny when header["x-env"] is set and header["x-env"] != prod',
    "deny team ml unless role admin",
    "deny team ml unless team search",
    "deny role dev when role admin",
    "deny when hour in 22:00..06:00 or weekday in [sat, sun]",
    "deny when @late and not stream",
    "allow when max_tokens >= 0",
    "allow when price >= 0",
    "deny when temperature >= 0",
    "deny when price is unset",
    "deny unless price is set",
    "deny unless price >= 0",
    "deny when price is set and price > 10",
    "off deny when hour in 0..22",
    "deny when n > 1 or stream",
    "deny when model gpt-4* and model *-mini",
  ];
  for (const rule of good) t.same(told(rule), [], rule);
  const free = [target("gpt-4", 60), target("gpt-4o-mini", 0)];
  t.same(told("deny when price > 0", free), [], "one costs nothing");
  t.same(told("deny when price > 0", [target("gpt-4", 60), target("x", null)]), [], "one has no price");
});

const comparison = fc.constantFrom(
  ...["stream", "not stream", "hour > 23", "hour >= 0", "hour < 12", "hour >= 12", "hour in 22..6", "n >= 1", "n > 1"],
  ...["n = 1", "n != 1", "n in 1..2", "max_tokens > 100", "max_tokens <= 100", "max_tokens > 8k", "max_tokens >= 0"],
  ...[
    "max_tokens in 0..100",
    "price > 0",
    "price > 10",
    "price <= 20",
    "price >= 20",
    "model gpt-4",
    "model not gpt-4",
  ],
  ...["model [gpt-4, gpt-4o-mini]", "model g*", "model = claude-opus-4", "team ml", "team not ml", "team search"],
  ...["team is set", "team is unset", "role admin", "role not [admin, dev]", 'header["x-env"] = prod', "tools"],
  ...['header["x-env"] != prod', 'header["x-env"] in [prod, dev]', "not tools", "tools.count > 0", "temperature < 1"],
);
const condition: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    comparison,
    fc.tuple(tie("node"), fc.constantFrom("and", "or"), tie("node")).map(([a, op, b]) => `(${a} ${op} ${b})`),
    tie("node").map((part) => `not (${part})`),
  ),
})).node;
const rule = fc
  .tuple(
    fc.constantFrom("deny", "deny model gpt-4", "deny model g* for team ml", "only model gpt-4 for team ml", "warn"),
    fc.option(condition, { freq: 5 }),
    fc.option(condition, { freq: 2 }),
  )
  .filter(([, when, unless]) => when !== null || unless !== null)
  .map(([head, when, unless]) =>
    `${head}${when && ` when ${when}`}${unless && ` unless ${unless}`}`.replaceAll("null", ""),
  );

/**
 * The rule's condition without what a finding says can go: a part of `when`, a part of an `or`, or the `unless`. Where
 * the same text stands in several places, once without each.
 */
function without({ effect, written }: CheckedRule, code: string, text: string): Cond[] {
  const isIt = (cond: Cond): boolean => condText(cond) === text;
  const conjuncts = (cond: Cond | null): readonly Cond[] =>
    cond === null ? [] : cond.kind === "and" ? cond.parts.flatMap(conjuncts) : [cond];
  const lessOne = (parts: readonly Cond[]): readonly Cond[] => parts.toSpliced(parts.findIndex(isIt), 1);
  const hasIt = (cond: Cond): boolean => cond.kind === "or" && cond.parts.some(isIt);
  const lessInOr = (cond: Cond): Cond => (cond.kind === "or" ? { kind: "or", parts: lessOne(cond.parts) } : cond);
  const selectors: Cond = { kind: "and", parts: written.selectors };
  const whole = (when: readonly Cond[], unless: Cond | null): Cond => ({
    kind: "and",
    parts: [
      ...written.scope,
      effect === "only" ? { kind: "not", part: selectors } : selectors,
      ...when,
      ...(unless === null ? [] : [{ kind: "not", part: unless } as const]),
    ],
  });
  const { unless } = written;
  const when = conjuncts(written.when);
  if (code === "W313") return [whole(lessOne(when), unless)];
  if (unless !== null && text === `unless ${condText(unless)}`) return [whole(when, null)];
  return [
    ...when.flatMap((part, i) => (hasIt(part) ? [whole(when.with(i, lessInOr(part)), unless)] : [])),
    ...(unless !== null && hasIt(unless) ? [whole(when, lessInOr(unless))] : []),
  ];
}

t.test("no request is a counterexample of what is told", async (t) => {
  const seen = new Map<string, number>();
  const moments = fc.integer({ min: 0, max: 47 }).map((hours) => NOW_MS + hours * 1_800_000);
  const asked = fc.array(fc.tuple(caller, request, moments), { minLength: 40, maxLength: 40 });
  fc.assert(
    fc.property(rule, targetList, asked, (text, targets, all) => {
      const [checked] = checkedSet(`default allow\n${text}\n`).rules as [CheckedRule];
      const [first] = conditionFindings(checked, vocabularyOf({ models: () => targets }));
      if (first === undefined) return true;
      seen.set(first.code, (seen.get(first.code) ?? 0) + 1);
      const part = /^`([^`]*)`/.exec(first.message)?.[1] ?? "";
      const holdsFor = (cond: Cond, facts: Facts): number => truthOf(cond, (leaf) => leafTruth(leaf, facts));
      const moments = all.flatMap(([by, more, nowMs]) =>
        targets.map((of): Facts => ({ call: callOf(more, [of]), principal: by, target: of, nowMs })),
      );
      if (first.code === "W312" || first.code === "W315")
        return moments.every((facts) => holdsFor(checked.fires, facts) !== YES);
      return without(checked, first.code, part).some((less) =>
        moments.every((facts) => {
          const [whole, rest] = [holdsFor(checked.fires, facts), holdsFor(less, facts)];
          return !(whole === YES && rest === NO) && !(whole === NO && rest === YES);
        }),
      );
    }),
    { numRuns: 3_000 },
  );
  for (const code of ["W312", "W313", "W314", "W315"]) t.ok((seen.get(code) ?? 0) > 20, `${code}: ${seen.get(code)}`);
});
