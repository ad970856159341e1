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

/** A text with its statements. */
export interface Split {
  readonly text: string;
  readonly pieces: readonly Piece[];
  /** Whether every bracket is closed by the end. */
  readonly closed: boolean;
}

/** A split that was made of another one. */
export interface Resplit extends Split {
  /** So many pieces at the start are those of the other split. */
  readonly head: number;
  /** So many pieces at the end are those of the other split, elsewhere. */
  readonly tail: number;
}

/** The statements of a file. */
export function splitStatements(text: string): readonly Piece[] {
  return splitText(text).pieces;
}

/**
 * Splits a file. An indented line goes on with the statement above it, and so does a line inside an open bracket.
 * A bracket that is never closed does not swallow the rest: from there on only indentation and closing brackets
 * hold a statement together, so that its error stays its own.
 */
export function splitText(text: string): Split {
  const pieces: Piece[] = [];
  const state = scan(text, 0, true, pieces);
  return ended(text, pieces, state);
}

/** Splits a text that is like another one, looking only at what is between their common start and their common end. */
export function splitAgain(before: Split, text: string): Resplit {
  const start = commonStart(before.text, text);
  const end = commonEnd(before.text, text, start);
  const changed = indexFrom(before.pieces, start) - 1;
  // The piece before the change may go on into it.
  const head = before.closed ? Math.max(0, changed - 1) : 0;
  const pieces = before.pieces.slice(0, head);
  const moved = text.length - before.text.length;
  let rest = before.pieces.length;
  const state = scan(text, head === 0 ? 0 : (before.pieces[head]?.offset ?? 0), true, pieces, (at) => {
    if (!before.closed || at < text.length - end) return false;
    const index = indexFrom(before.pieces, at - moved);
    if (before.pieces[index]?.offset !== at - moved) return false;
    rest = index;
    return true;
  });
  if (rest === before.pieces.length) return { ...ended(text, pieces, state), head, tail: 0 };
  for (const { text, offset } of before.pieces.slice(rest)) pieces.push({ text, offset: offset + moved });
  return { text, pieces, closed: true, head, tail: before.pieces.length - rest };
}

/** Index of the first piece that starts at an offset or after it. */
function indexFrom(pieces: readonly Piece[], offset: number): number {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pieces[middle]?.offset ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Characters that are compared at once. */
const CHUNK = 4096;

function commonStart(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let at = 0;
  while (at + CHUNK <= most && a.slice(at, at + CHUNK) === b.slice(at, at + CHUNK)) at += CHUNK;
  while (at < most && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  return at;
}

/** @param start what is common at the start is not counted again */
function commonEnd(a: string, b: string, start: number): number {
  const most = Math.min(a.length, b.length) - start;
  const same = (from: number, to: number): boolean =>
    a.slice(a.length - to, a.length - from) === b.slice(b.length - to, b.length - from);
  let at = 0;
  while (at + CHUNK <= most && same(at, at + CHUNK)) at += CHUNK;
  while (at < most && a.charCodeAt(a.length - at - 1) === b.charCodeAt(b.length - at - 1)) at += 1;
  return at;
}

/** The split at the end of the text, the rest of it read anew where a bracket is left open. */
function ended(text: string, pieces: Piece[], state: Scan): Split {
  const closed = state.depth === 0;
  const last = closed ? state : scan(text, state.offset, false, pieces);
  pieces.push(...tail(text, last));
  return { text, pieces, closed };
}

interface Scan {
  /** Start of the statement that is open at the end of the text, or -1. */
  readonly offset: number;
  readonly depth: number;
  /** End of the last thing in the text that is not space or comment. */
  readonly end: number;
}

/**
 * Scans from `start` line by line, adding each statement that is known to be complete.
 *
 * @param stop asked where one statement has ended and another begins: true when the rest is known
 */
function scan(
  text: string,
  start: number,
  brackets: boolean,
  pieces: Piece[],
  stop: (at: number) => boolean = () => false,
): Scan {
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
        if (stop(at)) break;
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
