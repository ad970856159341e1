// Every budget and limit that applies to a key, a team, a user or an organisation, and what is left of each.
import { budgetQuota } from "./budget-quota.ts";
import { budgetWindowText } from "./budget-window.ts";
import type { Ledger, Quota } from "./ledger/ledger.ts";
import { momentJson } from "./moment.ts";
import { formatUsd } from "./money.ts";
import type { AppliedQuota, SubjectOfRules } from "./rules/applying.ts";
import type { AccountStore } from "./store/store.ts";
import type { Budget, Principal, QuotaUnit, Subject } from "./types.ts";

/** What limits can be asked of. */
export type LimitedKind = Budget["scope"];

/** What is known of every key of such an object. */
const KNOWN: Readonly<Record<LimitedKind, ReadonlySet<string> | null>> = {
  key: null,
  team: new Set(["team", "org"]),
  user: new Set(["user"]),
  org: new Set(["org"]),
};

/** What limits are worked out from. */
export interface LimitsOptions {
  readonly accounts: Pick<AccountStore, "limited">;
  readonly ledger: Pick<Ledger, "balance">;
  /** The statements that apply, of the rules in force and of those kept on the subject. */
  statements(subject: SubjectOfRules): readonly AppliedQuota[];
}

/** One budget or limit, as JSON: amounts are decimal text in `unit`; null where there is none, or nobody can say. */
export interface LimitJson {
  /** `budget`: of money; `limit`: of the rest. */
  readonly kind: "budget" | "limit";
  readonly label: string;
  /** Whose budget it is; null for a rule's counter. */
  readonly scope: LimitedKind | null;
  readonly id: string | null;
  readonly alias: string | null;
  /** The rule's id and text; null for an account's budget. */
  readonly rule: string | null;
  readonly text: string | null;
  /** The models that it is for; null for all. */
  readonly models: readonly string[] | null;
  /** True when it depends on the request or the time whether it counts. */
  readonly sometimes: boolean;
  /** What of the request it counts apart: then there is not one figure. */
  readonly counted_by: readonly string[];
  readonly unit: "usd" | Exclude<QuotaUnit, "nano-usd">;
  readonly limit: string | null;
  readonly spent: string | null;
  readonly reserved: string | null;
  readonly remaining: string | null;
  /** `month`, `30d` …; `last 1m` of a sliding one, `in flight` of what runs at once. */
  readonly window: string | null;
  readonly resets_at: string | null;
  readonly soft_limit: string | null;
  /** A raise for a time, which is in `limit`. */
  readonly raise: { readonly amount: string; readonly until: string | null } | null;
}

/** What is asked of, and its limits: accounts' budgets first, then statements. */
export interface LimitsJson {
  readonly kind: LimitedKind;
  readonly id: string;
  readonly alias: string;
  readonly limits: readonly LimitJson[];
}

/**
 * The limits of the object with that id or alias. A statement that counts models apart is told for those models that
 * something was used of. Counters are read one by one, while requests go on.
 * @throws StoreError `no_such_…`, `unavailable`
 */
export function limitsOf(kind: LimitedKind, idOrAlias: string, options: LimitsOptions): LimitsJson {
  const principal = options.accounts.limited(kind, idOrAlias);
  const { id, alias } = subjectIn(kind, principal);
  const statements = options.statements({ principal, knows: KNOWN[kind] });
  return {
    ...{ kind, id, alias },
    limits: [
      ...principal.budgets.map((budget) => budgetJson(budget, options.ledger)),
      ...statements.flatMap((statement) => statementJson(statement, options.ledger)),
    ],
  };
}

function subjectIn(kind: LimitedKind, principal: Principal): Subject {
  const subject = principal[kind];
  if (subject === null) throw new Error(`the principal of a ${kind} has it`);
  return subject;
}

function budgetJson(budget: Budget, ledger: LimitsOptions["ledger"]): LimitJson {
  const { scope, subject, softNanoUsd, raise, isSoftOnly } = budget;
  const quota = budgetQuota(budget);
  return {
    kind: "budget",
    label: quota.label,
    ...{ scope, id: subject.id, alias: subject.alias, rule: null, text: null },
    ...{ models: null, sometimes: false, counted_by: [] },
    ...figures(quota, ledger, isSoftOnly === true),
    window: budgetWindowText(budget.window),
    soft_limit: softNanoUsd === undefined ? null : formatUsd(softNanoUsd),
    raise: raise === undefined ? null : { amount: formatUsd(raise.nanoUsd), until: momentJson(raise.untilMs) },
  };
}

function statementJson(statement: AppliedQuota, ledger: LimitsOptions["ledger"]): LimitJson[] {
  const { quota, ruleId, text, models, isSometimes, countedBy, unit, label, window } = statement;
  const shown = quota === null ? NO_FIGURES : figures(quota, ledger, false);
  if (statement.isOneOfMany && shown.spent === "0" && shown.reserved === "0") return [];
  return [
    {
      kind: unit === "nano-usd" ? "budget" : "limit",
      label: quota?.label ?? label,
      ...{ scope: null, id: null, alias: null, rule: ruleId, text, models },
      ...{ sometimes: isSometimes, counted_by: countedBy },
      ...{ unit: unitJson(unit), ...shown, window: windowText(window), soft_limit: null, raise: null },
    },
  ];
}

type Figures = Pick<LimitJson, "unit" | "limit" | "spent" | "reserved" | "remaining" | "resets_at">;

const NO_FIGURES: Omit<Figures, "unit"> = {
  ...{ limit: null, spent: null, reserved: null, remaining: null, resets_at: null },
};

function figures(quota: Quota, ledger: LimitsOptions["ledger"], isUnlimited: boolean): Figures {
  const { spent, reserved, resetsMs } = ledger.balance(quota);
  const left = quota.limit - spent - reserved;
  const text = (amount: bigint): string => (quota.unit === "nano-usd" ? formatUsd(amount) : String(amount));
  return {
    unit: unitJson(quota.unit),
    limit: isUnlimited ? null : text(quota.limit),
    ...{ spent: text(spent), reserved: text(reserved) },
    remaining: isUnlimited ? null : text(left > 0n ? left : 0n),
    resets_at: momentJson(resetsMs),
  };
}

function unitJson(unit: QuotaUnit): LimitJson["unit"] {
  return unit === "nano-usd" ? "usd" : unit;
}

function windowText(window: AppliedQuota["window"]): string {
  if (window.kind === "none") return "in flight";
  if (window.kind === "calendar") return window.period;
  const length = budgetWindowText({ kind: "every", durationMs: window.durationMs });
  return window.kind === "every" ? length : `last ${length}`;
}
