// Types values against attributes: an operand → a test, or a finding that says why it does not fit.
import type { LiteralValue, Operand, RangeNode, Span, Value } from "./ast.ts";
import type { Attribute, AttributeRef, ValueType } from "./attributes.ts";
import { isIndex, type Names } from "./catalogue.ts";
import type { CheckSet, Place } from "./check-context.ts";
import type { Test } from "./checked.ts";
import { globMatches } from "./glob.ts";
import { type Net, parseNet } from "./ip.ts";
import { barePrice, type Dimension } from "./literal.ts";
import { WEEKDAYS } from "./local-time.ts";
import { near } from "./mistakes.ts";
import { isGlobValue } from "./nodes.ts";
import { quote } from "./syntax-error.ts";
import { EXAMPLE, PLAIN, PLAIN_DIMENSION, unitHelp } from "./value-words.ts";

/** $0.001/M and $1000/M in pico-USD per token: prices outside are most likely in the wrong unit. */
const PRICE_MIN = 1_000;
const PRICE_MAX = 1_000_000_000;

/** Dimensions that a type takes beside its own: a bare number counts in the attribute's unit. */
const TAKES: Partial<Record<ValueType, readonly Dimension[]>> = {
  number: ["number"],
  money: ["money"],
  price: ["price", "number"],
  percent: ["percent"],
  tokens: ["tokens", "number"],
  bytes: ["bytes", "number"],
  duration: ["duration"],
  time: ["time"],
  date: ["date"],
};

/** Types values of one statement. */
export class ValueChecker {
  private readonly set: CheckSet;
  private readonly place: Place;
  private readonly inTest: boolean;

  /** @param inTest the values are what a `test` gives */
  constructor(set: CheckSet, place: Place, inTest = false) {
    this.set = set;
    this.place = place;
    this.inTest = inTest;
  }

  /** Values that the attribute may equal → a test; null after a finding. `at` is where the values stand. */
  equality(ref: AttributeRef, values: readonly Value[], at: Place): Test | null {
    const { attribute } = ref;
    if (attribute.type === "name") return this.names(attribute, values, at);
    if (attribute.type === "ip") return this.nets(values, at);
    const numbers = values.map((value) => this.number(attribute, value, at));
    return numbers.some((value) => value === null)
      ? null
      : { kind: "numbers", values: numbers.filter((n) => n !== null) };
  }

  /** `low..high` → a test; null after a finding. */
  range(ref: AttributeRef, node: RangeNode): Test | null {
    const { attribute } = ref;
    if (attribute.type === "name" || attribute.type === "bool" || attribute.type === "ip") {
      return this.fail(
        node.span,
        "E205",
        `${quote(ref.text)} is ${PLAIN[attribute.type]}: it has no ranges`,
        "list the values",
      );
    }
    const low = this.number(attribute, node.low, this.place);
    const high = this.number(attribute, node.high, this.place);
    if (low === null || high === null) return null;
    const wraps = attribute.type === "time" || attribute.type === "weekday" || attribute.name === "hour";
    const openEnd = attribute.type === "time";
    if (low > high && !wraps)
      return this.fail(node.span, "E216", "the range is empty", "write the smaller value first");
    if (low === high && openEnd)
      return this.fail(
        node.span,
        "E216",
        "the range is empty: its end is not part of it",
        "for a whole day leave it out",
      );
    return { kind: "range", low, high, openEnd };
  }

  /** A value of a type that counts → its number; null after a finding. */
  number(attribute: Attribute, value: Value, at: Place): number | null {
    if (attribute.type === "weekday") return this.weekday(value, at);
    if (value.kind === "literal" && "value" in value.literal) {
      const { dimension } = value.literal;
      if (TAKES[attribute.type]?.includes(dimension)) return this.sized(attribute, value, value.literal.value, at);
    }
    const what = value.kind === "literal" ? PLAIN_DIMENSION[value.literal.dimension] : "a name";
    const message = `${quote(attribute.name)} is ${PLAIN[attribute.type]}, ${quote(value.text)} is ${what}`;
    return this.fail(value.span, "E204", message, unitHelp(attribute, value), at);
  }

  /** Values of an operand other than a range: those of a list, or the one that it is. */
  static valuesOf(operand: Exclude<Operand, RangeNode>): readonly Value[] {
    if (operand.kind === "name") throw new Error("a name is resolved before its values are read");
    return operand.kind === "list" ? operand.items : [operand];
  }

