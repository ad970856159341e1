// Answers that the gateway makes itself: errors in the caller's dialect, and small JSON documents.
import type { ServerResponse } from "node:http";
import { detailText } from "../detail-text.ts";
import { ERRORS, type GatewayError } from "../errors.ts";
import type { Wire } from "../types.ts";

/** The shape of error bodies for OpenAI-wire callers; Anthropic and Gemini callers always get their own. */
export type ErrorFormat = "openai" | "llmgateway" | "detail";

/** The error's body in a dialect, before it is made text. */
export function errorBody(error: GatewayError, wire: Wire, format: ErrorFormat, requestId: string): object {
  const row = ERRORS[error.code];
  const { message, status } = error;
  if (wire === "anthropic") return { type: "error", error: { type: row.anthropic, message }, request_id: requestId };
  if (wire === "gemini") return { error: { code: status, message, status: row.gemini } };
  if (format === "llmgateway") return { error: true, status, message };
  if (format === "detail") return { detail: detailText(error.code, message, error.details.ruleId) };
  return { error: { message, type: row.openai, param: error.details.param ?? null, code: error.code } };
}

/** The error as one server-sent event, for a stream that has begun. What has no `error` no SDK would see as one. */
export function errorEvent(error: GatewayError, wire: Wire, format: ErrorFormat, requestId: string): string {
  const data = JSON.stringify(errorBody(error, wire, format === "detail" ? "openai" : format, requestId));
  return wire === "anthropic" ? `event: error\ndata: ${data}\n\n` : `data: ${data}\n\n`;
}

/** The headers that go with an error of the gateway's own. */
export function errorHeaders(error: GatewayError): Record<string, string> {
  const { ruleId, retryAfterSeconds, retry, headers } = error.details;
  const all: Record<string, string> = { "x-tollgate-error-source": "gateway", ...headers };
  if (ruleId !== undefined) all["x-tollgate-rule"] = ruleId;
  if (retryAfterSeconds !== undefined) all["retry-after"] = String(Math.max(1, Math.ceil(retryAfterSeconds)));
  if (retry === false || error.status === 401 || error.status === 403) all["x-should-retry"] = "false";
  return all;
}

/** Sends a JSON document and ends the answer. */
export function sendJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  res.writeHead(status, {
    ...headers,
    "content-type": "application/json; charset=utf-8",
    "content-length": String(Buffer.byteLength(text)),
  });
  res.end(text);
}
