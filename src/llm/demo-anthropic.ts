// The demo's Anthropic side: messages (https://docs.anthropic.com/en/api/messages and .../build-with-claude/streaming).
import type { ServerResponse } from "node:http";
import type { JsonObject } from "../types.ts";
import { type DemoRejection, type DemoWire, demoId, replyJson, replyStream } from "./demo-reply.ts";
import { type DemoRequest, invalid, readCount, readDemoRequest } from "./demo-request.ts";

/** Answers messages. */
export const anthropicDemo: DemoWire = { answer, errorBody };

const ERROR_TYPES: Readonly<Record<number, string>> = { 404: "not_found_error", 413: "request_too_large" };

function errorBody({ status, message }: DemoRejection): object {
  const type = ERROR_TYPES[status] ?? "invalid_request_error";
  return { type: "error", error: { type, message }, request_id: `req_01${demoId(22)}` };
}

function answer(res: ServerResponse, body: Buffer): void {
  const request = readDemoRequest(body, outputLimit);
  if (request.stream) replyStream(res, events(request));
  else replyJson(res, 200, { ...message(request), ...ending(request), usage: usageOf(request, request.pieces.length) });
}

function outputLimit(json: JsonObject): number {
  const limit = readCount(json, "max_tokens");
  if (limit === null) throw invalid("max_tokens: Field required", "max_tokens");
  return limit;
}

function message({ model, pieces }: Pick<DemoRequest, "model" | "pieces">): object {
  const content = pieces.length === 0 ? [] : [{ type: "text", text: pieces.join("") }];
  return { id: `msg_01${demoId(22)}`, type: "message", role: "assistant", model, content };
}

function ending({ cut }: DemoRequest): object {
  return { stop_reason: cut ? "max_tokens" : "end_turn", stop_sequence: null };
}

function* events(request: DemoRequest): Generator<string> {
  const begun = { ...message({ model: request.model, pieces: [] }), stop_reason: null, stop_sequence: null };
  yield frame({ type: "message_start", message: { ...begun, usage: usageOf(request, 1) } });
  yield frame({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } });
  yield frame({ type: "ping" });
  for (const text of request.pieces) {
    yield frame({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } });
  }
  yield frame({ type: "content_block_stop", index: 0 });
  yield frame({ type: "message_delta", delta: ending(request), usage: { output_tokens: request.pieces.length } });
  yield frame({ type: "message_stop" });
}

const frame = (event: { readonly type: string; readonly [name: string]: unknown }): string =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

function usageOf({ inputTokens }: DemoRequest, outputTokens: number): object {
  return {
    input_tokens: inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: outputTokens,
    service_tier: "standard",
  };
}
