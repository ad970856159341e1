// Checks a rule set: every file's statements → the checked tree, with all findings in one run.
import type { DefaultNode, RuleNode, SelectorNode, Statement, VersionNode } from "./ast.ts";
import type { Vocabulary } from "./catalogue.ts";
import { ConditionChecker } from "./check-condition.ts";
import { CheckSet, type LetEntry, type Place } from "./check-context.ts";
import type { CheckedDefault, CheckedRule, CheckedSet, Cond, Leaf } from "./checked.ts";
import { type Diagnostic, diagnostic, sortDiagnostics } from "./diagnostics.ts";
import { lint } from "./lint.ts";
import { type Zone, zoneOf } from "./local-time.ts";
import type { ParsedFile, PlacedStatement } from "./parse.ts";
import { lineText, positionAt, type Source } from "./source.ts";
import { quote } from "./syntax-error.ts";

/** What a check came to. `set` is null when there is an error: no statement of a broken set is ever compiled. */
export interface Checked {
  readonly set: CheckedSet | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** @param nowMs wall clock, for `until`, milliseconds since the epoch. */
export function checkFiles(files: readonly ParsedFile[], vocabulary: Vocabulary, nowMs: number): Checked {
  const set = new CheckSet(vocabulary, nowMs);
  for (const error of files.flatMap((file) => file.errors)) set.add(error);
  const placed = files.flatMap((file) => place(set, file));
  for (const { tree, place } of placed) if (tree.kind === "let") addLet(set, tree, place);
  const rules: CheckedRule[] = [];
  const defaults: CheckedDefault[] = [];
  for (const { tree, place } of placed) {
    if (tree.kind === "rule") addRule(set, rules, tree, [], place);
    else if (tree.kind === "scope") for (const rule of tree.rules) addRule(set, rules, rule, tree.scope, place);
    else if (tree.kind === "default") addDefault(set, defaults, tree, place);
    else if (tree.kind === "version") checkVersion(set, tree, place);
  }
  checkLets(set);
  const checked: CheckedSet = { rules: rules.sort(byPlace), defaults: orderDefaults(set, defaults, files) };
  if (!set.hasErrors) lint(set, checked);
  return { set: set.hasErrors ? null : checked, diagnostics: sortDiagnostics(set.findings) };
}

/** By file, then by place in it. */
function byPlace(a: { source: Source; start: number }, b: { source: Source; start: number }): number {
  if (a.source.name !== b.source.name) return a.source.name < b.source.name ? -1 : 1;
  return a.start - b.start;
}

interface Placed {
  readonly tree: Statement;
  readonly place: Place;
}

/** Gives each statement its file's time zone: UTC where the file names none. */
function place(set: CheckSet, file: ParsedFile): Placed[] {
  const utc = zoneOf("UTC");
  let zone: Zone | null = null;
  for (const { tree, source, offset } of file.statements) {
    if (tree.kind !== "timezone") continue;
    const found = zoneOf(tree.zone);
    const at = { start: tree.span.start + offset, end: tree.span.end + offset };
    if (found === null) {
      set.add(
        diagnostic("E214", source, at, `unknown time zone ${quote(tree.zone)}`, "write it as `Europe/Berlin` or `UTC`"),
      );
    } else if (zone !== null && zone.name !== found.name) {
      set.add(
        diagnostic("E214", source, at, "a second time zone in one file", "keep one; other files may have their own"),
      );
    } else zone = found;
  }
  const zoned = zone ?? utc;
  if (zoned === null) throw new Error("this runtime has no UTC");
  return file.statements.map(({ source, offset, tree }: PlacedStatement) => ({
    tree,
    place: { source, offset, zone: zoned },
  }));
}

function addLet(set: CheckSet, node: LetEntry["node"], place: Place): void {
  const { name } = node.name;
  const known = set.lets.get(name);
  if (known === undefined) set.lets.set(name, { node, place, state: "new", cond: null, used: false });
  else {
    const where = `${known.place.source.label}:${lineOf(known.place, known.node.span.start)}`;
    set.report(place, node.name.span, "E209", `\`@${name}\` is made twice`, `the first is at ${where}`);
  }
}

/** Checks conditions that nothing has used yet, and says which names nothing uses. */
function checkLets(set: CheckSet): void {
  for (const { node, place, used } of set.lets.values()) {
    if (!used) set.report(place, node.name.span, "W309", `nothing uses \`@${node.name.name}\``, "take it out");
    if (node.value.kind !== "list") new ConditionChecker(set, place).expr(node.name);
  }
}

function checkVersion(set: CheckSet, { version }: VersionNode, place: Place): void {
  if (version.text === "1") return;
  set.report(
    place,
    version.span,
    "E213",
    `language version ${quote(version.text)} is not known`,
    "this version of tollgate reads `version 1`",
  );
}

function addRule(
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
  checkMeta(set, node, place);
  if (node.effect === "only" && node.selectors.length === 0) {
    set.report(place, node.span, "E211", "`only` does not say what", "write `only model […]` or `only provider […]`");
  }
  const failed =
    selectors === null ||
    scope === null ||
    (node.when !== null && when === null) ||
    (node.unless !== null && unless === null);
  if (failed) return;
  const { meta } = node;
  rules.push({
    id: meta.as ?? idOf(place, node.span.start),
    source: place.source,
    start: node.span.start + place.offset,
    end: node.span.end + place.offset,
    mode: node.mode,
    effect: node.effect,
    fires: firesWhen(node.effect, selectors, scope, when, unless),
    untilDay: meta.until?.day ?? null,
    zone: place.zone,
    because: meta.because ?? null,
    status: meta.status?.code ?? null,
    owner: meta.owner ?? null,
    written: { selectors, scope, when, unless },
  });
}

/** deny and allow: all of it holds. only: in scope, and not what is selected. */
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
  if (
    status !== undefined &&
    (effect === "allow" || !Number.isInteger(status.code) || status.code < 400 || status.code > 499)
  ) {
    const message =
      effect === "allow" ? "an `allow` has no status" : `${quote(String(status.code))} is not a status of a denial`;
    set.report(place, status.span, "E217", message, effect === "allow" ? "take it out" : "from 400 to 499");
  }
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

function addDefault(set: CheckSet, defaults: CheckedDefault[], node: DefaultNode, place: Place): void {
  const scope = new ConditionChecker(set, place).selectors(node.scope);
  if (scope === null) return;
  defaults.push({
    id: idOf(place, node.span.start),
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

/** More selectors first, then the narrower subject, then deny before allow; the unscoped line is last. */
function orderDefaults(
  set: CheckSet,
  defaults: readonly CheckedDefault[],
  files: readonly ParsedFile[],
): CheckedDefault[] {
  const unscoped = defaults.filter(({ scope }) => scope.length === 0);
  const other = unscoped.find(({ effect }) => effect !== unscoped[0]?.effect);
  if (unscoped.length === 0 && !files.some(hasBrokenDefault)) {
    set.add(
      diagnostic(
        "E207",
        null,
        { start: 0, end: 0 },
        "no unscoped `default` line in the rules",
        "add `default allow` or `default deny`",
      ),
    );
  }
  if (other !== undefined) {
    const first = unscoped[0];
    const where = first === undefined ? "" : `${first.source.label}:${positionAt(first.source, first.start).line + 1}`;
    set.add(
      diagnostic(
        "E208",
        other.source,
        { start: other.start, end: other.start + "default".length },
        "two `default` lines disagree",
        `the other is at ${where}`,
      ),
    );
  }
  const narrowest = ({ scope }: CheckedDefault): number => Math.min(...scope.map(rankOf), NARROWEST.length);
  return [...defaults].sort(
    (a, b) =>
      b.scope.length - a.scope.length ||
      narrowest(a) - narrowest(b) ||
      (a.effect === b.effect ? byPlace(a, b) : a.effect === "deny" ? -1 : 1),
  );
}

/** A `default` line with an error of its own is not missing. */
function hasBrokenDefault({ source, errors }: ParsedFile): boolean {
  return errors.some(({ span }) => lineText(source, positionAt(source, span.start).line).startsWith("default"));
}

/** `rules/models.rules:7`: only characters that an HTTP header may hold. */
function idOf(place: Place, start: number): string {
  const name = place.source.name.replace(/[^\x20-\x7e]/gu, encodeURIComponent);
  return `${name}:${lineOf(place, start)}`;
}

function lineOf(place: Place, start: number): number {
  return positionAt(place.source, start + place.offset).line + 1;
}
