// Who gains or loses which models between two rule sets: every class of principals that either set can tell apart.
import type { Call, Principal, Target } from "../types.ts";
import { classesOf, type Dimension, dimensionsOf, keyOf } from "./access-classes.ts";
import { type AttributeRef, readFact } from "./attributes.ts";
import { type CheckedRule, type CheckedSet, decides, type Leaf } from "./checked.ts";
import { type Fact, type Facts, NO } from "./facts.ts";
import { fires, holds, interpret, leavesOf, type Read } from "./interpret.ts";
import { zoneOf } from "./local-time.ts";
import { scenarioOf } from "./scenario.ts";
import { isAllowed } from "./verdict.ts";

/** Pairs of a class and a group of models that are looked at. */
const PAIRS_MAX = 200_000;
/** Kinds of requests that are tried for one of them. */
const REQUESTS_MAX = 4_096;

/** Kinds of requests that are tried for all of them together: a few seconds' work. */
const WORK_MAX = 500_000;

/** What changed for one class of principals. */
export interface AccessChange {
  /** `team ml`, `role admin`; empty for everybody. */
  readonly who: readonly string[];
  readonly gains: readonly ModelChange[];
  readonly loses: readonly ModelChange[];
}

/** A model, and whether all requests for it changed or some; then one such request. */
export interface ModelChange {
  readonly model: string;
  readonly example: readonly string[] | null;
}

/** What a comparison came to. */
export interface AccessDiff {
  readonly changes: readonly AccessChange[];
  /** False when there were too many classes or kinds of requests to try them all. */
  readonly exact: boolean;
}

/** Compares two sets over the names in both and the catalogue's models, as of one moment. */
export function accessDiff(
  before: CheckedSet,
  after: CheckedSet,
  targets: readonly Target[],
  nowMs: number,
): AccessDiff {
  const leaves = [before, after].flatMap((set) => allLeaves(set));
  const groups = groupsOf(targets, leaves);
  const { dimensions, exact } = dimensionsOf(leaves.filter(({ ref }) => ref.attribute.fixedBy === "key"));
  const classes = classesOf(dimensions, Math.floor(PAIRS_MAX / Math.max(1, groups.length)));
  let complete = exact && classes.complete;
  const work = { left: WORK_MAX };
  const rows = classes.all.map((values) => {
    const found = groups.map((group) => compare(before, after, group, dimensions, values, nowMs, work));
    complete &&= found.every((one) => one.complete);
    const pick = (of: "gain" | "loss"): ModelChange[] =>
      found.flatMap((one, i) =>
        one[of] === null
          ? []
          : (groups[i] ?? []).map(({ model }) => ({
              model,
              example: one[of] === true ? null : (one[of] as readonly string[]),
            })),
      );
    return { values, gains: once(pick("gain")), loses: once(pick("loss")) };
  });
  const changed = rows.filter(({ gains, loses }) => gains.length + loses.length > 0);
  return { changes: merged(changed, dimensions), exact: complete };
}

function allLeaves({ rules, defaults }: CheckedSet): Leaf[] {
  const running = rules.filter((rule) => rule.mode === "live" && decides(rule));
  return [...running.flatMap(({ fires }) => leavesOf(fires)), ...defaults.flatMap(({ scope }) => scope)];
}

