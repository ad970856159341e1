// Checks rules that are to be kept on an account object, for changes that come by HTTP.
import { AccountError } from "./accounts/errors.ts";
import type { WarnOfRules } from "./accounts/iam.ts";
import type { RuleCatalogue } from "./rules/catalogue.ts";
import { isError } from "./rules/diagnostics.ts";
import { checkText, inlineSource } from "./rules/inline-text.ts";
import { renderLsp, renderText } from "./rules/render.ts";
import { RULES_BYTES_MAX, type RuleScope } from "./store/store.ts";

/** Rules that may be kept. */
export interface CheckedRules {
  /** How many there are. */
  readonly count: number;
  /** As `tollgate check` prints them; empty for none. */
  readonly warnings: string;
}

/** Checks rules that are to be kept on what is called so. */
export type RuleCheck = (scope: RuleScope, alias: string, text: string) => CheckedRules;

/** Makes the check. @throws AccountError `invalid_field` with the report that `tollgate check` would print */
export function keptRuleCheck(catalogue: RuleCatalogue, nowMs: () => number): RuleCheck {
  return (scope, alias, text) => {
    if (Buffer.byteLength(text) > RULES_BYTES_MAX) {
      const message = `Rules that are kept on an object are up to ${RULES_BYTES_MAX / 1_024} KiB long`;
      throw new AccountError("invalid_field", message, { field: "rules" });
    }
    const source = inlineSource({ scope, subject: { id: alias, alias }, text });
    const { set, diagnostics } = checkText(source, catalogue, nowMs());
    if (set !== null) {
      const warnings = diagnostics.filter(({ severity }) => severity === "warning");
      return { count: set.rules.length, warnings: renderText(warnings) };
    }
    const errors = diagnostics.filter(isError);
    const report = renderText(errors).trimEnd();
    throw new AccountError("invalid_field", report, { field: "rules", diagnostics: renderLsp(errors) });
  };
}

/** Makes the warnings of IAM rules: of their models and providers, for they name no team or key. */
export function iamRuleWarnings(
  { teams: _teams, keys: _keys, ...named }: RuleCatalogue,
  nowMs: () => number,
): WarnOfRules {
  return (scope, alias, text) => {
    const source = inlineSource({ scope, subject: { id: alias, alias }, text, origin: "iam" });
    const warnings = checkText(source, named, nowMs()).diagnostics.filter(({ severity }) => severity === "warning");
    return [...new Set(warnings.map(({ message, help }) => (help === null ? message : `${message}: ${help}`)))];
  };
}
