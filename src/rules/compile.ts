// A checked set compiled: each rule a binder, and an index by the names that a rule cannot do without.
import { type AttributeRef, readBound } from "./attributes.ts";
import type { CheckedDefault, CheckedRule, CheckedSet, Cond } from "./checked.ts";
import { type Bound, NO, YES } from "./facts.ts";
import type { Zone } from "./local-time.ts";
import { compileCond, type Open, type Residual } from "./predicates.ts";
import { finish, type Steps } from "./steps.ts";

/** A rule, compiled. */
export interface CompiledRule {
  readonly rule: CheckedRule;
  /** Place in the order of (file, line). */
  readonly rank: number;
  bind(bound: Bound): Residual;
}

/** A `default` line, compiled. */
export interface CompiledDefault {
  readonly line: CheckedDefault;
  bind(bound: Bound): Residual;
}

/** A compiled set. */
export interface CompiledSet {
  /** Rules that could fire for the model and the key, by rank; each may still come to nothing. */
  candidates(bound: Bound): readonly CompiledRule[];
  readonly defaults: readonly CompiledDefault[];
}

/** Compiles a set. Rules that are `off` are left out. */
export function compileSet(set: CheckedSet): CompiledSet {
  return finish(compileSteps(set));
}

/** The same in steps. */
export function* compileSteps(set: CheckedSet): Steps<CompiledSet> {
  const everywhere: CompiledRule[] = [];
  const indexes: Index[] = [];
  for (const [rank, rule] of set.rules.filter(({ mode }) => mode !== "off").entries()) {
    if (rule.memo.body === null || rank % STEP === 0) yield;
    rule.memo.body ??= compileBody(rule);
    const { bind, key } = rule.memo.body;
    const compiled = { rule, rank, bind };
    if (key === null) everywhere.push(compiled);
    else fileUnder(indexes, key, compiled);
  }
  const defaults = set.defaults.map((line) => ({ line, bind: compileCond({ kind: "and", parts: line.scope }) }));
  return { defaults, candidates: (bound) => gather(everywhere, indexes, bound) };
}

/** Rules by the exact names of one attribute. */
interface Index {
  readonly ref: AttributeRef;
  readonly byName: Map<string, CompiledRule[]>;
}

/** What is compiled of a rule alone. */
export interface RuleBody {
  readonly key: IndexKey | null;
  bind(bound: Bound): Residual;
}

interface IndexKey {
  readonly ref: AttributeRef;
  readonly names: readonly string[];
}

/** Most selective first. */
const INDEXED = ["key", "user", "team", "org", "role", "tag", "model", "provider"];

/** Rules that are filed between two steps. */
const STEP = 64;

function compileBody({ fires, zone, untilDay }: CheckedRule): RuleBody {
  return { key: indexKey(fires), bind: compileCond(fires, untilDay === null ? [] : [untilOf(zone, untilDay)]) };
}

/** Holds until the end of the local day: as good as always, so it is nothing to look for. */
function untilOf(zone: Zone, untilDay: number): Open {
  return { test: (facts) => (zone.at(facts.nowMs).date > untilDay ? NO : YES), literals: null };
}

/** The exact names without one of which the condition is false; null when it has none such. */
function indexKey(cond: Cond): IndexKey | null {
  const keys = requiredNames(cond);
  let best: IndexKey | null = null;
  for (const key of keys) {
    if (best === null || INDEXED.indexOf(key.ref.attribute.name) < INDEXED.indexOf(best.ref.attribute.name)) best = key;
  }
  return best;
}

function requiredNames(cond: Cond): IndexKey[] {
  if (cond.kind === "and") return cond.parts.flatMap(requiredNames);
  if (cond.kind === "named") return requiredNames(cond.part);
  if (cond.kind !== "test" || cond.negated || cond.test.kind !== "names" || cond.test.globs.length > 0) return [];
  return INDEXED.includes(cond.ref.attribute.name) ? [{ ref: cond.ref, names: cond.test.exact }] : [];
}

function fileUnder(indexes: Index[], { ref, names }: IndexKey, compiled: CompiledRule): void {
  let index = indexes.find((known) => known.ref.attribute === ref.attribute);
  if (index === undefined) {
    index = { ref, byName: new Map() };
    indexes.push(index);
  }
  for (const name of new Set(names)) {
    const bucket = index.byName.get(name);
    if (bucket === undefined) index.byName.set(name, [compiled]);
    else bucket.push(compiled);
  }
}

function gather(everywhere: readonly CompiledRule[], indexes: readonly Index[], bound: Bound): CompiledRule[] {
  const found = new Set(everywhere);
  for (const { ref, byName } of indexes) {
    const fact = readBound(ref, bound);
    const names = typeof fact === "string" ? [fact] : Array.isArray(fact) ? (fact as readonly string[]) : [];
    for (const name of names) for (const rule of byName.get(name) ?? []) found.add(rule);
  }
  return [...found].sort((a, b) => a.rank - b.rank);
}
