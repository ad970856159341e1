// From what fired for each target to the decision that the pipeline acts on, and the sentence that its caller reads.
import type { Decision, Denial, RuleQuota, Target } from "../types.ts";
import type { CheckedDefault, CheckedRule } from "./checked.ts";
import type { Facts } from "./facts.ts";
import type { Fired } from "./fired.ts";
import { type QuotaFor, quotaFor } from "./quotas.ts";
import { becauseSentence, defaultSentence, denialSentence } from "./sentence.ts";
import { byPlace } from "./source.ts";

/** What fired for one target. */
export interface TargetVerdict extends Fired {
  readonly target: Target;
  /** Attributes that were unknown and mattered. */
  readonly unknown: readonly string[];
  /** The `default` line that decides when nothing fired. */
  readonly fallback: CheckedDefault;
}

/** Whether the target may be used: no deny, and an allow or an allowing default. */
export function isAllowed(verdict: TargetVerdict): boolean {
  return verdict.denies.length === 0 && (verdict.allows.length > 0 || verdict.fallback.effect === "allow");
}

/** The decision for a call, of its targets' verdicts (at least one). @param find how counters are found */
export function decisionOf(
  verdicts: readonly TargetVerdict[],
  factsOf: (target: Target) => Facts,
  generation: number,
  find: QuotaFor = quotaFor,
): Decision {
  const allowed = verdicts.filter(isAllowed);
  const denied = verdicts.filter((verdict) => !isAllowed(verdict));
  const deniedIds = denied.flatMap(idsOfDenied);
  const allowedIds = allowed.flatMap(({ allows }) => allows.map(({ id }) => id));
  const warnings = unique(verdicts.flatMap(({ warns }) => warns.map(({ id }) => id)));
  return Object.freeze({
    effect: allowed.length > 0 ? "allow" : "deny",
    targets: Object.freeze(allowed.map(({ target }) => target)),
    denial: allowed.length > 0 ? null : denialOf(denied, factsOf),
    ruleIds: unique(allowed.length > 0 ? [...allowedIds, ...deniedIds] : deniedIds),
    shadowIds: unique(verdicts.flatMap(({ shadows }) => shadows.map(({ id }) => id))),
    unknown: unique(verdicts.flatMap(({ unknown }) => unknown)),
    ...(warnings.length > 0 ? { warnings } : {}),
    ...charged(allowed, factsOf, find),
    generation,
  });
}

/** What counts against which limit, for each target that has any. */
function charged(
  allowed: readonly TargetVerdict[],
  factsOf: (target: Target) => Facts,
  find: QuotaFor,
): Pick<Decision, "quotas"> {
  const counting = allowed.filter(({ quotas }) => quotas.length > 0);
  if (counting.length === 0) return {};
  return {
    quotas: new Map(counting.map((verdict) => [verdict.target, quotasOf(verdict, factsOf(verdict.target), find)])),
  };
}

/** The counters that apply to a target, each once: where rules share one, the smallest amount stands. */
function quotasOf({ quotas }: TargetVerdict, facts: Facts, find: QuotaFor): readonly RuleQuota[] {
  const byId = new Map<string, RuleQuota>();
  for (const rule of quotas) {
    const quota = find(rule, facts);
    const other = byId.get(quota.id);
    if (other === undefined || quota.limit < other.limit) byId.set(quota.id, quota);
  }
  return Object.freeze([...byId.values()]);
}

/** The rule that is shown first; then the others that denied; then what allowed in vain. */
function idsOfDenied({ denies, allows, fallback }: TargetVerdict): string[] {
  const deciding = denies.length > 0 ? denies.map(({ id }) => id) : [fallback.id];
  return [...deciding, ...allows.map(({ id }) => id)];
}

/** The matching deny with the smallest (file, place) over all targets; a default only where no deny matched. */
function denialOf(denied: readonly TargetVerdict[], factsOf: (target: Target) => Facts): Denial {
  let shown: { rule: CheckedRule; target: Target } | null = null;
  for (const { denies, target } of denied) {
    const rule = denies[0];
    if (rule !== undefined && (shown === null || byPlace(rule, shown.rule) < 0)) shown = { rule, target };
  }
  const first = denied[0];
  if (shown !== null) return denialBy(shown.rule, factsOf(shown.target));
  if (first === undefined) throw new Error("a call has at least one target");
  return Object.freeze({ message: defaultSentence(first.fallback, first.target), ruleId: first.fallback.id });
}

function denialBy(rule: CheckedRule, facts: Facts): Denial {
  const message = rule.because === null ? denialSentence(rule, facts) : becauseSentence(rule, rule.because, facts);
  return Object.freeze({ message, ruleId: rule.id, ...(rule.status === null ? {} : { status: rule.status }) });
}

function unique(ids: readonly string[]): readonly string[] {
  return Object.freeze([...new Set(ids)]);
}
