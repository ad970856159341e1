// What an answer used: the provider's own figures where they can be believed, and else an estimate from bytes.
import type { JsonObject, Usage, Wire } from "../types.ts";

/** No answer uses more tokens: larger figures are not believed. */
const TOKENS_MAX = 2 ** 40;
/** About what a token of English text is. For other languages the estimate is rather high than low. */
const BYTES_PER_TOKEN = 4;

/** How large a request and its answer were, in bytes. */
export interface AnswerSize {
  readonly requestBytes: number;
  /** All of the answer that came. */
  readonly answerBytes: number;
  /** The part of it that the model wrote; null when none was known as such. */
  readonly textBytes: number | null;
}

/** Figures that can be believed; one that is not there was not said, or was nonsense. */
interface Figures {
  input?: number;
  output?: number;
  cached?: number;
  cacheWrite?: number;
}

/**
 * A usage for an answer whose provider gave none: a token for every four bytes, rounded up, so that the output is 0 only
 * when nothing was answered.
 */
export function estimateUsage(size: { readonly requestBytes: number; readonly answerBytes: number }): Usage {
  return {
    inputTokens: tokensIn(size.requestBytes),
    outputTokens: tokensIn(size.answerBytes),
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    estimated: true,
  };
}

const tokensIn = (bytes: number): number => Math.ceil(bytes / BYTES_PER_TOKEN);

/**
 * What a provider has said of one answer so far. Figures are cumulative: of each the last believable one counts.
 * Sources: https://platform.openai.com/docs/api-reference/chat/object (`usage`) and
 * https://docs.anthropic.com/en/docs/build-with-claude/streaming (`message_start`, `message_delta`).
 */
export class SaidUsage {
  readonly #wire: Wire;
  #said: Figures = {};
  /** The output so far is all of it. */
  #final = false;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Takes in an answer, or an event of one. Whatever is not an object with a usage changes nothing. */
  read(json: unknown): void {
    if (!isObject(json)) return;
    if (this.#wire !== "anthropic") this.#add(openaiFigures(json.usage), true);
    else if (isObject(json.message)) this.#add(anthropicFigures(json.message.usage), false);
    else this.#add(anthropicFigures(json.usage), true);
  }

  #add(figures: Figures, final: boolean): void {
    this.#said = { ...this.#said, ...figures };
    if (figures.output !== undefined) this.#final = final;
  }

  /** The usage of what came; `estimated` when any of its two totals had to be. */
  total(size: AnswerSize): Usage {
    const input = this.#input();
    const output = this.#output(size);
    const inputTokens = input ?? tokensIn(size.requestBytes);
    const cachedInputTokens = Math.min(this.#said.cached ?? 0, inputTokens);
    return {
      inputTokens,
      outputTokens: output ?? this.#outputEstimate(size),
      cachedInputTokens,
      cacheWriteTokens: Math.min(this.#said.cacheWrite ?? 0, inputTokens - cachedInputTokens),
      estimated: input === null || output === null,
    };
  }

  /** All input tokens; null when unknown, or 0, which no request has. */
  #input(): number | null {
    const { input, cached = 0, cacheWrite = 0 } = this.#said;
    if (input === undefined) return null;
    return (this.#wire === "anthropic" ? input + cached + cacheWrite : input) || null;
  }

  /** All output tokens; null when unknown, not final, or 0 in spite of some text. */
  #output(size: AnswerSize): number | null {
    const { output } = this.#said;
    if (output === undefined || !this.#final) return null;
    return output === 0 && (size.textBytes ?? 0) > 0 ? null : output;
  }

  #outputEstimate({ answerBytes, textBytes }: AnswerSize): number {
    if (answerBytes === 0) return 0;
    const { output } = this.#said;
    const written = textBytes ?? (output === undefined ? answerBytes : 0);
    return Math.max(1, output ?? 0, tokensIn(written));
  }
}

/** Where the output is not said, it is what the input leaves of the total. */
function openaiFigures(usage: unknown): Figures {
  if (!isObject(usage)) return {};
  const input = tokens(usage.prompt_tokens);
  const output = tokens(usage.completion_tokens) ?? rest(usage.total_tokens, input);
  const details = isObject(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {};
  return present({
    input,
    output,
    cached: tokens(details.cached_tokens),
    cacheWrite: tokens(details.cache_write_tokens),
  });
}

const rest = (total: unknown, input: number | undefined): number | undefined =>
  input === undefined ? undefined : tokens((tokens(total) ?? Number.NaN) - input);

/** `input` is here without the cached tokens, as Anthropic counts. */
function anthropicFigures(usage: unknown): Figures {
  if (!isObject(usage)) return {};
  return present({
    input: tokens(usage.input_tokens),
    output: tokens(usage.output_tokens),
    cached: tokens(usage.cache_read_input_tokens),
    cacheWrite: tokens(usage.cache_creation_input_tokens),
  });
}

function tokens(value: unknown): number | undefined {
  const believable = Number.isInteger(value) && (value as number) >= 0 && (value as number) <= TOKENS_MAX;
  return believable ? (value as number) + 0 : undefined; // + 0: JSON has a -0
}

function present(figures: { [name in keyof Figures]: number | undefined }): Figures {
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined));
}

/** An object that is no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
