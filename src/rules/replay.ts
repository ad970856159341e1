// Decides recorded requests by a candidate rule set: what is not recorded may be anything, and is told.
import { LRUCache } from "lru-cache";
import type { Principal, RecordedRequest, Target } from "../types.ts";
import { isBound } from "./attributes.ts";
import type { Vocabulary } from "./catalogue.ts";
import type { CheckedDefault, CheckedRule, CheckedSet, Cond, Leaf } from "./checked.ts";
import { type Facts, NO, negate, type Tri, UNKNOWN, YES } from "./facts.ts";
import { isKeptId } from "./inline-text.ts";
import { inForce, leafTruth, leavesOf, truthOf } from "./interpret.ts";
import { Restorer } from "./restore.ts";
import { factsOf } from "./run-tests.ts";

/** Principals whose plans are kept. */
const PLANS_KEPT = 10_000;

/** The effects that decide who may use what; limits and budgets count, and what they counted is not replayed. */
const DECIDING: ReadonlySet<string> = new Set(["deny", "only", "allow"]);

/** What a recorded request would come to. */
export interface Replayed {
  /** null: it rests on what was not recorded. */
  readonly effect: "allow" | "deny" | null;
  /** The rule or `default` line that decides; null when it is open which. */
  readonly ruleId: string | null;
  /** What would have to be known, as rules write it: `header["x-env"]`; empty where the effect is certain. */
  readonly missing: readonly string[];
}

/** Decides one record. */
export type Replay = (record: RecordedRequest) => Replayed;

/** Makes the function that decides by a set, with today's catalogue and each request's own time. */
export function createReplay(set: CheckedSet, vocabulary: Pick<Vocabulary, "targets">): Replay {
  const restorer = new Restorer(vocabulary);
  const plans = new LRUCache<Principal, Map<Target, Plan>>({ max: PLANS_KEPT });
  return (record) => {
    const restored = restorer.restore(record);
    const { principal } = restored;
    const ofPrincipal = plans.get(principal) ?? new Map<Target, Plan>();
    plans.set(principal, ofPrincipal);
    const outcomes = restored.call.targets.map((target) => {
      const facts = factsOf(restored, target);
      const plan = ofPrincipal.get(target) ?? planOf(set, facts);
      ofPrincipal.set(target, plan);
      return outcomeOf(plan, facts);
    });
    return withKept(record, overTargets(outcomes), outcomes.length);
  };
}

/** The rules that are left once key and model are known. */
type Plan = Pick<CheckedSet, "rules" | "defaults">;

/** Whether key and model are recorded is the same for all records of one (interned) principal and target. */
function planOf({ rules, defaults }: CheckedSet, facts: Facts): Plan {
  const bound = (leaf: Leaf): Tri => (isBound(leaf.ref.attribute) ? leafTruth(leaf, facts) : UNKNOWN);
  const decides = ({ mode, effect }: CheckedRule): boolean => mode === "live" && DECIDING.has(effect);
  return { defaults, rules: rules.filter((rule) => decides(rule) && truthOf(rule.fires, bound) !== NO) };
}

/** The least and the most that a truth can be, over all values of what is not recorded. */
interface Range {
  readonly least: Tri;
  readonly most: Tri;
}

const CERTAIN: readonly Range[] = [NO, UNKNOWN, YES].map((truth) =>
  Object.freeze({ least: truth, most: truth } as Range),
);
const OPEN: Range = Object.freeze({ least: NO, most: YES });

function rangeOf(cond: Cond, facts: Facts): Range {
  switch (cond.kind) {
    case "test":
      return isUnrecorded(cond, facts) ? OPEN : certain(leafTruth(cond, facts));
    case "named":
      return rangeOf(cond.part, facts);
    case "not":
      return opposite(rangeOf(cond.part, facts));
    case "and":
      return cond.parts.reduce<Range>((all, part) => both(all, rangeOf(part, facts)), certain(YES));
    case "or": {
      const none = cond.parts.reduce<Range>((all, part) => both(all, opposite(rangeOf(part, facts))), certain(YES));
      return opposite(none);
    }
  }
}

