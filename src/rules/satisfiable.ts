// Whether a condition can hold at all: its alternatives one by one, each attribute's values against all that is asked.
import { atomsOf, conflictIn } from "./algebra.ts";
import type { Attribute } from "./attributes.ts";
import type { Cond, Leaf, Test } from "./checked.ts";
import { YES } from "./facts.ts";
import { holds } from "./interpret.ts";

/** Alternatives of one condition that are looked at; one with more may hold, for all that is known here. */
const ALTERNATIVES_MAX = 64;

/** The values that a counting attribute can have: whole numbers from `min` to `max`. */
export interface Domain {
  readonly min: number;
  readonly max: number;
}

const COUNT: Domain = { min: 0, max: Number.POSITIVE_INFINITY };
/** Attributes that are left out may be any number. */
const DOMAINS: ReadonlyMap<string, Domain> = new Map([
  ["hour", { min: 0, max: 23 }],
  ["time", { min: 0, max: 1439 }],
  ["weekday", { min: 0, max: 6 }],
  ["day", { min: 1, max: 31 }],
  ["n", { min: 1, max: Number.POSITIVE_INFINITY }],
  ...["max_tokens", "messages.count", "tools.count", "request.bytes", "model.context"].map(
    (name) => [name, COUNT] as const,
  ),
  ...["price", "price.input", "price.output", "price.cached"].map((name) => [name, COUNT] as const),
]);

/** The domain of an attribute where it is narrower than usual, else undefined. */
export type Narrower = (attribute: Attribute) => Domain | undefined;

/**
 * Whether all of `conds` never hold together, whatever the request; what is unknown does not hold. Sound, never
 * complete: true is so, false may be.
 */
export function neverHold(conds: readonly Cond[], narrower: Narrower = () => undefined): boolean {
  const alternatives = alternativesOf({ kind: "and", parts: conds }, true);
  return alternatives?.every((leaves) => isContradiction(leaves, narrower)) ?? false;
}

/** Each way for a condition to hold, or not to: leaves that must all hold. null when there are too many. */
function alternativesOf(cond: Cond, wanted: boolean): readonly (readonly Leaf[])[] | null {
  switch (cond.kind) {
    case "named":
      return alternativesOf(cond.part, wanted);
    case "not":
      return alternativesOf(cond.part, !wanted);
    case "test":
      return [leavesThat(cond, wanted)];
    default: {
      const parts = cond.parts.map((part) => alternativesOf(part, wanted));
      return (cond.kind === "and") === wanted ? combined(parts) : anyOf(parts);
    }
  }
}

function leavesThat(leaf: Leaf, wanted: boolean): Leaf[] {
  return atomsOf(wanted ? leaf : { kind: "not", part: leaf }).filter((atom) => atom.kind === "test");
}

type Alternatives = ReturnType<typeof alternativesOf>;

function anyOf(parts: readonly Alternatives[]): Alternatives {
  if (parts.includes(null)) return null;
  const all = parts.flatMap((part) => part ?? []);
  return all.length > ALTERNATIVES_MAX ? null : all;
}

function combined(parts: readonly Alternatives[]): Alternatives {
  let all: readonly (readonly Leaf[])[] = [[]];
  for (const part of parts) {
    if (part === null || all.length * part.length > ALTERNATIVES_MAX) return null;
    all = all.flatMap((before) => part.map((more) => [...before, ...more]));
  }
  return all;
}

function isContradiction(leaves: readonly Leaf[], narrower: Narrower): boolean {
  if (conflictIn(leaves) !== null) return true;
  const byAttribute = new Map<string, Leaf[]>();
  for (const leaf of leaves.filter(({ ref }) => isCounted(ref.attribute))) {
    const key = JSON.stringify([leaf.ref.attribute.name, leaf.ref.zone.name]);
    byAttribute.set(key, [...(byAttribute.get(key) ?? []), leaf]);
  }
  return [...byAttribute.values()].some((of) => !isPossible(of, narrower));
}

function isCounted({ name }: Attribute): boolean {
  return DOMAINS.has(name);
}

/** Whether a value meets all of the leaves, which are about one attribute: those at the edges are enough to try. */
function isPossible(leaves: readonly Leaf[], narrower: Narrower): boolean {
  const attribute = leaves[0]?.ref.attribute as Attribute;
  const { min, max } = narrower(attribute) ?? DOMAINS.get(attribute.name) ?? COUNT;
  const around = leaves
    .flatMap(({ test }) => edgesOf(test))
    .flatMap((edge) => [Math.floor(edge) - 1, Math.floor(edge), Math.ceil(edge), Math.ceil(edge) + 1]);
  const values = [min, max, ...around].filter((value) => value >= min && value <= max);
  // What is lacking meets `is unset` alone.
  const all = attribute.mayLack ? [...values, null] : values;
  return all.some((value) => leaves.every(({ test, negated }) => (holds(test, value) === YES) !== negated));
}

function edgesOf(test: Test): readonly number[] {
  if (test.kind === "order") return [test.value];
  if (test.kind === "numbers") return test.values;
  return test.kind === "range" ? [test.low, test.high] : [];
}
