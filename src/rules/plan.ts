// Plans: what model and key alone decide of a rule set, worked out once for each and memoised.
import { LRUCache } from "lru-cache";
import type { Decision, Principal, Target } from "../types.ts";
import type { CheckedDefault, CheckedRule } from "./checked.ts";
import type { CompiledDefault, CompiledRule, CompiledSet } from "./compile.ts";
import { type Bound, NO, YES } from "./facts.ts";
import type { Predicate } from "./literals.ts";
import type { Open, Residual } from "./predicates.ts";
import { type Screen, Screens } from "./screen.ts";

/** Principals whose plans are kept. */
const PRINCIPALS_MAX = 10_000;
/** Targets kept for each; a catalogue's entries are shared objects, so more means that it was replaced. */
const TARGETS_MAX = 1_024;

/** What is left of a rule once model and key are known: its truth, or what request and clock still decide. */
export interface Left {
  readonly rule: CheckedRule;
  /** Place in the order of (file, line). */
  readonly rank: number;
  readonly residual: Residual;
}

/** A `default` line that applies, or does when its test says so. */
export interface Fallback {
  readonly line: CheckedDefault;
  readonly test: Predicate | null;
  /** The decision when this line falls back, no open condition holds and this is the only target; null until it can be shared. */
  settled: Decision | null;
}

/** What model and key came to for one target. */
export interface Plan {
  readonly target: Target;
  /** Rules that fire whatever the request, by rank. */
  readonly decided: readonly Left[];
  /** Rules that may fire; null when there are none. */
  readonly screen: Screen<Left> | null;
  /** Most specific first; the last has no test. */
  readonly fallbacks: readonly Fallback[];
}

/** The plans of one compiled set. */
export class Plans {
  private readonly set: CompiledSet;
  private readonly memo = new LRUCache<Principal, Map<Target, Plan>>({ max: PRINCIPALS_MAX });
  private readonly screens = new Screens<Left>();
  private readonly lefts = new WeakMap<Open, WeakMap<CheckedRule, Left>>();

  constructor(set: CompiledSet) {
    this.set = set;
  }

  /** The plan for a principal and a target, both of them shared objects. */
  of(principal: Principal, target: Target): Plan {
    let ofPrincipal = this.memo.get(principal);
    if (ofPrincipal === undefined || ofPrincipal.size >= TARGETS_MAX) {
      ofPrincipal = new Map();
      this.memo.set(principal, ofPrincipal);
    }
    const known = ofPrincipal.get(target);
    if (known !== undefined) return known;
    const plan = this.make({ principal, target });
    ofPrincipal.set(target, plan);
    return plan;
  }

  private make(bound: Bound): Plan {
    const decided: Left[] = [];
    const open: Left[] = [];
    const conditions: Open[] = [];
    for (const compiled of this.set.candidates(bound)) {
      const residual = compiled.bind(bound);
      if (typeof residual === "object") {
        open.push(this.leftOf(compiled, residual));
        conditions.push(residual);
      } else if (residual !== NO) decided.push({ rule: compiled.rule, rank: compiled.rank, residual });
    }
    const screen = open.length === 0 ? null : this.screens.of(conditions, open);
    return { target: bound.target, decided, screen, fallbacks: fallbacksFor(this.set.defaults, bound) };
  }

  /**
   * One object for each rule and condition, so that plans can share what they make of it. Several rules may have one
   * condition: a text that several teams keep is compiled once.
   */
  private leftOf({ rule, rank }: CompiledRule, residual: Open): Left {
    let byRule = this.lefts.get(residual);
    if (byRule === undefined) {
      byRule = new WeakMap();
      this.lefts.set(residual, byRule);
    }
    const left = byRule.get(rule) ?? { rule, rank, residual };
    byRule.set(rule, left);
    return left;
  }
}

/** The `default` lines up to the first that applies whatever the request. */
function fallbacksFor(defaults: readonly CompiledDefault[], bound: Bound): Fallback[] {
  const fallbacks: Fallback[] = [];
  for (const { line, bind } of defaults) {
    const residual = bind(bound);
    if (typeof residual === "object") fallbacks.push({ line, test: residual.test, settled: null });
    else if (residual === YES) return [...fallbacks, { line, test: null, settled: null }];
  }
  throw new Error("a rule set has an unscoped default");
}
