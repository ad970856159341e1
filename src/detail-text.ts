// Messages of errors in the shape `{"detail": …}`: the few that clients of SaaS LiteLLM know by their exact words.
import type { ErrorCode } from "./errors.ts";

const NO_KEY = "Invalid or missing API key";
const NO_TEAM = "Team suspended or insufficient credits";
const NO_MODEL = "Team does not have access to the requested model";

const TEXTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  ...{ invalid_api_key: NO_KEY, key_disabled: NO_KEY, key_expired: NO_KEY, key_revoked: NO_KEY },
  ...{ account_suspended: NO_TEAM, credits_exhausted: NO_TEAM },
};

/** Rules that stand for lists of models and access groups on an account: see accounts/policy.ts. */
const MODEL_RULE = /:account-(?:models|groups)$/;

/** The words for an error; its own message where the shape has none. @param ruleId the rule that denied */
export function detailText(code: string, message: string, ruleId?: string): string {
  if (ruleId !== undefined && MODEL_RULE.test(ruleId)) return NO_MODEL;
  return TEXTS[code as ErrorCode] ?? message;
}
