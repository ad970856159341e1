// Which conditions follow from which, and which exclude each other: sound, never complete.
import type { Cond, Leaf, Test } from "./checked.ts";
import { YES } from "./facts.ts";
import { globMatches } from "./glob.ts";
import { holds } from "./interpret.ts";
import { type Net, netHolds } from "./ip.ts";
import { condText } from "./written.ts";

/** One part of a conjunction: a leaf, or something that only its own text implies. */
export type Atom = Leaf | { readonly kind: "text"; readonly text: string };

/** Attributes that hold one name: two different names exclude each other. A team, say, has an alias and an id. */
const ONE_NAME = new Set([
  "model",
  "provider",
  "endpoint",
  "method",
  "path",
  "model.family",
  "model.requested",
  "reasoning.effort",
]);
const OPPOSITE = { "<": ">=", "<=": ">", ">": "<=", ">=": "<" } as const;

/** The parts that must all hold. */
export function atomsOf(cond: Cond): Atom[] {
  switch (cond.kind) {
    case "and":
      return cond.parts.flatMap(atomsOf);
    case "named":
      return atomsOf(cond.part);
    case "test":
      return [plain(cond)];
    case "not":
      return negated(cond.part);
    case "or":
      return cond.parts.length === 1 ? cond.parts.flatMap(atomsOf) : [{ kind: "text", text: condText(cond) }];
  }
}

/** What must hold so that the condition does not. */
function negated(cond: Cond): Atom[] {
  if (cond.kind === "test") return [plain({ ...cond, negated: !cond.negated, text: `not ${cond.text}` })];
  if (cond.kind === "not") return atomsOf(cond.part);
  if (cond.kind === "named") return negated(cond.part);
  if (cond.kind === "or" || cond.parts.length === 1) return cond.parts.flatMap(negated);
  return [{ kind: "text", text: `not (${condText(cond)})` }];
}

/** `not price > 10` is `price <= 10`; `not stream` is `stream = false`. */
function plain(leaf: Leaf): Leaf {
  const { test } = leaf;
  if (!leaf.negated) return leaf;
  if (test.kind === "order") return { ...leaf, negated: false, test: { ...test, op: OPPOSITE[test.op] } };
  if (test.kind === "true") return { ...leaf, negated: false, test: { kind: "false" } };
  if (test.kind === "false") return { ...leaf, negated: false, test: { kind: "true" } };
  return leaf;
}

/** Whether `b` holds (or is unknown) wherever all of `a` hold (or are unknown). */
export function covers(b: readonly Atom[], a: readonly Atom[]): boolean {
  return b.every((wanted) => a.some((given) => implies(given, wanted)));
}

/** Two of the parts that cannot both hold, or null. */
export function conflictIn(atoms: readonly Atom[]): readonly [Leaf, Leaf] | null {
  for (const [i, a] of atoms.entries()) {
    for (const b of atoms.slice(i + 1)) {
      if (a.kind === "test" && b.kind === "test" && sameAttribute(a, b) && exclude(a, b)) return [a, b];
    }
  }
  return null;
}

function implies(a: Atom, b: Atom): boolean {
  if (a.kind === "text" || b.kind === "text") return a.kind === b.kind && a.text === b.text;
  if (!sameAttribute(a, b)) return false;
  if (a.negated && b.negated) return within(b.test, a.test);
  if (a.negated) return false;
  return b.negated ? exclude(a, { ...b, negated: false }) : within(a.test, b.test);
}

function sameAttribute(a: Leaf, b: Leaf): boolean {
  return a.ref.attribute === b.ref.attribute && a.ref.param === b.ref.param && a.ref.zone === b.ref.zone;
}

/** Whether every value that meets `a` meets `b`. */
function within(a: Test, b: Test): boolean {
  if (b.kind === "set") return true;
  if (a.kind === "names" && b.kind === "names") {
    const every = b.globs.includes("*");
    const isIn = (name: string): boolean => b.exact.includes(name) || b.globs.some((glob) => globMatches(glob, name));
    return every || (a.exact.every(isIn) && a.globs.every((glob) => b.globs.includes(glob)));
  }
  if (a.kind === "nets" && b.kind === "nets")
    return a.nets.every((net) => b.nets.some((wider) => netWithin(net, wider)));
  if (a.kind === "numbers") return a.values.every((value) => holds(b, value) === YES);
  const [inner, outer] = [intervalOf(a), intervalOf(b)];
  if (inner === null || outer === null) return JSON.stringify(a) === JSON.stringify(b);
  const low = inner.low > outer.low || (inner.low === outer.low && (!outer.lowOpen || inner.lowOpen));
  const high = inner.high < outer.high || (inner.high === outer.high && (!outer.highOpen || inner.highOpen));
  return low && high;
}

/** Whether no value meets both. */
function exclude(a: Leaf, b: Leaf): boolean {
  if (a.negated && b.negated) return false;
  if (a.negated) return exclude(b, a);
  if (b.negated) return within(a.test, b.test);
  const [one, other] = [a.test, b.test];
  if (one.kind === "true" || one.kind === "false") return one.kind !== other.kind;
  if (one.kind === "numbers") return one.values.every((value) => holds(other, value) !== YES);
  if (other.kind === "numbers") return other.values.every((value) => holds(one, value) !== YES);
  if (one.kind === "names" && other.kind === "names") {
    const single = ONE_NAME.has(a.ref.attribute.name) && one.globs.length === 0;
    return single && one.exact.every((name) => holds(other, name) !== YES);
  }
  const [left, right] = [intervalOf(one), intervalOf(other)];
  return left !== null && right !== null && (isBelow(left, right) || isBelow(right, left));
}

interface Interval {
  readonly low: number;
  readonly lowOpen: boolean;
  readonly high: number;
  readonly highOpen: boolean;
}

/** null for what is no interval: names, and ranges that go round. */
function intervalOf(test: Test): Interval | null {
  const all = { low: Number.NEGATIVE_INFINITY, lowOpen: false, high: Number.POSITIVE_INFINITY, highOpen: false };
  if (test.kind === "range") {
    return test.low > test.high ? null : { low: test.low, lowOpen: false, high: test.high, highOpen: test.openEnd };
  }
  if (test.kind !== "order") return null;
  const open = test.op === "<" || test.op === ">";
  return test.op.startsWith("<")
    ? { ...all, high: test.value, highOpen: open }
    : { ...all, low: test.value, lowOpen: open };
}

function isBelow(a: Interval, b: Interval): boolean {
  return a.high < b.low || (a.high === b.low && (a.highOpen || b.lowOpen));
}

function netWithin(net: Net, wider: Net): boolean {
  return wider.prefix <= net.prefix && netHolds(wider, net.ip);
}
