// The demo's OpenAI side: chat completions (https://platform.openai.com/docs/api-reference/chat).
import type { ServerResponse } from "node:http";
import type { JsonObject } from "../types.ts";
import { type DemoWire, demoId, replyJson, replyStream } from "./demo-reply.ts";
import { type DemoRequest, invalid, readCount, readDemoRequest } from "./demo-request.ts";
import { isObject } from "./usage.ts";

/** As many choices as OpenAI gives. */
const CHOICES_MAX = 128;
const FINGERPRINT = "fp_tollgate";

/** Answers chat completions. */
export const openaiDemo: DemoWire = {
  answer,
  errorBody: ({ message, param, status }) => errorBody(message, param, status),
};

function errorBody(message: string, param: string | null, status: number): object {
  const code = status === 404 ? "unknown_url" : null;
  return { error: { message, type: "invalid_request_error", param, code } };
}

function answer(res: ServerResponse, body: Buffer): void {
  const request = readDemoRequest(body, outputLimit);
  const choices = readCount(request.json, "n", CHOICES_MAX) ?? 1;
  const includeUsage = readIncludeUsage(request);
  if (request.stream) replyStream(res, events(request, choices, includeUsage));
  else replyJson(res, 200, completion(request, choices));
}

function outputLimit(json: JsonObject): number | null {
  return readCount(json, "max_completion_tokens") ?? readCount(json, "max_tokens");
}

function readIncludeUsage({ json, stream }: DemoRequest): boolean {
  const options = json.stream_options ?? null;
  if (options === null) return false;
  if (!isObject(options)) throw invalid("stream_options: must be an object", "stream_options");
  if (!stream)
    throw invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options");
  return options.include_usage === true;
}

function completion(request: DemoRequest, choices: number): object {
  const content = request.pieces.join("");
  const message = { role: "assistant", content, refusal: null, annotations: [] };
  return {
    ...head(request, "chat.completion"),
    choices: Array.from({ length: choices }, (_, index) => choice(index, { message }, finishReason(request))),
    usage: usageOf(request, choices),
    service_tier: "default",
  };
}

/** Every event but the last is one choice's delta; with `include_usage` each has a usage, null until the last. */
function* events(request: DemoRequest, choices: number, includeUsage: boolean): Generator<string> {
  const base = { ...head(request, "chat.completion.chunk"), service_tier: "default" };
  const pending = includeUsage ? { usage: null } : {};
  const event = (index: number, delta: object, reason: string | null = null): string =>
    frame({ ...base, choices: [choice(index, { delta }, reason)], ...pending });
  for (let index = 0; index < choices; index++) {
    yield event(index, { role: "assistant", content: "", refusal: null });
    for (const content of request.pieces) yield event(index, { content });
    yield event(index, {}, finishReason(request));
  }
  if (includeUsage) yield frame({ ...base, choices: [], usage: usageOf(request, choices) });
  yield "data: [DONE]\n\n";
}

const frame = (chunk: object): string => `data: ${JSON.stringify(chunk)}\n\n`;

function head(request: DemoRequest, object: string): object {
  const created = Math.floor(Date.now() / 1000);
  return { id: `chatcmpl-${demoId(29)}`, object, created, model: request.model, system_fingerprint: FINGERPRINT };
}

function choice(index: number, said: object, reason: string | null): object {
  return { index, ...said, logprobs: null, finish_reason: reason };
}

const finishReason = (request: DemoRequest): string => (request.cut ? "length" : "stop");

function usageOf({ inputTokens, pieces }: DemoRequest, choices: number): object {
  const outputTokens = pieces.length * choices;
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
