// What a store refuses, told as an account error.
import type { AccountKind } from "../store/directory.ts";
import type { StoreErrorCode } from "../store/store.ts";
import { AccountError, type AccountErrorCode } from "./errors.ts";
import { NOUNS } from "./fields.ts";

/** Runs `work`; what it refuses leaves as an `AccountError`, and what is no refusal as it is. */
export async function storeErrors<T>(kind: AccountKind, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toAccountError(kind, error);
  }
}

function toAccountError(kind: AccountKind, error: unknown): unknown {
  const noun = NOUNS[kind];
  const as = (code: AccountErrorCode, message: string, field: string | null = null): AccountError =>
    new AccountError(code, message, { field, cause: error });
  switch (codeOf(error)) {
    case "alias_taken":
      return as("taken", `A ${noun} has this alias already`, "alias");
    case "id_taken":
      return as("taken", "This id is taken", "id");
    case "no_such_object":
      return as("not_found", `There is no such ${noun}`);
    case "stale":
      return as("conflict", `The ${noun} has changed in the meantime`);
    case "out_of_range":
      return as("invalid_field", "A budget must lie between $0 and $9,223,372,036.854775807", "budgets");
    case "too_long":
      return as("invalid_field", "`rules` is too long", "rules");
    default:
      return error;
  }
}

/** By its shape: this folder knows the store's types alone. */
function codeOf(error: unknown): StoreErrorCode | null {
  return error instanceof Error && error.name === "StoreError"
    ? (error as Error & { code: StoreErrorCode }).code
    : null;
}
