// Runs the `test` blocks of a rule set by the plain walk, and counts what they reached.
import type { Decision, Target } from "../types.ts";
import type { ExpectNode } from "./ast.ts";
import type { Vocabulary } from "./catalogue.ts";
import { mayFail } from "./check-test.ts";
import type { CheckedRule, CheckedSet, CheckedTest, Leaf } from "./checked.ts";
import { type Diagnostic, diagnostic } from "./diagnostics.ts";
import { explainRule } from "./explain-rule.ts";
import { type Facts, NO, YES } from "./facts.ts";
import { inForce, interpret, leafTruth, leavesOf } from "./interpret.ts";
import { type Scenario, scenarioOf } from "./scenario.ts";
import { finish, type Steps } from "./steps.ts";
import { decisionOf, isAllowed, type TargetVerdict } from "./verdict.ts";

/** What one test came to. */
export interface TestRun {
  readonly test: CheckedTest;
  readonly scenario: Scenario;
  readonly decision: Decision;
  readonly verdicts: readonly TargetVerdict[];
  /** What was expected and did not come, with what decided instead; empty when the test passes. */
  readonly failures: readonly string[];
}

/** Runs every test of a set, in order of (file, place). */
export function runTests(set: CheckedSet, vocabulary: Pick<Vocabulary, "targets">): TestRun[] {
  return finish(testSteps(set, vocabulary));
}

/** The same in steps. */
export function* testSteps(set: CheckedSet, vocabulary: Pick<Vocabulary, "targets">): Steps<TestRun[]> {
  const runs: TestRun[] = [];
  for (const test of set.tests) {
    yield;
    runs.push(runTest(set, test, vocabulary));
  }
  return runs;
}

function runTest(set: CheckedSet, test: CheckedTest, vocabulary: Pick<Vocabulary, "targets">): TestRun {
  const scenario = scenarioOf(test, vocabulary);
  const verdicts = verdictsOf(set, scenario);
  const decision = decisionOf(verdicts, (target) => factsOf(scenario, target), 0);
  const run = { test, scenario, decision, verdicts };
  return { ...run, failures: test.expects.flatMap((expect) => failuresOf(set, run, expect)) };
}

/** All that a decision knows, for one target of a scenario. */
export function factsOf({ call, principal, nowMs, given, unrecorded }: Scenario, target: Target): Facts {
  return { call, principal, target, nowMs, given, unrecorded };
}

/** Decides a scenario by the plain walk: a verdict for each target. */
export function verdictsOf(set: CheckedSet, scenario: Scenario): TargetVerdict[] {
  return scenario.call.targets.map((target) => interpret(set, factsOf(scenario, target)));
}

/** What decides a target: the denies, else the allows, else the `default` line. */
export function decidersOf(verdict: TargetVerdict): readonly { readonly id: string }[] {
  if (verdict.denies.length > 0) return verdict.denies;
  return verdict.allows.length > 0 ? verdict.allows : [verdict.fallback];
}

function failuresOf(set: CheckedSet, run: Omit<TestRun, "failures">, { effect, by, warn }: ExpectNode): string[] {
  const { decision, verdicts } = run;
  const deciding = verdicts.filter((verdict) => isAllowed(verdict) === (decision.effect === "allow"));
  const ids = [...new Set(deciding.flatMap(decidersOf).map(({ id }) => id))];
  const came = `got ${decision.effect} by ${ids.join(", ")}`;
  const expected = by.length > 0 ? `${effect} by ${by.map(({ id }) => id).join(", ")}` : effect;
  const failures: string[] = [];
  const missing = by.filter(({ id }) => !ids.includes(id));
  if (decision.effect !== effect || missing.length > 0) failures.push(`expected ${expected}, ${came}`);
  for (const { id } of missing) failures.push(...whyNotById(set, run, id));
  if (warn !== null && !decision.warnings?.includes(warn.id))
    failures.push(`expected a warning by ${warn.id}, got ${decision.warnings?.join(", ") ?? "none"}`);
  return failures;
}

