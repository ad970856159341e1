// Values and conditions back to text, as sentences quote them.

import { formatPerMillion } from "../money.ts";
import type { Operand, Value } from "./ast.ts";
import type { Attribute } from "./attributes.ts";
import type { Cond } from "./checked.ts";
import { barePrice } from "./literal.ts";

/** A value as written; a bare price gets its unit: `10` → `$10/M`. */
export function valueText(attribute: Attribute, operand: Exclude<Operand, { kind: "range" | "list" }>): string {
  if (attribute.type === "price" && operand.kind === "literal" && operand.literal.dimension === "number") {
    return `$${formatPerMillion(barePrice(operand.text) ?? 0)}/M`;
  }
  return operandText(operand);
}

/** An operand as written. */
export function operandText(operand: Operand): string {
  if (operand.kind === "name") return `@${operand.name}`;
  if (operand.kind === "list") return `[${operand.items.map(plain).join(", ")}]`;
  if (operand.kind === "range") return `${plain(operand.low)}..${plain(operand.high)}`;
  return plain(operand);
}

/** A condition, with brackets only where they change what it means. */
export function condText(cond: Cond): string {
  switch (cond.kind) {
    case "and":
      return cond.parts.map((part) => (part.kind === "or" ? `(${condText(part)})` : condText(part))).join(" and ");
    case "or":
      return cond.parts.map(condText).join(" or ");
    case "not":
      return cond.part.kind === "and" || cond.part.kind === "or"
        ? `not (${condText(cond.part)})`
        : `not ${condText(cond.part)}`;
    case "named":
      return cond.name;
    case "test":
      return cond.text;
  }
}

function plain(value: Value): string {
  return value.kind === "text" ? JSON.stringify(value.text) : value.text;
}
