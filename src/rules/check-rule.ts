// Checks one rule: its parts typed, its clauses in range, and what it comes to.
import type { RuleNode, SelectorNode } from "./ast.ts";
import { ConditionChecker } from "./check-condition.ts";
import { type CheckSet, idOf, type Place } from "./check-context.ts";
import { checkBy, checkedQuota } from "./check-quota.ts";
import type { CheckedRule, Cond } from "./checked.ts";
import { quote } from "./syntax-error.ts";

/** Adds the rule to `rules`, unless it has an error. @param outer selectors of the `for … { }` that it stands in. */
export function addRule(
  set: CheckSet,
  rules: CheckedRule[],
  node: RuleNode,
  outer: readonly SelectorNode[],
  place: Place,
): void {
  const checker = new ConditionChecker(set, place);
  const selectors = checker.selectors(node.selectors);
  const scope = checker.selectors([...outer, ...node.scope]);
  const when = node.when === null ? null : checker.expr(node.when);
  const unless = node.unless === null ? null : checker.expr(node.unless);
  const by = checkBy(set, node, place);
  checkMeta(set, node, place);
  if (node.effect === "only" && node.selectors.length === 0) {
    set.report(place, node.span, "E211", "`only` does not say what", "write `only model […]` or `only provider […]`");
  }
  const failed =
    selectors === null ||
    scope === null ||
    by === null ||
    (node.when !== null && when === null) ||
    (node.unless !== null && unless === null);
  if (failed) return;
  const { meta, quota } = node;
  const written = { selectors, scope, when, unless };
  rules.push({
    id: meta.as ?? idOf(place, node.span),
    source: place.source,
    start: node.span.start + place.offset,
    end: node.span.end + place.offset,
    mode: node.mode,
    effect: node.effect,
    quota: quota === null ? null : checkedQuota(quota, by, written, { as: meta.as, zone: place.zone }),
    fires: firesWhen(node.effect, selectors, scope, when, unless),
    untilDay: meta.until?.day ?? null,
    zone: place.zone,
    because: meta.because ?? null,
    status: meta.status?.code ?? null,
    owner: meta.owner ?? null,
    written,
    memo: { lint: null, body: null },
  });
}

/** The rule where it stands now. */
export function movedTo(place: Place, node: RuleNode, rule: CheckedRule): CheckedRule {
  const { source, offset } = place;
  const start = node.span.start + offset;
  if (rule.source === source && rule.start === start) return rule;
  return { ...rule, id: node.meta.as ?? idOf(place, node.span), source, start, end: node.span.end + offset };
}

/** All but only: all of it holds. only: in scope, and not what is selected. */
function firesWhen(
  effect: RuleNode["effect"],
  selectors: readonly Cond[],
  scope: readonly Cond[],
  when: Cond | null,
  unless: Cond | null,
): Cond {
  const selected: readonly Cond[] =
    effect === "only" ? [{ kind: "not", part: { kind: "and", parts: selectors } }] : selectors;
  const parts = [...scope, ...selected];
  if (when !== null) parts.push(when);
  if (unless !== null) parts.push({ kind: "not", part: unless });
  return { kind: "and", parts };
}

function checkMeta(set: CheckSet, { meta, effect }: RuleNode, place: Place): void {
  const { status, until } = meta;
  const denies = effect === "deny" || effect === "only";
  if (status !== undefined && (!denies || !Number.isInteger(status.code) || status.code < 400 || status.code > 499)) {
    const message = denies
      ? `${quote(String(status.code))} is not a status of a denial`
      : `${effect === "allow" ? "an" : "a"} \`${effect}\` has no status`;
    set.report(place, status.span, "E217", message, denies ? "from 400 to 499" : "take it out");
  }
  if (until !== undefined) set.vary();
  if (until !== undefined && place.zone.at(set.nowMs).date > until.day) {
    set.report(
      place,
      until.span,
      "W305",
      "the rule is past its `until` and does nothing",
      "take the rule out, or give it a later date",
    );
  }
}
