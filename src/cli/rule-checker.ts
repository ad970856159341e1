// Checks rules that are to be kept on an account object, before they are.
import { accountNames } from "../account-names.ts";
import { systemClock } from "../clock.ts";
import { SetupError } from "../errors.ts";
import type { RuleCatalogue } from "../rules/catalogue.ts";
import { isError } from "../rules/diagnostics.ts";
import { checkText, inlineSource } from "../rules/inline-text.ts";
import { renderLsp, renderText } from "../rules/render.ts";
import type { RuleScope, Store } from "../store/store.ts";
import type { Io } from "./command.ts";
import { configSurroundings, counted } from "./rule-files.ts";

/** Exit code 2: the rules have an error, and nothing was changed. Its message is the report. */
export class RefusedRules extends SetupError {
  /** In the language server's shape. */
  readonly diagnostics: readonly object[];

  constructor(report: string, diagnostics: readonly object[]) {
    super(report, 2);
    this.diagnostics = diagnostics;
  }
}

/** Checks rules that are to be kept and says what they come to, `3 rules`. Warnings go to stderr. @throws SetupError 2 */
export type CheckRules = (store: Store, scope: RuleScope, alias: string, text: string) => string;

/** Makes the check, with the config's models and providers and the database's teams and keys. */
export async function ruleChecker(config: string | undefined, io: Io): Promise<CheckRules> {
  const { catalogue } = await configSurroundings(config, io);
  return (store, scope, alias, text) => {
    const source = inlineSource({ scope, subject: { id: alias, alias }, text });
    const { set, diagnostics } = checkText(source, withNames(catalogue, store), systemClock.nowMs());
    if (set === null) {
      const errors = diagnostics.filter(isError);
      throw new RefusedRules(renderText(errors).trimEnd(), renderLsp(errors));
    }
    io.stderr.write(renderText(diagnostics.filter(({ severity }) => severity === "warning")));
    return counted(set.rules.length, "rule");
  };
}

/** The catalogue, with the names that the database's teams and keys have now. */
export function withNames(catalogue: RuleCatalogue, { accounts }: Store): RuleCatalogue {
  return { ...catalogue, teams: () => accountNames(accounts, "team"), keys: () => accountNames(accounts, "key") };
}
