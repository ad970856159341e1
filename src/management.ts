// The account services, on one store.
import { Credits } from "./accounts/credits.ts";
import { Iam, type WarnOfRules } from "./accounts/iam.ts";
import { Jobs } from "./accounts/jobs.ts";
import { Keys } from "./accounts/keys.ts";
import { Accounts } from "./accounts/service.ts";
import type { RuleCheck } from "./kept-rule-check.ts";
import type { Ledger } from "./ledger/ledger.ts";
import type { Management } from "./plugin.ts";
import { Spending } from "./spending.ts";
import type { Store } from "./store/store.ts";
import type { Clock } from "./types.ts";

/** What they work with. */
export interface ManagementParts {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly pepper: Buffer;
  readonly clock: Clock;
  readonly checkRules: RuleCheck;
  readonly warnOf: WarnOfRules;
}

/** Makes them. */
export function managementOf({ store, ledger, pepper, clock, checkRules, warnOf }: ManagementParts): Management {
  const { directory, requests } = store;
  const nowMs = (): number => clock.nowMs();
  const accounts = new Accounts({ directory, checkRules });
  const credits = new Credits({ accounts, store: store.credits, nowMs });
  return {
    accounts,
    keys: new Keys({ accounts, pepper, nowMs }),
    credits,
    jobs: new Jobs({ accounts, credits, nowMs }),
    spending: new Spending({ directory, ledger, requests }),
    iam: new Iam({ accounts, warnOf }),
    checkRules,
  };
}
