// One test of an attribute's value, compiled.
import type { Test } from "./checked.ts";
import { type Fact, NO, type Tri, UNKNOWN, YES } from "./facts.ts";
import { compileGlob } from "./glob.ts";
import { type Ip, netHolds } from "./ip.ts";

/** A test → its truth for a value: unknown of what is unknown, false of what is unset. */
export function compileTest(test: Test, negated = false): (fact: Fact) => Tri {
  const holds = holdsOf(test);
  if (negated) return (fact) => (fact === undefined ? UNKNOWN : fact !== null && holds(fact) ? NO : YES);
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
      return (fact) => {
        for (const net of nets) if (netHolds(net, fact as Ip)) return true;
        return false;
      };
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
