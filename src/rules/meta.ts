// The clauses at the end of a rule: `as`, `because`, `owner`, `until`, `status`.
import type { IToken } from "chevrotain";
import type { Meta } from "./ast.ts";
import { literalValue, textOf } from "./nodes.ts";
import { quote, RuleSyntaxError, spanOf } from "./syntax-error.ts";

/** A clause as two tokens. */
export interface ClauseToken {
  readonly word: IToken;
  readonly value: IToken;
}

/** Reads a rule's clauses. @throws {RuleSyntaxError} E104, E107, E111. */
export function readMeta(clauses: readonly ClauseToken[]): Meta {
  const meta: { -readonly [Key in keyof Meta]: Meta[Key] } = {};
  for (const { word, value } of clauses) {
    const name = word.image as keyof Meta;
    if (meta[name] !== undefined) {
      throw new RuleSyntaxError("E111", spanOf(word), `${quote(name)} is given twice`, "keep one");
    }
    if (name === "because") meta.because = textOf(value);
    else if (name === "until") meta.until = { day: dayOf(value), span: spanOf(value) };
    else if (name === "status") meta.status = { code: numberOf(value), span: spanOf(value) };
    else meta[name] = value.image;
  }
  return meta;
}

function dayOf(token: IToken): number {
  const { literal } = literalValue(token);
  if (literal.dimension === "date") return literal.value;
  throw new RuleSyntaxError("E107", spanOf(token), `${quote(token.image)} is not a date`, "write it as `2027-01-31`");
}

function numberOf(token: IToken): number {
  const { literal } = literalValue(token);
  if (literal.dimension === "number") return literal.value;
  throw new RuleSyntaxError("E107", spanOf(token), `${quote(token.image)} is not a status`, "write it as `403`");
}
