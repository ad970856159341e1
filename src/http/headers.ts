// Which headers cross the gateway. Allow-lists both ways: hop-by-hop fields, cookies and credentials are not on them.
import type { IncomingHttpHeaders } from "node:http";

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

/** Copies the answer headers that may pass into `into`. */
export function copyAnswerHeaders(from: IncomingHttpHeaders, into: Record<string, string>): void {
  for (const name of ANSWER_HEADERS) {
    const value = from[name];
    if (typeof value === "string") into[name] = value;
  }
  for (const name of UPSTREAM_ID_HEADERS) {
    const value = from[name];
    if (typeof value === "string") into["x-upstream-request-id"] = value;
  }
}

/** Copies those of the caller's headers that are in `allowed` (lower-case names) into `into`. */
export function copyRequestHeaders(
  from: Readonly<Record<string, string | readonly string[] | undefined>>,
  allowed: Iterable<string>,
  into: Record<string, string>,
): void {
  for (const name of allowed) {
    const value = from[name];
    if (typeof value === "string") into[name] = value;
  }
}
