// Token counts out of a provider's own `usage`, and what stands in for counts that are missing or nonsense.
import type { Usage, Wire } from "../types.ts";
import { tokensOfBytes } from "./prompt-size.ts";
import { isObject } from "./wire-format.ts";

/** What a provider has said so far; null where it has not, or has said nonsense. */
export interface Counts {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
}

/** Nothing said. */
export const NO_COUNTS: Counts = Object.freeze({
  inputTokens: null,
  outputTokens: null,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
});

/** More than any answer uses; what is above is nonsense. */
const TOKENS_MAX = 2 ** 40;

/** Takes a count of tokens: an integer from 0 to 2^40; all else (strings, negatives, fractions) is null. */
function count(value: unknown): number | null {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= TOKENS_MAX
    ? (value as number)
    : null;
}

/** Reads a `usage` object; what it does not say stays as `before` has it, since Anthropic's later ones are partial. */
export function readUsage(usage: unknown, wire: Wire, before: Counts): Counts {
  if (!isObject(usage)) return before;
  return wire === "anthropic" ? readAnthropic(usage, before) : readOpenai(usage, before);
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * https://platform.openai.com/docs/api-reference/chat/object. `prompt_tokens` includes the cached ones. Where the
 * total is larger than both parts, the rest is reasoning that the provider (xAI, Gemini) counts and bills apart.
 */
function readOpenai(usage: Fields, before: Counts): Counts {
  const input = count(usage.prompt_tokens);
  const output = count(usage.completion_tokens);
  const total = count(usage.total_tokens) ?? 0;
  const details: Fields = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {};
  return {
    inputTokens: input ?? before.inputTokens,
    outputTokens: input === null || output === null ? (output ?? before.outputTokens) : Math.max(output, total - input),
    ...(input === null ? cacheOf(before) : cacheParts(input, count(details.cached_tokens), count(details.cache_write_tokens))),
  };
}

type CacheCounts = Pick<Counts, "cachedInputTokens" | "cacheWriteTokens">;

/** Parts that are larger than the whole are nonsense: all of it is then plain input. */
function cacheParts(input: number, cached: number | null, written: number | null): CacheCounts {
  const parts = { cachedInputTokens: cached ?? 0, cacheWriteTokens: written ?? 0 };
  return parts.cachedInputTokens + parts.cacheWriteTokens <= input ? parts : cacheOf(NO_COUNTS);
}

const cacheOf = ({ cachedInputTokens, cacheWriteTokens }: Counts): CacheCounts => ({ cachedInputTokens, cacheWriteTokens });

/** https://docs.anthropic.com/en/api/messages. `input_tokens` are those that are neither read from a cache nor written. */
function readAnthropic(usage: Fields, before: Counts): Counts {
  const parts = [usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens];
  const output = count(usage.output_tokens) ?? before.outputTokens;
  if (parts.every((part) => part === undefined || part === null)) return { ...before, outputTokens: output };
  return { ...readAnthropicInput(parts, before), outputTokens: output };
}

/** A part that is left out or null is as before; one that is nonsense makes the input unknown. */
function readAnthropicInput(parts: readonly unknown[], before: Counts): Omit<Counts, "outputTokens"> {
  const { cachedInputTokens, cacheWriteTokens } = before;
  const plainBefore = before.inputTokens === null ? null : before.inputTokens - cachedInputTokens - cacheWriteTokens;
  const earlier = [plainBefore, cachedInputTokens, cacheWriteTokens];
  const [plain, cached, written] = parts.map((part, index) => (part ?? null) === null ? earlier[index] : count(part));
  if (typeof plain !== "number" || typeof cached !== "number" || typeof written !== "number") {
    return { inputTokens: null, cachedInputTokens: 0, cacheWriteTokens: 0 };
  }
  return { inputTokens: plain + cached + written, cachedInputTokens: cached, cacheWriteTokens: written };
}

/** Whether a `usage` object counts its output. */
export const countsOutput = (usage: unknown, wire: Wire): boolean =>
  isObject(usage) && count(wire === "anthropic" ? usage.output_tokens : usage.completion_tokens) !== null;

/** What is known beside the counts, for those that are missing. */
export interface Evidence {
  /** Bytes of the prompt; see `promptBytes`. */
  readonly requestBytes: number;
  /** Bytes of the answer so far. */
  readonly answerBytes: number;
  /** Tokens that the answer's text is likely to be; 0 when it has none. Called only when they are needed. */
  textTokens(): number;
  /** The provider has counted all its output; false when the stream broke off before that. */
  readonly final: boolean;
}

/**
 * The usage that counts: the provider's counts, and an estimate for those that are missing or cannot be true (no
 * input at all, no output where there is an answer). An estimate is a third of the bytes, rounded up, of the prompt
 * or the answer's text: somewhat more than most text has, and never 0 where something was answered.
 */
export function settleUsage(counts: Counts, evidence: Evidence): Usage {
  const { inputTokens } = counts;
  const inputKnown = inputTokens !== null && inputTokens > 0;
  const output = outputOf(counts, evidence);
  return {
    inputTokens: inputKnown ? inputTokens : Math.max(1, tokensOfBytes(evidence.requestBytes)),
    outputTokens: output.tokens,
    cachedInputTokens: inputKnown ? counts.cachedInputTokens : 0,
    cacheWriteTokens: inputKnown ? counts.cacheWriteTokens : 0,
    estimated: output.estimated || !inputKnown,
  };
}

function outputOf({ outputTokens }: Counts, evidence: Evidence): { readonly tokens: number; readonly estimated: boolean } {
  const said = evidence.final ? outputTokens : null;
  if (said !== null && said > 0) return { tokens: said, estimated: false };
  const text = evidence.textTokens();
  if (said === 0 && text === 0) return { tokens: 0, estimated: false };
  return { tokens: Math.max(outputTokens ?? 0, text, evidence.answerBytes > 0 ? 1 : 0), estimated: true };
}
