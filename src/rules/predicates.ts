// Conditions compiled: split into what model and key fix, and what request and clock decide.
import { isBound, readBound } from "./attributes.ts";
import type { Cond, Leaf } from "./checked.ts";
import { type Bound, NO, type Tri, UNKNOWN, YES } from "./facts.ts";
import { compileTest } from "./leaf-test.ts";
import { type Literal, literalOf, type Predicate } from "./literals.ts";

/** What request and clock still decide of a condition. */
export interface Open {
  readonly test: Predicate;
  /** At least one of these is not false wherever `test` is not; null where no such leaves are known. */
  readonly literals: readonly Literal[] | null;
}

/** A condition after model and key are known: decided, or what is left. */
export type Residual = Tri | Open;
/** Fixes model and key. */
export type Binder = (bound: Bound) => Residual;

/** A condition that model and key do not change, or the binder of one that they do. */
type Part = Residual | Binder;

/**
 * Compiles a condition. What only request and clock decide is compiled once and shared by all models and keys.
 *
 * @param also what must hold besides
 */
export function compileCond(cond: Cond, also: readonly Open[] = []): Binder {
  const part = joined([partOf(cond, false), ...also], false);
  return typeof part === "function" ? part : () => part;
}

/** `not` is pushed down to the leaves, so that only they are ever negated. */
function partOf(cond: Cond, negated: boolean): Part {
  switch (cond.kind) {
    case "and":
    case "or":
      return joined(
        cond.parts.map((part) => partOf(part, negated)),
        (cond.kind === "or") !== negated,
      );
    case "not":
      return partOf(cond.part, !negated);
    case "named":
      return partOf(cond.part, negated);
    case "test":
      return leafPart(negated ? { ...cond, negated: !cond.negated } : cond);
  }
}

function leafPart(leaf: Leaf): Part {
  const { ref, test, negated } = leaf;
  if (!isBound(ref.attribute)) {
    const literal = literalOf(leaf);
    return { test: literal.test, literals: [literal] };
  }
  const truth = compileTest(test, negated);
  return (bound) => truth(readBound(ref, bound));
}

/** `and`, or `or` when `any`: what model and key do not change is folded once, the rest for each of them. */
function joined(parts: readonly Part[], any: boolean): Part {
  const binders = parts.filter((part) => typeof part === "function");
  const fixed = fold(
    parts.filter((part) => typeof part !== "function"),
    any,
  );
  if (binders.length === 0 || fixed === (any ? YES : NO)) return fixed;
  const absorbing: Tri = any ? YES : NO;
  return (bound) => {
    const left: Residual[] = [];
    for (const binder of binders) {
      const residual = binder(bound);
      if (residual === absorbing) return absorbing;
      if (residual !== NO && residual !== YES) left.push(residual);
    }
    if (left.length === 0) return fixed;
    left.push(fixed);
    return fold(left, any);
  };
}

/** What is decided is taken in, what is left is tested in turn. */
function fold(parts: readonly Residual[], any: boolean): Residual {
  const neutral: Tri = any ? NO : YES;
  const absorbing: Tri = any ? YES : NO;
  let decided: Tri = neutral;
  const open: Open[] = [];
  for (const part of parts) {
    if (part === absorbing) return absorbing;
    if (part === UNKNOWN) decided = UNKNOWN;
    else if (typeof part !== "number") open.push(part);
  }
  const first = open[0];
  if (first === undefined) return decided;
  if (open.length === 1 && decided === neutral) return first;
  if (any) return { test: anyOf(open, decided), literals: decided === UNKNOWN ? null : allLiterals(open) };
  return { test: allOf(open, decided), literals: cheapest(open) };
}

function anyOf(open: readonly Open[], start: Tri): Predicate {
  const tests = open.map(({ test }) => test);
  return (facts) => {
    let truth = start;
    for (const test of tests) {
      const next = test(facts);
      if (next === YES) return YES;
      if (next === UNKNOWN) truth = UNKNOWN;
    }
    return truth;
  };
}

function allOf(open: readonly Open[], start: Tri): Predicate {
  const tests = [...open].sort((a, b) => costOf(a.literals) - costOf(b.literals)).map(({ test }) => test);
  return (facts) => {
    let truth = start;
    for (const test of tests) {
      const next = test(facts);
      if (next === NO) return NO;
      if (next === UNKNOWN) truth = UNKNOWN;
    }
    return truth;
  };
}

/** One of them holds where any part of an `or` does. */
function allLiterals(open: readonly Open[]): readonly Literal[] | null {
  const all: Literal[] = [];
  for (const { literals } of open) {
    if (literals === null) return null;
    all.push(...literals);
  }
  return all;
}

/** Where all parts of an `and` hold, those of any one of them will do: the ones that cost least to look at. */
function cheapest(open: readonly Open[]): readonly Literal[] | null {
  let best: readonly Literal[] | null = null;
  for (const { literals } of open) if (costOf(literals) < costOf(best)) best = literals;
  return best;
}

function costOf(literals: readonly Literal[] | null): number {
  if (literals === null) return Number.POSITIVE_INFINITY;
  return literals.reduce((sum, { cost }) => sum + cost, 0);
}
