// Leaves and conditions as shared closures, split into what model and key fix and what request and clock decide.
import { type AttributeRef, isBound, readBound, readFact } from "./attributes.ts";
import type { Cond, Leaf, Test } from "./checked.ts";
import { type Bound, type Fact, type Facts, NO, negate, type Tri, UNKNOWN, YES } from "./facts.ts";
import { compileGlob } from "./glob.ts";
import { type Ip, netHolds } from "./ip.ts";

/** What request and clock decide. */
export type Predicate = (facts: Facts) => Tri;
/** A condition after model and key are known: decided, or a predicate that is left. */
export type Residual = Tri | Predicate;
/** Fixes model and key. */
export type Binder = (bound: Bound) => Residual;

/** Compiles a condition. */
export function compileCond(cond: Cond): Binder {
  switch (cond.kind) {
    case "and":
      return joined(cond.parts.map(compileCond), false);
    case "or":
      return joined(cond.parts.map(compileCond), true);
    case "not":
      return opposite(compileCond(cond.part));
    case "named":
      return compileCond(cond.part);
    case "test":
      return compileLeaf(cond);
  }
}

function compileLeaf({ ref, test, negated }: Leaf): Binder {
  const truth = negated ? inverted(compileTest(test)) : compileTest(test);
  if (isBound(ref.attribute)) return (bound) => truth(readBound(ref, bound));
  const predicate = readerOf(ref, truth);
  return () => predicate;
}

/** Reads without asking again what fixes the attribute. */
function readerOf(ref: AttributeRef, truth: (fact: Fact) => Tri): Predicate {
  const { attribute, zone } = ref;
  const param = ref.param ?? "";
  if (attribute.outside !== undefined) return (facts) => truth(readFact(ref, facts));
  if (attribute.fixedBy === "request") return (facts) => truth(attribute.read(facts.call, facts.target, param));
  if (attribute.fixedBy === "now") {
    return (facts) => truth(attribute.read(zone.at(facts.nowMs), facts.nowMs, facts.principal));
  }
  return (facts) => truth(readFact(ref, facts));
}

function inverted(truth: (fact: Fact) => Tri): (fact: Fact) => Tri {
  return (fact) => negate(truth(fact));
}

function opposite(binder: Binder): Binder {
  return (bound) => {
    const residual = binder(bound);
    return typeof residual === "number" ? negate(residual) : (facts) => negate(residual(facts));
  };
}

/** `and`, or `or` when `any`: what is decided is folded in, what is left is tested in turn. */
function joined(binders: readonly Binder[], any: boolean): Binder {
  const neutral: Tri = any ? NO : YES;
  const absorbing: Tri = any ? YES : NO;
  return (bound) => {
    let decided: Tri = neutral;
    const left: Predicate[] = [];
    for (const binder of binders) {
      const residual = binder(bound);
      if (residual === absorbing) return absorbing;
      if (residual === UNKNOWN) decided = UNKNOWN;
      else if (typeof residual === "function") left.push(residual);
    }
    const first = left[0];
    if (first === undefined) return decided;
    return left.length === 1 && decided === neutral ? first : fold(left, decided, absorbing);
  };
}

function fold(predicates: readonly Predicate[], start: Tri, absorbing: Tri): Predicate {
  return (facts) => {
    let truth = start;
    for (const predicate of predicates) {
      const next = predicate(facts);
      if (next === absorbing) return absorbing;
      if (next === UNKNOWN) truth = UNKNOWN;
    }
    return truth;
  };
}

function compileTest(test: Test): (fact: Fact) => Tri {
  const holds = holdsOf(test);
  return (fact) => (fact === undefined ? UNKNOWN : fact !== null && holds(fact) ? YES : NO);
}

/** The test of a value that is there; the checker has made sure of its type. */
function holdsOf(test: Test): (fact: NonNullable<Fact>) => boolean {
  switch (test.kind) {
    case "names":
      return namesTest(test.exact, test.globs);
    case "numbers": {
      const values = new Set<unknown>(test.values);
      return (fact) => values.has(fact);
    }
    case "order":
      return orderTest(test.op, test.value);
    case "range":
      return rangeTest(test.low, test.high, test.openEnd);
    case "nets": {
      const { nets } = test;
      return (fact) => nets.some((net) => netHolds(net, fact as Ip));
    }
    case "true":
      return (fact) => fact === true;
    case "false":
      return (fact) => fact === false;
    case "set":
      return () => true;
  }
}

function namesTest(exact: readonly string[], globs: readonly string[]): (fact: NonNullable<Fact>) => boolean {
  const one = nameTest(exact, globs.map(compileGlob));
  return (fact) => (typeof fact === "string" ? one(fact) : (fact as readonly string[]).some(one));
}

function nameTest(exact: readonly string[], globs: readonly ((name: string) => boolean)[]): (name: string) => boolean {
  const only = exact[0];
  if (globs.length === 0 && exact.length === 1) return (name) => name === only;
  const names = new Set(exact);
  if (globs.length === 0) return (name) => names.has(name);
  return (name) => names.has(name) || globs.some((matches) => matches(name));
}

function orderTest(op: "<" | "<=" | ">" | ">=", value: number): (fact: NonNullable<Fact>) => boolean {
  if (op === "<") return (fact) => (fact as number) < value;
  if (op === "<=") return (fact) => (fact as number) <= value;
  return op === ">" ? (fact) => (fact as number) > value : (fact) => (fact as number) >= value;
}

function rangeTest(low: number, high: number, openEnd: boolean): (fact: NonNullable<Fact>) => boolean {
  const toHigh = openEnd ? (fact: number): boolean => fact < high : (fact: number): boolean => fact <= high;
  if (low <= high) return (fact) => (fact as number) >= low && toHigh(fact as number);
  return (fact) => (fact as number) >= low || toHigh(fact as number);
}
