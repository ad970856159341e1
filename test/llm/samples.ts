// Sample targets and prices for the tests of src/llm.
import type { Price, Target } from "../../src/types.ts";

/** $1, $2, $0.10 and $1.25 per million tokens. */
export const PRICE: Price = {
  inputPicoUsd: 1_000_000,
  outputPicoUsd: 2_000_000,
  cachedInputPicoUsd: 100_000,
  cacheWritePicoUsd: 1_250_000,
  tiers: [],
};

/** A target of an OpenAI model, with some facts of one's own. */
export function target(facts: Partial<Target> = {}): Target {
  return {
    provider: "openai",
    wire: "openai",
    model: "gpt-4o",
    upstreamModel: "gpt-4o",
    family: "gpt-4o",
    contextTokens: 128_000,
    outputTokensMax: 16_384,
    price: PRICE,
    ...facts,
  };
}
