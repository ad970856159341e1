// Lays a rule file out: one space between words, fixed indentation, the writer's line breaks and comments kept.
import type { IToken } from "chevrotain";
import { ATTRIBUTES } from "./attribute-table.ts";
import { lexAll } from "./lexer.ts";
import { parseFile, StatementCache } from "./parse.ts";
import { splitStatements } from "./split.ts";
import * as T from "./tokens.ts";

const STEP = 2;
/** A line that goes on with a rule. */
const ON = 4;

/** The words of one line, and the comment at its end. */
interface Line {
  readonly tokens: IToken[];
  comment: string | null;
  /** Offset of the comment, where the line is nothing else. */
  commentAt: number;
}

/** The text laid out, or null when it has a syntax error. Laying out twice changes nothing more. */
export function format(text: string): string | null {
  const source = { name: "", label: "", text };
  if (parseFile(source, new StatementCache()).errors.length > 0) return null;
  const tokens = lexAll(text);
  return tokens === null ? null : new Layout(text).run(broken(linesOf(text, tokens)));
}

/** Tokens and comments by line; what lies between two tokens is nothing but blanks and comments. */
function linesOf(text: string, tokens: readonly IToken[]): Line[] {
  const lines: Line[] = [newLine()];
  let end = 0;
  const comment = (from: number, to: number): void => {
    const at = text.slice(from, to).indexOf("#");
    const line = lines.at(-1);
    if (at === -1 || line === undefined) return;
    line.comment = text.slice(from + at, to).trimEnd();
    line.commentAt = from + at;
  };
  for (const token of tokens) {
    comment(end, token.startOffset);
    if (token.tokenType === T.Newline) lines.push(newLine());
    else lines.at(-1)?.tokens.push(token);
    end = token.startOffset + token.image.length;
  }
  comment(end, text.length);
  return lines;
}

function newLine(): Line {
  return { tokens: [], comment: null, commentAt: -1 };
}

/** A block that does not end on its line gets a line for each brace. */
function broken(lines: readonly Line[]): Line[] {
  const out: Line[] = [];
  let inBlock = false;
  for (const { tokens, comment, commentAt } of lines) {
    let current: IToken[] = [];
    const cut = (): void => {
      if (current.length > 0) out.push({ ...newLine(), tokens: current });
      current = [];
    };
    for (const [i, token] of tokens.entries()) {
      if (token.tokenType === T.RBrace && inBlock) {
        cut();
        inBlock = false;
      }
      current.push(token);
      if (token.tokenType !== T.LBrace || tokens.slice(i).some(({ tokenType }) => tokenType === T.RBrace)) continue;
      inBlock = true;
      if (i < tokens.length - 1) cut();
    }
    out.push({ tokens: current, comment, commentAt });
  }
  return out;
}

/** Writes line after line. */
class Layout {
  private readonly starts: ReadonlySet<number>;
  private readonly pieces: readonly { readonly offset: number; readonly end: number }[];
  private readonly out: string[] = [];
  /** Open brackets with the indentation of the lines that they stand on. */
  private readonly open: { readonly brace: boolean; readonly indent: number }[] = [];
  /** Column of the first word in the block that is open: a line that starts further right goes on with a rule. */
  private margin = -1;

  constructor(text: string) {
    this.pieces = splitStatements(text).map(({ text: piece, offset }) => ({ offset, end: offset + piece.length }));
    this.starts = new Set(this.pieces.map(({ offset }) => offset));
  }

  run(lines: readonly Line[]): string {
    for (const [i, line] of lines.entries()) {
      if (line.tokens.length === 0 && line.comment === null) this.blank();
      else if (line.tokens.length === 0) this.write(this.commentIndent(lines.slice(i + 1), line), line.comment ?? "");
      else this.line(line);
    }
    while (this.out.at(-1) === "") this.out.pop();
    return this.out.length === 0 ? "" : `${this.out.join("\n")}\n`;
  }

  /** At most one blank line, none at the start of a file or a block. */
  private blank(): void {
    const last = this.out.at(-1);
    if (last !== undefined && last !== "" && !last.endsWith("{")) this.out.push("");
  }

  private line({ tokens, comment }: Line): void {
    const first = tokens[0];
    if (first === undefined) return;
    const indent = this.indentOf(first);
    if (first.tokenType === T.RBrace && this.out.at(-1) === "") this.out.pop();
    const text = spaced(tokens);
    for (const token of tokens) this.follow(token, indent);
    this.write(indent, comment === null ? text : `${text} ${comment}`);
  }

  private write(indent: number, text: string): void {
    this.out.push(" ".repeat(indent) + text);
  }

  private indentOf(token: IToken): number {
    const top = this.open.at(-1);
    if (this.starts.has(token.startOffset)) return 0;
    if (top === undefined) return ON;
    if (CLOSING.has(token.tokenType)) return top.indent;
    if (!top.brace) return top.indent + STEP;
    if (this.margin === -1) this.margin = token.startColumn ?? 1;
    return top.indent + STEP + ((token.startColumn ?? 1) <= this.margin ? 0 : ON);
  }

  private follow(token: IToken, indent: number): void {
    if (OPENING.has(token.tokenType)) {
      this.open.push({ brace: token.tokenType === T.LBrace, indent });
      if (token.tokenType === T.LBrace) this.margin = -1;
    } else if (CLOSING.has(token.tokenType)) this.open.pop();
  }

  /** A comment of its own line stands where the next line does; between statements at the margin. */
  private commentIndent(rest: readonly Line[], { commentAt }: Line): number {
    const inside = this.pieces.some(({ offset, end }) => offset < commentAt && commentAt < end);
    const next = rest.find(({ tokens }) => tokens.length > 0)?.tokens[0];
    if (!inside || next === undefined) return 0;
    const top = this.open.at(-1);
    if (top !== undefined && CLOSING.has(next.tokenType)) return top.indent + STEP;
    return this.indentOf(next);
  }
}

const OPENING = new Set([T.LBrace, T.LBracket, T.LParen]);
const CLOSING = new Set([T.RBrace, T.RBracket, T.RParen]);
/** No blank after these, and none before those. */
const TIGHT_AFTER = new Set([T.LBracket, T.LParen, T.Dots]);
const TIGHT_BEFORE = new Set([T.RBracket, T.RParen, T.Comma, T.Dots]);

function spaced(tokens: readonly IToken[]): string {
  let text = "";
  let before: IToken | null = null;
  for (const [i, token] of tokens.entries()) {
    if (token.tokenType === T.Comma && tokens[i + 1]?.tokenType === T.RBracket) continue;
    text += before === null || isTight(before, token) ? "" : " ";
    text += token.tokenType === T.Equal ? "=" : token.image;
    before = token;
  }
  return text;
}

function isTight(before: IToken, token: IToken): boolean {
  if (TIGHT_AFTER.has(before.tokenType) || TIGHT_BEFORE.has(token.tokenType)) return true;
  if (before.tokenType === T.LBrace) return token.tokenType === T.RBrace;
  return token.tokenType === T.LBracket && ATTRIBUTES.get(before.image)?.takesParam === true;
}
