// What a route threw, as a problem that a dialect can shape; and the dialect of the gateway's own API, RFC 9457.
import { z } from "zod";
import { AccountError } from "../accounts/errors.ts";
import { wireName } from "../accounts/fields.ts";
import { GatewayError } from "../errors.ts";
import { StoreError, type StoreErrorCode } from "../store/store.ts";
import type { ApiProblem, ErrorDialect } from "./route.ts";

/** Store errors that reach a route as they are; accounts turn theirs into account errors. */
const STORE_STATUS: Readonly<Partial<Record<StoreErrorCode, number>>> = {
  unavailable: 503,
  stale: 409,
  alias_taken: 409,
  id_taken: 409,
  revoked: 409,
  too_long: 400,
  out_of_range: 400,
  no_such_key: 404,
  no_such_team: 404,
  no_such_org: 404,
  no_such_object: 404,
};

/** The problem, or null for a fault of ours. */
export function problemOf(error: unknown, requestId: string): ApiProblem | null {
  if (error instanceof AccountError) {
    const { status, code, message, field, diagnostics } = error;
    return { status, code, message, field: field === null ? null : wireName(field), diagnostics, requestId };
  }
  if (error instanceof GatewayError) {
    const { status, code, message, details } = error;
    return { status, code, message, field: details.param ?? null, requestId };
  }
  if (!(error instanceof StoreError)) return null;
  const { code, message } = error;
  const status = STORE_STATUS[code];
  if (status === undefined) return null;
  // What SQLite says names files of the machine.
  const isDown = code === "unavailable";
  const shown = isDown ? "The database cannot be used now" : message;
  return { status, code: isDown ? "store_unavailable" : code, message: shown, field: null, requestId };
}

/** The headers that go with an error. */
export function problemHeaders(error: unknown): Readonly<Record<string, string>> {
  if (error instanceof StoreError && error.code === "unavailable") return { "retry-after": "1" };
  if (!(error instanceof GatewayError)) return {};
  const { retryAfterSeconds, headers } = error.details;
  return retryAfterSeconds === undefined
    ? { ...headers }
    : { ...headers, "retry-after": String(Math.max(1, Math.ceil(retryAfterSeconds))) };
}

/** RFC 9457: `application/problem+json`, with `code`, `field` and `request_id` beside its own members. */
export const PROBLEM_JSON: ErrorDialect = Object.freeze({
  contentType: "application/problem+json",
  schema: z.object({
    type: z.literal("about:blank"),
    title: z.string().describe("The status in words."),
    status: z.int(),
    detail: z.string().describe("What went wrong, for people."),
    code: z.string().describe("What went wrong, for programs."),
    field: z.string().optional().describe("The field at fault."),
    diagnostics: z
      .array(z.record(z.string(), z.unknown()))
      .optional()
      .describe("What is wrong with rules that were sent, in the language server's shape."),
    request_id: z.string(),
  }),
  body: ({ status, code, message, field, diagnostics = [], requestId }: ApiProblem) => ({
    type: "about:blank",
    title: TITLES[status] ?? "Error",
    status,
    detail: message,
    code,
    ...(field === null ? {} : { field }),
    ...(diagnostics.length === 0 ? {} : { diagnostics }),
    request_id: requestId,
  }),
});

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  428: "Precondition Required",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};
