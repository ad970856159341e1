// Which headers cross the gateway, as flat lists (name, value, name, value…), which node writes without copying them.
// Allow-lists both ways: hop-by-hop fields, cookies and credentials are not on them.
import type { IncomingHttpHeaders } from "node:http";
import type { Wire } from "../types.ts";

/**
 * Answer headers that pass from a provider to the caller. Not on it: RFC 9110 7.6.1 hop-by-hop fields,
 * set-cookie, content-length (set anew), the provider account's organisation and rate limits.
 */
const ANSWER_HEADERS: readonly string[] = [
  "content-type",
  "content-encoding",
  "content-language",
  "cache-control",
  "retry-after",
  "retry-after-ms",
  "x-should-retry",
  "openai-model",
  "openai-processing-ms",
  "openai-version",
];

/** The provider's own request id, under a name that cannot be taken for ours. */
const UPSTREAM_ID_HEADERS: readonly string[] = ["x-request-id", "request-id"];

/** Names under which an answer carries the request's id, by the caller's wire: Anthropic's clients know one of their own. */
export const ID_HEADERS: Readonly<Record<Wire, readonly string[]>> = {
  openai: ["x-request-id"],
  anthropic: ["x-request-id", "request-id"],
  gemini: ["x-request-id"],
};

/** Header fields in turn: name, value, name, value. Names in lower case, each once. */
export type HeaderList = readonly string[];

/** Appends the answer headers that may pass to `into`. */
export function copyAnswerHeaders(from: IncomingHttpHeaders, into: string[]): void {
  for (const name of ANSWER_HEADERS) {
    const value = from[name];
    if (typeof value === "string") into.push(name, value);
  }
  for (const name of UPSTREAM_ID_HEADERS) {
    const value = from[name];
    if (typeof value !== "string") continue;
    into.push("x-upstream-request-id", value);
    return;
  }
}

/**
 * Appends those of the caller's headers that are in `allowed` (lower-case names) to `into`, and a default where the
 * caller sent none of that name.
 */
export function copyRequestHeaders(
  from: Readonly<Record<string, string | readonly string[] | undefined>>,
  allowed: Iterable<string>,
  defaults: Readonly<Record<string, string>>,
  into: string[],
): void {
  for (const name of allowed) {
    const value = from[name];
    if (typeof value === "string") into.push(name, value);
    else if (defaults[name] !== undefined) into.push(name, defaults[name]);
  }
}
