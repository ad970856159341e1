// An account's budget as the ledger counts it.
import { budgetWindowText } from "./budget-window.ts";
import type { Quota } from "./ledger/ledger.ts";
import type { Budget, BudgetWindow } from "./types.ts";

const ADJECTIVES: Readonly<Record<BudgetWindow, string>> = {
  day: "daily",
  week: "weekly",
  month: "monthly",
  year: "yearly",
  total: "total",
};

/** The budget's quota. */
export function budgetQuota({ id, scope, subject, limitNanoUsd, window }: Budget): Quota {
  const name = typeof window === "string" ? ADJECTIVES[window] : budgetWindowText(window);
  return Object.freeze({
    id: `budget:${id}`,
    label: `${scope} ${subject.alias}'s ${name} budget`,
    unit: "nano-usd",
    limit: limitNanoUsd,
    window,
  });
}
