// The list of models that /v1/models answers with, in each format.
import type { Target, Wire } from "../types.ts";

/** One model as the format shows it; alone it is the answer of `/v1/models/{id}`. */
export interface ListedModel {
  readonly id: string;
  readonly [field: string]: unknown;
}

/** A list of models; the formats differ in what stands beside `data`. */
export interface ModelList {
  readonly data: readonly ListedModel[];
  readonly [field: string]: unknown;
}

/** Neither format lets the release date be left out, and the price list has none. */
const RELEASE_UNKNOWN_S = 0;

/**
 * The answer's body: all names on one page.
 *
 * Shapes: https://platform.openai.com/docs/api-reference/models/list, https://docs.anthropic.com/en/api/models-list.
 * @param allowed those that the caller may use, by the name that it writes
 */
export function modelsAnswer(allowed: ReadonlyMap<string, Target>, wire: Wire): ModelList {
  if (wire !== "anthropic") return { object: "list", data: Array.from(allowed, openaiModel) };
  const data = Array.from(allowed, anthropicModel);
  return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}

function openaiModel([id, { provider }]: [string, Target]): ListedModel {
  return { id, object: "model", created: RELEASE_UNKNOWN_S, owned_by: provider };
}

function anthropicModel([id, { contextTokens, outputTokensMax }]: [string, Target]): ListedModel {
  const created_at = new Date(RELEASE_UNKNOWN_S * 1000).toISOString();
  const limits = { max_input_tokens: contextTokens, max_tokens: outputTokensMax };
  return { type: "model", id, display_name: id, created_at, ...limits };
}
