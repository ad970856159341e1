// A file's text into statements: a statement starts on each line that begins at column 0 outside brackets.

/** One statement's text and where it starts in the file. */
export interface Piece {
  readonly text: string;
  /** Offset of its first character in the file. */
  readonly offset: number;
}

const OPENING = "([{";
const CLOSING = ")]}";
/** A line that can only be a new statement, even where `(` or `[` is open: two words without a comma. */
const STATEMENT =
  /(?:deny|allow|only|shadow|off|let|default|for|version|timezone|limit|budget|warn|test)[ \t]+[\w@"$]/y;

/**
 * Splits a file. An indented line goes on with the statement above it, and so does a line inside an open bracket.
 * A bracket that is never closed does not swallow the rest: from there on only indentation and closing brackets
 * hold a statement together, so that its error stays its own.
 */
export function splitStatements(text: string): Piece[] {
  const pieces: Piece[] = [];
  let mode = scan(text, 0, true, pieces);
  if (mode.depth > 0) mode = scan(text, mode.offset, false, pieces);
  pieces.push(...tail(text, mode));
  return pieces;
}

interface Scan {
  /** Start of the statement that is open at the end of the text, or -1. */
  readonly offset: number;
  readonly depth: number;
  /** End of the last thing in the text that is not space or comment. */
  readonly end: number;
}

/** Scans from `start` line by line, adding each statement that is known to be complete. */
function scan(text: string, start: number, brackets: boolean, pieces: Piece[]): Scan {
  let offset = -1;
  let depth = 0;
  let lists = 0;
  let end = start;
  for (let at = start; at < text.length; ) {
    const newline = text.indexOf("\n", at);
    const next = newline === -1 ? text.length : newline + 1;
    const line = readLine(text, at, next);
    if (line.end > at) {
      const held = brackets ? depth > 0 && !(lists > 0 && startsStatement(text, at)) : CLOSING.includes(text[at] ?? "");
      if (offset !== -1 && line.indent === 0 && !held) {
        pieces.push({ text: text.slice(offset, end), offset });
        offset = -1;
        depth = 0;
        lists = 0;
      }
      if (offset === -1) offset = at + line.indent;
      depth = Math.max(0, depth + line.depth);
      lists = Math.max(0, lists + line.lists);
      end = line.end;
    }
    at = next;
  }
  return { offset, depth, end };
}

function startsStatement(text: string, at: number): boolean {
  STATEMENT.lastIndex = at;
  return STATEMENT.test(text);
}

function tail(text: string, { offset, end }: Scan): Piece[] {
  return offset === -1 ? [] : [{ text: text.slice(offset, end), offset }];
}

interface Line {
  readonly indent: number;
  /** Brackets opened less brackets closed. */
  readonly depth: number;
  /** The same without braces. */
  readonly lists: number;
  /** End of the last thing that is not space or comment; the line's start when there is none. */
  readonly end: number;
}

function readLine(text: string, start: number, next: number): Line {
  let depth = 0;
  let lists = 0;
  let end = start;
  let indent = -1;
  let quoted = false;
  for (let i = start; i < next; i += 1) {
    const char = text[i] ?? "";
    if (!quoted && char === "#") break;
    if (char === " " || char === "\t" || char === "\r" || char === "\n") continue;
    if (indent === -1) indent = i - start;
    end = i + 1;
    if (quoted && char === "\\") i += 1;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && (OPENING.includes(char) || CLOSING.includes(char))) {
      const step = OPENING.includes(char) ? 1 : -1;
      depth += step;
      if (char !== "{" && char !== "}") lists += step;
    }
  }
  return { indent: Math.max(0, indent), depth, lists, end: Math.min(end, next) };
}
