// Warnings about rules beside each other: covered ones, and `only` rules that leave nothing.
import type { Target } from "../types.ts";
import { type Atom, atomsOf, covers } from "./algebra.ts";
import type { CheckSet } from "./check-context.ts";
import { type CheckedRule, type Cond, decides } from "./checked.ts";
import { type Code, diagnostic } from "./diagnostics.ts";
import { NO, negate, YES } from "./facts.ts";
import { holds, leavesOf, truthOf } from "./interpret.ts";
import type { LintFacts, LintMemory, OnlyFinding } from "./lint-memory.ts";
import { byPlace, whereOf } from "./source.ts";
import type { Steps } from "./steps.ts";

/** `only` rules that are compared with each other. */
const ONLY_MAX = 500;

/** Rules that are looked at between two steps. */
const STEP = 64;

/** Adds warnings for live rules. @param twins rules that stand twice, which another warning is about */
export function* lintSets(
  set: CheckSet,
  rules: readonly CheckedRule[],
  twins: ReadonlySet<CheckedRule>,
  memory: LintMemory,
): Steps<void> {
  const live = rules.filter(({ mode, effect }) => mode === "live" && effect !== "warn").map(factsOf);
  for (const { rule, conflict } of live) {
    if (conflict === null) continue;
    const [a, b] = conflict.map(({ text }) => text);
    warn(set, rule, "W312", `\`${a}\` and \`${b}\` never hold together`, "join them with `or`, or take one out");
  }
  yield* lintCovered(
    set,
    live.filter(({ rule }) => decides(rule) && !twins.has(rule)),
    memory,
  );
  const isPlainOnly = ({ effect, written }: CheckedRule): boolean =>
    effect === "only" && written.when === null && written.unless === null;
  yield* lintOnly(
    set,
    live.filter(({ rule }) => isPlainOnly(rule)),
    memory,
  );
}

function factsOf({ memo }: CheckedRule): LintFacts {
  if (memo.lint === null) throw new Error("a rule's facts are made before rules are compared");
  return memo.lint;
}

/**
 * Says which rules another one makes idle. What stood there last time is compared again only where its coverer is gone
 * or a new rule may be one: the others are the same, and in the same order.
 */
function* lintCovered(set: CheckSet, compared: readonly LintFacts[], memory: LintMemory): Steps<void> {
  const { run, last } = memory.begin();
  const added = compared.filter((facts) => last === 0 || facts.run !== last);
  for (const facts of compared) facts.run = run;
  const all = new Coverers(compared);
  const fresh = added.length === compared.length ? all : new Coverers(added);
  const isAdded = new Set(added);
  for (const [i, facts] of compared.entries()) {
    const isOld = !isAdded.has(facts) && (facts.coveredBy === null || facts.coveredBy.run === run);
    if (!isOld || i % STEP === 0) yield;
    if (!isOld || fresh.of(facts) !== null) facts.coveredBy = all.of(facts);
    if (facts.coveredBy !== null && facts.conflict === null) tellCovered(set, facts.rule, facts.coveredBy.rule);
  }
  memory.complete();
}

function tellCovered(set: CheckSet, rule: CheckedRule, by: CheckedRule): void {
  const where = `${whereOf(by)} (\`${by.id}\`)`;
  if (rule.effect === "allow" && by.effect !== "allow") {
    warn(set, rule, "W304", "this `allow` never wins: a deny matches whatever it matches", `the deny is at ${where}`);
  } else warn(set, rule, "W310", "another rule matches whatever this one matches", `it is at ${where}`);
}

/** Rules by a name that they cannot do without, so that not every pair is compared. */
class Coverers {
  private readonly everywhere: LintFacts[] = [];
  private readonly byName: Map<string, Map<string, LintFacts[]>> = new Map();

  constructor(all: readonly LintFacts[]) {
    for (const one of all) {
      const leaf = one.atoms.find(isExact);
      if (leaf === undefined || leaf.kind === "text" || leaf.test.kind !== "names") this.everywhere.push(one);
      else for (const name of leaf.test.exact) this.file(leaf.ref.attribute.name, name, one);
    }
  }

