// Warnings about rules beside each other: covered ones, and `only` rules that leave nothing.
import type { Target } from "../types.ts";
import { type Atom, atomsOf, conflictIn, covers } from "./algebra.ts";
import type { CheckSet } from "./check-context.ts";
import { type CheckedRule, type Cond, decides } from "./checked.ts";
import { type Code, diagnostic } from "./diagnostics.ts";
import { NO, negate, YES } from "./facts.ts";
import { holds, leavesOf, truthOf } from "./interpret.ts";
import { byPlace, whereOf } from "./source.ts";
import type { Steps } from "./steps.ts";

/** `only` rules that are compared with each other. */
const ONLY_MAX = 500;

interface Known {
  readonly rule: CheckedRule;
  readonly atoms: readonly Atom[];
}

/** Adds warnings for live rules. @param twins rules that stand twice, which another warning is about */
export function* lintSets(set: CheckSet, rules: readonly CheckedRule[], twins: ReadonlySet<CheckedRule>): Steps<void> {
  const live = rules.filter(({ mode, effect }) => mode === "live" && effect !== "warn");
  const known: Known[] = [];
  for (const rule of live) {
    yield;
    known.push({ rule, atoms: atomsOf(rule.fires) });
  }
  const coverers = new Coverers(known.filter(({ rule }) => decides(rule) && !twins.has(rule)));
  for (const one of known) {
    yield;
    const conflict = conflictIn(one.atoms);
    if (conflict !== null) {
      const [a, b] = conflict.map(({ text }) => text);
      warn(set, one.rule, "W312", `\`${a}\` and \`${b}\` never hold together`, "join them with `or`, or take one out");
    } else if (decides(one.rule) && !twins.has(one.rule)) lintCovered(set, one, coverers);
  }
  yield* lintOnly(
    set,
    live.filter(({ effect, written }) => effect === "only" && written.when === null && written.unless === null),
  );
}

function lintCovered(set: CheckSet, one: Known, coverers: Coverers): void {
  const by = coverers.of(one);
  if (by === null) return;
  const where = `${whereOf(by)} (\`${by.id}\`)`;
  if (one.rule.effect === "allow" && by.effect !== "allow") {
    warn(
      set,
      one.rule,
      "W304",
      "this `allow` never wins: a deny matches whatever it matches",
      `the deny is at ${where}`,
    );
  } else warn(set, one.rule, "W310", "another rule matches whatever this one matches", `it is at ${where}`);
}

/** Rules by a name that they cannot do without, so that not every pair is compared. */
class Coverers {
  private readonly everywhere: Known[] = [];
  private readonly byName: Map<string, Map<string, Known[]>> = new Map();

  constructor(all: readonly Known[]) {
    for (const one of all) {
      const leaf = one.atoms.find(isExact);
      if (leaf === undefined || leaf.kind === "text" || leaf.test.kind !== "names") this.everywhere.push(one);
      else for (const name of leaf.test.exact) this.bucket(leaf.ref.attribute.name, name).push(one);
    }
  }

  /** A rule that makes another one idle: it matches all that the other matches, and the other is not shown before it. */
  of({ rule, atoms }: Known): CheckedRule | null {
    const names = atoms
      .filter(isExact)
      .flatMap((leaf) =>
        leaf.kind === "test" && leaf.test.kind === "names"
          ? leaf.test.exact.flatMap((name) => this.bucket(leaf.ref.attribute.name, name))
          : [],
      );
    const found = [...this.everywhere, ...names].find(
      (other) =>
        other.rule !== rule &&
        isIdleBeside(rule, other.rule) &&
        covers(other.atoms, atoms) &&
        !(covers(atoms, other.atoms) && byPlace(rule, other.rule) < 0),
    );
    return found?.rule ?? null;
  }

  private bucket(attribute: string, name: string): Known[] {
    const ofAttribute = this.byName.get(attribute) ?? new Map<string, Known[]>();
    this.byName.set(attribute, ofAttribute);
    const found = ofAttribute.get(name) ?? [];
    ofAttribute.set(name, found);
    return found;
  }
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
function* lintOnly(set: CheckSet, onlys: readonly CheckedRule[]): Steps<void> {
  const targets = [...set.vocabulary.targets.values()].flat();
  const byModel = onlys.filter(({ written }) => written.selectors.every(isOfModel)).slice(0, ONLY_MAX);
  const scoped = byModel.map((rule) => ({ rule, scope: rule.written.scope.flatMap(atomsOf) }));
  for (const { rule, scope } of scoped) {
    yield;
    const own = targets.filter((target) => meets(rule, target));
    if (own.length === 0) continue;
    const others = scoped.filter(
      (other) =>
        other.rule !== rule && covers(other.scope, scope) && targets.some((target) => meets(other.rule, target)),
    );
    if (others.length === 0 || own.some((target) => others.every((other) => meets(other.rule, target)))) continue;
    const where = others.map((other) => whereOf(other.rule)).join(", ");
    warn(
      set,
      rule,
      "W311",
      "no model is left: other `only` rules for the same people allow none of these",
      `they are at ${where}`,
    );
  }
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
