// Why a request is decided as it is: for people and as JSON.
import { formatUsd } from "../money.ts";
import type { Decision, RuleQuota, Target } from "../types.ts";
import type { Vocabulary } from "./catalogue.ts";
import type { CheckedDefault, CheckedRule, CheckedSet } from "./checked.ts";
import { type ExplainedRule, explainRule } from "./explain-rule.ts";
import { UNKNOWN, YES } from "./facts.ts";
import { type Flip, nearestFlips } from "./flip.ts";
import { factsOf, verdictsOf } from "./run-tests.ts";
import type { Scenario } from "./scenario.ts";
import { lineText, positionAt, whereOf } from "./source.ts";
import { decisionOf, isAllowed } from "./verdict.ts";
import { condText } from "./written.ts";

/** One target's part in a decision. */
export interface ExplainedTarget {
  readonly target: Target;
  readonly effect: "allow" | "deny";
  /** What decided: rules, the first of them shown to the caller; empty when the `default` line did. */
  readonly deciding: readonly ExplainedRule[];
  readonly fallback: CheckedDefault;
  /** Other rules that matched, without deciding. */
  readonly others: readonly ExplainedRule[];
  /** The `limit` and `budget` rules that the request would be counted against; empty when it is denied. */
  readonly quotas: readonly ExplainedQuota[];
}

/** A `limit` or `budget` rule and the counter that it comes to. */
export interface ExplainedQuota extends ExplainedRule {
  readonly quota: RuleQuota;
}

/** A decision with its reasons. */
export interface Explanation {
  readonly decision: Decision;
  readonly targets: readonly ExplainedTarget[];
  readonly flips: readonly Flip[];
}

/** Decides a scenario by the plain walk and says why. */
export function explain(set: CheckedSet, scenario: Scenario, vocabulary: Pick<Vocabulary, "targets">): Explanation {
  const verdicts = verdictsOf(set, scenario);
  const decision = decisionOf(verdicts, (target) => factsOf(scenario, target), 0);
  const targets = verdicts.map((verdict): ExplainedTarget => {
    const { denies, allows, shadows, warns, quotas, fallback, target } = verdict;
    const see = (rule: CheckedRule): ExplainedRule => explainRule(rule, factsOf(scenario, target));
    const deciding = denies.length > 0 ? denies : allows;
    const others = [...(denies.length > 0 ? allows : []), ...warns, ...shadows];
    const effect = isAllowed(verdict) ? "allow" : "deny";
    const counted = (decision.quotas?.get(target) ?? []).flatMap((quota) => {
      const rule = quotas.find(({ id, quota: { limit } }) => id === quota.ruleId && limit === quota.limit);
      return rule === undefined ? [] : [{ ...see(rule), quota }];
    });
    return { target, effect, deciding: deciding.map(see), fallback, others: others.map(see), quotas: counted };
  });
  return {
    decision,
    targets,
    flips: nearestFlips(set, scenario, verdicts, vocabulary),
  };
}

/** The explanation in text, ending in a line feed. */
export function renderExplanation({ decision, targets, flips }: Explanation): string {
  const lines = [decision.denial === null ? "allow" : `deny: ${decision.denial.message}`];
  for (const target of targets) lines.push("", ...targetLines(target));
  if (decision.unknown.length > 0) lines.push("", `unknown: ${decision.unknown.join(", ")}`);
  const other = decision.effect === "allow" ? "denied" : "allowed";
  const changes = flips.map((flip) => `  ${flip.join(" and ")}`);
  if (changes.length > 0) lines.push("", `it would be ${other} with`, ...changes);
  else lines.push("", `no change of one or two things was found with which it would be ${other}`);
  return `${lines.join("\n")}\n`;
}

function targetLines({ target, effect, deciding, fallback, others, quotas }: ExplainedTarget): string[] {
  const done = effect === "allow" ? "allowed" : "denied";
  const lines = [`${target.provider}/${target.model}: ${done}${deciding.length === 0 ? " by default" : ""}`];
  if (deciding.length === 0) lines.push(`  ${whereOf(fallback)}  ${firstLine(fallback)}`);
  for (const rule of deciding) lines.push(...ruleLines(rule, ""));
  for (const rule of others)
    lines.push(...ruleLines(rule, rule.rule.mode === "shadow" ? "shadow: " : `${rule.rule.effect}: `));
  for (const counted of quotas) lines.push(...ruleLines(counted, "counts: "), `    counter  ${counted.quota.label}`);
  return lines;
}

function ruleLines({ rule, conditions }: ExplainedRule, prefix: string): string[] {
  const width = Math.max(0, ...conditions.map(({ text }) => text.length));
  const named = rule.id === whereOf(rule) ? "" : ` (${rule.id})`;
  const seen = conditions.map(({ text, seen, truth }) => `    ${truthWord(truth)}  ${text.padEnd(width)}  ${seen}`);
  return [`  ${prefix}${whereOf(rule)}${named}  ${ruleText(rule)}`, ...seen];
}

/** A truth in one word of seven letters. */
function truthWord(truth: number): string {
  return truth === YES ? "yes    " : truth === UNKNOWN ? "unknown" : "no     ";
}

/** A rule as it stands in its file, on one line; whom the block around it is for is added. */
export function ruleText({ source, start, end, written }: CheckedRule): string {
  const lines = source.text.slice(start, end).split("\n");
  const text = lines.map((line) => line.trim()).join(" ");
  const scope = `for ${written.scope.map(condText).join(" ")}`;
  return written.scope.length === 0 || text.includes(scope) ? text : `${text}  [${scope}]`;
}

function firstLine({ source, start }: CheckedDefault): string {
  return lineText(source, positionAt(source, start).line).trim();
}

/** The explanation as data. */
export function explanationJson({ decision, targets, flips }: Explanation): object {
  const ruleJson = ({ rule, truth, conditions }: ExplainedRule): object => ({
    id: rule.id,
    effect: rule.effect,
    mode: rule.mode,
    where: whereOf(rule),
    text: ruleText(rule),
    truth: truthWord(truth).trim(),
    conditions: conditions.map(({ text, seen, truth }) => ({ text, seen, truth: truthWord(truth).trim() })),
  });
  return {
    effect: decision.effect,
    message: decision.denial?.message ?? null,
    rule_ids: decision.ruleIds,
    shadow_ids: decision.shadowIds,
    warnings: decision.warnings ?? [],
    unknown: decision.unknown,
    targets: targets.map(({ target, effect, deciding, fallback, others, quotas }) => ({
      provider: target.provider,
      model: target.model,
      effect,
      deciding: deciding.map(ruleJson),
      default: { where: whereOf(fallback), effect: fallback.effect, decides: deciding.length === 0 },
      others: others.map(ruleJson),
      quotas: quotas.map((counted) => ({ ...quotaJson(counted.quota), rule: ruleJson(counted) })),
    })),
    would_turn: flips,
  };
}

/** Money in dollars, counts as they are: text, since a budget may pass 2^53. */
function quotaJson({ id, label, unit, limit, window }: RuleQuota): object {
  const isMoney = unit === "nano-usd";
  return {
    counter: id,
    label,
    unit: isMoney ? "usd" : unit,
    limit: isMoney ? formatUsd(limit) : String(limit),
    window,
  };
}
