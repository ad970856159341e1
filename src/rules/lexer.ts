// One statement's text into tokens: drops the line breaks that mean nothing, names what does not belong.
import { type IToken, Lexer, type TokenType } from "chevrotain";
import { quote, RuleSyntaxError, spanOf } from "./syntax-error.ts";
import { Foreign, LBrace, LBracket, LParen, Newline, OpenText, RBrace, RBracket, RParen, TOKENS } from "./tokens.ts";

const lexer = new Lexer(TOKENS, { positionTracking: "onlyStart", ensureOptimizations: false });

const CLOSES = new Map<TokenType, TokenType>([
  [RParen, LParen],
  [RBracket, LBracket],
  [RBrace, LBrace],
]);
const OPENS = new Set(CLOSES.values());

/** All tokens of a text without errors, line breaks included; null when a character is none of the language's. */
export function lexAll(text: string): IToken[] | null {
  const { tokens, errors } = lexer.tokenize(text);
  return errors.length > 0 ? null : tokens;
}

/** Tokens of a statement. @throws {RuleSyntaxError} E104, E105, E106, E108. */
export function lex(text: string): IToken[] {
  const { tokens, errors } = lexer.tokenize(text);
  const strange = errors[0];
  const foreign = tokens.find((token) => token.tokenType === Foreign || token.tokenType === OpenText);
  if (foreign !== undefined && !(strange !== undefined && strange.offset < foreign.startOffset)) throw habit(foreign);
  if (strange !== undefined) throw strangeCharacter(text, strange.offset);
  return layOut(tokens);
}

/**
 * Checks the brackets and keeps a line break only where it parts the rules of a block: directly inside `{ }`,
 * before a line that is indented no deeper than the block's first rule.
 */
function layOut(tokens: readonly IToken[]): IToken[] {
  const kept: IToken[] = [];
  const open: IToken[] = [];
  let margin = -1;
  for (const [i, token] of tokens.entries()) {
    const type = token.tokenType;
    const inBlock = open.at(-1)?.tokenType === LBrace;
    if (type === Newline) {
      const next = tokens[i + 1];
      if (next?.tokenType === Newline) continue; // blank lines mean nothing
      if (inBlock && next !== undefined && (next.startColumn ?? 1) <= margin) kept.push(token);
      continue;
    }
    if (inBlock && margin === -1) margin = token.startColumn ?? 1;
    if (OPENS.has(type)) open.push(token);
    if (type === LBrace) margin = -1;
    const opening = CLOSES.get(type);
    if (opening !== undefined && open.pop()?.tokenType !== opening) throw closesNothing(token);
    kept.push(token);
  }
  const unclosed = open.at(-1);
  if (unclosed !== undefined) throw neverClosed(unclosed);
  return kept;
}

function closesNothing(token: IToken): RuleSyntaxError {
  return new RuleSyntaxError(
    "E106",
    spanOf(token),
    `${quote(token.image)} closes nothing`,
    "take it out, or open it first",
  );
}

function neverClosed(token: IToken): RuleSyntaxError {
  return new RuleSyntaxError("E106", spanOf(token), `${quote(token.image)} is never closed`, "close it");
}

function strangeCharacter(text: string, offset: number): RuleSyntaxError {
  const char = String.fromCodePoint(text.codePointAt(offset) ?? 0);
  const span = { start: offset, end: offset + char.length };
  if ("“”„‘’".includes(char))
    return new RuleSyntaxError("E108", span, "text takes straight double quotes here", 'write `"`');
  const invisible = /[\p{Z}\p{C}]/u.test(char);
  const name = invisible ? `U+${char.codePointAt(0)?.toString(16).padStart(4, "0").toUpperCase()}` : quote(char);
  if (char === "-")
    return new RuleSyntaxError("E105", span, `unexpected character ${name}`, "nothing here is negative");
  const help = invisible ? "write a plain space" : "put a value that holds it in double quotes";
  return new RuleSyntaxError("E105", span, `unexpected character ${name}`, help);
}

function habit(token: IToken): RuleSyntaxError {
  if (token.tokenType === OpenText) {
    return new RuleSyntaxError("E104", spanOf(token), "this text is never closed", 'end it with `"` on the same line');
  }
  const wrong = token.image;
  const span = spanOf(token);
  if (wrong.startsWith("'")) {
    const inner = wrong.replaceAll("'", "");
    return new RuleSyntaxError("E108", span, "text takes double quotes here", `write ${quote(`"${inner}"`)}`);
  }
  if (wrong.startsWith("//")) return new RuleSyntaxError("E108", span, "a comment starts with `#` here", "write `#`");
  if (wrong === ";") return new RuleSyntaxError("E108", span, "a line break ends a rule here", "take `;` out");
  const word = wrong.startsWith("&") ? "and" : wrong.startsWith("|") ? "or" : "not";
  return new RuleSyntaxError("E108", span, `${quote(wrong)} is not used here`, `write \`${word}\``);
}