function certain(truth: Tri): Range {
  return CERTAIN[truth] as Range;
}

function both(a: Range, b: Range): Range {
  return { least: Math.min(a.least, b.least) as Tri, most: Math.min(a.most, b.most) as Tri };
}

function opposite({ least, most }: Range): Range {
  return { least: negate(most), most: negate(least) };
}

function isUnrecorded({ ref }: Leaf, facts: Facts): boolean {
  return facts.unrecorded?.(ref, facts.target) === true;
}

/** Rules and `default` lines that fire for certain, and all that may. */
interface Firing {
  readonly surely: readonly CheckedRule[];
  readonly maybe: readonly CheckedRule[];
}

/** Unknown counts as a match for all but `allow`. */
function firing(rules: readonly CheckedRule[], facts: Facts): { denies: Firing; allows: Firing } {
  const denies = { surely: [] as CheckedRule[], maybe: [] as CheckedRule[] };
  const allows = { surely: [] as CheckedRule[], maybe: [] as CheckedRule[] };
  for (const rule of rules) {
    if (!inForce(rule, facts.nowMs)) continue;
    const { least, most } = rangeOf(rule.fires, facts);
    const needed = rule.effect === "allow" ? YES : UNKNOWN;
    const kind = rule.effect === "allow" ? allows : denies;
    if (least >= needed) kind.surely.push(rule);
    if (most >= needed) kind.maybe.push(rule);
  }
  return { denies, allows };
}

/** The `default` lines that may be the one that holds: up to the first that does for certain. */
function defaultsFor(lines: readonly CheckedDefault[], facts: Facts): CheckedDefault[] {
  const found: CheckedDefault[] = [];
  for (const line of lines) {
    const { least, most } = rangeOf({ kind: "and", parts: line.scope }, facts);
    if (most === YES) found.push(line);
    if (least === YES) break;
  }
  return found;
}

function outcomeOf(plan: Plan, facts: Facts): Replayed {
  const { denies, allows } = firing(plan.rules, facts);
  if (denies.surely[0] !== undefined) return decided("deny", denies.surely[0].id);
  const lines = defaultsFor(plan.defaults, facts);
  const effects = new Set([
    ...(denies.maybe.length > 0 ? ["deny" as const] : []),
    ...(allows.maybe.length > 0 ? ["allow" as const] : []),
    ...(allows.surely.length > 0 ? [] : lines.map(({ effect }) => effect)),
  ]);
  const [effect] = effects;
  if (effects.size === 1 && effect !== undefined) {
    const decider = allows.surely[0] ?? (denies.maybe.length + allows.maybe.length === 0 ? lines[0] : undefined);
    return decided(effect, decider?.id ?? null);
  }
  const open = [...denies.maybe, ...allows.maybe].flatMap((rule) => leavesOf(rule.fires));
  const scopes = lines.flatMap(({ scope }) => scope);
  const missing = [...open, ...scopes].filter((leaf) => isUnrecorded(leaf, facts)).map(({ ref }) => ref.text);
  return { effect: null, ruleId: null, missing: [...new Set(missing)] };
}

function decided(effect: "allow" | "deny", ruleId: string | null): Replayed {
  return { effect, ruleId, missing: [] };
}

/** Rules kept on accounts are not replaced by rule files: what they denied stays denied. */
function withKept(record: RecordedRequest, replayed: Replayed, targets: number): Replayed {
  const kept = record.decision === "deny" ? record.ruleIds.find(isKeptId) : undefined;
  if (kept === undefined || replayed.effect === "deny") return replayed;
  return targets === 1 ? decided("deny", kept) : { effect: null, ruleId: null, missing: [`what ${kept} denied`] };
}

/** One target that is allowed is enough; all must be denied for a denial. */
function overTargets(outcomes: readonly Replayed[]): Replayed {
  const allowed = outcomes.find(({ effect }) => effect === "allow");
  if (allowed !== undefined) return allowed;
  const missing = [...new Set(outcomes.flatMap((outcome) => outcome.missing))];
  const first = outcomes[0];
  if (missing.length > 0 || first === undefined) return { effect: null, ruleId: null, missing };
  return first;
}
