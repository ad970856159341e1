// Resolves attributes by name, and says why one cannot be read.
import type { AttributeNode, Operand } from "./ast.ts";
import { SECRET_HEADERS } from "./attribute-table.ts";
import type { AttributeRef } from "./attributes.ts";
import type { CheckSet, Place } from "./check-context.ts";
import type { Code } from "./diagnostics.ts";
import type { Dimension } from "./literal.ts";
import { near } from "./mistakes.ts";
import { quote } from "./syntax-error.ts";

/** Resolves the attributes of one statement. */
export class AttributeChecker {
  private readonly set: CheckSet;
  private readonly place: Place;

  constructor(set: CheckSet, place: Place) {
    this.set = set;
    this.place = place;
  }

  /**
   * An attribute by its name; null after a finding. `hour` compared with a time of day is read as `time`, money compared
   * with a percentage as a share, where it has one.
   */
  resolve(node: AttributeNode, against?: Operand): AttributeRef | null {
    const dimension = dimensionOf(against);
    const isTime = node.name === "hour" && dimension === "time";
    const named = this.set.vocabulary.attributes.get(isTime ? "time" : node.name);
    if (named === undefined) return this.unknown(node);
    const attribute = dimension === "percent" ? (named.share ?? named) : named;
    const { zone } = this.place;
    if (!attribute.takesParam) {
      if (node.param === null) return { attribute, param: null, text: node.name, zone };
      return this.fail(node, "E201", `${quote(node.name)} takes no text in brackets`, "take the brackets out");
    }
    if (node.param === null)
      return this.fail(
        node,
        "E201",
        `${quote(node.name)} takes a name in brackets`,
        `write ${quote(`${node.name}["x"]`)}`,
      );
    const param = node.name === "header" ? node.param.toLowerCase() : node.param;
    if (node.name === "header" && SECRET_HEADERS.has(param)) {
      return this.fail(
        node,
        "E215",
        `${quote(param)} carries a credential, so no rule may read it`,
        "use `key`, `team` or `user`",
      );
    }
    return { attribute, param, text: `${node.name}[${JSON.stringify(node.param)}]`, zone };
  }

  private unknown(node: AttributeNode): null {
    const help =
      near(node.name, this.set.vocabulary.attributes.keys()) ??
      "rules/README.md lists them; plugins of the config bring more";
    return this.fail(node, "E201", `unknown attribute ${quote(node.name)}`, help);
  }

  private fail(node: AttributeNode, code: Code, message: string, help: string): null {
    this.set.report(this.place, node.span, code, message, help);
    return null;
  }
}

/** What the value measures that an attribute is compared with; of several the first says it. */
function dimensionOf(against: Operand | undefined): Dimension | "ip" | null {
  if (against?.kind === "list") return dimensionOf(against.items[0]);
  if (against?.kind === "range") return dimensionOf(against.low);
  return against?.kind === "literal" ? against.literal.dimension : null;
}
