// One rule beside one request: each of its conditions with the value that it saw.
import { readFact } from "./attributes.ts";
import type { CheckedRule, Cond, Leaf } from "./checked.ts";
import { type Facts, negate, type Tri, UNKNOWN, YES } from "./facts.ts";
import { fires, inForce, leafTruth, leavesOf, truthOf } from "./interpret.ts";
import { factText } from "./sentence.ts";

/** A condition and what it saw. */
export interface SeenCondition {
  /** As written, e.g. `price > $10/M`. */
  readonly text: string;
  /** `price is $60/M`. */
  readonly seen: string;
  readonly truth: Tri;
}

/** A rule and what it saw. */
export interface ExplainedRule {
  readonly rule: CheckedRule;
  readonly truth: Tri;
  readonly inForce: boolean;
  /** Every condition, in the order of the rule. */
  readonly conditions: readonly SeenCondition[];
  /** The conditions without which the rule would fire: empty when it does. */
  readonly against: readonly SeenCondition[];
}

/** Evaluates every condition, also those that did not matter. */
export function explainRule(rule: CheckedRule, facts: Facts): ExplainedRule {
  const see = (leaf: Leaf): SeenCondition => ({
    text: leaf.text,
    seen: `${leaf.ref.text} is ${factText(leaf.ref, readFact(leaf.ref, facts))}`,
    truth: leafTruth(leaf, facts),
  });
  const { selectors, scope, when, unless } = rule.written;
  const written = [...selectors, ...scope, ...(when === null ? [] : [when]), ...(unless === null ? [] : [unless])];
  return {
    rule,
    truth: fires(rule, facts),
    inForce: inForce(rule, facts.nowMs),
    conditions: once(written.flatMap(leavesOf)).map(see),
    against: once(guilty(rule.fires, facts, YES, rule.effect !== "allow")).map(see),
  };
}

/** The leaves that keep a condition from having the wanted truth. @param lenient unknown will do */
function guilty(cond: Cond, facts: Facts, wanted: Tri, lenient: boolean): Leaf[] {
  const truth = truthOf(cond, (leaf) => leafTruth(leaf, facts));
  if (truth === wanted || (lenient && truth === UNKNOWN)) return [];
  switch (cond.kind) {
    case "test":
      return [cond];
    case "not":
      return guilty(cond.part, facts, negate(wanted), lenient);
    case "named":
      return guilty(cond.part, facts, wanted, lenient);
    default:
      return cond.parts.flatMap((part) => guilty(part, facts, wanted, lenient));
  }
}

function once(leaves: readonly Leaf[]): Leaf[] {
  return [...new Map(leaves.map((leaf) => [leaf.text, leaf])).values()];
}
