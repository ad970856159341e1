// What is wrong with one statement's text: thrown by the lexer and the parser, turned into a diagnostic by parse.ts.
import type { IToken } from "chevrotain";
import type { Span } from "./ast.ts";
import type { Code } from "./diagnostics.ts";

/** A syntax error; the span is relative to the statement. */
export class RuleSyntaxError extends Error {
  readonly code: Code;
  readonly span: Span;
  readonly help: string | null;

  constructor(code: Code, span: Span, message: string, help: string | null = null) {
    super(message);
    this.name = "RuleSyntaxError";
    this.code = code;
    this.span = span;
    this.help = help;
  }
}

/** A token's place in its statement. */
export function spanOf(token: IToken): Span {
  return { start: token.startOffset, end: token.startOffset + token.image.length };
}

/** A user's text as messages quote it: in backticks, at most 60 characters. */
export function quote(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return `\`${short.replace(/\s+/g, " ")}\``;
}
