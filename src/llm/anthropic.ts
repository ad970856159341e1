// The Anthropic wire format: messages (https://docs.anthropic.com/en/api/messages).
import { readJsonBody } from "./json-body.ts";
import { PARSE_LIMITS, policyFields } from "./json-scan.ts";
import {
  applyEdits,
  checkTypes,
  type FieldTypes,
  modelEdits,
  type ParsedBody,
  readBoolean,
  readModel,
  readTokens,
  requireArray,
  type WireFormat,
  wrongType,
} from "./wire-format.ts";

/** Top-level members that rules, budgets or guardrails read. */
const FIELDS = policyFields([
  ...["model", "messages", "system", "stream", "max_tokens", "tools", "tool_choice", "metadata", "temperature"],
  ...["thinking", "output_config", "service_tier", "speed", "inference_geo", "container", "mcp_servers"],
]);

const TYPES: FieldTypes = [
  ["system", "text"],
  ["tools", "array"],
  ["tool_choice", "object"],
  ["metadata", "object"],
  ["temperature", "number"],
  ["thinking", "object"],
  ["service_tier", "string"],
];

/** The version that a caller means who names none (https://docs.anthropic.com/en/api/versioning). */
const DEFAULT_VERSION = "2023-06-01";

/** The Anthropic API. */
export const anthropic: WireFormat = Object.freeze({
  wire: "anthropic",

  parse(body: Buffer, limits = PARSE_LIMITS): ParsedBody {
    const { json, spans, inside } = readJsonBody(body, FIELDS, ["model"], limits);
    const modelRequested = readModel(json);
    const maxTokens = readTokens(json, "max_tokens");
    if (maxTokens === null) throw wrongType("max_tokens", "given: a whole number of tokens");
    requireArray(json, "messages");
    checkTypes(json, TYPES);
    const stream = readBoolean(json, "stream");
    return {
      wire: "anthropic",
      body,
      json,
      modelRequested,
      stream,
      streamUsage: true,
      maxTokens,
      n: 1,
      injectsUsage: false,
      spans,
      inside,
    };
  },

  upstreamBody: (parsed, target) => applyEdits(parsed.body, modelEdits(parsed, target)),

  /** The SDK's base URL has no `/v1`; one that is given all the same is not doubled. */
  upstreamPath: (basePath) => `${basePath.replace(/\/+$/, "").replace(/\/v1$/, "")}/v1/messages`,

  authHeaders: (apiKey): Readonly<Record<string, string>> => (apiKey === null ? {} : { "x-api-key": apiKey }),

  defaultHeaders: Object.freeze({ "anthropic-version": DEFAULT_VERSION }),

  // Not here, on purpose: x-api-key and authorization hold the virtual key; x-stainless-* is telemetry.
  requestHeaders: new Set(["accept", "content-type", "user-agent", "anthropic-version", "anthropic-beta"]),
} satisfies WireFormat);