function whyNotById({ rules, defaults }: CheckedSet, run: Omit<TestRun, "failures">, id: string): string[] {
  const named = rules.filter((rule) => rule.id === id);
  if (named.length > 0 || defaults.some((line) => line.id === id)) return named.map((rule) => whyNot(run, rule));
  return [`no rule or \`default\` line has the id \`${id}\``];
}

const HOLDS = ["does not hold", "is unknown", "holds"] as const;

/** Which of a rule's conditions kept it from firing. */
function whyNot({ scenario }: Omit<TestRun, "failures">, rule: CheckedRule): string {
  const target = scenario.call.targets[0];
  if (target === undefined) throw new Error("a call has at least one target");
  if (!inForce(rule, scenario.nowMs)) return `${rule.id} is ${rule.mode === "off" ? "off" : "past its `until`"}`;
  const { against } = explainRule(rule, factsOf(scenario, target));
  if (against.length === 0) return `${rule.id} matches, but does not decide`;
  const seen = against.map(({ seen, text, truth }) => `${seen}: \`${text}\` ${HOLDS[truth]}`);
  return `${rule.id} does not match: ${seen.join("; ")}`;
}

/** Each failing test as an error, so that a set with one does not come into force; as a warning where it may fail. */
export function testFindings(runs: readonly TestRun[], vocabulary: Vocabulary): Diagnostic[] {
  return runs.flatMap(({ test, failures }) => {
    if (failures.length === 0) return [];
    const [first = "", ...more] = failures;
    const message = `test ${JSON.stringify(test.name)} fails: ${first}`;
    const span = { start: test.start, end: test.end };
    const finding = diagnostic("E222", test.source, span, message, more.join("; ") || null);
    return [mayFail(test, vocabulary) ? { ...finding, severity: "warning" } : finding];
  });
}

/** How far the tests of a set reach. */
export interface Coverage {
  readonly rules: readonly RuleCoverage[];
}

/** How often one rule fired, and which of its conditions were seen both to hold and not to. */
export interface RuleCoverage {
  readonly rule: CheckedRule;
  readonly fired: number;
  readonly conditions: readonly { readonly text: string; readonly held: number; readonly failed: number }[];
}

/** Counts over every target of every test; rules that are `off` are left out. */
export function coverageOf(set: CheckedSet, runs: readonly TestRun[]): Coverage {
  const moments = runs.flatMap(({ scenario }) => scenario.call.targets.map((target) => factsOf(scenario, target)));
  const firing = new Map<CheckedRule, number>();
  for (const { verdicts } of runs) {
    for (const { denies, allows, shadows, warns, quotas } of verdicts) {
      for (const rule of [...denies, ...allows, ...shadows, ...warns, ...quotas])
        firing.set(rule, (firing.get(rule) ?? 0) + 1);
    }
  }
  const rules = set.rules.filter(({ mode }) => mode !== "off");
  return {
    rules: rules.map((rule) => ({ rule, fired: firing.get(rule) ?? 0, conditions: conditionsOf(rule, moments) })),
  };
}

function conditionsOf(rule: CheckedRule, moments: readonly Facts[]): RuleCoverage["conditions"] {
  const byText = new Map<string, Leaf>(leavesOf(rule.fires).map((leaf) => [leaf.text, leaf]));
  return [...byText].map(([text, leaf]) => {
    const truths = moments.map((facts) => leafTruth(leaf, facts));
    return { text, held: truths.filter((t) => t === YES).length, failed: truths.filter((t) => t === NO).length };
  });
}

/** Denies that no test meets, as hints; none while the set has no tests at all. */
export function untestedDenies(set: CheckedSet, runs: readonly TestRun[]): Diagnostic[] {
  if (runs.length === 0) return [];
  const met = new Set(runs.flatMap(({ verdicts }) => verdicts.flatMap(({ denies }) => denies)));
  const denies = set.rules.filter(({ mode, effect }) => mode === "live" && (effect === "deny" || effect === "only"));
  return denies
    .filter((rule) => !met.has(rule))
    .map(({ source, start, end, effect }) =>
      diagnostic("I401", source, { start, end }, `no test meets this \`${effect}\``, "add a `test` that expects it"),
    );
}
