// Warnings about `limit` and `budget` rules: counters that callers pick, and amounts that never bind.
import type { CheckSet } from "./check-context.ts";
import { type CheckedRule, type CountingRule, isCounting } from "./checked.ts";
import { type Code, diagnostic } from "./diagnostics.ts";
import { byPlace, whereOf } from "./source.ts";

/** Adds warnings for live rules. @param twins rules that stand twice, which another warning is about */
export function lintQuotas(set: CheckSet, rules: readonly CheckedRule[], twins: ReadonlySet<CheckedRule>): void {
  const live = rules.filter(isCounting).filter(({ mode }) => mode === "live");
  for (const rule of live) if (!twins.has(rule)) lintBy(set, rule);
  for (const sharing of groups(live)) {
    for (const rule of sharing) {
      const tighter = sharing.find((other) => !twins.has(rule) && makesIdle(other, rule));
      if (tighter === undefined) continue;
      const message = `this amount never binds: the same is counted against \`${tighter.quota.text}\``;
      warn(set, rule, "W310", message, `it is at ${whereOf(tighter)}`);
    }
  }
}

function lintBy(set: CheckSet, rule: CountingRule): void {
  const picked = rule.quota.by.find(({ attribute }) => attribute.optional);
  if (picked === undefined) return;
  const message = `a caller picks the counter of this \`${rule.effect}\`: \`${picked.text}\` may hold anything`;
  warn(set, rule, "W316", message, "add one by `key` or `team` beside it");
}

/** Rules whose counters are the same for the same requests. */
function groups(rules: readonly CountingRule[]): CountingRule[][] {
  const byCounter = new Map<string, CountingRule[]>();
  for (const rule of rules) {
    const { name, unit, window, by } = rule.quota;
    const refs = by.map(({ attribute, param }) => [attribute.name, param]);
    const key = JSON.stringify([name, unit, window, refs.map((ref) => JSON.stringify(ref)).sort()]);
    const sharing = byCounter.get(key);
    if (sharing === undefined) byCounter.set(key, [rule]);
    else sharing.push(rule);
  }
  return [...byCounter.values()].filter((group) => group.length > 1);
}

/** Names made of what rules are about are the same for rules about the same; a name that people gave is not. */
function makesIdle(other: CountingRule, rule: CountingRule): boolean {
  if (other === rule || !rule.quota.name.startsWith("#")) return false;
  if (other.untilDay !== null && (rule.untilDay === null || rule.untilDay > other.untilDay)) return false;
  const { limit } = other.quota;
  return limit < rule.quota.limit || (limit === rule.quota.limit && byPlace(other, rule) < 0);
}

function warn(set: CheckSet, rule: CheckedRule, code: Code, message: string, help: string): void {
  set.add(diagnostic(code, rule.source, { start: rule.start, end: rule.end }, message, help));
}
