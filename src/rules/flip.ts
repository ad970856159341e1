// The nearest change that would turn a decision: what else a request could be, tried by the plain walk.
import type { Target } from "../types.ts";
import { type AttributeRef, readFact } from "./attributes.ts";
import type { Vocabulary } from "./catalogue.ts";
import { type CheckedRule, type CheckedSet, decides, type Leaf } from "./checked.ts";
import type { Fact, Facts } from "./facts.ts";
import { alternativesTo } from "./flip-values.ts";
import { interpret, leafTruth, leavesOf } from "./interpret.ts";
import { factsOf } from "./run-tests.ts";
import type { Scenario } from "./scenario.ts";
import { isAllowed, type TargetVerdict } from "./verdict.ts";

/** Another value of one attribute. */
export interface Change {
  /** In the language's words: `max_tokens <= 8000`. */
  readonly text: string;
  readonly ref: AttributeRef;
  readonly fact: Fact;
  /** What else the change fixes, by attribute name: `tools` with `tools.count`. */
  readonly also: ReadonlyMap<string, Fact>;
  /** How far the new value is from the old one, where they are numbers. */
  readonly distance: number;
}

/** Changes that together turn the decision. */
export type Flip = readonly string[];

/** Evaluations of the whole set for one answer. */
const TRIES_MAX = 4_000;
const FLIPS_MAX = 3;
/** What a caller changes most easily comes first. */
const EASE = ["request", "model", "now", "key"];

/** Up to three of the smallest changes: one thing, else two things at once; empty when none was found. */
export function nearestFlips(
  set: CheckedSet,
  scenario: Scenario,
  verdicts: readonly TargetVerdict[],
  { targets }: Pick<Vocabulary, "targets">,
): Flip[] {
  const wasAllowed = verdicts.some(isAllowed);
  const trial = new Trial(set, scenario, wasAllowed);
  const found: { text: string; rank: number; distance: number }[] = [];
  const changes = changesFor(set, scenario, verdicts, wasAllowed).sort(byEase);
  const turning = new Set<string>();
  for (const change of changes) {
    if (turning.has(keyOf(change.ref)) || !trial.turns([change])) continue;
    turning.add(keyOf(change.ref));
    found.push({ text: change.text, rank: easeOf(change), distance: change.distance });
  }
  const models = modelsLike(scenario, targets);
  const model = otherModel(trial, models, []);
  if (model !== null) found.push({ text: `model ${model}`, rank: EASE.indexOf("model"), distance: 0 });
  if (found.length === 0) return pairs(trial, changes, models);
  const sorted = found.sort((a, b) => a.rank - b.rank || a.distance - b.distance);
  return sorted.slice(0, FLIPS_MAX).map(({ text }) => [text]);
}

/** Decides the request as it might be. */
class Trial {
  private readonly set: CheckedSet;
  private readonly scenario: Scenario;
  private readonly wasAllowed: boolean;
  private left = TRIES_MAX;

  constructor(set: CheckedSet, scenario: Scenario, wasAllowed: boolean) {
    this.set = set;
    this.scenario = scenario;
    this.wasAllowed = wasAllowed;
  }

  /** Whether the changes turn the decision; false once enough has been tried. */
  turns(changes: readonly Change[], targets: readonly Target[] = this.scenario.call.targets): boolean {
    this.left -= 1;
    if (this.left < 0) return false;
    const read = (ref: AttributeRef, facts: Facts): Fact => {
      for (const change of changes) {
        if (change.ref.attribute === ref.attribute && change.ref.param === ref.param) return change.fact;
        if (change.also.has(ref.attribute.name)) return change.also.get(ref.attribute.name);
      }
      return readFact(ref, facts);
    };
    const allowed = targets.some((target) => isAllowed(interpret(this.set, factsOf(this.scenario, target), read)));
    return allowed !== this.wasAllowed;
  }
}

/** Other values for what the rules look at: those that fired, or for an allowed request those that could deny it. */
function changesFor(
  set: CheckedSet,
  scenario: Scenario,
  verdicts: readonly TargetVerdict[],
  wasAllowed: boolean,
): Change[] {
  const target = scenario.call.targets[0];
  if (target === undefined) return [];
  const facts = factsOf(scenario, target);
  const found = new Map<string, Change>();
  for (const leaf of leavesAt(set, verdicts, wasAllowed)) {
    if (leaf.ref.attribute.name === "model" || leaf.ref.attribute.name === "provider") continue;
    for (const change of alternativesTo(leaf, readFact(leaf.ref, facts), leafTruth(leaf, facts))) {
      if (!found.has(change.text)) found.set(change.text, change);
    }
    if (found.size >= TRIES_MAX / 2) break;
  }
  return [...found.values()];
}

function leavesAt(set: CheckedSet, verdicts: readonly TargetVerdict[], wasAllowed: boolean): Leaf[] {
  const denying = verdicts.flatMap(({ denies }) => denies);
  const could = (rule: CheckedRule): boolean =>
    rule.mode === "live" && decides(rule) && (rule.effect === "allow") !== wasAllowed;
  const rules = wasAllowed
    ? [...verdicts.flatMap(({ allows }) => allows), ...set.rules.filter(could)]
    : denying.length > 0
      ? denying
      : set.rules.filter(could);
  return [...rules.flatMap(({ fires }) => leavesOf(fires)), ...set.defaults.flatMap(({ scope }) => scope)];
}

interface Model {
  readonly name: string;
  readonly targets: readonly Target[];
}

/** Other models on the same wire, those whose names are most like the one asked for first. */
function modelsLike({ call }: Scenario, targets: Vocabulary["targets"]): Model[] {
  const asked = call.targets[0];
  if (asked === undefined) return [];
  const alike = (name: string): number => {
    let same = 0;
    while (same < name.length && name[same] === asked.model[same]) same += 1;
    return same;
  };
  const models = [...targets].map(([name, all]) => ({ name, targets: all.filter(({ wire }) => wire === asked.wire) }));
  const other = models.filter((model) => model.name !== asked.model && model.targets.length > 0);
  return other.sort((a, b) => alike(b.name) - alike(a.name));
}

function otherModel(trial: Trial, models: readonly Model[], changes: readonly Change[]): string | null {
  return models.find((model) => trial.turns(changes, model.targets))?.name ?? null;
}

/** Two things at once: another model with something else, else any two. */
function pairs(trial: Trial, changes: readonly Change[], models: readonly Model[]): Flip[] {
  for (const change of changes) {
    if (change.ref.attribute.fixedBy === "model") continue;
    const model = otherModel(trial, models, [change]);
    if (model !== null) return [[change.text, `model ${model}`]];
  }
  for (const [i, first] of changes.entries()) {
    for (const second of changes.slice(i + 1)) {
      if (keyOf(first.ref) !== keyOf(second.ref) && trial.turns([first, second])) return [[first.text, second.text]];
    }
  }
  return [];
}

function keyOf({ attribute, param }: AttributeRef): string {
  return `${attribute.name} ${param ?? ""}`;
}

/** What only another model changes, as its price, comes last. */
function easeOf({ ref }: Change): number {
  return ref.attribute.fixedBy === "model" ? EASE.length : EASE.indexOf(ref.attribute.fixedBy);
}

function byEase(a: Change, b: Change): number {
  return easeOf(a) - easeOf(b) || a.distance - b.distance;
}
