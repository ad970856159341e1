// Keeps the counters of `limit` and `budget` rules: those that model and key fix for good, the others for a while.
import { LRUCache } from "lru-cache";
import type { Principal, RuleQuota, Target } from "../types.ts";
import { isBound } from "./attributes.ts";
import type { CountingRule } from "./checked.ts";
import type { Facts } from "./facts.ts";
import { counterId, type QuotaFor, quotaFor } from "./quotas.ts";

/** Counters kept that the request has a part in: callers choose headers. */
const VARYING_MAX = 10_000;

interface Varying {
  readonly rule: CountingRule;
  readonly quota: RuleQuota;
}

/** A finder that gives the same object for the same counter of a rule. It lives and dies with a rule set. */
export function createQuotaCache(): QuotaFor {
  const fixed = new WeakMap<Principal, WeakMap<Target, Map<CountingRule, RuleQuota>>>();
  const varying = new LRUCache<string, Varying>({ max: VARYING_MAX });
  return (rule, facts) => {
    if (!isFixed(rule)) return varyingQuota(varying, rule, facts);
    const ofTarget = fixedOf(fixed, facts);
    const known = ofTarget.get(rule);
    if (known !== undefined) return known;
    const quota = quotaFor(rule, facts);
    ofTarget.set(rule, quota);
    return quota;
  };
}

/** Whether model and key alone say which counter of the rule it is. */
export function isFixed({ quota }: CountingRule): boolean {
  return quota.by.every(({ attribute }) => isBound(attribute));
}

function fixedOf(
  fixed: WeakMap<Principal, WeakMap<Target, Map<CountingRule, RuleQuota>>>,
  { principal, target }: Facts,
): Map<CountingRule, RuleQuota> {
  let ofPrincipal = fixed.get(principal);
  if (ofPrincipal === undefined) {
    ofPrincipal = new WeakMap();
    fixed.set(principal, ofPrincipal);
  }
  let ofTarget = ofPrincipal.get(target);
  if (ofTarget === undefined) {
    ofTarget = new Map();
    ofPrincipal.set(target, ofTarget);
  }
  return ofTarget;
}

/** Two rules may share a counter, so an id alone does not say which of them it is. */
function varyingQuota(varying: LRUCache<string, Varying>, rule: CountingRule, facts: Facts): RuleQuota {
  const id = counterId(rule, facts);
  const known = varying.get(id);
  if (known?.rule === rule) return known.quota;
  const quota = quotaFor(rule, facts);
  varying.set(id, { rule, quota });
  return quota;
}
