// Types conditions: selectors and expressions → the checked tree's conditions.
import type { BareNode, CompareNode, Expr, IsSetNode, NameNode, SelectorNode, Span, Value } from "./ast.ts";
import type { AttributeRef } from "./attributes.ts";
import { AttributeChecker } from "./check-attribute.ts";
import type { CheckSet, LetEntry, Place } from "./check-context.ts";
import { meaningOf } from "./check-lets.ts";
import { ValueChecker } from "./check-value.ts";
import type { Cond, Leaf, Test } from "./checked.ts";
import type { Code } from "./diagnostics.ts";
import { quote } from "./syntax-error.ts";
import { operandText, valueText } from "./written.ts";

/** Types the conditions of one statement. Each method gives null after a finding. */
export class ConditionChecker {
  private readonly set: CheckSet;
  private readonly place: Place;
  private readonly attributes: AttributeChecker;
  private readonly values: ValueChecker;

  constructor(set: CheckSet, place: Place) {
    this.set = set;
    this.place = place;
    this.attributes = new AttributeChecker(set, place);
    this.values = new ValueChecker(set, place);
  }

  /** `team not [a, b]`. */
  selector(node: SelectorNode): Leaf | null {
    const ref = this.attributes.resolve({ name: node.subject, param: null, span: node.span });
    const listed = this.listed(node.operand);
    const test = ref === null || listed === null ? null : this.values.equality(ref, listed.values, listed.place);
    if (ref === null || test === null) return null;
    const text = `${node.subject} ${node.negated ? "not " : ""}${operandText(node.operand)}`;
    return { kind: "test", ref, test, negated: node.negated, text };
  }

  /** All of them, or null when one has a finding. */
  selectors(nodes: readonly SelectorNode[]): Leaf[] | null {
    const leaves = nodes.map((node) => this.selector(node));
    return leaves.includes(null) ? null : leaves.filter((leaf) => leaf !== null);
  }

  /** A condition. */
  expr(node: Expr): Cond | null {
    switch (node.kind) {
      case "and":
      case "or": {
        const parts = node.parts.map((part) => this.expr(part));
        return parts.includes(null) ? null : { kind: node.kind, parts: parts.filter((part) => part !== null) };
      }
      case "not": {
        const part = this.expr(node.part);
        return part === null ? null : { kind: "not", part };
      }
      case "name":
        return this.named(node);
      case "selector":
        return this.selector(node);
      case "compare":
        return this.compare(node);
      case "is-set":
        return this.isSet(node);
      case "bare":
        return this.bare(node);
    }
  }

  /** The condition that an `@name` stands for, checked once and in its own file. */
  private named(node: NameNode): Cond | null {
    const entry = this.lookUp(node);
    if (entry === null) return null;
    if (entry.node.value.kind === "list") {
      this.set.use(entry, null);
      return this.fail(
        node.span,
        "E203",
        `\`@${node.name}\` is a list, not a condition`,
        `write \`model in @${node.name}\``,
      );
    }
    if (entry.state === "open") {
      this.set.use(entry, null);
      return this.fail(node.span, "E210", `\`@${node.name}\` is made of itself`, "break the circle");
    }
    this.set.use(entry, meaningOf(this.set, entry));
    const cond = entry.checked?.cond ?? null;
    return cond === null ? null : { kind: "named", name: `@${node.name}`, part: cond };
  }

  /** Values and where they stand: a list's in its `let`, others here. */
  private listed(
    operand: Exclude<CompareNode["operand"], { kind: "range" }>,
  ): { values: readonly Value[]; place: Place } | null {
    if (operand.kind !== "name") return { values: ValueChecker.valuesOf(operand), place: this.place };
    const entry = this.lookUp(operand);
    if (entry === null) return null;
    if (entry.node.value.kind === "list") {
      this.set.use(entry, meaningOf(this.set, entry));
      return { values: entry.node.value.items, place: entry.place };
    }
    this.set.use(entry, null);
    return this.fail(
      operand.span,
      "E203",
      `\`@${operand.name}\` is a condition, not a list`,
      `write \`when @${operand.name}\``,
    );
  }

