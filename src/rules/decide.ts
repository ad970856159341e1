// Decides calls with a compiled set: what model and key fix is worked out once and memoised.
import type { Call, Decision, Principal, Target } from "../types.ts";
import { isBound } from "./attributes.ts";
import type { CheckedRule } from "./checked.ts";
import type { CompiledSet } from "./compile.ts";
import { type Facts, NO, type Tri, UNKNOWN, YES } from "./facts.ts";
import { firedOf } from "./fired.ts";
import { InlineRuleSets } from "./inline.ts";
import { leavesOf, unknownIn } from "./interpret.ts";
import { type Fallback, type Left, type Plan, Plans } from "./plan.ts";
import type { Residual } from "./predicates.ts";
import { createQuotaCache, isFixed } from "./quota-cache.ts";
import type { QuotaFor } from "./quotas.ts";
import { quotedBy } from "./sentence.ts";
import { decisionOf, isAllowed, type TargetVerdict } from "./verdict.ts";

/** Decides a call. @throws whatever a fault inside throws; the caller turns it into a denial. */
export type Decide = (call: Call, principal: Principal, nowMs: () => number) => Decision;

/** What a decision knows; the clock is read when something asks for it, and then once. */
class RequestFacts implements Facts {
  readonly call: Call;
  readonly principal: Principal;
  readonly target: Target;
  private readonly clock: () => number;
  private readMs: number | null = null;

  constructor(call: Call, principal: Principal, target: Target, clock: () => number) {
    this.call = call;
    this.principal = principal;
    this.target = target;
    this.clock = clock;
  }

  get nowMs(): number {
    this.readMs ??= this.clock();
    return this.readMs;
  }
}

/** Makes the function that decides by one compiled set, and by what principals bring; its memo lives and dies with it. */
export function createDecide(files: CompiledSet, generation: number, inline = new InlineRuleSets()): Decide {
  const plans = new Plans({ defaults: files.defaults, candidates: candidatesOf(files, inline) });
  const find = createQuotaCache();
  return (call, principal, nowMs) => {
    const only = call.targets.length === 1 ? call.targets[0] : undefined;
    if (only !== undefined) {
      const plan = plans.of(principal, only);
      const fallback = plan.fallbacks[0];
      if (plan.screen === null && fallback?.test === null && fallback.settled !== null) return fallback.settled;
      return decideOne(plan, new RequestFacts(call, principal, only, nowMs), generation, find);
    }
    const now = nowMs();
    const factsOf = (target: Target): Facts => ({ call, principal, target, nowMs: now });
    const verdicts = call.targets.map((target) => {
      const plan = plans.of(principal, target);
      const facts = factsOf(target);
      return verdictOf(plan, facts, firingOf(plan, facts), fallbackOf(plan, facts));
    });
    return decisionOf(verdicts, factsOf, generation, find);
  };
}

/** Decides a call that one target can serve. A plan whose open conditions are quiet shares its decision. */
function decideOne(plan: Plan, facts: Facts, generation: number, find: QuotaFor): Decision {
  const firing = firingOf(plan, facts);
  const fallback = fallbackOf(plan, facts);
  if (firing.length === 0 && fallback.settled !== null) return fallback.settled;
  const verdict = verdictOf(plan, facts, firing, fallback);
  const decision = decisionOf([verdict], () => facts, generation, find);
  if (firing.length === 0 && isShared(verdict) && !plan.decided.some(isOpenOfRequest)) fallback.settled = decision;
  return decision;
}

/** Whether a decision says nothing of the request itself: a counter may be the request's, a sentence quotes what its rule looked at. */
function isShared(verdict: TargetVerdict): boolean {
  if (!verdict.quotas.every(isFixed)) return false;
  const shown = verdict.denies[0];
  if (isAllowed(verdict) || shown === undefined) return true;
  return quotedBy(shown).every(({ attribute }) => isBound(attribute));
}

/** Whether what was unknown of a rule may be other things at another request, though its truth stays unknown. */
function isOpenOfRequest({ rule, residual }: Left): boolean {
  return residual === UNKNOWN && !leavesOf(rule.fires).every(({ ref }) => isBound(ref.attribute));
}

const NONE: readonly Left[] = Object.freeze([]);

/** The rules whose open conditions hold or are unknown. */
function firingOf({ screen }: Plan, facts: Facts): readonly Left[] {
  if (screen === null) return NONE;
  const found = screen.find(facts);
  return found.length === 0 ? NONE : found.filter(({ residual }) => truthFor(residual, facts) !== NO);
}

function truthFor(residual: Residual, facts: Facts): Tri {
  return typeof residual === "number" ? residual : residual.test(facts);
}

function fallbackOf({ fallbacks }: Plan, facts: Facts): Fallback {
  for (const fallback of fallbacks) if (fallback.test === null || fallback.test(facts) === YES) return fallback;
  throw new Error("a rule set has an unscoped default");
}

/** Sorts what fired by effect; unknown counts as fired for all but `allow`. */
function verdictOf(plan: Plan, facts: Facts, firing: readonly Left[], { line }: Fallback): TargetVerdict {
  const fired: CheckedRule[] = [];
  const unknown = new Set<string>();
  const matched = firing.length === 0 ? plan.decided : [...plan.decided, ...firing].sort((a, b) => a.rank - b.rank);
  for (const { rule, residual } of matched) {
    if (truthFor(residual, facts) === UNKNOWN) {
      for (const name of unknownIn(rule.fires, facts)) unknown.add(name);
      if (rule.effect === "allow") continue;
    }
    fired.push(rule);
  }
  return { target: plan.target, ...firedOf(fired), unknown: [...unknown], fallback: line };
}

/** The files' rules, then those that are kept for the principal. */
function candidatesOf(files: CompiledSet, inline: InlineRuleSets): CompiledSet["candidates"] {
  return (bound) =>
    bound.principal.rules === undefined
      ? files.candidates(bound)
      : [...files.candidates(bound), ...inline.candidates(bound)];
}
