// Checks rules that are to be kept on an account object, for changes that come by HTTP.
import { AccountError } from "./accounts/errors.ts";
import type { CheckRules } from "./accounts/service.ts";
import type { RuleCatalogue } from "./rules/catalogue.ts";
import { isError } from "./rules/diagnostics.ts";
import { checkText, inlineSource } from "./rules/inline-text.ts";
import { renderText } from "./rules/render.ts";
import { RULES_BYTES_MAX } from "./store/store.ts";

/** Makes the check. @throws AccountError `invalid_field` with the report that `tollgate check` would print */
export function keptRuleCheck(catalogue: RuleCatalogue, nowMs: () => number): CheckRules {
  return (scope, alias, text) => {
    if (Buffer.byteLength(text) > RULES_BYTES_MAX) {
      const message = `Rules that are kept on an object are up to ${RULES_BYTES_MAX / 1_024} KiB long`;
      throw new AccountError("invalid_field", message, { field: "rules" });
    }
    const source = inlineSource({ scope, subject: { id: alias, alias }, text });
    const { set, diagnostics } = checkText(source, catalogue, nowMs());
    if (set !== null) return;
    throw new AccountError("invalid_field", renderText(diagnostics.filter(isError)).trimEnd(), { field: "rules" });
  };
}
