// Leaves that request or clock decide, compiled, with what it costs to look at them.
import { type AttributeRef, readFact } from "./attributes.ts";
import type { Leaf, Test } from "./checked.ts";
import type { Fact, Facts, Tri } from "./facts.ts";
import { compileTest } from "./leaf-test.ts";

/** What request and clock decide. */
export type Predicate = (facts: Facts) => Tri;

/** A compiled leaf. */
export interface Literal {
  readonly ref: AttributeRef;
  readonly wanted: Test;
  readonly negated: boolean;
  readonly read: (facts: Facts) => Fact;
  /** The truth for a value that was read. */
  readonly truth: (fact: Fact) => Tri;
  readonly test: Predicate;
  /** How much work it is to look, in the cost of reading a field. */
  readonly cost: number;
}

/** Attributes that are worked out of the body or parsed, by what that costs; others are a field of the call. */
const COSTS = new Map([
  ["header", 2],
  ["ip", 2],
  ["tools", 2],
  ["tools.count", 2],
  ["messages.count", 2],
  ["temperature", 2],
  ["reasoning.effort", 2],
  ["metadata", 3],
  ["vision", 50],
]);
/** What others read: they may take their time. */
const OUTSIDE_COST = 20;
/** What is not one value is most requests: looking at it rules little out. */
const NEGATED_COST = 4;

/** Compiles a leaf whose attribute model and key do not fix. */
export function literalOf({ ref, test: wanted, negated }: Leaf): Literal {
  const truth = compileTest(wanted, negated);
  const read = readerOf(ref);
  const isWide = negated && (wanted.kind === "names" || wanted.kind === "nets");
  const toRead = ref.attribute.outside === undefined ? (COSTS.get(ref.attribute.name) ?? 1) : OUTSIDE_COST;
  const cost = toRead + (isWide ? NEGATED_COST : 0);
  return { ref, wanted, negated, read, truth, test: (facts) => truth(read(facts)), cost };
}

/** Reads without asking again what fixes the attribute. */
function readerOf(ref: AttributeRef): (facts: Facts) => Fact {
  const { attribute, zone } = ref;
  const param = ref.param ?? "";
  if (attribute.outside !== undefined) return (facts) => readFact(ref, facts);
  if (attribute.fixedBy === "request") {
    const { read } = attribute;
    return (facts) => read(facts.call, facts.target, param);
  }
  if (attribute.fixedBy === "now") {
    const { read } = attribute;
    return (facts) => read(zone.at(facts.nowMs), facts.nowMs, facts.principal);
  }
  return (facts) => readFact(ref, facts);
}