/** Targets that no condition tells apart. */
function groupsOf(targets: readonly Target[], leaves: readonly Leaf[]): Target[][] {
  const byModel = leaves.filter(({ ref }) => ref.attribute.fixedBy === "model");
  const groups = new Map<string, Target[]>();
  for (const target of targets) {
    const truths = byModel.map(({ ref: { attribute }, test }) =>
      holds(test, attribute.fixedBy === "model" && attribute.outside === undefined ? attribute.read(target) : null),
    );
    const key = `${target.outputTokensMax} ${truths.join("")}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [target]);
    else group.push(target);
  }
  return [...groups.values()];
}

interface Compared {
  /** null: none; true: for every request; else one request for which it is so. */
  readonly gain: true | null | readonly string[];
  readonly loss: true | null | readonly string[];
  readonly complete: boolean;
}

/** Tries every kind of request that the rules still looking at this class and model can tell apart. */
function compare(
  before: CheckedSet,
  after: CheckedSet,
  [target]: readonly Target[],
  dimensions: readonly Dimension[],
  values: readonly number[],
  nowMs: number,
  work: { left: number },
): Compared {
  if (target === undefined) return { gain: null, loss: null, complete: true };
  const facts = factsFor(target, nowMs);
  const known = new Map(dimensions.map((dimension, i) => [dimension.key, dimension.values[values[i] ?? 0]?.fact]));
  const narrow = (set: CheckedSet): CheckedSet => ({
    ...set,
    rules: set.rules.filter((rule) => matters(rule, facts, known)),
  });
  const [old, next] = [narrow(before), narrow(after)];
  const open = [old, next]
    .flatMap(allLeaves)
    .filter(({ ref }) => ref.attribute.fixedBy === "request" || ref.attribute.fixedBy === "now");
  const requests = dimensionsOf(open);
  const kinds = classesOf(requests.dimensions, Math.max(1, Math.min(REQUESTS_MAX, work.left)));
  work.left -= kinds.all.length;
  let [gained, lost] = [0, 0];
  const examples: { gain: string[]; loss: string[] } = { gain: [], loss: [] };
  for (const kind of kinds.all) {
    const all = new Map(known);
    for (const [i, { key, values: of, also }] of requests.dimensions.entries()) {
      const fact = of[kind[i] ?? 0]?.fact;
      for (const [name, value] of also(fact)) if (!all.has(name)) all.set(name, value);
      all.set(key, fact);
    }
    const read: Read = (ref, at) => readOr(all, ref, at);
    const [was, is] = [isAllowed(interpret(old, facts, read)), isAllowed(interpret(next, facts, read))];
    if (was === is) continue;
    const label = requests.dimensions.map((dimension, i) => dimension.values[kind[i] ?? 0]?.label ?? "");
    if (is && gained++ === 0) examples.gain = label;
    if (was && lost++ === 0) examples.loss = label;
  }
  const told = (count: number, example: string[]): true | null | string[] =>
    count === 0 ? null : count === kinds.all.length && kinds.complete ? true : example;
  return {
    gain: told(gained, examples.gain),
    loss: told(lost, examples.loss),
    complete: kinds.complete && requests.exact,
  };
}

/** Whether a rule may still fire for the class and the model. */
function matters(rule: CheckedRule, facts: Facts, known: ReadonlyMap<string, Fact>): boolean {
  if (rule.mode !== "live" || !decides(rule)) return false;
  return fires(rule, facts, (ref, at) => readOr(known, ref, at)) !== NO;
}

/** What is not fixed yet is unknown. */
function readOr(known: ReadonlyMap<string, Fact>, ref: AttributeRef, facts: Facts): Fact {
  if (ref.attribute.fixedBy === "model") return readFact(ref, facts);
  return known.get(keyOf(ref));
}

function factsFor(target: Target, nowMs: number): Facts {
  const zone = zoneOf("UTC");
  if (zone === null) throw new Error("this runtime has no UTC");
  const { call, principal }: { call: Call; principal: Principal } = scenarioOf(
    { given: [], zone, atMs: nowMs },
    { targets: new Map() },
  );
  return { call, principal, target, nowMs };
}

interface Row {
  readonly values: readonly number[];
  readonly gains: readonly ModelChange[];
  readonly loses: readonly ModelChange[];
}

const ANY = -1;

/** Classes that differ in one respect only and lose and gain the same become one, where they are all there are. */
function merged(rows: readonly Row[], dimensions: readonly Dimension[]): AccessChange[] {
  let current = [...rows];
  for (const [at, dimension] of dimensions.entries()) {
    const groups = new Map<string, Row[]>();
    for (const row of current) {
      const key = JSON.stringify([row.values.with(at, ANY), row.gains, row.loses]);
      groups.set(key, [...(groups.get(key) ?? []), row]);
    }
    current = [...groups.values()].flatMap((group) => {
      const [first] = group;
      if (first === undefined || group.length < dimension.values.length) return group;
      return [{ ...first, values: first.values.with(at, ANY) }];
    });
  }
  return current.map(({ values, gains, loses }) => ({
    who: values.flatMap((value, i) => (value === ANY ? [] : [dimensions[i]?.values[value]?.label ?? ""])),
    gains,
    loses,
  }));
}

/** A model that several providers serve stands once. */
function once(changes: readonly ModelChange[]): ModelChange[] {
  const byModel = new Map<string, ModelChange>();
  for (const change of changes) if (!byModel.has(change.model)) byModel.set(change.model, change);
  return [...byModel.values()].sort((a, b) => (a.model < b.model ? -1 : 1));
}
