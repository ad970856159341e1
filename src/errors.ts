// The one table of errors that a caller can be answered with. Imports nothing.

interface ErrorRow {
  /** HTTP status. */
  readonly status: number;
  /** OpenAI's `error.type`. */
  readonly openai: string;
  /** Anthropic's `error.type`. */
  readonly anthropic: string;
  /** Gemini's `error.status`. */
  readonly gemini: string;
  /** What it means, for the README; also the message when the thrower gives none. */
  readonly summary: string;
}

const row = (status: number, openai: string, anthropic: string, gemini: string, summary: string): ErrorRow =>
  Object.freeze({ status, openai, anthropic, gemini, summary });

const INVALID = ["invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"] as const;
const AUTH = ["authentication_error", "authentication_error", "UNAUTHENTICATED"] as const;
const DENIED = ["permission_error", "permission_error", "PERMISSION_DENIED"] as const;
const MISSING = ["invalid_request_error", "not_found_error", "NOT_FOUND"] as const;
const QUOTA = ["rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"] as const;
const UPSTREAM = ["api_error", "api_error", "UNAVAILABLE"] as const;

/** Every code a caller can see, by name. The README's list of error codes is tested against it. */
export const ERRORS = Object.freeze({
  invalid_json: row(400, ...INVALID, "The request body is not strict UTF-8 JSON"),
  invalid_request: row(400, ...INVALID, "The request is malformed or a field has a value that cannot be used"),
  ambiguous_request: row(400, ...INVALID, "A field that policy reads is spelled twice, escaped or in another case"),
  missing_model: row(400, ...INVALID, "The request names no model"),
  invalid_api_key: row(401, ...AUTH, "No virtual key was sent, or it is not known here"),
  key_disabled: row(401, ...AUTH, "The virtual key is disabled"),
  key_expired: row(401, ...AUTH, "The virtual key has expired"),
  key_revoked: row(401, ...AUTH, "The virtual key has been revoked"),
  account_suspended: row(403, ...DENIED, "The virtual key's team, user or organisation is suspended or paused"),
  route_not_allowed: row(403, ...DENIED, "The virtual key may not call this route"),
  permission_denied: row(403, ...DENIED, "A rule denies the request"),
  policy_error: row(403, ...DENIED, "The rules could not be evaluated, so the request is denied"),
  content_denied: row(403, ...DENIED, "A guardrail denies the request's content"),
  model_unpriced: row(403, ...DENIED, "The model has no price, so its cost cannot be held to a budget"),
  credits_exhausted: row(
    403,
    "insufficient_quota",
    "permission_error",
    "PERMISSION_DENIED",
    "The team has not enough credits left",
  ),
  not_found: row(404, ...MISSING, "No such path"),
  model_not_found: row(404, ...MISSING, "No provider here serves the model"),
  method_not_allowed: row(405, ...INVALID, "The path does not take this method"),
  request_too_large: row(
    413,
    "invalid_request_error",
    "request_too_large",
    "INVALID_ARGUMENT",
    "The body is larger than limits.body",
  ),
  headers_too_large: row(431, ...INVALID, "The request has more header fields than limits.headers"),
  rate_limit_exceeded: row(429, ...QUOTA, "A limit on requests or tokens is used up for now"),
  budget_exceeded: row(
    429,
    "insufficient_quota",
    "rate_limit_error",
    "RESOURCE_EXHAUSTED",
    "A budget cannot cover the request",
  ),
  internal_error: row(500, "api_error", "api_error", "INTERNAL", "A fault in the gateway"),
  upstream_unreachable: row(502, ...UPSTREAM, "The provider could not be reached"),
  upstream_broken: row(502, ...UPSTREAM, "The provider's answer broke off or could not be read"),
  upstream_timeout: row(504, "api_error", "api_error", "DEADLINE_EXCEEDED", "The provider did not answer in time"),
  store_unavailable: row(
    503,
    "api_error",
    "overloaded_error",
    "UNAVAILABLE",
    "The database cannot be written, so nothing can be charged",
  ),
  draining: row(503, "api_error", "overloaded_error", "UNAVAILABLE", "The gateway is shutting down"),
} satisfies Record<string, ErrorRow>);

/** A name from the table. */
export type ErrorCode = keyof typeof ERRORS;

/** Extra facts that an answer carries beside its code and message. */
export interface ErrorDetails {
  /** The request field at fault (OpenAI's `error.param`). */
  readonly param?: string;
  /** The rule that decided: sent as `x-tollgate-rule`. */
  readonly ruleId?: string;
  /** Whole seconds for `retry-after`. */
  readonly retryAfterSeconds?: number;
  /** false: `x-should-retry: false`, which the SDKs obey. */
  readonly retry?: false;
  /** An HTTP status of 400 to 499 instead of the code's own (a rule's `status`; 499 in the record of a caller who left). */
  readonly status?: number;
  /** More response headers, names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What went wrong underneath: logged, never sent. */
  readonly cause?: unknown;
}

/** An expected error: it ends the request with the code's status and a message that is safe to show. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly details: ErrorDetails;

  /** @param message shown to the caller; the code's summary when left out. */
  constructor(code: ErrorCode, message?: string, details: ErrorDetails = {}) {
    super(message ?? ERRORS[code].summary, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "GatewayError";
    this.code = code;
    this.status = details.status ?? ERRORS[code].status;
    this.details = details;
  }
}

/** True for a name from the table. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** A set-up error (config, rules, port): ends the command with `exitCode` and prints `message` as it is. */
export class SetupError extends Error {
  readonly exitCode: number;

  /** @param exitCode 64 for usage, 78 for bad config or rules, 1 for the rest. */
  constructor(message: string, exitCode = 78, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "SetupError";
    this.exitCode = exitCode;
  }
}
