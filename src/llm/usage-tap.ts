// Meters an answer while it passes: the bytes go on untouched, the usage in them is read, the end is held back.
import type { Usage, Wire } from "../types.ts";
import { answerTextBytes, streamTokens } from "./answer-text.ts";
import { tokensOfBytes } from "./prompt-size.ts";
import { endOfLastEvent, endsWhole, eventData, splitEvents } from "./sse.ts";
import { type Counts, countsOutput, NO_COUNTS, readUsage, settleUsage } from "./usage.ts";
import { isObject } from "./wire-format.ts";

/** What a tap is told of its request. */
export interface TapOptions {
  readonly wire: Wire;
  /** The gateway asked for usage in the caller's stead: the event that carries only usage is kept from it. */
  readonly hideUsage: boolean;
  /** For the estimate of input tokens: bytes of the prompt; see `promptBytes`. */
  readonly requestBytes: number;
}

/** Meters one event stream. What it gives does not depend on how the stream is cut into chunks. */
export interface UsageTap {
  /** Takes a chunk; gives the bytes that may go to the caller now: whole events, up to the terminal one. */
  push(chunk: Buffer): Buffer | null;
  /** The stream has ended: the bytes still held back (from the terminal event on), and what the answer used. */
  finish(): { readonly rest: Buffer | null; readonly usage: Usage };
  /** What was used so far, for a stream that broke off; estimated where the provider has not said. */
  usage(): Usage;
  /** The terminal event has been seen: OpenAI's `[DONE]`, Anthropic's `message_stop`. */
  readonly terminal: boolean;
}

/** An event that is longer passes unread; so much is kept of what follows the terminal event, and the rest dropped. */
const HELD_BYTES_MAX = 1024 * 1024;
/** How much of a stream's beginning is kept for an estimate. */
const SAMPLE_BYTES = 16 * 1024;

const USAGE_MARK = '"usage"';
const TERMINAL_MARKS = { openai: "[DONE]", anthropic: "message_stop", gemini: "[DONE]" } as const;

/** Makes the tap for one event stream. */
export function createTap(options: TapOptions): UsageTap {
  return new StreamTap(options);
}

/**
 * What a JSON answer used; also for the part of one that came before it broke off.
 * @param requestBytes for the estimate of input tokens; see `promptBytes`
 */
export function meterJson(body: Buffer, wire: Wire, requestBytes: number): Usage {
  const answer = parseObject(body.toString("utf8"));
  return settleUsage(readUsage(answer?.usage, wire, NO_COUNTS), {
    requestBytes,
    answerBytes: body.length,
    textTokens: () => tokensOfBytes(answer === null ? body.length : answerTextBytes(answer)),
    final: true,
  });
}

type Verdict = "pass" | "hide" | "terminal";

class StreamTap implements UsageTap {
  terminal = false;
  readonly #options: TapOptions;
  readonly #terminalMark: string;
  /** The beginning of an event whose end has not come; after the terminal event all that came with and after it. */
  readonly #held = new ByteQueue();
  readonly #sample = new ByteQueue();
  /** Inside an event that was too long to hold: pass everything up to its end. */
  #oversized = false;
  #received = 0;
  #counts: Counts = NO_COUNTS;
  #final = false;

  constructor(options: TapOptions) {
    this.#options = options;
    this.#terminalMark = TERMINAL_MARKS[options.wire];
  }

  push(chunk: Buffer): Buffer | null {
    this.#received += chunk.length;
    if (this.#sample.length < SAMPLE_BYTES) this.#sample.add(chunk.subarray(0, SAMPLE_BYTES - this.#sample.length));
    if (this.terminal) {
      this.#held.add(chunk.subarray(0, HELD_BYTES_MAX - this.#held.length));
      return null;
    }
    if (this.#held.length === 0 && endsWhole(chunk) && !this.#isInteresting(chunk)) return chunk;
    return this.#pushParts(chunk);
  }

  #pushParts(chunk: Buffer): Buffer | null {
    const from = Math.max(0, this.#held.length - 3);
    this.#held.add(chunk);
    const bytes = this.#held.bytes();
    const end = endOfLastEvent(bytes, from);
    if (end === 0) return this.#held.length > HELD_BYTES_MAX ? this.#held.take() : null;
    const whole = bytes.subarray(0, end);
    this.#held.reset(bytes.subarray(end));
    return this.#isInteresting(whole) ? this.#sift(whole) : whole;
  }
}
