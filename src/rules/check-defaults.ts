// Checks the `default` lines: which is most specific, and that exactly one is for everybody.
import type { DefaultNode } from "./ast.ts";
import { ConditionChecker } from "./check-condition.ts";
import { type CheckSet, idOf, type Place } from "./check-context.ts";
import type { CheckedDefault, Leaf } from "./checked.ts";
import { diagnostic } from "./diagnostics.ts";
import type { ParsedFile } from "./parse.ts";
import { byPlace, lineText, positionAt, whereOf } from "./source.ts";

/** Adds the line to `defaults`, unless it has an error. */
export function addDefault(set: CheckSet, defaults: CheckedDefault[], node: DefaultNode, place: Place): void {
  const scope = new ConditionChecker(set, place).selectors(node.scope);
  if (scope === null) return;
  defaults.push({
    id: idOf(place, node.span),
    source: place.source,
    start: node.span.start + place.offset,
    effect: node.effect,
    scope,
  });
}

/** Narrowest subjects first: one that names a key is more specific than one that names a team. */
const NARROWEST = ["key", "user", "team", "org", "role", "tag", "model", "endpoint", "provider"];

function rankOf(leaf: Leaf): number {
  return NARROWEST.indexOf(leaf.ref.attribute.name);
}

/** More selectors first, then the narrower subject, then deny before allow; so the unscoped line is last. */
export function bySpecificity(a: CheckedDefault, b: CheckedDefault): number {
  const narrowest = ({ scope }: CheckedDefault): number => Math.min(...scope.map(rankOf), NARROWEST.length);
  const specificity = b.scope.length - a.scope.length || narrowest(a) - narrowest(b);
  if (specificity !== 0) return specificity;
  return a.effect === b.effect ? byPlace(a, b) : a.effect === "deny" ? -1 : 1;
}

/** There is an unscoped line (E207), and no other that disagrees with it (E208). */
export function checkUnscoped(set: CheckSet, defaults: readonly CheckedDefault[], files: readonly ParsedFile[]): void {
  const unscoped = defaults.filter(({ scope }) => scope.length === 0).sort(byPlace);
  const first = unscoped[0];
  const other = unscoped.find(({ effect }) => effect !== first?.effect);
  if (first === undefined && !files.some(hasBrokenDefault)) {
    const help = "add `default allow` or `default deny`";
    set.add(diagnostic("E207", null, { start: 0, end: 0 }, "no unscoped `default` line in the rules", help));
  }
  if (first === undefined || other === undefined) return;
  const span = { start: other.start, end: other.start + "default".length };
  set.add(diagnostic("E208", other.source, span, "two `default` lines disagree", `the other is at ${whereOf(first)}`));
}

/** A `default` line with an error of its own is not missing. */
function hasBrokenDefault({ source, errors }: ParsedFile): boolean {
  return errors.some(({ span }) => lineText(source, positionAt(source, span.start).line).startsWith("default"));
}
