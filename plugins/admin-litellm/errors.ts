// Errors as LiteLLM tells them, in LiteLLM's names of fields.
import { AccountError, type ApiProblem, type ErrorDialect, wireName, z } from "../../src/plugin.ts";
import { LITE_FIELDS, type LiteKind } from "./fields.ts";

/** Our names of fields that are several of theirs, or named by another. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  budgets: "max_budget",
  expiresMs: "duration",
  status: "blocked",
  keyType: "key_type",
};

/** By status, where a code has no type of its own. */
const TYPES: Readonly<Record<number, string>> = {
  400: "bad_request_error",
  401: "auth_error",
  403: "auth_error",
  404: "not_found_error",
  405: "bad_request_error",
  409: "bad_request_error",
  413: "bad_request_error",
  415: "bad_request_error",
  429: "rate_limit_error",
};
const OWN_TYPES: Readonly<Record<string, string>> = { key_expired: "expired_key", budget_exceeded: "budget_exceeded" };

/** `{"error": {"message", "type", "param", "code"}}`; the code is the status, as text. */
export const LITELLM_ERRORS: ErrorDialect = Object.freeze({
  schema: z.object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable().describe("The field at fault."),
      code: z.string().describe("The HTTP status."),
    }),
  }),
  body: (problem: ApiProblem) => ({
    error: {
      message: problem.message,
      type: OWN_TYPES[problem.code] ?? TYPES[problem.status] ?? "internal_server_error",
      param: problem.field,
      code: String(statusOf(problem)),
    },
  }),
  status: statusOf,
});

/** An alias or id that is in use is a bad request there. */
function statusOf({ code, status }: ApiProblem): number {
  return code === "taken" ? 400 : status;
}

/** Does the work; an error that names one of our fields names theirs instead. */
export async function inTheirNames<T>(kind: LiteKind, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AccountError) || error.field === null) throw error;
    const { code, message, field, cause } = error;
    const name = theirName(kind, field);
    const told = message.replaceAll(`\`${wireName(field)}\``, `\`${name}\``);
    throw new AccountError(code, told, { field: name, cause });
  }
}

function theirName(kind: LiteKind, ours: string): string {
  const found = Object.entries(LITE_FIELDS[kind]).find(([, field]) => field.ours === ours);
  return found?.[0] ?? OTHER_NAMES[ours] ?? ours;
}
