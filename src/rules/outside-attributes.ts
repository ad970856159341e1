// Attributes that others read for the rules: declared as data, read by a function that the gateway brings along.
import { tokenMatcher } from "chevrotain";
import type { Call, Principal, Target } from "../types.ts";
import type { Attribute, ValueType } from "./attributes.ts";
import type { Bound, Fact, Facts } from "./facts.ts";
import { parseIp } from "./ip.ts";
import { lexAll } from "./lexer.ts";
import { NameWord } from "./tokens.ts";

const TYPES = ["name", "bool", "number", "money", "price", "percent", "tokens", "bytes", "duration", "ip"] as const;
const FIXED_BY = ["model", "key", "request", "now"] as const;

/** An attribute that rules may compare, declared by who reads it. */
export interface AttributeDeclaration {
  /** Lower-case words with dots between them: `prompt.words`. */
  readonly name: string;
  readonly type: Extract<ValueType, (typeof TYPES)[number]>;
  /** One line for people. */
  readonly note: string;
  /**
   * What its value depends on, and so how long a value that was read is good: `model` and `key` for as long as target and
   * principal are the same objects, `request` for the request, `now` not at all.
   */
  readonly fixedBy: (typeof FIXED_BY)[number];
  /** May be unset. */
  readonly mayLack?: boolean;
  /** A caller can choose to leave it out: the checker warns of a deny that is dodged so. */
  readonly optional?: boolean;
  /** The names that it may have: when `closed`, all there are. */
  readonly known?: { readonly closed: boolean; readonly values: readonly string[] };
  /** Compared with a percentage it is read as one: the reader is told so. */
  readonly percent?: boolean;
}

/**
 * A value: names as text, an address as text, money in nano-USD, prices in pico-USD a token, durations in milliseconds,
 * percentages from 0 to 100 and above, else plain numbers; null is unset, undefined unknown.
 */
export type AttributeValue = string | readonly string[] | number | boolean | null | undefined;

/**
 * Reads an attribute, at once. A throw denies the request with `policy_error`. What does not fix the value is not there
 * to be looked at: a reader of what a key fixes gets no call.
 * @param as `percent` when it is compared with a percentage
 */
export type AttributeReader = (
  call: Call,
  principal: Principal,
  target: Target,
  as: "value" | "percent",
) => AttributeValue;

/** Makes an attribute. Without a reader it is unknown: where nothing is served, as in `tollgate check`. */
export function outsideAttribute(declaration: AttributeDeclaration, reader: AttributeReader | null): Attribute {
  const plain = make(declaration, reader, "value");
  return declaration.percent ? { ...plain, share: make(declaration, reader, "percent") } : plain;
}

function make(declaration: AttributeDeclaration, reader: AttributeReader | null, as: "value" | "percent"): Attribute {
  const { name, note, fixedBy, mayLack, optional, known } = declaration;
  const type = as === "percent" ? "percent" : declaration.type;
  const values = new Set(known?.values);
  return {
    name: as === "percent" ? `${name}%` : name,
    type,
    note,
    fixedBy,
    outside: reader === null ? () => undefined : readingOf({ ...declaration, type }, reader, as),
    ...(mayLack === undefined ? {} : { mayLack }),
    ...(optional === undefined ? {} : { optional }),
    ...(known === undefined ? {} : { known: { closed: known.closed, values: () => values } }),
  };
}

/** Reads, checks what was read, and says which attribute it was that could not be. */
function readingOf(
  declaration: AttributeDeclaration,
  reader: AttributeReader,
  as: "value" | "percent",
): (facts: Bound | Facts) => Fact {
  const { name, fixedBy } = declaration;
  const noCall = absent<Call>(name, fixedBy, "the call");
  const noPrincipal = absent<Principal>(name, fixedBy, "the principal");
  const noTarget = absent<Target>(name, fixedBy, "the target");
  const read = (call: Call, principal: Principal, target: Target): Fact => {
    try {
      return factOf(declaration, reader(call, principal, target, as));
    } catch (error) {
      throw new Error(`the attribute \`${name}\` could not be read`, { cause: error });
    }
  };
  if (fixedBy === "key") return ({ principal }) => read(noCall, principal, noTarget);
  if (fixedBy === "model") return ({ target }) => read(noCall, noPrincipal, target);
  const once = oncePerTarget(read);
  return (facts) => {
    const { call, principal, target, nowMs } = facts as Facts;
    return once(call, principal, target, fixedBy === "now" ? nowMs : undefined);
  };
}

