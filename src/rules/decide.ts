// Decides calls with a compiled set: what model and key fix is worked out once and memoised.
import { LRUCache } from "lru-cache";
import type { Call, Decision, Principal, Target } from "../types.ts";
import { isBound } from "./attributes.ts";
import type { CheckedDefault, CheckedRule } from "./checked.ts";
import type { CompiledDefault, CompiledSet } from "./compile.ts";
import { type Bound, type Facts, NO, type Tri, UNKNOWN, YES } from "./facts.ts";
import { firedOf } from "./fired.ts";
import { InlineRuleSets } from "./inline.ts";
import { leavesOf, unknownIn } from "./interpret.ts";
import type { Predicate } from "./predicates.ts";
import { createQuotaCache, isFixed } from "./quota-cache.ts";
import type { QuotaFor } from "./quotas.ts";
import { decisionOf, isAllowed, type TargetVerdict } from "./verdict.ts";

/** Principals whose plans are kept. */
const PRINCIPALS_MAX = 10_000;
/** Targets kept for each; a catalogue's entries are shared objects, so more means that it was replaced. */
const TARGETS_MAX = 1_024;

/** Decides a call. @throws whatever a fault inside throws; the caller turns it into a denial. */
export type Decide = (call: Call, principal: Principal, nowMs: () => number) => Decision;

/** What is left of a rule once model and key are known: its truth, or what request or clock still decide. */
interface Left {
  readonly rule: CheckedRule;
  readonly residual: Tri | Predicate;
}

/** A `default` line that applies, or does when its test says so. */
interface Fallback {
  readonly line: CheckedDefault;
  readonly test: Predicate | null;
}

/** What model and key came to for one target. */
interface Plan {
  readonly target: Target;
  /** Rules that fire or may fire, by (file, place). */
  readonly left: readonly Left[];
  /** The predicates among `left`. */
  readonly open: readonly Predicate[];
  /** Most specific first; the last has no test. */
  readonly fallbacks: readonly Fallback[];
  /** The decision when no open predicate holds and this is the only target; null until it is made, or while it cannot be shared. */
  settled: Decision | null;
}

/** Makes the function that decides by one compiled set, and by what principals bring; its memo lives and dies with it. */
export function createDecide(files: CompiledSet, generation: number, inline = new InlineRuleSets()): Decide {
  const set = { defaults: files.defaults, candidates: candidatesOf(files, inline) };
  const plans = new LRUCache<Principal, Map<Target, Plan>>({ max: PRINCIPALS_MAX });
  const find = createQuotaCache();
  return (call, principal, nowMs) => {
    const ofPrincipal = plansOf(plans, principal);
    const only = call.targets.length === 1 ? call.targets[0] : undefined;
    if (only !== undefined) {
      const plan = planFor(set, ofPrincipal, principal, only);
      if (plan.settled !== null && plan.open.length === 0) return plan.settled;
      return decideOne(plan, { call, principal, target: only, nowMs: nowMs() }, generation, find);
    }
    const now = nowMs();
    const factsOf = (target: Target): Facts => ({ call, principal, target, nowMs: now });
    const verdicts = call.targets.map((target) =>
      verdictOf(planFor(set, ofPrincipal, principal, target), factsOf(target)),
    );
    return decisionOf(verdicts, factsOf, generation, find);
  };
}

/** Decides a call that one target can serve. A plan whose open predicates are quiet shares its decision. */
function decideOne(plan: Plan, facts: Facts, generation: number, find: QuotaFor): Decision {
  const quiet = isQuiet(plan.open, facts);
  if (quiet && plan.settled !== null) return plan.settled;
  const verdict = verdictOf(plan, facts);
  const decision = decisionOf([verdict], () => facts, generation, find);
  if (quiet && plan.fallbacks.length === 1 && isShared(verdict)) plan.settled = decision;
  return decision;
}

/** Whether a decision says nothing of the request itself: a counter may be the request's, a sentence quotes what its rule looked at. */
function isShared(verdict: TargetVerdict): boolean {
  if (!verdict.quotas.every(isFixed)) return false;
  const shown = verdict.denies[0];
  if (isAllowed(verdict) || shown === undefined || shown.because !== null) return true;
  return leavesOf(shown.fires).every(({ ref }) => isBound(ref.attribute));
}

function isQuiet(open: readonly Predicate[], facts: Facts): boolean {
  for (const test of open) if (test(facts) !== NO) return false;
  return true;
}

/** Sorts what fired by effect; unknown counts as fired for all but `allow`. */
function verdictOf(plan: Plan, facts: Facts): TargetVerdict {
  const fired: CheckedRule[] = [];
  const unknown = new Set<string>();
  for (const { rule, residual } of plan.left) {
    const truth = typeof residual === "number" ? residual : residual(facts);
    if (truth === UNKNOWN) for (const name of unknownIn(rule.fires, facts)) unknown.add(name);
    if (truth === NO || (truth === UNKNOWN && rule.effect === "allow")) continue;
    fired.push(rule);
  }
  const fallback = plan.fallbacks.find(({ test }) => test === null || test(facts) === YES);
  if (fallback === undefined) throw new Error("a rule set has an unscoped default");
  return { target: plan.target, ...firedOf(fired), unknown: [...unknown], fallback: fallback.line };
}

function plansOf(plans: LRUCache<Principal, Map<Target, Plan>>, principal: Principal): Map<Target, Plan> {
  let ofPrincipal = plans.get(principal);
  if (ofPrincipal === undefined || ofPrincipal.size >= TARGETS_MAX) {
    ofPrincipal = new Map();
    plans.set(principal, ofPrincipal);
  }
  return ofPrincipal;
}

function planFor(set: CompiledSet, ofPrincipal: Map<Target, Plan>, principal: Principal, target: Target): Plan {
  const known = ofPrincipal.get(target);
  if (known !== undefined) return known;
  const plan = makePlan(set, principal, target);
  ofPrincipal.set(target, plan);
  return plan;
}

/** The files' rules, then those that are kept for the principal. */
function candidatesOf(files: CompiledSet, inline: InlineRuleSets): CompiledSet["candidates"] {
  return (bound) =>
    bound.principal.rules === undefined
      ? files.candidates(bound)
      : [...files.candidates(bound), ...inline.candidates(bound)];
}

function makePlan(set: CompiledSet, principal: Principal, target: Target): Plan {
  const bound = { principal, target };
  const left: Left[] = [];
  const open: Predicate[] = [];
  for (const { rule, bind } of set.candidates(bound)) {
    const residual = bind(bound);
    if (residual === NO) continue;
    left.push({ rule, residual });
    if (typeof residual === "function") open.push(residual);
  }
  return { target, left, open, fallbacks: fallbacksFor(set.defaults, bound), settled: null };
}

/** The `default` lines up to the first that applies whatever the request. */
function fallbacksFor(defaults: readonly CompiledDefault[], bound: Bound): Fallback[] {
  const fallbacks: Fallback[] = [];
  for (const { line, bind } of defaults) {
    const residual = bind(bound);
    if (typeof residual === "function") fallbacks.push({ line, test: residual });
    else if (residual === YES) return [...fallbacks, { line, test: null }];
  }
  throw new Error("a rule set has an unscoped default");
}
