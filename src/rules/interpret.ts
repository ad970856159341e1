// The plain walk over the checked tree: the reference that the compiled form is tested against.
import { type AttributeRef, readFact } from "./attributes.ts";
import type { CheckedDefault, CheckedRule, CheckedSet, Cond, Leaf, Test } from "./checked.ts";
import { type Fact, type Facts, NO, negate, type Tri, UNKNOWN, YES } from "./facts.ts";
import { firedOf } from "./fired.ts";
import { globMatches } from "./glob.ts";
import { type Ip, netHolds } from "./ip.ts";
import type { TargetVerdict } from "./verdict.ts";

/** A condition's truth, given each leaf's. */
export function truthOf(cond: Cond, leafTruth: (leaf: Leaf) => Tri): Tri {
  switch (cond.kind) {
    case "and":
      return cond.parts.reduce<Tri>((least, part) => smaller(least, truthOf(part, leafTruth)), YES);
    case "or":
      return cond.parts.reduce<Tri>(
        (most, part) => negate(smaller(negate(most), negate(truthOf(part, leafTruth)))),
        NO,
      );
    case "not":
      return negate(truthOf(cond.part, leafTruth));
    case "named":
      return truthOf(cond.part, leafTruth);
    case "test":
      return leafTruth(cond);
  }
}

/** How an attribute is read: as it is, or as it might be (see flip.ts). */
export type Read = (ref: AttributeRef, facts: Facts) => Fact;

/** A leaf's truth for the facts. */
export function leafTruth(leaf: Leaf, facts: Facts, read: Read = readFact): Tri {
  const truth = holds(leaf.test, read(leaf.ref, facts));
  return leaf.negated ? negate(truth) : truth;
}

/** Whether the rule is in force on the local day. */
export function inForce(rule: CheckedRule, nowMs: number): boolean {
  return rule.mode !== "off" && (rule.untilDay === null || rule.zone.at(nowMs).date <= rule.untilDay);
}

/** Whether and how a rule fires. */
export function fires(rule: CheckedRule, facts: Facts, read: Read = readFact): Tri {
  if (!inForce(rule, facts.nowMs)) return NO;
  return truthOf(rule.fires, (leaf) => leafTruth(leaf, facts, read));
}

/** Decides one target by walking every rule. */
export function interpret(set: CheckedSet, facts: Facts, read: Read = readFact): TargetVerdict {
  const fired: CheckedRule[] = [];
  const unknown = new Set<string>();
  for (const rule of set.rules) {
    const truth = fires(rule, facts, read);
    if (truth === UNKNOWN) for (const name of unknownIn(rule.fires, facts)) unknown.add(name);
    if (truth === NO || (rule.effect === "allow" && truth === UNKNOWN)) continue;
    fired.push(rule);
  }
  return {
    target: facts.target,
    ...firedOf(fired),
    unknown: [...unknown],
    fallback: defaultFor(set.defaults, facts, read),
  };
}

/** The attributes of a condition that are unknown. */
export function unknownIn(cond: Cond, facts: Facts): string[] {
  return leavesOf(cond)
    .filter((leaf) => leafTruth(leaf, facts) === UNKNOWN)
    .map((leaf) => leaf.ref.text);
}

/** Every leaf of a condition. */
export function leavesOf(cond: Cond): Leaf[] {
  if (cond.kind === "test") return [cond];
  return "parts" in cond ? cond.parts.flatMap(leavesOf) : leavesOf(cond.part);
}

function defaultFor(defaults: readonly CheckedDefault[], facts: Facts, read: Read): CheckedDefault {
  const found = defaults.find(({ scope }) => scope.every((leaf) => leafTruth(leaf, facts, read) === YES));
  if (found === undefined) throw new Error("a rule set has an unscoped default");
  return found;
}

function smaller(a: Tri, b: Tri): Tri {
  return a < b ? a : b;
}

/** A test's truth for a value: unknown of what is unknown, false of what is unset. */
export function holds(test: Test, fact: Fact): Tri {
  if (fact === undefined) return UNKNOWN;
  if (fact === null) return NO;
  switch (test.kind) {
    case "names": {
      const names = typeof fact === "string" ? [fact] : (fact as readonly string[]);
      return yes(names.some((name) => test.exact.includes(name) || test.globs.some((glob) => globMatches(glob, name))));
    }
    case "numbers":
      return yes(test.values.includes(fact as number));
    case "order":
      return yes(ordered(fact as number, test.op, test.value));
    case "range":
      return yes(inRange(fact as number, test.low, test.high, test.openEnd));
    case "nets":
      return yes(test.nets.some((net) => netHolds(net, fact as Ip)));
    case "true":
      return yes(fact === true);
    case "false":
      return yes(fact === false);
    case "set":
      return YES;
  }
}

function ordered(fact: number, op: "<" | "<=" | ">" | ">=", value: number): boolean {
  if (op === "<") return fact < value;
  if (op === "<=") return fact <= value;
  return op === ">" ? fact > value : fact >= value;
}

/** Round the clock (or the week) when `low` is above `high`. */
function inRange(fact: number, low: number, high: number, openEnd: boolean): boolean {
  const fromLow = fact >= low;
  const toHigh = openEnd ? fact < high : fact <= high;
  return low <= high ? fromLow && toHigh : fromLow || toHigh;
}

function yes(truth: boolean): Tri {
  return truth ? YES : NO;
}
