// Findings about one rule's conditions: what always holds, what never does, and which parts add nothing.
import type { Target } from "../types.ts";
import { atomsOf, conflictIn } from "./algebra.ts";
import type { Vocabulary } from "./catalogue.ts";
import type { CheckedRule, Cond, Leaf } from "./checked.ts";
import type { Code } from "./diagnostics.ts";
import { YES } from "./facts.ts";
import { holds, leavesOf } from "./interpret.ts";
import { type Narrower, neverHold } from "./satisfiable.ts";
import { condText } from "./written.ts";

/** What is wrong with a rule's conditions. */
export interface ConditionFinding {
  readonly code: Code;
  readonly message: string;
  readonly help: string;
}

/** Findings about the `when` and the `unless` of a rule, which is not `off`. */
export function conditionFindings(rule: CheckedRule, { targets }: Pick<Vocabulary, "targets">): ConditionFinding[] {
  const { when, unless } = rule.written;
  if (when === null && unless === null) return [];
  // lint-sets.ts tells of two conditions side by side that exclude each other.
  if (rule.mode === "live" && rule.effect !== "warn" && conflictIn(atomsOf(rule.fires)) !== null) return [];
  const narrower = narrowerFor(rule, targets);
  const never = (...conds: readonly Cond[]): boolean => neverHold(conds, narrower);
  const around = surroundings(rule);
  if (when !== null && never(...around, when)) return [neverWhen(when, never(when))];
  const whenParts = when === null ? [] : conjuncts(when);
  return [
    ...alwaysFindings(rule, around, whenParts, never),
    ...whenParts.flatMap((part) => orFindings(part, [...around, ...whenParts.filter((one) => one !== part)], never)),
    ...(unless === null ? [] : unlessFindings(unless, [...around, ...whenParts], never)),
  ];
}

type Never = (...conds: readonly Cond[]) => boolean;

/** What must hold beside `when` and `unless`. */
function surroundings({ effect, written }: CheckedRule): Cond[] {
  return effect === "only" ? [...written.scope] : [...written.scope, ...written.selectors];
}

function neverWhen(when: Cond, alone: boolean): ConditionFinding {
  const message = `\`${condText(when)}\` never holds${alone ? "" : " where the rest of the rule does"}`;
  return { code: "W312", message, help: "compare with other values, or take the rule out" };
}

/** Conditions joined by `and`, without the brackets. */
function conjuncts(cond: Cond): readonly Cond[] {
  return cond.kind === "and" ? cond.parts.flatMap(conjuncts) : [cond];
}

/** The parts of `when` that could be left out, first to last; each is judged by those that are left. */
function alwaysFindings(
  { effect }: CheckedRule,
  around: readonly Cond[],
  parts: readonly Cond[],
  never: Never,
): ConditionFinding[] {
  let left = [...parts];
  const found: ConditionFinding[] = [];
  for (const part of parts) {
    if (effect === "allow" && mayBeUnknown(part)) continue;
    const rest = left.filter((one) => one !== part);
    const alone = never(opposite(part));
    if (!alone && (isSetTest(part) || !never(...around, ...rest, opposite(part)))) continue;
    left = rest;
    const message = `\`${condText(part)}\` always holds${alone ? "" : " where the rest of the rule does"}`;
    found.push({ code: "W313", message, help: "take it out, or compare with another value" });
  }
  return found;
}

/** What requests cannot be malformed in: their readers refuse them, or take anything for a name. */
const NEVER_UNKNOWN = new Set(["n", "stream", "vision", "endpoint", "path", "method", "model.requested", "header"]);

/**
 * Whether a comparison that always holds may be about what is known at all: an `allow` does not count what is unknown
 * as a match, and a `deny … unless price >= 0` denies models without a price.
 */
function mayBeUnknown(cond: Cond): boolean {
  return leavesOf(cond).some(({ ref: { attribute } }) => {
    if (attribute.outside !== undefined) return true;
    if (attribute.fixedBy === "request") return !NEVER_UNKNOWN.has(attribute.name);
    return attribute.fixedBy === "model" && attribute.mayLack === true;
  });
}

/** `x is set and x = y` says nothing twice that a reader would not want to read. */
function isSetTest(cond: Cond): boolean {
  return cond.kind === "test" && cond.test.kind === "set";
}

function opposite(part: Cond): Cond {
  return { kind: "not", part };
}

/** Parts of an `or` that never hold, or hold only where another part does. */
function orFindings(cond: Cond, around: readonly Cond[], never: Never): ConditionFinding[] {
  if (cond.kind !== "or") return [];
  const found: ConditionFinding[] = [];
  let left = [...cond.parts];
  for (const part of cond.parts) {
    const others = left.filter((one) => one !== part);
    const wider = others.find((other) => never(...around, part, opposite(other)));
    const dead = never(...around, part);
    if (!dead && wider === undefined) continue;
    left = others;
    const message = dead
      ? `\`${condText(part)}\`, a part of an \`or\`, never holds${never(part) ? "" : " where the rest of the rule does"}`
      : `\`${condText(part)}\` holds only where \`${condText(wider ?? part)}\` does, so the \`or\` needs the wider one alone`;
    found.push({ code: "W314", message, help: "take it out, or compare with another value" });
  }
  return found;
}

function unlessFindings(unless: Cond, around: readonly Cond[], never: Never): ConditionFinding[] {
  const help = "compare with another value, or take the `unless` out";
  if (never(...around, unless)) {
    const message = `\`unless ${condText(unless)}\` never holds${never(unless) ? "" : " where the rest of the rule does"}`;
    return [{ code: "W314", message, help }];
  }
  if (!mayBeUnknown(unless) && never(...around, opposite(unless))) {
    return [{ code: "W315", message: `\`unless ${condText(unless)}\` always holds, so the rule does nothing`, help }];
  }
  return orFindings(unless, around, never);
}

/**
 * `price > 0` asks nothing of models that all cost something. That is all that is taken from the live catalogue: a
 * limit that every model of today passes is a guard for the models of tomorrow.
 */
function narrowerFor(rule: CheckedRule, targets: ReadonlyMap<string, readonly Target[]>): Narrower {
  const leaves = leavesOf(rule.fires);
  if (!leaves.some(isAboveNothing)) return () => undefined;
  const named = namedTargets(rule, targets);
  return (attribute) => {
    if (attribute.fixedBy !== "model" || attribute.outside !== undefined || named.length === 0) return undefined;
    const known = named.every((target) => Number(attribute.read(target) ?? 0) > 0);
    return known ? { min: 1, max: Number.POSITIVE_INFINITY } : undefined;
  };
}

function isAboveNothing({ ref, test }: Leaf): boolean {
  return ref.attribute.fixedBy === "model" && test.kind === "order" && test.value === 0;
}

/** The targets that the rule's selectors leave; all where it names none. */
function namedTargets({ written }: CheckedRule, targets: ReadonlyMap<string, readonly Target[]>): Target[] {
  const naming = [...written.scope, ...written.selectors].filter(isNaming);
  return [...targets.values()].flat().filter((target) => naming.every((leaf) => isMet(leaf, target)));
}

function isNaming(cond: Cond): cond is Leaf {
  return cond.kind === "test" && (cond.ref.attribute.name === "model" || cond.ref.attribute.name === "provider");
}

function isMet({ ref, test, negated }: Leaf, target: Target): boolean {
  const { attribute } = ref;
  if (attribute.fixedBy !== "model" || attribute.outside !== undefined) return false;
  return (holds(test, attribute.read(target)) === YES) !== negated;
}