/** Stands where a reader is given nothing. */
function absent<Kind extends object>(name: string, fixedBy: string, what: string): Kind {
  return new Proxy({} as Kind, {
    get(): never {
      throw new TypeError(`\`${name}\` is declared as fixed by ${fixedBy}, so its reader cannot look at ${what}`);
    },
  });
}

/**
 * Reads once for each request and target, whatever asks: with a moment once for each moment as well, so that what
 * decides is also what the sentence says.
 */
export function oncePerTarget<Value>(
  read: (call: Call, principal: Principal, target: Target) => Value,
): (call: Call, principal: Principal, target: Target, nowMs?: number) => Value {
  const known = new WeakMap<Call, Map<Target, { readonly nowMs: number | undefined; readonly value: Value }>>();
  return (call, principal, target, nowMs) => {
    let ofCall = known.get(call);
    if (ofCall === undefined) {
      ofCall = new Map();
      known.set(call, ofCall);
    }
    const last = ofCall.get(target);
    if (last !== undefined && last.nowMs === nowMs) return last.value;
    const value = read(call, principal, target);
    ofCall.set(target, { nowMs, value });
    return value;
  };
}

/** What was read as the rules see it. @throws TypeError when it is not of the declared type. */
function factOf({ name, type, mayLack }: AttributeDeclaration, value: AttributeValue): Fact {
  if (value === undefined) return undefined;
  const isNone = value === null || (Array.isArray(value) && value.length === 0);
  if (isNone && mayLack) return null;
  const fact = isNone ? undefined : typed(type, value);
  if (fact !== undefined) return fact;
  const what = isNone ? "unset" : Array.isArray(value) ? "list" : Number.isNaN(value) ? "NaN" : typeof value;
  throw new TypeError(
    `\`${name}\` is declared as ${type}${mayLack ? "" : " that is always set"}, and was read as ${what}`,
  );
}

/** undefined when it is not of the type. */
function typed(type: AttributeDeclaration["type"], value: NonNullable<AttributeValue>): Fact {
  switch (type) {
    case "name":
      if (typeof value === "string") return value;
      return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined;
    case "bool":
      return typeof value === "boolean" ? value : undefined;
    case "ip":
      return typeof value === "string" ? (parseIp(value) ?? undefined) : undefined;
    default:
      return typeof value === "number" && Number.isFinite(value) ? value : undefined;
  }
}

/** What is wrong with a plugin's `attributes`, or null. @param taken names that there are already */
export function declarationsProblem(value: unknown, taken: { has(name: string): boolean }): string | null {
  if (!Array.isArray(value)) return "its `attributes` are not a list";
  const seen = new Set<string>();
  for (const declaration of value as unknown[]) {
    const problem = declarationProblem(declaration);
    if (problem !== null) return problem;
    const { name } = declaration as AttributeDeclaration;
    if (taken.has(name) || seen.has(name)) return `its attribute \`${name}\` has a name that is taken`;
    seen.add(name);
  }
  return null;
}

function declarationProblem(value: unknown): string | null {
  if (typeof value !== "object" || value === null) return "one of its `attributes` is not an object";
  const { name, type, note, fixedBy, known, percent } = value as Partial<AttributeDeclaration>;
  if (typeof name !== "string" || !isName(name)) {
    return `its attribute ${JSON.stringify(name)} is not named by lower-case words with dots between them`;
  }
  const its = `its attribute \`${name}\``;
  if (!TYPES.some((one) => one === type)) return `${its} has no \`type\`, which is one of ${TYPES.join(", ")}`;
  if (!FIXED_BY.some((one) => one === fixedBy))
    return `${its} has no \`fixedBy\`, which is one of ${FIXED_BY.join(", ")}`;
  if (typeof note !== "string" || note === "") return `${its} has no \`note\``;
  if (known !== undefined && (type !== "name" || !Array.isArray(known.values))) {
    return `${its} has \`known\` that is not names of a \`name\``;
  }
  return percent === true && type !== "money" ? `${its} has \`percent\`, which is for money` : null;
}

/** A word that rules can write where an attribute stands: `and`, say, is none. */
function isName(name: string): boolean {
  if (!/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/.test(name)) return false;
  const [token, more] = lexAll(name) ?? [];
  return token !== undefined && more === undefined && tokenMatcher(token, NameWord);
}
