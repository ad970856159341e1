// Warnings about rules that are well formed: they say what was most likely not meant.
import type { Target } from "../types.ts";
import type { CheckSet } from "./check-context.ts";
import type { CheckedRule, CheckedSet, Cond, Leaf } from "./checked.ts";
import { type Code, diagnostic } from "./diagnostics.ts";
import { NO, negate, type Tri, UNKNOWN, YES } from "./facts.ts";
import { holds, truthOf } from "./interpret.ts";
import { conditionFindings } from "./lint-conditions.ts";
import { LintFacts, type LintMemory, type RuleWarning, type Surroundings } from "./lint-memory.ts";
import { lintQuotas } from "./lint-quotas.ts";
import { lintSets } from "./lint-sets.ts";
import { whereOf } from "./source.ts";
import type { Steps } from "./steps.ts";
import { condText } from "./written.ts";

/** Rules that are looked at between two steps. */
const STEP = 64;

/** Adds warnings for a set whose rules could be checked. @param memory what the last run left */
export function* lint(set: CheckSet, { rules, defaults }: CheckedSet, memory: LintMemory): Steps<void> {
  const around = {
    targets: set.vocabulary.targets,
    anyDefaultDeny: defaults.some(({ effect }) => effect === "deny"),
  };
  const byText = new Map<string, CheckedRule>();
  const byId = new Map<string, CheckedRule>();
  const twins = new Set<CheckedRule>();
  for (const [i, rule] of rules.entries()) {
    const isNew = rule.memo.lint === null;
    if (isNew || i % STEP === 0) yield;
    const facts = factsOf(rule);
    const twin = byText.get(facts.text);
    if (twin === undefined) byText.set(facts.text, rule);
    else {
      twins.add(rule);
      warn(set, rule, "W303", "the same rule stands twice", `the other is at ${whereOf(twin)}`);
    }
    const namesake = byId.get(rule.id);
    if (namesake === undefined) byId.set(rule.id, rule);
    else if (twin === undefined)
      warn(set, rule, "W308", `the id \`${rule.id}\` names two rules`, `the other is at ${whereOf(namesake)}`);
    const own = facts.warnings(around, () => warningsFor(rule, around));
    for (const { code, message, help } of own) warn(set, rule, code, message, help);
  }
  yield* lintSets(set, rules, twins, memory);
  lintQuotas(set, rules, twins);
}

/** The rule's facts, which now are about the rule where it stands. */
function factsOf(rule: CheckedRule): LintFacts {
  rule.memo.lint ??= new LintFacts(rule, ruleText(rule));
  rule.memo.lint.rule = rule;
  return rule.memo.lint;
}

/** What is to be said of the rule by itself. */
function warningsFor(rule: CheckedRule, { targets, anyDefaultDeny }: Surroundings): RuleWarning[] {
  const found: RuleWarning[] = [];
  const add = (code: Code, message: string, help: string): void => void found.push({ code, message, help });
  if (rule.mode === "off") return found;
  for (const { code, message, help } of conditionFindings(rule, { targets })) add(code, message, help);
  if ((rule.effect === "allow" || rule.effect === "warn") && rule.mode === "shadow") {
    add("W304", `a \`shadow ${rule.effect}\` changes nothing`, "a shadow rule shows what would be denied");
  } else if (rule.effect === "allow" && !anyDefaultDeny) {
    const message = "this `allow` changes nothing: what no rule denies is allowed anyway";
    add("W304", message, "use `unless` in a deny, or `default deny`");
  }
  if (!isPossible(rule.fires, targets)) {
    const message = "none of the models that this rule names can meet its conditions, so it does nothing";
    add("W307", message, "compare its price with theirs");
  }
  if (rule.effect !== "allow" && rule.effect !== "warn" && rule.mode === "live" && canBeDodged(rule.fires)) {
    const message = `a caller can dodge this \`${rule.effect}\` by leaving out a header or metadata`;
    add("W306", message, "ask for what is not the expected value: `!=` or `not in` also match what is left out");
  }
  return found;
}

/** Whether a rule that names models or providers can hold for one of them; names that the catalogue lacks are W301's. */
function isPossible(cond: Cond, targets: ReadonlyMap<string, readonly Target[]>): boolean {
  const naming = namingLeaves(cond);
  if (naming.length === 0) return true;
  const named = [...candidatesFor(naming, targets)].filter((target) =>
    naming.every((leaf) => truthFor(leaf, target) === YES),
  );
  return named.length === 0 || named.some((target) => truthOf(cond, (leaf) => truthFor(leaf, target)) !== NO);
}

/** Only the targets of exact names are looked at, where there are such. */
function candidatesFor(naming: readonly Leaf[], targets: ReadonlyMap<string, readonly Target[]>): readonly Target[] {
  for (const { ref, test } of naming) {
    if (ref.attribute.name === "model" && test.kind === "names" && test.globs.length === 0) {
      return test.exact.flatMap((name) => targets.get(name) ?? []);
    }
  }
  return [...targets.values()].flat();
}

/** Only what the model fixes is known here. */
function truthFor(leaf: Leaf, target: Target): Tri {
  const { attribute } = leaf.ref;
  if (attribute.fixedBy !== "model" || attribute.outside !== undefined) return UNKNOWN;
  const truth = holds(leaf.test, attribute.read(target));
  return leaf.negated ? negate(truth) : truth;
}

/** The models and providers without which the condition is false. */
function namingLeaves(cond: Cond): Leaf[] {
  if (cond.kind === "and") return cond.parts.flatMap(namingLeaves);
  if (cond.kind !== "test" || cond.negated || cond.test.kind !== "names") return [];
  return cond.ref.attribute.name === "model" || cond.ref.attribute.name === "provider" ? [cond] : [];
}

/** Whether leaving out what is optional alone makes the condition false, whatever else holds. */
function canBeDodged(cond: Cond): boolean {
  const withoutOptional = (leaf: Leaf): Tri => (leaf.ref.attribute.optional ? (leaf.negated ? 2 : 0) : UNKNOWN);
  return truthOf(cond, withoutOptional) === NO;
}

/** What a rule says, without its id and its place: equal texts are equal rules. */
function ruleText(rule: CheckedRule): string {
  const { selectors, scope, when, unless } = rule.written;
  const part = (conds: readonly Cond[]): string[] => conds.map(condText).sort();
  return JSON.stringify([
    rule.effect,
    rule.quota && [rule.quota.text, rule.quota.by.map(({ text }) => text)],
    rule.mode,
    part(selectors),
    part(scope),
    when && condText(when),
    unless && condText(unless),
    rule.untilDay,
    rule.zone.name,
  ]);
}

function warn(set: CheckSet, rule: CheckedRule, code: Code, message: string, help: string): void {
  set.add(diagnostic(code, rule.source, { start: rule.start, end: rule.end }, message, help));
}
