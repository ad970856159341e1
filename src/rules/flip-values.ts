// Other values of one attribute, on the other side of one condition.
import type { Leaf, Test } from "./checked.ts";
import { type Fact, type Tri, UNKNOWN, YES } from "./facts.ts";
import type { Change } from "./flip.ts";
import { holds } from "./interpret.ts";
import type { Ip } from "./ip.ts";
import { factText } from "./sentence.ts";

/** A name that no rule names. */
const OTHER = "\u0000other";
const NAMES_MAX = 8;
const OPPOSITE = { "<": ">=", "<=": ">", ">": "<=", ">=": "<" } as const;

type Alternative = Pick<Change, "text" | "fact">;

/** Values for which the leaf's truth is another; of what is unknown both that it holds and that it does not. */
export function alternativesTo(leaf: Leaf, now: Fact, truth: Tri): Change[] {
  const wishes = truth === UNKNOWN ? [true, false] : [(truth === YES) === leaf.negated];
  const found = wishes.flatMap((wanted) =>
    alternatives(leaf, now, wanted).filter(({ fact }) => (holds(leaf.test, fact) === YES) === wanted),
  );
  return found.map(({ text, fact }) => ({
    text,
    ref: leaf.ref,
    fact,
    also: companions(leaf.ref.attribute.name, fact),
    distance: typeof fact === "number" && typeof now === "number" ? Math.abs(fact - now) : 0,
  }));
}

function alternatives({ ref, test }: Leaf, now: Fact, wanted: boolean): Alternative[] {
  const equal = (fact: number): Alternative => ({ text: `${ref.text} = ${factText(ref, fact)}`, fact });
  switch (test.kind) {
    case "names":
      return names(ref.text, test, now, wanted, isSet(ref.attribute.name));
    case "order": {
      const op = wanted ? test.op : OPPOSITE[test.op];
      const step = op === "<" ? -1 : op === ">" ? 1 : 0;
      return [{ text: `${ref.text} ${op} ${factText(ref, test.value)}`, fact: test.value + step }];
    }
    case "numbers":
      return wanted ? test.values.map(equal) : test.values.map((value) => equal(value + 1));
    case "range":
      return wanted
        ? [test.low, test.openEnd ? test.high - 1 : test.high].map(equal)
        : [test.low - 1, test.openEnd ? test.high : test.high + 1].filter((value) => value >= 0).map(equal);
    case "nets":
      return addresses(ref.text, test, wanted);
    case "true":
    case "false": {
      const value = (test.kind === "true") === wanted;
      return [{ text: `${ref.text} = ${value}`, fact: value }];
    }
    case "set":
      return [wanted ? { text: `${ref.text} is set`, fact: OTHER } : { text: `${ref.text} is unset`, fact: null }];
  }
}

function isSet(name: string): boolean {
  return name === "role" || name === "tag";
}

function names(
  text: string,
  { exact, globs }: Extract<Test, { kind: "names" }>,
  now: Fact,
  wanted: boolean,
  several: boolean,
): Alternative[] {
  const held = Array.isArray(now) ? (now as readonly string[]) : [];
  const known = [...exact, ...globs.map((glob) => glob.replaceAll("*", "").replaceAll("?", "x"))].slice(0, NAMES_MAX);
  if (wanted) {
    if (several) return known.map((name) => ({ text: `${text} has ${name}`, fact: [...held, name] }));
    return known.map((name) => ({ text: `${text} = ${name}`, fact: name }));
  }
  const test: Test = { kind: "names", exact, globs };
  if (several) {
    const rest = held.filter((name) => holds(test, name) !== YES);
    const lost = held.filter((name) => !rest.includes(name));
    return [{ text: `${text} without ${lost.join(", ")}`, fact: rest.length > 0 ? rest : null }];
  }
  const list = [...exact.map((name) => JSON.stringify(name)), ...globs].join(", ");
  return [{ text: exact.length + globs.length === 1 ? `another ${text}` : `${text} not in [${list}]`, fact: OTHER }];
}

function addresses(text: string, { nets }: Extract<Test, { kind: "nets" }>, wanted: boolean): Alternative[] {
  if (!wanted) return [{ text: `${text} outside of the networks`, fact: { v6: true, words: [0, 0, 0, 2] } as Ip }];
  return nets.slice(0, NAMES_MAX).map(({ ip }) => ({ text: `${text} in the network of ${addressText(ip)}`, fact: ip }));
}

function addressText({ v6, words }: Ip): string {
  if (v6) return `${words[0].toString(16)}::`;
  return [24, 16, 8, 0].map((bits) => (words[3] >>> bits) & 255).join(".");
}

/** Attributes that say the same in another way. */
function companions(name: string, fact: Fact): ReadonlyMap<string, Fact> {
  if (name === "tools") return new Map([["tools.count", fact === true ? 1 : 0]]);
  if (typeof fact !== "number") return new Map();
  if (name === "tools.count") return new Map([["tools", fact > 0]]);
  if (name === "hour") return new Map([["time", fact * 60]]);
  if (name === "time") return new Map([["hour", Math.floor(fact / 60)]]);
  if (name === "price") return new Map(["price.input", "price.output"].map((rate) => [rate, fact]));
  return new Map();
}
