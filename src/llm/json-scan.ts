// One pass over a JSON object's top level, before it is parsed: bounds on its shape, and names that readers disagree on.
import { GatewayError } from "../errors.ts";

/** Bounds on a body's shape: what costs far more to parse than its bytes suggest. */
export interface ParseLimits {
  /** How deep arrays and objects may nest; the body itself is 1 deep. */
  readonly depthMax: number;
  /** How many `{ [ , :` it may have: parsing takes about 80 ns for each. */
  readonly tokensMax: number;
}

/** Ample for chat bodies: tool schemas nest some 30 deep, a megabyte of them has some 50,000 tokens. */
export const PARSE_LIMITS: ParseLimits = Object.freeze({ depthMax: 100, tokensMax: 200_000 });

/** Where a member's value stands: offsets into the text, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The members of an object by their decoded names, in order. */
export type Members = ReadonlyMap<string, Span>;

interface Cursor {
  readonly text: string;
  readonly limits: ParseLimits;
  at: number;
  tokens: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Finds the members of the object that the text is, or that begins at `start`. It does not check the JSON: the spans
 * hold only for text that `JSON.parse` then accepts.
 *
 * Refuses what readers of JSON do not agree on: a name that stands twice, and a name that is not one of `fields` but
 * that a lenient reader takes for it (Go's encoding/json folds case, U+017F `ſ` and U+212A `K` included, and its v2
 * can pass over `_` and `-`), or that is one of them in escaped letters.
 * @throws GatewayError `ambiguous_request` for such names, with the field as its param; `invalid_request` beyond the
 *   limits; `invalid_json` where it is no object
 */
export function scanObject(text: string, fields: PolicyFields, limits: ParseLimits, start = 0): Members {
  const cursor: Cursor = { text, limits, at: start, tokens: 0 };
  const members = new Map<string, Span>();
  if (skipSpace(cursor) !== OPEN_BRACE) throw new GatewayError("invalid_json", "The body must be a JSON object");
  cursor.at += 1;
  if (skipSpace(cursor) === CLOSE_BRACE) return members;
  for (;;) {
    const name = readName(cursor, fields);
    if (members.has(name)) throw ambiguous(fields.folded.get(fold(name)) ?? name, `\`${shown(name)}\` stands twice`);
    members.set(name, readValue(cursor));
    const code = skipSpace(cursor);
    if (code === CLOSE_BRACE) return members;
    if (code !== COMMA) throw malformed(cursor);
    cursor.at += 1;
  }
}

/** Names that policy reads, and what lenient readers take for them. */
export interface PolicyFields {
  readonly exact: ReadonlyMap<string, string>;
  /** Folded spelling → the name. */
  readonly folded: ReadonlyMap<string, string>;
}

/** Prepares a list of names for `scanObject`. */
export function policyFields(names: readonly string[]): PolicyFields {
  return {
    exact: new Map(names.map((name) => [name, name])),
    folded: new Map(names.map((name) => [fold(name), name])),
  };
}

/** Upper case first: `ſ` has an upper case (S) and no lower one, `K` (the Kelvin sign) the other way round. */
const fold = (name: string): string => name.toUpperCase().toLowerCase().replace(/[_-]/g, "");

function readName(cursor: Cursor, fields: PolicyFields): string {
  if (skipSpace(cursor) !== QUOTE) throw malformed(cursor);
  const start = cursor.at + 1;
  const end = endOfString(cursor) - 1;
  const raw = cursor.text.slice(start, end);
  if (skipSpace(cursor) !== COLON) throw malformed(cursor);
  cursor.at += 1;
  const exact = fields.exact.get(raw); // its own string: a slice would keep the whole text alive
  if (exact !== undefined) return exact;
  const name = raw.includes("\\") ? decode(raw, cursor) : raw;
  const field = fields.folded.get(fold(name));
  if (field !== undefined) throw ambiguous(field, `\`${shown(raw)}\` is another spelling of \`${field}\``);
  return name;
}

function decode(raw: string, cursor: Cursor): string {
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    throw malformed(cursor);
  }
}

function readValue(cursor: Cursor): Span {
  const code = skipSpace(cursor);
  const start = cursor.at;
  if (code === QUOTE) endOfString(cursor);
  else if (code === OPEN_BRACE || code === OPEN_BRACKET) skipContainer(cursor);
  else skipScalar(cursor);
  countTokens(cursor, 2);
  return { start, end: cursor.at };
}

/** The hot loop: everything inside a value that is not inside a string. */
function skipContainer(cursor: Cursor): void {
  const { text, limits } = cursor;
  let depth = 0;
  let tokens = 0;
  do {
    const code = text.charCodeAt(cursor.at);
    if (code === QUOTE) {
      endOfString(cursor);
      continue;
    }
    if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth += 1;
      tokens += 1;
      if (depth >= limits.depthMax) throw tooMuch(`nests more than ${limits.depthMax} deep`);
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth -= 1;
    else if (code === COMMA || code === COLON) {
      tokens += 1;
      if (tokens > limits.tokensMax) countTokens(cursor, tokens);
    } else if (Number.isNaN(code)) throw malformed(cursor);
    cursor.at += 1;
  } while (depth > 0);
  countTokens(cursor, tokens);
}

function countTokens(cursor: Cursor, tokens: number): void {
  cursor.tokens += tokens;
  const { tokensMax } = cursor.limits;
  if (cursor.tokens > tokensMax) throw tooMuch(`has more than ${tokensMax} values`);
}

function skipScalar(cursor: Cursor): void {
  const { text } = cursor;
  for (; cursor.at < text.length; cursor.at += 1) {
    const code = text.charCodeAt(cursor.at);
    if (code === COMMA || code === CLOSE_BRACE || isSpace(code)) return;
  }
}

/** Most strings in a body are short names or long texts: a few steps by hand, then the engine's search. */
const STEPS_BY_HAND = 24;

/** Moves from a string's opening quote to after its closing one; returns where that is. */
function endOfString(cursor: Cursor): number {
  const { text } = cursor;
  let at = cursor.at + 1;
  const handEnd = at + STEPS_BY_HAND;
  for (; at < handEnd; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      cursor.at = at + 1;
      return cursor.at;
    }
    if (code === BACKSLASH) at += 1;
  }
  at = closingQuote(text, at, cursor.at);
  if (at < 0) throw malformed(cursor);
  cursor.at = at + 1;
  return cursor.at;
}

/** The first quote from `at` on that is not escaped, in the string that was opened at `opened`; -1 if there is none. */
function closingQuote(text: string, at: number, opened: number): number {
  for (let quote = text.indexOf('"', at); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1;
    while (before > opened && text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((quote - before) % 2 === 1) return quote;
  }
  return -1;
}

/** Moves to the next character that is not white space; returns its code, NaN at the end. */
function skipSpace(cursor: Cursor): number {
  for (;;) {
    const code = cursor.text.charCodeAt(cursor.at);
    if (!isSpace(code)) return code;
    cursor.at += 1;
  }
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;

const shown = (name: string): string => (name.length > 60 ? `${name.slice(0, 60)}…` : name);

function ambiguous(param: string, what: string): GatewayError {
  return new GatewayError("ambiguous_request", `The field ${what}; write it once, exactly as documented`, {
    param: shown(param),
  });
}

const tooMuch = (what: string): GatewayError => new GatewayError("invalid_request", `The body ${what}`);

const malformed = (cursor: Cursor): GatewayError =>
  new GatewayError("invalid_json", `The body is not valid JSON (position ${cursor.at})`);
