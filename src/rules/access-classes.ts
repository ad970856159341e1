// The classes of values that conditions can tell apart: one representative for each, per attribute.
import type { AttributeRef } from "./attributes.ts";
import type { Leaf, Test } from "./checked.ts";
import type { Fact } from "./facts.ts";
import { isGlob } from "./glob.ts";
import type { Ip } from "./ip.ts";
import { factText } from "./sentence.ts";

/** Names of one set attribute of which every combination is tried. */
const SUBSETS_OF_MAX = 4;
/** A name that no rule names. */
const OTHER = "\u0000other";

/** One class of values. */
export interface ClassValue {
  readonly fact: Fact;
  /** `team ml`, `no team`, `another team`. */
  readonly label: string;
}

/** An attribute with its classes. */
export interface Dimension {
  readonly key: string;
  readonly values: readonly ClassValue[];
  /** What a value says of other attributes. */
  also(fact: Fact): Iterable<readonly [string, Fact]>;
}

/** An attribute as a key of maps. */
export function keyOf({ attribute, param }: AttributeRef): string {
  return param === null ? attribute.name : `${attribute.name}[${param}]`;
}

/** The dimensions of some conditions; `exact` is false where a representative for each class could not be made. */
export function dimensionsOf(leaves: readonly Leaf[]): { dimensions: Dimension[]; exact: boolean } {
  const byKey = new Map<string, Leaf[]>();
  for (const leaf of leaves) byKey.set(keyOf(leaf.ref), [...(byKey.get(keyOf(leaf.ref)) ?? []), leaf]);
  let exact = true;
  const dimensions = [...byKey].map(([key, of]): Dimension => {
    const ref = of[0]?.ref as AttributeRef;
    const found = valuesOf(
      ref,
      of.map(({ test }) => test),
    );
    exact &&= found.exact;
    return { key, values: found.values, also: (fact) => companions(ref.attribute.name, fact) };
  });
  return { dimensions, exact };
}

/** Every combination of classes, as indexes; the first ones only when there are more than `most`. */
export function classesOf(dimensions: readonly Dimension[], most: number): { all: number[][]; complete: boolean } {
  let all: number[][] = [[]];
  let complete = true;
  for (const { values } of dimensions) {
    if (all.length * values.length > most) {
      complete = false;
      all = all.map((row) => [...row, 0]);
    } else all = all.flatMap((row) => values.map((_value, i) => [...row, i]));
  }
  return { all, complete };
}

function valuesOf(ref: AttributeRef, tests: readonly Test[]): { values: ClassValue[]; exact: boolean } {
  const names = tests.filter((test) => test.kind === "names");
  if (ref.attribute.type === "name") return nameValues(ref, names);
  if (ref.attribute.type === "bool") return { values: [false, true].map((fact) => labelled(ref, fact)), exact: true };
  if (ref.attribute.type === "ip") return { values: addressValues(ref, tests), exact: false };
  const edges = tests.flatMap(edgesOf);
  const around = [...new Set(edges.flatMap((edge) => [edge - 1, edge, edge + 1]))].filter((value) => value >= 0);
  return { values: around.sort((a, b) => a - b).map((fact) => labelled(ref, fact)), exact: true };
}

function edgesOf(test: Test): readonly number[] {
  if (test.kind === "order") return [test.value];
  if (test.kind === "numbers") return test.values;
  return test.kind === "range" ? [test.low, test.high] : [0];
}

/** Each name, one for each pattern, another one, and none where there may be none. An alias and an id are two subjects. */
function nameValues(
  ref: AttributeRef,
  tests: readonly Extract<Test, { kind: "names" }>[],
): { values: ClassValue[]; exact: boolean } {
  const { name } = ref.attribute;
  const named = [...new Set(tests.flatMap(({ exact, globs }) => [...exact, ...globs]))].sort();
  const globs = new Set(tests.flatMap(({ globs }) => globs));
  const sample = (word: string): string =>
    isGlob(word) && globs.has(word) ? word.replaceAll("*", "").replaceAll("?", "x") : word;
  const other = { fact: OTHER, label: `another ${ref.text}` };
  const none = { fact: null, label: `no ${ref.text}` };
  const exact = globs.size < 2;
  if (name === "role" || name === "tag") {
    const subsets = named.length <= SUBSETS_OF_MAX ? allSubsets(named) : named.map((one) => [one]);
    const sets = subsets.map((subset) => ({
      fact: subset.map(sample),
      label: subset.map((one) => `${name} ${one}`).join(", "),
    }));
    return { values: [none, ...sets], exact: exact && named.length <= SUBSETS_OF_MAX };
  }
  const values = named.map((word) => ({ fact: sample(word), label: `${ref.text} ${word}` }));
  return { values: [...(ref.attribute.mayLack ? [none] : []), other, ...values], exact };
}

function allSubsets(names: readonly string[]): string[][] {
  const found: string[][] = [];
  for (let bits = 1; bits < 2 ** names.length; bits += 1) found.push(names.filter((_name, i) => bits & (1 << i)));
  return found;
}

function addressValues(ref: AttributeRef, tests: readonly Test[]): ClassValue[] {
  const nets = tests.flatMap((test) => (test.kind === "nets" ? test.nets : []));
  const outside: Ip = { v6: true, words: [0, 0, 0, 2] };
  return [...nets.map(({ ip }) => labelled(ref, ip)), { fact: outside, label: `another ${ref.text}` }];
}

function labelled(ref: AttributeRef, fact: Fact): ClassValue {
  return { fact, label: `${ref.text} ${factText(ref, fact)}` };
}

/** An hour is the time's, a number of tools says whether there are any. */
function companions(name: string, fact: Fact): [string, Fact][] {
  if (name === "time" && typeof fact === "number") return [["hour", Math.floor(fact / 60)]];
  if (name === "hour" && typeof fact === "number") return [["time", fact * 60]];
  if (name === "tools.count" && typeof fact === "number") return [["tools", fact > 0]];
  return [];
}
