// Meters an answer while it passes: reads its usage, and holds back the end of a stream until the spend is committed.
import type { Usage, Wire } from "../types.ts";
import { ByteStore, EVENT_BYTES_MAX, EventSplitter, type Piece, parseEvent } from "./sse.ts";
import { isObject, SaidUsage } from "./usage.ts";
import { deltaTextBytes } from "./usage-text.ts";

export { meterJson } from "./usage-json.ts";

/** What a tap has to know of the request. */
export interface TapOptions {
  readonly wire: Wire;
  /** The gateway asked for OpenAI's usage chunk and the client had not: it is left out of what the client gets. */
  readonly hideUsage: boolean;
  /** Size of the request's body, for an estimate. */
  readonly requestBytes: number;
}

/** Reads usage off one event stream. What it gives depends on the bytes, not on how they were cut into chunks. */
export interface UsageTap {
  /** The bytes that may go to the client now; `chunk` itself where nothing in it matters. */
  push(chunk: Buffer): readonly Buffer[] | Buffer | null;
  /** Once, at the end of the stream: the bytes held back (from the terminal event on), and what the answer used. */
  finish(): { readonly rest: Buffer | null; readonly usage: Usage };
  /** What was used so far, estimated where the provider has not said. */
  usage(): Usage;
  /** The terminal event has been seen: nothing but the end should follow. */
  readonly terminal: boolean;
}

/** What becomes of a piece of the stream. */
type Fate = "pass" | "drop" | "hold";

/** The most that is held back, in bytes: after a terminal event hardly anything follows, and the rest is cut off. */
const HELD_BYTES_MAX = EVENT_BYTES_MAX;

const LF = 0x0a;
const CR = 0x0d;

/**
 * Opens a tap on an event stream.
 *
 * Held back are the terminal event (OpenAI's `data: [DONE]`, Anthropic's `message_stop`) and what follows it. All other
 * bytes pass as they are, in whole events; one of more than EVENT_BYTES_MAX passes unread.
 */
export function createTap(options: TapOptions): UsageTap {
  return new Tap(options);
}

class Tap implements UsageTap {
  terminal = false;
  readonly #options: TapOptions;
  readonly #marks: RegExp;
  readonly #said: SaidUsage;
  readonly #splitter = new EventSplitter();
  readonly #held = new ByteStore();
  #answerBytes = 0;
  #textBytes: number | null = null;
  #lastFate: Fate = "pass";

  constructor(options: TapOptions) {
    this.#options = options;
    this.#marks = options.wire === "anthropic" ? ANTHROPIC_MARKS : OPENAI_MARKS;
    this.#said = new SaidUsage(options.wire);
  }

  push(chunk: Buffer): readonly Buffer[] | Buffer | null {
    this.#answerBytes += chunk.length;
    if (this.#passesWhole(chunk)) return chunk;
    const passing: Buffer[] = [];
    for (const piece of this.#splitter.split(chunk)) this.#route(piece, passing);
    return passing.length === 0 ? null : passing;
  }

  /** The common case: whole events, and none that says more than some text. */
  #passesWhole(chunk: Buffer): boolean {
    if (this.terminal || !this.#splitter.atBoundary || !endsEvent(chunk) || chunk.length > EVENT_BYTES_MAX)
      return false;
    const latin1 = chunk.toString("latin1");
    if (this.#marks.test(latin1)) return false;
    this.#addText(deltaTextBytes(latin1));
    return true;
  }

  #route(piece: Piece, passing: Buffer[]): void {
    this.#lastFate = this.#judge(piece);
    if (this.#lastFate === "pass") addAdjacent(passing, piece.bytes);
    else if (this.#lastFate === "hold") this.#hold(piece.bytes);
  }

  #judge({ role, bytes }: Piece): Fate {
    if (role === "line-end") return this.#lastFate;
    if (role === "event") return this.#read(bytes);
    this.#addText(bytes.length);
    return this.terminal ? "hold" : "pass";
  }

  /** Meters one event and says what becomes of it. */
  #read(event: Buffer): Fate {
    const latin1 = event.toString("latin1");
    this.#addText(deltaTextBytes(latin1));
    const usageOnly = this.#marks.test(latin1) && this.#readMarked(event);
    if (usageOnly && this.#options.hideUsage) return "drop";
    return this.terminal ? "hold" : "pass";
  }

  /** Parses an event that may be terminal or hold a usage; true for OpenAI's usage-only chunk. */
  #readMarked(event: Buffer): boolean {
    const { name, data } = parseEvent(event);
    const json = parseJson(data);
    this.#said.read(json);
    if (this.#options.wire !== "anthropic") {
      this.terminal ||= data.trimStart().startsWith("[DONE]");
      return isUsageOnly(json);
    }
    this.terminal ||= name === "message_stop" || (isObject(json) && json.type === "message_stop");
    return false;
  }

  #addText(bytes: number | null): void {
    if (bytes !== null) this.#textBytes = (this.#textBytes ?? 0) + bytes;
  }

  #hold(bytes: Buffer): void {
    this.#held.append(bytes.subarray(0, HELD_BYTES_MAX - this.#held.length));
  }

  finish(): { readonly rest: Buffer | null; readonly usage: Usage } {
    const tail = this.#splitter.flush();
    if (tail !== null && this.#read(tail) !== "drop") this.#hold(tail);
    return { rest: this.#held.length === 0 ? null : this.#held.take(), usage: this.usage() };
  }

  usage(): Usage {
    return this.#said.total({
      requestBytes: this.#options.requestBytes,
      answerBytes: this.#answerBytes,
      textBytes: this.#textBytes,
    });
  }
}

/** A usage that is not null, or the terminal event, or text that mentions them. */
const OPENAI_MARKS = /usage"(?!: ?null)|\[DONE\]/;
/** message_start, message_delta, message_stop, or text that mentions them. */
const ANTHROPIC_MARKS = /message_/;

/** Ends with a blank line that no later byte can be part of: one ended by LF. */
function endsEvent(chunk: Buffer): boolean {
  const last = chunk.length - 1;
  if (chunk[last] !== LF) return false;
  const before = chunk[last - 1];
  if (before !== CR) return before === LF;
  return chunk[last - 2] === LF || chunk[last - 2] === CR;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isUsageOnly(json: unknown): boolean {
  return isObject(json) && isObject(json.usage) && Array.isArray(json.choices) && json.choices.length === 0;
}

/** Adds bytes to a list, as one buffer with the last where they follow each other in memory. */
function addAdjacent(list: Buffer[], bytes: Buffer): void {
  const last = list.at(-1);
  const adjacent = last?.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset;
  if (!adjacent) list.push(bytes);
  else list[list.length - 1] = Buffer.from(bytes.buffer, last.byteOffset, last.length + bytes.length);
}
