// A principal's budgets as the ledger's quotas.
import type { Budget, BudgetWindow, Principal, Quota } from "../../src/plugin.ts";

const ADJECTIVES: Readonly<Record<BudgetWindow, string>> = {
  day: "daily",
  week: "weekly",
  month: "monthly",
  year: "yearly",
  total: "total",
};

/** A principal is one object per key and version, so its quotas are worked out once. */
const known = new WeakMap<Principal, readonly Quota[]>();

/** One quota per budget, in the principal's order. The same array for the same principal. */
export function quotasOf(principal: Principal): readonly Quota[] {
  let quotas = known.get(principal);
  if (quotas === undefined) {
    quotas = Object.freeze(principal.budgets.map(toQuota));
    known.set(principal, quotas);
  }
  return quotas;
}

function toQuota(budget: Budget): Quota {
  return Object.freeze({
    id: `budget:${budget.id}`,
    label: `${budget.scope} ${budget.subject.alias}'s ${ADJECTIVES[budget.window]} budget`,
    scope: budget.scope,
    unit: "nano-usd",
    limit: budget.limitNanoUsd,
    window: budget.window,
  });
}
