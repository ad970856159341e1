// Checks what a `limit` or `budget` counts by, and names its counters.
import { createHash } from "node:crypto";
import type { AttributeNode, QuotaNode, RuleNode } from "./ast.ts";
import type { AttributeRef } from "./attributes.ts";
import { AttributeChecker } from "./check-attribute.ts";
import type { CheckSet, Place } from "./check-context.ts";
import type { CheckedQuota, CheckedRule, Cond } from "./checked.ts";
import { quote } from "./syntax-error.ts";
import { PLAIN } from "./value-words.ts";
import { condText } from "./written.ts";

/** Hex digits of a counter's name. */
const NAME_DIGITS = 16;

/** What a rule counts by; empty for rules that count nothing, null after a finding. */
export function checkBy(set: CheckSet, { mode, effect, quota, span }: RuleNode, place: Place): AttributeRef[] | null {
  if (quota === null) return [];
  if (mode === "shadow") {
    const message = `a \`shadow ${effect}\` cannot say what it would deny: what is not charged is not counted`;
    set.report(place, span, "E224", message, `try it with a high amount, or write \`off ${effect}\``);
    return null;
  }
  const attributes = new AttributeChecker(set, place);
  const refs = quota.by.map((node, i) => countable(set, place, node, attributes, quota.by.slice(0, i)));
  return refs.includes(null) ? null : refs.filter((ref) => ref !== null);
}

function countable(
  set: CheckSet,
  place: Place,
  node: AttributeNode,
  attributes: AttributeChecker,
  before: readonly AttributeNode[],
): AttributeRef | null {
  const ref = attributes.resolve(node);
  if (ref === null) return null;
  const { type, fixedBy } = ref.attribute;
  if (before.some(({ name, param }) => name === node.name && param === node.param)) {
    set.report(place, node.span, "E111", `${quote(ref.text)} is given twice`, "keep one");
    return null;
  }
  if (fixedBy !== "now" && (type === "name" || type === "ip")) return ref;
  const message = `\`by\` counts by names and addresses, ${quote(ref.text)} is ${PLAIN[type]}`;
  set.report(place, node.span, "E223", message, "as in `by key`, `by team, model` or `by ip`");
  return null;
}

/** What a `limit` or `budget` counts, checked. @param as the rule's own name, if it has one */
export function checkedQuota(
  { unit, amount, period, text }: QuotaNode,
  by: readonly AttributeRef[],
  written: CheckedRule["written"],
  { as, zone }: { readonly as: string | undefined; readonly zone: Place["zone"] },
): CheckedQuota {
  const window = period.kind === "calendar" ? { ...period, zone: zone.name } : period;
  const name = as ?? `#${hashOf(written, zone.name)}`;
  return Object.freeze({ unit, limit: amount, window: Object.freeze(window), by, text, name });
}

/** Of what a statement is about, whatever the order of its selectors: no word that people write holds a `#`. */
function hashOf({ selectors, scope, when, unless }: CheckedRule["written"], zone: string): string {
  const texts = (conds: readonly Cond[]): string[] => conds.map(condText).sort();
  const meaning = [texts(selectors), texts(scope), when && condText(when), unless && condText(unless), zone];
  return createHash("sha256").update(JSON.stringify(meaning)).digest("hex").slice(0, NAME_DIGITS);
}
