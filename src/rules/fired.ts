// Rules that fired for a target, sorted by what they do.
import { type CheckedRule, type CountingRule, isCounting } from "./checked.ts";

/** Rules that fired, by what they do; each list in order of (file, place). Unknown counts as fired for all but `allow`. */
export interface Fired {
  /** `deny` and `only` rules. */
  readonly denies: readonly CheckedRule[];
  readonly allows: readonly CheckedRule[];
  /** `shadow` rules that would have denied. */
  readonly shadows: readonly CheckedRule[];
  readonly warns: readonly CheckedRule[];
  /** `limit` and `budget` rules. */
  readonly quotas: readonly CountingRule[];
}

/** Sorts rules that fired, in order of (file, place), by what they do. A `shadow allow` or `shadow warn` does nothing. */
export function firedOf(rules: readonly CheckedRule[]): Fired {
  const denies: CheckedRule[] = [];
  const allows: CheckedRule[] = [];
  const shadows: CheckedRule[] = [];
  const warns: CheckedRule[] = [];
  const quotas: CountingRule[] = [];
  for (const rule of rules) {
    const live = rule.mode === "live";
    if (isCounting(rule)) quotas.push(rule);
    else if (rule.effect === "deny" || rule.effect === "only") (live ? denies : shadows).push(rule);
    else if (live) (rule.effect === "allow" ? allows : warns).push(rule);
  }
  return { denies, allows, shadows, warns, quotas };
}
