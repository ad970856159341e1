// What a call of the client can end with, as classes. Imports nothing.

/** What the gateway says of an error, whatever its dialect. */
export interface ErrorDetails {
  /** HTTP status. */
  readonly status: number;
  /** For programs: `not_found`, `invalid_field`, `budget_exceeded`, …; null where the dialect has none. */
  readonly code: string | null;
  /** The field at fault; null where there is none. */
  readonly field: string | null;
  /** `x-request-id`: what the gateway's log calls the request. */
  readonly requestId: string | null;
  /** What is wrong with rules that were sent, in the language server's shape; empty where it is not rules. */
  readonly diagnostics: readonly object[];
  /** Whole seconds to wait before another try; null where it does not say. */
  readonly retryAfterSeconds: number | null;
}

/** Every failure of a call. */
export class TollgateError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
  }
}

/** The gateway cannot be reached, or the connection broke. */
export class ConnectionError extends TollgateError {}

/** No answer within `timeoutMs`. */
export class TimeoutError extends TollgateError {}

/** What answered is not a Tollgate, or not one that this client knows. */
export class UnexpectedAnswerError extends TollgateError {}

/** The gateway refused the call. */
export class ApiError extends TollgateError {
  readonly status: number;
  readonly code: string | null;
  readonly field: string | null;
  readonly requestId: string | null;
  readonly diagnostics: readonly object[];
  readonly retryAfterSeconds: number | null;

  constructor(message: string, details: ErrorDetails) {
    const { status, code, field, requestId, diagnostics, retryAfterSeconds } = details;
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
    this.requestId = requestId;
    this.diagnostics = diagnostics;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** 400, 413, 415, 422: the request cannot be used. */
export class InvalidRequestError extends ApiError {}
/** 401: the key is missing or wrong. */
export class AuthenticationError extends ApiError {}
/** 403: the key may not do this; for a team also that it is suspended or has no credits left. */
export class PermissionError extends ApiError {}
/** 404: it is not there, or the key may not know that it is. */
export class NotFoundError extends ApiError {}
/** 409, 412: an alias is taken, or the object has changed since. */
export class ConflictError extends ApiError {}
/** 429: a limit or a budget is used up. */
export class RateLimitError extends ApiError {}
/** 5xx: the gateway, or the provider behind it, has a problem. */
export class ServerError extends ApiError {}

/** The error of a status. */
export function apiError(message: string, details: ErrorDetails): ApiError {
  const { status } = details;
  const Kind =
    status >= 500
      ? ServerError
      : ({
          401: AuthenticationError,
          403: PermissionError,
          404: NotFoundError,
          409: ConflictError,
          412: ConflictError,
          429: RateLimitError,
        }[status] ?? InvalidRequestError);
  return new Kind(message, details);
}