  private lookUp(node: NameNode): LetEntry | null {
    const entry = this.set.lets.get(node.name);
    if (entry === undefined) {
      const known = this.set.near(node.name, this.set.lets.keys())?.replace("`", "`@") ?? null;
      return this.fail(
        node.span,
        "E202",
        `unknown name \`@${node.name}\``,
        known ?? `make it: \`let @${node.name} = […]\``,
      );
    }
    return entry;
  }

  private compare(node: CompareNode): Leaf | null {
    const ref = this.attributes.resolve(
      node.attribute,
      node.operand.kind === "range" ? node.operand.low : node.operand,
    );
    const test = ref === null ? null : this.testOf(ref, node);
    if (ref === null || test === null) return null;
    const op = node.op === "=" ? (node.negated ? "!=" : "=") : `${node.negated ? "not " : ""}${node.op}`;
    const value =
      node.operand.kind === "range" || node.operand.kind === "list"
        ? operandText(node.operand)
        : valueText(ref.attribute, node.operand);
    return { kind: "test", ref, test, negated: node.negated, text: `${ref.text} ${op} ${value}` };
  }

  private testOf(ref: AttributeRef, node: CompareNode): Test | null {
    const { operand } = node;
    const { type } = ref.attribute;
    if (operand.kind === "range") return this.values.range(ref, operand);
    if (type === "bool") return this.truth(ref, node);
    if (node.op === "has" && type !== "name")
      return this.fail(node.span, "E205", `\`has\` is for names; ${quote(ref.text)} is none`, "write `=`");
    if (node.op === "in" && operand.kind !== "list" && operand.kind !== "name" && type !== "ip") {
      return this.fail(
        operand.span,
        "E205",
        "`in` takes a list, a range or an `@name`",
        `write ${quote(`[${operandText(operand)}]`)} or use \`=\``,
      );
    }
    const listed = this.listed(operand);
    if (listed === null) return null;
    if (node.op === "=" || node.op === "in" || node.op === "has")
      return this.values.equality(ref, listed.values, listed.place);
    return this.order(ref, node.op, listed.values, node.span);
  }

  private order(ref: AttributeRef, op: "<" | "<=" | ">" | ">=", values: readonly Value[], span: Span): Test | null {
    const value = values[0];
    if (
      ref.attribute.type === "name" ||
      ref.attribute.type === "ip" ||
      ref.attribute.type === "weekday" ||
      value === undefined
    ) {
      return this.fail(span, "E205", `${quote(ref.text)} has no order: \`${op}\` is for numbers`, "use `=` or `in`");
    }
    const number = this.values.number(ref.attribute, value, this.place);
    return number === null ? null : { kind: "order", op, value: number };
  }

  /** `stream = false` is the opposite of `stream`: `negated` stays the node's, so the test itself carries the value. */
  private truth(ref: AttributeRef, node: CompareNode): Test | null {
    const { operand } = node;
    const wanted = operand.kind === "word" ? operand.text : "";
    if (node.op === "=" && wanted === "true") return { kind: "true" };
    if (node.op === "=" && wanted === "false") return { kind: "false" };
    return this.fail(
      node.span,
      "E205",
      `${quote(ref.text)} is true or false`,
      `write ${quote(ref.text)} or ${quote(`not ${ref.text}`)}`,
    );
  }

  private isSet(node: IsSetNode): Leaf | null {
    const ref = this.attributes.resolve(node.attribute);
    if (ref === null) return null;
    if (!ref.attribute.mayLack) return this.fail(node.span, "E205", `${quote(ref.text)} is always set`, "take it out");
    return {
      kind: "test",
      ref,
      test: { kind: "set" },
      negated: node.negated,
      text: `${ref.text} is ${node.negated ? "unset" : "set"}`,
    };
  }

  private bare(node: BareNode): Leaf | null {
    const ref = this.attributes.resolve(node.attribute);
    if (ref === null) return null;
    if (ref.attribute.type === "bool")
      return { kind: "test", ref, test: { kind: "true" }, negated: false, text: ref.text };
    const help = ref.attribute.mayLack
      ? `write ${quote(`${ref.text} is set`)} or compare it`
      : "compare it with a value";
    return this.fail(node.span, "E205", `${quote(ref.text)} alone is not a condition`, help);
  }

  private fail(span: Span, code: Code, message: string, help: string | null): null {
    this.set.report(this.place, span, code, message, help);
    return null;
  }
}
