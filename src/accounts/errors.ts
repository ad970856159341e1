// The closed list of errors that managing accounts can end with. Imports nothing.

/** Code → HTTP status. */
export const ACCOUNT_ERRORS = Object.freeze({
  /** The caller may not do this; the message says what and who may. */
  not_permitted: 403,
  /** There is no such object, or the caller may not know that there is: both are told in the same words. */
  not_found: 404,
  /** A field that does not exist, or a value that cannot be used; `field` names it. */
  invalid_field: 400,
  /** An alias or id is in use. */
  taken: 409,
  /** Others changed the object again and again meanwhile. */
  conflict: 409,
  /** The object is not at the version that the caller asks for (`if-match`). */
  outdated: 412,
  /** The key is revoked, and that is final. */
  revoked: 409,
  /** The team has not enough credits left. */
  credits_exhausted: 403,
  /** The job is completed or failed, and stays so. */
  job_ended: 409,
} as const);

/** A name from the list. */
export type AccountErrorCode = keyof typeof ACCOUNT_ERRORS;

/** An expected failure of managing accounts. The message is safe to show to the caller. */
export class AccountError extends Error {
  readonly code: AccountErrorCode;
  readonly status: number;
  /** The field at fault, in camel case; null where there is none. */
  readonly field: string | null;
  /** Of rules that have an error: what is wrong with them, in the language server's shape. */
  readonly diagnostics: readonly object[];

  constructor(
    code: AccountErrorCode,
    message: string,
    { field = null, diagnostics = [], cause }: AccountErrorDetails = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "AccountError";
    this.code = code;
    this.status = ACCOUNT_ERRORS[code];
    this.field = field;
    this.diagnostics = diagnostics;
  }
}

/** More about a failure. */
export interface AccountErrorDetails {
  readonly field?: string | null;
  readonly diagnostics?: readonly object[];
  readonly cause?: unknown;
}
