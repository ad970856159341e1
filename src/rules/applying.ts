// Which `limit` and `budget` statements apply to a key, or to what keys belong to, and what they count.
import type { Principal, QuotaUnit, QuotaWindow, RuleQuota, Target } from "../types.ts";
import { type AttributeRef, isBound } from "./attributes.ts";
import { type CheckedRule, type CountingRule, isCounting } from "./checked.ts";
import { ruleText } from "./explain.ts";
import { type Facts, NO, type Tri, UNKNOWN, YES } from "./facts.ts";
import { boundRules, InlineRulesError } from "./inline-bind.ts";
import type { KnownAttributes } from "./inline-text.ts";
import { inForce, leafTruth, leavesOf, truthOf } from "./interpret.ts";
import { quotaFor } from "./quotas.ts";

/** Whose statements are looked for: a key, or all keys of a team, a user or an organisation. */
export interface SubjectOfRules {
  /** The key's principal; of the others one that has what is known of every key of theirs. */
  readonly principal: Principal;
  /** Attributes of keys that are known: `team` and `org` of a team's; null: all. */
  readonly knows: ReadonlySet<string> | null;
}

/** A statement's counter for the subject. */
export interface AppliedQuota {
  /** As it is written, with whom the block around it is for. */
  readonly text: string;
  readonly ruleId: string;
  /** `limit 100 requests per 1m`: what each of its counters is called before it is said which. */
  readonly label: string;
  readonly unit: QuotaUnit;
  readonly window: QuotaWindow;
  readonly quota: RuleQuota | null;
  /** True where models are counted apart: `quota` is one of as many as there are models. */
  readonly isOneOfMany: boolean;
  /** What the statement counts apart, where the request says what that is: then `quota` is null. */
  readonly countedBy: readonly string[];
  /** The models that it is for; null for all. */
  readonly models: readonly string[] | null;
  /** True when it depends on the request or the time whether it counts. */
  readonly isSometimes: boolean;
}

/** @param targets all that the gateway can serve @param nowMs wall clock, milliseconds since the epoch */
export function applyingTo(
  rules: readonly CheckedRule[],
  subject: SubjectOfRules,
  targets: readonly Target[],
  nowMs: number,
): readonly AppliedQuota[] {
  const counting = rules.filter((rule): rule is CountingRule => isCounting(rule) && rule.mode === "live");
  return counting
    .filter((rule) => inForce(rule, nowMs) && isAbout(rule, subject))
    .flatMap((rule) => applied(rule, subject, targets));
}

/** The rules that are kept for the principal; of those that are broken none. */
export function keptRules({ rules = [] }: Principal, known: KnownAttributes): readonly CheckedRule[] {
  return rules.flatMap((kept) => {
    try {
      return boundRules(kept, known);
    } catch (error) {
      if (error instanceof InlineRulesError) return [];
      throw error;
    }
  });
}

/** What needs to know more of the key than is known is the key's affair. */
function isAbout({ fires, quota }: CountingRule, { knows }: SubjectOfRules): boolean {
  if (knows === null) return true;
  const refs = [...leavesOf(fires).map(({ ref }) => ref), ...quota.by];
  return refs.every(({ attribute }) => attribute.fixedBy !== "key" || knows.has(attribute.name));
}

/** One for each counter; those of several models are told apart only where models are counted apart. */
function applied(rule: CountingRule, { principal }: SubjectOfRules, targets: readonly Target[]): AppliedQuota[] {
  const asksModel = [...leavesOf(rule.fires).map(({ ref }) => ref), ...rule.quota.by].some(isOfModel);
  const asked = asksModel ? targets : targets.slice(0, 1);
  const byCounter = new Map<string, { quota: RuleQuota | null; models: Set<string>; truth: Tri }>();
  for (const target of asked) {
    const facts = { principal, target } as Facts;
    const truth = truthFor(rule, facts);
    if (truth === NO) continue;
    // Attributes of the request are not read: there is none.
    const quota = rule.quota.by.every(({ attribute }) => isBound(attribute)) ? quotaFor(rule, facts) : null;
    const counter = byCounter.get(quota?.id ?? "") ?? { quota, models: new Set(), truth };
    counter.models.add(target.model);
    if (truth === UNKNOWN) counter.truth = UNKNOWN;
    byCounter.set(quota?.id ?? "", counter);
  }
  const open = rule.quota.by.filter(({ attribute }) => !isBound(attribute)).map(({ text }) => text);
  return [...byCounter.values()].map(({ quota, models, truth }) => ({
    text: ruleText(rule),
    ruleId: rule.id,
    ...{ label: rule.quota.text, unit: rule.quota.unit, window: rule.quota.window },
    quota,
    isOneOfMany: rule.quota.by.some(isOfModel),
    countedBy: open,
    models: asksModel ? [...models].sort() : null,
    isSometimes: truth !== YES,
  }));
}

function truthFor(rule: CountingRule, facts: Facts): Tri {
  return truthOf(rule.fires, (leaf) => (isBound(leaf.ref.attribute) ? leafTruth(leaf, facts) : UNKNOWN));
}

function isOfModel({ attribute }: AttributeRef): boolean {
  return attribute.fixedBy === "model";
}
