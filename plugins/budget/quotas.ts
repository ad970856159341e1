// What a call needs of the ledger: a principal's budgets and the rules' statements as quotas, each with the most it can use.
import {
  type Budget,
  budgetQuota,
  type CostBound,
  type Decision,
  type Need,
  type Outcome,
  type Principal,
  type Quota,
  type RuleQuota,
} from "../../src/plugin.ts";

/** The most the ledger counts at once, about $9 million: a caller may ask for 10^12 answers, and a provider claim them. */
const MOST = Number.MAX_SAFE_INTEGER;

/** A bound of a target that is priced. */
export type PricedBound = CostBound & { readonly costNanoUsd: number };

/** True when what the call costs at the target can be held to a budget. */
export function isPriced(bound: CostBound): bound is PricedBound {
  return bound.costNanoUsd !== null;
}

/** A principal is one object per key and version, so its quotas are worked out once. */
const known = new WeakMap<Principal, readonly Quota[]>();

const budgetByQuota = new WeakMap<Quota, Budget>();

/** One quota per budget, in the principal's order. The same array for the same principal. */
export function quotasOf(principal: Principal): readonly Quota[] {
  let quotas = known.get(principal);
  if (quotas === undefined) {
    quotas = Object.freeze(principal.budgets.map(toQuota));
    known.set(principal, quotas);
  }
  return quotas;
}

/** The budget that an account's quota counts; null for another's. */
export function budgetOf(quota: Quota): Budget | null {
  return budgetByQuota.get(quota) ?? null;
}

/** True for a `limit` or `budget` statement's quota, false for a principal's budget. */
export function isRuleQuota(quota: Quota): quota is RuleQuota {
  return "ruleId" in quota;
}

/**
 * The budgets of the principal and the statements that apply at any of the allowed targets, with the most that the call
 * can use of each: which target is dialled is not known yet.
 * @param bounds of the decision's targets, in their order
 * @param most the dearest of them: what the budgets are held to
 */
export function needsOf(
  principal: Principal,
  { targets, quotas }: Decision,
  bounds: readonly PricedBound[],
  most: PricedBound,
): readonly Need[] {
  const budgets = quotasOf(principal).map((quota) => ({ quota, amount: boundOf(quota, most) }));
  if (quotas === undefined) return budgets;
  const needs = new Map<string, Need>();
  for (const [i, target] of targets.entries()) {
    for (const quota of quotas.get(target) ?? []) {
      const amount = Math.max(boundOf(quota, bounds[i] ?? most), needs.get(quota.id)?.amount ?? 0);
      needs.set(quota.id, { quota, amount });
    }
  }
  return [...budgets, ...needs.values()];
}

/** What was used of each need; null when the request never left. Statements of targets that were not dialled are void. */
export function actualsOf(needs: readonly Need[], { quotas }: Decision, outcome: Outcome): readonly number[] | null {
  if (outcome.kind === "not_sent") return null;
  const applying = outcome.target === null ? undefined : quotas?.get(outcome.target);
  return needs.map(({ quota }) => {
    const applies = !isRuleQuota(quota) || applying?.some(({ id }) => id === quota.id) === true;
    return applies ? actualOf(quota, outcome) : 0;
  });
}

/** The most that any of them allows, field by field. */
export function dearest(bounds: readonly PricedBound[]): PricedBound {
  const [first] = bounds;
  if (first !== undefined && bounds.length === 1) return first;
  const most = (of: (bound: PricedBound) => number): number => Math.max(0, ...bounds.map(of));
  return {
    inputTokens: most((bound) => bound.inputTokens),
    outputTokens: most((bound) => bound.outputTokens),
    costNanoUsd: most((bound) => bound.costNanoUsd),
  };
}

/** What a call can use of a quota of that unit. */
export function boundOf({ unit }: Quota, { inputTokens, outputTokens, costNanoUsd }: PricedBound): number {
  if (unit === "nano-usd") return Math.min(MOST, costNanoUsd);
  return unit === "tokens" ? Math.min(MOST, inputTokens + outputTokens) : 1;
}

function actualOf({ unit }: Quota, { usage, costNanoUsd }: Outcome): number {
  if (unit === "requests") return 1;
  if (unit === "concurrent" || usage === null) return 0;
  return Math.min(MOST, unit === "tokens" ? usage.inputTokens + usage.outputTokens : costNanoUsd);
}

function toQuota(budget: Budget): Quota {
  const quota = budgetQuota(budget);
  budgetByQuota.set(quota, budget);
  return quota;
}