  /** A rule that makes another one idle: it matches all that the other matches, and the other is not shown before it. */
  of(facts: LintFacts): LintFacts | null {
    for (const other of this.everywhere) if (makesIdle(other, facts)) return other;
    for (const atom of facts.atoms) {
      if (atom.kind !== "test" || !isExact(atom) || atom.test.kind !== "names") continue;
      const ofAttribute = this.byName.get(atom.ref.attribute.name);
      if (ofAttribute === undefined) continue;
      for (const name of atom.test.exact) {
        for (const other of ofAttribute.get(name) ?? []) if (makesIdle(other, facts)) return other;
      }
    }
    return null;
  }

  private file(attribute: string, name: string, one: LintFacts): void {
    const ofAttribute = this.byName.get(attribute) ?? new Map<string, LintFacts[]>();
    this.byName.set(attribute, ofAttribute);
    const found = ofAttribute.get(name);
    if (found === undefined) ofAttribute.set(name, [one]);
    else found.push(one);
  }
}

function makesIdle(other: LintFacts, facts: LintFacts): boolean {
  return (
    other !== facts &&
    isIdleBeside(facts.rule, other.rule) &&
    covers(other.atoms, facts.atoms) &&
    !(covers(facts.atoms, other.atoms) && byPlace(facts.rule, other.rule) < 0)
  );
}

function isExact(atom: Atom): boolean {
  return atom.kind === "test" && !atom.negated && atom.test.kind === "names" && atom.test.globs.length === 0;
}

/** A deny that stands first is the one that its caller reads about: with a text of its own it is of use. */
function isIdleBeside(rule: CheckedRule, other: CheckedRule): boolean {
  if (other.untilDay !== null && (rule.untilDay === null || rule.untilDay > other.untilDay || rule.zone !== other.zone))
    return false;
  if (rule.effect === "allow") return true;
  if (other.effect === "allow") return false;
  return (rule.because === null && rule.status === null) || byPlace(other, rule) < 0;
}

/** Several `only` for the same people that no target of the catalogue meets together. */
function* lintOnly(set: CheckSet, onlys: readonly LintFacts[], memory: LintMemory): Steps<void> {
  const compared = onlys.filter(({ rule }) => rule.written.selectors.every(isOfModel)).slice(0, ONLY_MAX);
  const { targets } = set.vocabulary;
  const known = memory.onlys;
  const isSame =
    known?.targets === targets &&
    known.compared.length === compared.length &&
    known.compared.every((facts, i) => facts === compared[i]);
  const findings =
    known !== null && isSame ? known.findings : yield* onlyFindings(compared, [...targets.values()].flat());
  memory.onlys = { compared, targets, findings };
  for (const { facts, others } of findings) {
    const where = others.map(({ rule }) => whereOf(rule)).join(", ");
    const message = "no model is left: other `only` rules for the same people allow none of these";
    warn(set, facts.rule, "W311", message, `they are at ${where}`);
  }
}

function* onlyFindings(compared: readonly LintFacts[], targets: readonly Target[]): Steps<OnlyFinding[]> {
  const scoped = compared.map((facts) => ({
    facts,
    scope: facts.rule.written.scope.flatMap(atomsOf),
    own: new Set(targets.filter((target) => meets(facts.rule, target))),
  }));
  const findings: OnlyFinding[] = [];
  for (const { facts, scope, own } of scoped) {
    yield;
    if (own.size === 0) continue;
    const others = scoped.filter((other) => other.facts !== facts && other.own.size > 0 && covers(other.scope, scope));
    if (others.length === 0 || [...own].some((target) => others.every((other) => other.own.has(target)))) continue;
    findings.push({ facts, others: others.map((other) => other.facts) });
  }
  return findings;
}

function isOfModel(cond: Cond): boolean {
  return leavesOf(cond).every(
    ({ ref: { attribute } }) => attribute.fixedBy === "model" && attribute.outside === undefined,
  );
}

function meets({ written }: CheckedRule, target: Target): boolean {
  return written.selectors.every(
    (cond) =>
      truthOf(cond, ({ ref, test, negated }) => {
        const { attribute } = ref;
        const isKnown = attribute.fixedBy === "model" && attribute.outside === undefined;
        const truth = isKnown ? holds(test, attribute.read(target)) : NO;
        return negated ? negate(truth) : truth;
      }) === YES,
  );
}

function warn(set: CheckSet, rule: CheckedRule, code: Code, message: string, help: string): void {
  set.add(diagnostic(code, rule.source, { start: rule.start, end: rule.end }, message, help));
}