  private sized(attribute: Attribute, value: LiteralValue, read: number, at: Place): number | null {
    if (attribute.type !== "price") return read;
    const bare = value.literal.dimension === "number";
    const price = bare ? barePrice(value.text) : read;
    if (price === null)
      return this.fail(
        value.span,
        "E107",
        `${quote(value.text)} is too fine for a price`,
        "six decimals of USD per million tokens are kept",
        at,
      );
    if (price !== 0 && (price < PRICE_MIN || price > PRICE_MAX)) {
      const message = `${quote(value.text)} is ${price < PRICE_MIN ? "below $0.001/M" : "above $1000/M"}`;
      this.set.report(at, value.span, "W302", message, "prices are in USD per million tokens");
    }
    return price;
  }

  private weekday(value: Value, at: Place): number | null {
    const index = WEEKDAYS.indexOf(value.text as (typeof WEEKDAYS)[number]);
    if (value.kind !== "literal" && index !== -1) return index;
    return this.fail(
      value.span,
      "E206",
      `${quote(value.text)} is no weekday`,
      near(value.text.slice(0, 3), WEEKDAYS) ?? EXAMPLE.weekday ?? null,
      at,
    );
  }

  private names(attribute: Attribute, values: readonly Value[], at: Place): Test | null {
    const exact: string[] = [];
    const globs: string[] = [];
    let ok = true;
    for (const value of values) {
      if (value.kind === "literal" && value.literal.dimension !== "number") {
        const help = `put it in quotes if it is a name: ${quote(`"${value.text}"`)}`;
        this.fail(
          value.span,
          "E204",
          `${quote(attribute.name)} is a name, ${quote(value.text)} is ${PLAIN_DIMENSION[value.literal.dimension]}`,
          help,
          at,
        );
        ok = false;
      } else if (!this.known(attribute, value, at)) ok = false;
      else if (isGlobValue(value)) globs.push(value.text);
      else exact.push(value.text);
    }
    return ok ? { kind: "names", exact, globs } : null;
  }

  /** False when the value is none of a closed vocabulary; a warning when none of an open one. */
  private known(attribute: Attribute, value: Value, at: Place): boolean {
    const names = this.set.valuesOf(attribute);
    if (attribute.known === undefined || names === null || isAmong(value, names)) return true;
    const glob = isGlobValue(value);
    const help = glob ? null : this.set.near(value.text, names);
    const message = glob
      ? `no ${attribute.name} matches ${quote(value.text)}`
      : `unknown ${attribute.name} ${quote(value.text)}`;
    if (attribute.known.closed) {
      const all = isIndex(names) ? null : `one of ${[...names].join(", ")}`;
      this.fail(value.span, "E206", message, help ?? all, at);
    } else if (this.looksMisspelt(attribute, value, help !== null))
      this.set.report(at, value.span, "W301", message, help);
    return !attribute.known.closed;
  }

  /**
   * Rules may be there before the team or the key that they name, so only what is near to a known one is told. A model
   * that exists is not misspelt because no provider here serves it. A test may make up what it gives.
   */
  private looksMisspelt({ name }: Attribute, value: Value, isNear: boolean): boolean {
    if (name !== "model") return isNear || !(this.inTest || name === "team" || name === "key");
    const listed = this.set.vocabulary.listedModels();
    if (isGlobValue(value) ? matchesSome(value.text, listed) : listed.has(value.text)) return false;
    return isNear || !this.inTest;
  }

  private nets(values: readonly Value[], at: Place): Test | null {
    const nets: Net[] = [];
    let ok = true;
    for (const value of values) {
      const net = value.kind === "literal" && "net" in value.literal ? value.literal.net : parseNet(value.text);
      if (net !== null) nets.push(net);
      else {
        this.fail(value.span, "E204", `\`ip\` is an address, ${quote(value.text)} is none`, EXAMPLE.ip ?? null, at);
        ok = false;
      }
    }
    return ok ? { kind: "nets", nets } : null;
  }

  private fail(
    span: Span,
    code: Parameters<CheckSet["report"]>[2],
    message: string,
    help: string | null,
    at: Place = this.place,
  ): null {
    this.set.report(at, span, code, message, help);
    return null;
  }
}

/** Where nothing is known, anything may be meant. What is only looked up is not tried against a pattern. */
function isAmong(value: Value, names: Names): boolean {
  if (isIndex(names)) return isGlobValue(value) || names.has(value.text);
  return names.size === 0 || (isGlobValue(value) ? matchesSome(value.text, names) : names.has(value.text));
}

function matchesSome(glob: string, names: Iterable<string>): boolean {
  for (const name of names) if (globMatches(glob, name)) return true;
  return false;
}
