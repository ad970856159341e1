// What usage costs, and the most that a call can cost: exact integers, rounded once and up.
import type { Call, CostBound, JsonObject, Price, Target, Usage } from "../types.ts";
import { ratesFor } from "./price-book.ts";
import { promptSize } from "./prompt-size.ts";

const PICO_PER_NANO = 1_000;

/**
 * The cost of `usage` in nano-USD. Exact in whole pico-USD, then rounded up once; beyond 2^53 - 1 (nine million
 * dollars) it stays there.
 */
export function costNanoUsd(price: Price, usage: Usage): number {
  const rates = ratesFor(price, usage.inputTokens);
  const { cachedInputTokens: cached, cacheWriteTokens: written } = usage;
  const plain = Math.max(0, usage.inputTokens - cached - written);
  return sumNanoUsd([
    [plain, rates.inputPicoUsd],
    [cached, rates.cachedInputPicoUsd],
    [written, rates.cacheWritePicoUsd],
    [usage.outputTokens, rates.outputPicoUsd],
  ]);
}

type Item = readonly [tokens: number, picoUsd: number];

function sumNanoUsd(items: readonly Item[]): number {
  let pico = 0;
  for (const [tokens, rate] of items) pico += tokens * rate;
  if (pico > Number.MAX_SAFE_INTEGER) return sumLarge(items);
  const rest = pico % PICO_PER_NANO;
  return (pico - rest) / PICO_PER_NANO + (rest === 0 ? 0 : 1);
}

function sumLarge(items: readonly Item[]): number {
  const pico = items.reduce((sum, [tokens, rate]) => sum + BigInt(tokens) * BigInt(rate), 0n);
  const nano = (pico + BigInt(PICO_PER_NANO - 1)) / BigInt(PICO_PER_NANO);
  return nano > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(nano);
}

/**
 * An upper bound on what a call costs at a target, before it is sent.
 *
 * Input: a token is at least a byte of the body; images and files by their own bounds; what Anthropic adds for tools;
 * and no more than a model can read. What tools of the provider's fetch (web search) is not in it. Output: the cap
 * that was asked for or the model's, for each of `n` answers; reasoning tokens are within it. All at the dearest rate
 * of any tier that so many input tokens can reach. The cost is null when the target is unpriced, or the call asks for
 * a service level that the price list has no price for (priority, fast).
 */
export function costBound(call: Pick<Call, "body" | "json" | "maxTokens" | "n">, target: Target): CostBound {
  const inputTokens = inputBound(call, target);
  const outputTokens = outputBound(call, target);
  const priced = target.price !== null && hasStandardPrice(call.json);
  return { inputTokens, outputTokens, costNanoUsd: priced ? dearest(target.price, inputTokens, outputTokens) : null };
}

function dearest(price: Price, inputTokens: number, outputTokens: number): number {
  let input = 0;
  let output = 0;
  for (const rates of [price, ...price.tiers.filter((tier) => tier.fromInputTokens <= inputTokens)]) {
    input = Math.max(input, rates.inputPicoUsd, rates.cachedInputPicoUsd, rates.cacheWritePicoUsd);
    output = Math.max(output, rates.outputPicoUsd);
  }
  return sumNanoUsd([
    [inputTokens, input],
    [outputTokens, output],
  ]);
}

/** No context window is larger, but where the price list says so. Some windows grow to this by a beta header. */
const CONTEXT_TOKENS = 1_000_000;

function inputBound(call: Pick<Call, "body" | "json">, target: Target): number {
  const { textBytes, images, files } = promptSize(call);
  const window = Math.max(target.contextTokens ?? 0, CONTEXT_TOKENS);
  const all = textBytes + images * imageTokensMax(target) + files * window + toolTokens(call.json, target);
  return target.contextTokens === null ? all : Math.min(all, window);
}

/**
 * The most tokens an image takes, whatever its size. Anthropic: 1,600 of older models, 4,784 of newer ones
 * (https://docs.anthropic.com/en/docs/build-with-claude/vision). OpenAI: gpt-4o-mini counts 2,833 and 5,667 for each
 * of up to 8 tiles, newer models up to 10,000 patches (https://platform.openai.com/docs/guides/images-vision). Open
 * models on the OpenAI format: up to 16,384 (Qwen-VL).
 */
function imageTokensMax({ wire, model }: Target): number {
  if (wire === "anthropic") return 5_000;
  return model.startsWith("gpt-4o-mini") ? 50_000 : 20_000;
}

/** Beside a tool's own text Anthropic adds a prompt, and one for each of its own tools, of at most some 700 tokens. */
const ADDED_TOOL_TOKENS = 1_000;

/** Source: "Pricing" of https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview. */
function toolTokens({ tools }: JsonObject, { wire }: Target): number {
  if (wire !== "anthropic" || !Array.isArray(tools) || tools.length === 0) return 0;
  const own = tools.filter((tool) => (tool?.type ?? "custom") !== "custom").length;
  return ADDED_TOOL_TOKENS * (1 + own);
}

/** Assumed of a model whose output limit nobody knows, when the caller names none. */
const OUTPUT_TOKENS_UNKNOWN = 131_072;

function outputBound(
  { json, body, maxTokens, n }: Pick<Call, "body" | "json" | "maxTokens" | "n">,
  target: Target,
): number {
  const limit = target.outputTokensMax ?? Number.POSITIVE_INFINITY;
  const most = Math.min(maxTokens ?? Number.POSITIVE_INFINITY, limit);
  // Rejected tokens of a predicted output are billed as output.
  const predicted = json.prediction === undefined || json.prediction === null ? 0 : body.length;
  return n * ((most === Number.POSITIVE_INFINITY ? OUTPUT_TOKENS_UNKNOWN : most) + predicted);
}

/** Service levels at the list price or below. */
const STANDARD_TIERS: ReadonlySet<unknown> = new Set([undefined, null, "auto", "default", "flex", "standard_only"]);

/** Priority tiers, fast mode and a fixed region cost more than the list says. */
function hasStandardPrice({ service_tier, speed, inference_geo }: JsonObject): boolean {
  const standardSpeed = (speed ?? "standard") === "standard";
  const standardPlace = (inference_geo ?? "global") === "global";
  return STANDARD_TIERS.has(service_tier) && standardSpeed && standardPlace;
}
