// The OpenAI wire format: chat completions (https://platform.openai.com/docs/api-reference/chat/create).
import type { JsonObject } from "../types.ts";
import { readJsonBody } from "./json-body.ts";
import { PARSE_LIMITS, policyFields } from "./json-scan.ts";
import {
  applyEdits,
  checkTypes,
  type Edit,
  type FieldTypes,
  isObject,
  modelEdits,
  type ParsedBody,
  readAnswers,
  readBoolean,
  readModel,
  readTokens,
  requireArray,
  type WireFormat,
  wrongType,
} from "./wire-format.ts";

/** Top-level members that rules, budgets or guardrails read. */
const FIELDS = policyFields([
  ...["model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "max_output_tokens", "n"],
  ...["best_of", "input", "instructions", "prompt", "system", "tools", "tool_choice", "functions", "function_call"],
  ...["metadata", "user", "temperature", "reasoning", "reasoning_effort", "response_format", "modalities", "audio"],
  ...["prediction", "web_search_options", "service_tier", "safety_identifier", "prompt_cache_key", "store"],
]);

const TYPES: FieldTypes = [
  ["stream_options", "object"],
  ["tools", "array"],
  ["functions", "array"],
  ["metadata", "object"],
  ["user", "string"],
  ["temperature", "number"],
  ["reasoning_effort", "string"],
  ["service_tier", "string"],
];

/** The OpenAI API and everything that speaks it. */
export const openai: WireFormat = Object.freeze({
  wire: "openai",

  parse(body: Buffer, limits = PARSE_LIMITS): ParsedBody {
    const { json, spans, inside } = readJsonBody(body, FIELDS, ["model", "stream_options"], limits);
    const modelRequested = readModel(json);
    requireArray(json, "messages");
    checkTypes(json, TYPES);
    const stream = readBoolean(json, "stream");
    const streamUsage = readIncludeUsage(json);
    return {
      wire: "openai",
      body,
      json,
      modelRequested,
      stream,
      streamUsage,
      maxTokens: readMaxTokens(json),
      n: readAnswers(json, "n"),
      injectsUsage: stream && !streamUsage,
      spans,
      inside,
    };
  },

  upstreamBody: (parsed, target) => applyEdits(parsed.body, [...modelEdits(parsed, target), ...usageEdits(parsed)]),

  upstreamPath: (basePath) => `${basePath.replace(/\/+$/, "")}/chat/completions`,

  authHeaders: (apiKey): Readonly<Record<string, string>> =>
    apiKey === null ? {} : { authorization: `Bearer ${apiKey}` },

  defaultHeaders: Object.freeze({}),

  // Not here, on purpose: openai-organization and openai-project choose who pays; idempotency-key could replay another
  // caller's answer, since all callers share the provider's account; openai-beta and x-stainless-* serve no chat call.
  requestHeaders: new Set(["accept", "content-type", "user-agent", "x-client-request-id"]),
} satisfies WireFormat);

function readIncludeUsage({ stream_options: options }: JsonObject): boolean {
  const includeUsage = isObject(options) ? (options.include_usage ?? false) : false;
  if (typeof includeUsage !== "boolean") throw wrongType("stream_options.include_usage", "true or false");
  return includeUsage;
}

/** Which of the two a server obeys when both are there differs: the larger one is the cap that surely holds. */
function readMaxTokens(json: JsonObject): number | null {
  const old = readTokens(json, "max_tokens");
  const current = readTokens(json, "max_completion_tokens");
  return old === null || current === null ? (old ?? current) : Math.max(old, current);
}

/** Asks for usage in a stream whose caller did not. */
function usageEdits(parsed: ParsedBody): readonly Edit[] {
  if (!parsed.injectsUsage) return [];
  const span = parsed.spans.get("stream_options");
  if (span === undefined) {
    return [{ start: parsed.inside, end: parsed.inside, text: '"stream_options":{"include_usage":true},' }];
  }
  const options = isObject(parsed.json.stream_options) ? parsed.json.stream_options : {};
  return [{ ...span, text: JSON.stringify({ ...options, include_usage: true }) }];
}
