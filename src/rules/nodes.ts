// Leaves of the tree, made from tokens.
import type { IToken } from "chevrotain";
import type { Expr, LiteralValue, NameNode, TextValue, WordValue } from "./ast.ts";
import { isGlob } from "./glob.ts";
import { readLiteral } from "./literal.ts";
import { quote, RuleSyntaxError, spanOf } from "./syntax-error.ts";

const ESCAPES = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["n", "\n"],
  ["t", "\t"],
]);

const UNITS = "as in `$10/M`, `8k`, `2MB`, `5m`, `10%`, `22:00`, `2027-01-31`, `10.0.0.0/8`";

/** A bare word as a value. */
export function wordValue(token: IToken): WordValue {
  return { kind: "word", text: token.image, span: spanOf(token) };
}

/** A quoted value, its escapes resolved. @throws {RuleSyntaxError} E104. */
export function textValue(token: IToken): TextValue {
  return { kind: "text", text: textOf(token), span: spanOf(token) };
}

/** What a quoted text says: `\"`, `\\`, `\n` and `\t` are its escapes. @throws {RuleSyntaxError} E104. */
export function textOf(token: IToken): string {
  return token.image.slice(1, -1).replace(/\\(.)/gs, (written, char: string) => {
    const meant = ESCAPES.get(char);
    if (meant !== undefined) return meant;
    throw new RuleSyntaxError(
      "E104",
      spanOf(token),
      `${quote(written)} is not an escape`,
      'the escapes are `\\"`, `\\\\`, `\\n` and `\\t`',
    );
  });
}

/** A literal with its dimension. @throws {RuleSyntaxError} E107. */
export function literalValue(token: IToken): LiteralValue {
  const literal = readLiteral(token.image);
  if (literal !== null) return { kind: "literal", literal, text: token.image, span: spanOf(token) };
  const help = /^[0-9]+(\.[0-9]+)?[A-Za-z]{1,3}$/.test(token.image) ? UNITS : named(token.image);
  throw new RuleSyntaxError(
    "E107",
    spanOf(token),
    `${quote(token.image)} cannot be read as a number, time, date or address`,
    help,
  );
}

function named(text: string): string {
  return /^[0-9].*[A-Za-z]/.test(text) ? `put it in quotes if it is a name: ${quote(`"${text}"`)}` : UNITS;
}

/** `@name`. */
export function nameNode(token: IToken): NameNode {
  return { kind: "name", name: token.image.slice(1), span: spanOf(token) };
}

/** One part as it is, more as a logic node. */
export function listed(kind: "and" | "or", parts: readonly Expr[]): Expr {
  const first = parts[0];
  const last = parts.at(-1);
  if (first === undefined || last === undefined) throw new Error("a condition has at least one part");
  return parts.length === 1 ? first : { kind, parts, span: { start: first.span.start, end: last.span.end } };
}

/** Whether a value is a glob: only bare words are. */
export function isGlobValue(value: { readonly kind: string; readonly text: string }): boolean {
  return value.kind === "word" && isGlob(value.text);
}
