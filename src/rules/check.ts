// Checks a rule set: every file's statements → the checked tree, with all findings in one run.
import type { RuleNode, ScopeNode, Statement, VersionNode } from "./ast.ts";
import type { Vocabulary } from "./catalogue.ts";
import { ConditionChecker } from "./check-condition.ts";
import { CheckSet, type LetEntry, type Place } from "./check-context.ts";
import { addDefault, bySpecificity, checkUnscoped } from "./check-defaults.ts";
import { stillHolds } from "./check-lets.ts";
import { CheckMemory } from "./check-memory.ts";
import { addRule, movedTo } from "./check-rule.ts";
import { addTest, checkIds } from "./check-test.ts";
import type { CheckedDefault, CheckedRule, CheckedSet, CheckedTest, Cond } from "./checked.ts";
import { type Diagnostic, diagnostic, sortDiagnostics } from "./diagnostics.ts";
import { lint } from "./lint.ts";
import { type Zone, zoneOf } from "./local-time.ts";
import { type ParsedFile, type Slot, shift } from "./parse.ts";
import { byPlace, isTestFile, whereOf } from "./source.ts";
import { finish, type Steps } from "./steps.ts";
import { quote } from "./syntax-error.ts";

/** What a check came to. `set` is null when there is an error: no statement of a broken set is ever compiled. */
export interface Checked {
  readonly set: CheckedSet | null;
  readonly diagnostics: readonly Diagnostic[];
}

/**
/**
 * Checks all files at once, remembering nothing.
 *
 * @param nowMs wall clock, for `until`, milliseconds since the epoch
 * @param linted false: without the warnings about rules that are well formed
 */
export function checkFiles(
  files: readonly ParsedFile[],
  vocabulary: Vocabulary,
  nowMs: number,
  linted = true,
): Checked {
  return finish(checkSteps(files, vocabulary, nowMs, new CheckMemory(), linted));
}

/** The same in steps. Statements that would be checked as they were last time are not checked again. */
export function* checkSteps(
  files: readonly ParsedFile[],
  vocabulary: Vocabulary,
  nowMs: number,
  memory: CheckMemory,
  linted = true,
): Steps<Checked> {
  const set = new CheckSet(vocabulary, nowMs, memory);
  for (const error of files.flatMap((file) => file.errors)) set.add(error);
  const placed = files.flatMap((file) => place(set, file));
  for (const { tree, place } of placed) checkTestFile(set, tree, place);
  for (const { tree, place, slot } of placed) if (tree.kind === "let") addLet(set, tree, place, slot);
  const rules: CheckedRule[] = [];
  const defaults: CheckedDefault[] = [];
  const tests: CheckedTest[] = [];
  for (const { tree, place, slot } of placed) {
    if (tree.kind === "rule" || tree.kind === "scope") yield* addRules(set, rules, tree, place, slot);
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
  if (linted && !set.hasErrors) yield* lint(set, checked, memory.lint);
  return { set: set.hasErrors ? null : checked, diagnostics: sortDiagnostics(set.findings) };
}

interface Placed {
  readonly tree: Statement;
  readonly place: Place;
  readonly slot: Slot;
}

/** Gives each statement its place, with its file's time zone. */
function place(set: CheckSet, file: ParsedFile): Placed[] {
  const zone = zoneOfFile(set, file);
  return file.statements.map(({ source, offset, tree, slot }) => {
    slot.place ??= { source, offset, zone };
    slot.place.source = source;
    slot.place.offset = offset;
    slot.place.zone = zone;
    return { tree, place: slot.place, slot };
  });
}

/** Adds the rules of a statement: those of the last load where they would be the same, but for where they stand. */
function* addRules(
  set: CheckSet,
  rules: CheckedRule[],
  tree: RuleNode | ScopeNode,
  place: Place,
  slot: Slot,
): Steps<void> {
  const nodes = tree.kind === "rule" ? [tree] : tree.rules;
  const known = slot.memo;
  if (known !== null && stillHolds(set, known, place.zone)) {
    set.tell(known.log);
    for (let i = 0; i < nodes.length; i += 1) {
      const rule = movedTo(place, nodes[i] as RuleNode, known.rules[i] as CheckedRule);
      known.rules[i] = rule;
      rules.push(rule);
    }
    return;
  }
  yield;
  const outer = tree.kind === "rule" ? [] : tree.scope;
  const added: CheckedRule[] = [];
  const { log } = set.record(() => {
    for (const node of nodes) addRule(set, added, node, outer, place);
  });
  const isKept = log.isKept && added.length === nodes.length;
  const { attributes } = set.vocabulary;
  slot.memo = isKept ? { log, zone: place.zone, attributes, rules: added, cond: null } : null;
  set.tell(log);
  for (const rule of added) rules.push(rule);
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

const IN_TEST_FILES = new Set<Statement["kind"]>(["version", "timezone", "test"]);

/** A rule in a file whose failures are let pass would be taken for a test of one. */
function checkTestFile(set: CheckSet, tree: Statement, place: Place): void {
  if (IN_TEST_FILES.has(tree.kind) || !isTestFile(place.source)) return;
  const message = "a file that ends in `.test.rules` holds tests alone";
  set.report(place, tree.span, "E230", message, "move the statement to another file, or rename this one");
}

function addLet(set: CheckSet, node: LetEntry["node"], place: Place, slot: Slot): void {
  const { name } = node.name;
  const known = set.lets.get(name);
  const { value } = node;
  const check = (): Cond | null => (value.kind === "list" ? null : new ConditionChecker(set, place).expr(value));
  if (known === undefined) {
    set.lets.set(name, { node, place, slot, check, state: "new", checked: null, used: false, told: false });
  } else {
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
