// Checks `test` blocks: what is given has the attribute's type, what is expected exists.
import type { GivenNode, IdNode, TestNode, Value } from "./ast.ts";
import type { AttributeRef } from "./attributes.ts";
import type { Vocabulary } from "./catalogue.ts";
import { AttributeChecker } from "./check-attribute.ts";
import type { CheckSet, Place } from "./check-context.ts";
import { ValueChecker } from "./check-value.ts";
import { type CheckedSet, type CheckedTest, decides, type Given, isCounting } from "./checked.ts";
import { diagnostic } from "./diagnostics.ts";
import { parseIp } from "./ip.ts";
import { parseMoment } from "./local-time.ts";
import { isGlobValue } from "./nodes.ts";
import { shift } from "./parse.ts";
import { isTestFile } from "./source.ts";
import { quote } from "./syntax-error.ts";
import { operandText } from "./written.ts";

/** Attributes that `at` fixes. */
const CLOCK = new Set(["time", "hour", "day", "date", "weekday"]);
/** Attributes that hold several names. */
const SETS = new Set(["role", "tag", "header"]);
/** Lists that a test makes up are no longer than this. */
const COUNT_MAX = 10_000;
/** Numbers that need not be whole; what others read need not either. */
const FRACTIONS = new Set(["temperature"]);
const LEAST = new Map([
  ["n", 1],
  ["day", 1],
]);
const MOST = new Map([
  ["hour", 23],
  ["day", 31],
  ["time", 1439],
  ["tools.count", COUNT_MAX],
  ["messages.count", COUNT_MAX],
]);

/** Adds the test to `tests`, unless it has an error. */
export function addTest(set: CheckSet, tests: CheckedTest[], node: TestNode, place: Place): void {
  const checker = new GivenChecker(set, place);
  const atMs = node.at === null ? null : parseMoment(node.at.text, place.zone);
  if (node.at !== null && atMs === null) {
    const help = "write it as `2027-01-31T22:00`, in the file's time zone";
    set.report(place, node.at.span, "E107", `${quote(node.at.text)} is not a moment`, help);
  }
  const given = node.given.map((fact) => checker.given(fact, node.at !== null));
  if (node.expects.length === 0) {
    set.report(place, node.nameSpan, "E219", "the test expects nothing", "add `expect allow` or `expect deny`");
  }
  if (given.includes(null) || (node.at !== null && atMs === null) || node.expects.length === 0) return;
  tests.push({
    name: node.name,
    source: place.source,
    offset: place.offset,
    start: node.span.start + place.offset,
    end: node.nameSpan.end + place.offset,
    zone: place.zone,
    atMs,
    given: given.filter((fact) => fact !== null),
    expects: node.expects,
  });
}

/** Whether a test may fail and the rules come into force all the same, with a warning. */
export function mayFail({ source }: Pick<CheckedTest, "source">, { failingTests }: Vocabulary): boolean {
  return failingTests === "warn" || isTestFile(source);
}

/** Says which ids after `by` and `warn` are no rule's (E221), and which rules could not be meant. */
export function checkIds(set: CheckSet, { rules, defaults, tests }: CheckedSet): void {
  if (set.hasErrors) return;
  const warns = new Set(rules.filter(({ effect }) => effect === "warn").map(({ id }) => id));
  const counting = new Set(rules.filter(isCounting).map(({ id }) => id));
  const deciders = new Set([...rules.filter(decides), ...defaults].map(({ id }) => id));
  const check = ({ source, offset }: CheckedTest, { id, span }: IdNode, known: ReadonlySet<string>): void => {
    if (known.has(id)) return;
    const message = `no ${known === warns ? "`warn`" : "rule or `default` line"} has the id ${quote(id)}`;
    const counts = counting.has(id) ? "a `limit` or `budget` has it, which counts and decides nothing here" : null;
    const help = counts ?? set.near(id, known) ?? "a rule gets an id by `as`; without it the id is `<file>:<line>`";
    set.add(diagnostic("E221", source, shift(span, offset), message, help));
  };
  // A test that may fail does so when its rule is gone.
  for (const test of tests.filter((one) => !mayFail(one, set.vocabulary))) {
    for (const { by, warn } of test.expects) {
      for (const id of by) check(test, id, deciders);
      if (warn !== null) check(test, warn, warns);
    }
  }
}

