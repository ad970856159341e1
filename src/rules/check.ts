// Checks a rule set: every file's statements → the checked tree, with all findings in one run.
import type { Statement, VersionNode } from "./ast.ts";
import type { Vocabulary } from "./catalogue.ts";
import { ConditionChecker } from "./check-condition.ts";
import { CheckSet, type LetEntry, type Place } from "./check-context.ts";
import { addDefault, bySpecificity, checkUnscoped } from "./check-defaults.ts";
import { addRule } from "./check-rule.ts";
import { addTest, checkIds } from "./check-test.ts";
import type { CheckedDefault, CheckedRule, CheckedSet, CheckedTest } from "./checked.ts";
import { type Diagnostic, diagnostic, sortDiagnostics } from "./diagnostics.ts";
import { lint } from "./lint.ts";
import { type Zone, zoneOf } from "./local-time.ts";
import { type ParsedFile, shift } from "./parse.ts";
import { byPlace, whereOf } from "./source.ts";
import { finish, type Steps } from "./steps.ts";
import { quote } from "./syntax-error.ts";

/** What a check came to. `set` is null when there is an error: no statement of a broken set is ever compiled. */
export interface Checked {
  readonly set: CheckedSet | null;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * @param nowMs wall clock, for `until`, milliseconds since the epoch
 * @param linted false: without the warnings about rules that are well formed
 */
export function checkFiles(
  files: readonly ParsedFile[],
  vocabulary: Vocabulary,
  nowMs: number,
  linted = true,
): Checked {
  return finish(checkSteps(files, vocabulary, nowMs, linted));
}

/** The same in steps. */
export function* checkSteps(
  files: readonly ParsedFile[],
  vocabulary: Vocabulary,
  nowMs: number,
  linted = true,
): Steps<Checked> {
  const set = new CheckSet(vocabulary, nowMs);
  for (const error of files.flatMap((file) => file.errors)) set.add(error);
  const placed = files.flatMap((file) => place(set, file));
  for (const { tree, place } of placed) if (tree.kind === "let") addLet(set, tree, place);
  const rules: CheckedRule[] = [];
  const defaults: CheckedDefault[] = [];
  const tests: CheckedTest[] = [];
  for (const { tree, place } of placed) {
    yield;
    if (tree.kind === "rule") addRule(set, rules, tree, [], place);
    else if (tree.kind === "scope") for (const rule of tree.rules) addRule(set, rules, rule, tree.scope, place);
    else if (tree.kind === "default") addDefault(set, defaults, tree, place);
    else if (tree.kind === "test") addTest(set, tests, tree, place);
    else if (tree.kind === "version") checkVersion(set, tree, place);
  }
  checkLets(set);
  checkUnscoped(set, defaults, files);
  const checked: CheckedSet = {
    rules: rules.sort(byPlace),
    defaults: defaults.sort(bySpecificity),
    tests: tests.sort(byPlace),
  };
  checkIds(set, checked);
  if (linted && !set.hasErrors) yield* lint(set, checked);
  return { set: set.hasErrors ? null : checked, diagnostics: sortDiagnostics(set.findings) };
}

interface Placed {
  readonly tree: Statement;
  readonly place: Place;
}

/** Gives each statement its file's time zone. */
function place(set: CheckSet, file: ParsedFile): Placed[] {
  const zone = zoneOfFile(set, file);
  return file.statements.map(({ source, offset, tree }) => ({ tree, place: { source, offset, zone } }));
}

/** The zone that the file names, else UTC. */
function zoneOfFile(set: CheckSet, file: ParsedFile): Zone {
  let zone: Zone | null = null;
  for (const { tree, source, offset } of file.statements) {
    if (tree.kind !== "timezone") continue;
    const found = zoneOf(tree.zone);
    const fail = (message: string, help: string): void =>
      set.add(diagnostic("E214", source, shift(tree.span, offset), message, help));
    if (found === null) fail(`unknown time zone ${quote(tree.zone)}`, "write it as `Europe/Berlin` or `UTC`");
    else if (zone === null) zone = found;
    else if (zone !== found) fail("a second time zone in one file", "keep one; other files may have their own");
  }
  const chosen = zone ?? zoneOf("UTC");
  if (chosen === null) throw new Error("this runtime has no UTC");
  return chosen;
}

function addLet(set: CheckSet, node: LetEntry["node"], place: Place): void {
  const { name } = node.name;
  const known = set.lets.get(name);
  if (known === undefined) set.lets.set(name, { node, place, state: "new", cond: null, used: false });
  else {
    const where = whereOf({ source: known.place.source, start: known.place.offset });
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