/** Types what one test gives. */
class GivenChecker {
  private readonly set: CheckSet;
  private readonly place: Place;
  private readonly attributes: AttributeChecker;
  private readonly values: ValueChecker;
  private readonly seen = new Set<string>();

  constructor(set: CheckSet, place: Place) {
    this.set = set;
    this.place = place;
    this.attributes = new AttributeChecker(set, place);
    this.values = new ValueChecker(set, place, true);
  }

  /** One fact; null after a finding. @param timed the test has an `at` */
  given({ attribute, operand, span }: GivenNode, timed: boolean): Given | null {
    const ref = this.attributes.resolve(attribute, operand);
    if (ref === null) return null;
    const key = `${ref.attribute.name} ${ref.param ?? ""}`;
    if (this.seen.has(key)) {
      this.set.report(this.place, span, "E111", `${quote(ref.text)} is given twice`, "keep one, or write a list");
      return null;
    }
    this.seen.add(key);
    if (timed && CLOCK.has(ref.attribute.name)) {
      return this.fail(span, `\`at\` says already what ${quote(ref.text)} is`, "take one of them out");
    }
    if (operand.kind === "list") return this.several(ref, operand.items, span);
    const value = this.value(ref, operand);
    return value === null ? null : { ref, value };
  }

  private several(ref: AttributeRef, items: readonly Value[], span: Value["span"]): Given | null {
    const isSet =
      SETS.has(ref.attribute.name) || (ref.attribute.type === "name" && ref.attribute.outside !== undefined);
    if (!isSet) return this.fail(span, `a request has one ${quote(ref.text)}`, "give one value");
    const values = items.map((item) => this.value(ref, item));
    return values.includes(null) ? null : { ref, value: values.map(String) };
  }

  private value(ref: AttributeRef, value: Value): string | number | boolean | null {
    const { type, name } = ref.attribute;
    if (isGlobValue(value)) {
      return this.fail(
        value.span,
        "a request has a value, not a pattern",
        `write a name, or ${quote(`"${value.text}"`)}`,
      );
    }
    if (type === "bool") return this.truth(ref, value);
    if (type === "name") return this.values.equality(ref, [value], this.place) === null ? null : value.text;
    if (type === "ip") return this.address(ref, value);
    const number = this.values.number(ref.attribute, value, this.place);
    if (number === null) return null;
    const isFraction = FRACTIONS.has(name) || ref.attribute.outside !== undefined;
    const least = LEAST.get(name) ?? 0;
    const most = MOST.get(name) ?? Number.MAX_SAFE_INTEGER;
    if (number >= least && number <= most && (isFraction || Number.isInteger(number))) return number;
    const range = MOST.has(name) ? `from ${least} to ${MOST.get(name)}` : `at least ${least}`;
    return this.fail(value.span, `${quote(ref.text)} is never ${quote(value.text)}`, `a whole number, ${range}`);
  }

  private truth(ref: AttributeRef, value: Value): boolean | null {
    if (value.kind === "word" && (value.text === "true" || value.text === "false")) return value.text === "true";
    return this.fail(value.span, `${quote(ref.text)} is true or false`, `write ${quote(`${ref.text} true`)}`);
  }

  private address(ref: AttributeRef, value: Value): string | null {
    if (this.values.equality(ref, [value], this.place) === null) return null;
    if (parseIp(value.text) !== null) return value.text;
    return this.fail(
      value.span,
      `a request comes from one address, not from ${quote(operandText(value))}`,
      "write one",
    );
  }

  private fail(span: Value["span"], message: string, help: string): null {
    this.set.report(this.place, span, "E220", message, help);
    return null;
  }
}
