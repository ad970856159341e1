// What checking one load leaves for the next.
import type { Attribute } from "./attributes.ts";
import { isIndex, type Names, type Vocabulary } from "./catalogue.ts";
import type { CheckLog } from "./check-log.ts";
import type { CheckedRule, Cond } from "./checked.ts";
import { LintMemory } from "./lint-memory.ts";
import type { Zone } from "./local-time.ts";
import { near } from "./mistakes.ts";

/** What checking a statement came to, and what it took to be so. */
export interface StatementMemo {
  readonly log: CheckLog;
  readonly zone: Zone;
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** The rules of a rule or a scope, where they stood last. */
  readonly rules: CheckedRule[];
  /** The condition of a `let`; null for a list and after a finding. */
  readonly cond: Cond | null;
}

/** Kept by who loads rules again and again. */
export class CheckMemory {
  readonly lint: LintMemory = new LintMemory();
  private vocabulary: Vocabulary | null = null;
  private nearest = new WeakMap<object, Map<string, string | null>>();

  /** A vocabulary of which the parts that are as they were last time are the same objects. */
  settle(next: Vocabulary): Vocabulary {
    const last = this.vocabulary;
    this.vocabulary =
      last === null
        ? next
        : {
            ...next,
            targets: sameMap(last.targets, next.targets, sameList) ? last.targets : next.targets,
            attributes: sameMap(last.attributes, next.attributes, Object.is) ? last.attributes : next.attributes,
            models: sameSet(last.models, next.models) ? last.models : next.models,
            providers: sameSet(last.providers, next.providers) ? last.providers : next.providers,
            teams: sameNames(last.teams, next.teams) ? last.teams : next.teams,
            keys: sameNames(last.keys, next.keys) ? last.keys : next.keys,
          };
    return this.vocabulary;
  }

  /** `did you mean …?`; worked out once for each word and set of names. */
  near(word: string, known: Iterable<string> | Names): string | null {
    if (!(known instanceof Set || isIndex(known))) return near(word, known);
    const ofSet = this.nearest.get(known) ?? new Map<string, string | null>();
    this.nearest.set(known, ofSet);
    const before = ofSet.get(word);
    if (before !== undefined) return before;
    const found = near(word, isIndex(known) ? known.near(word) : known);
    if (ofSet.size >= NEAR_MAX) ofSet.clear();
    ofSet.set(word, found);
    return found;
  }
}

/** Words of one set of names that are remembered. */
const NEAR_MAX = 1_000;

function sameNames(a: Names, b: Names): boolean {
  if (isIndex(a) || isIndex(b)) return isIndex(a) && isIndex(b) && a.state === b.state;
  return sameSet(a, b);
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a.size !== b.size) return false;
  for (const one of b) if (!a.has(one)) return false;
  return true;
}

/** In the same order, which a list's readers may rely on. */
function sameMap<Value>(
  a: ReadonlyMap<string, Value>,
  b: ReadonlyMap<string, Value>,
  same: (a: Value, b: Value) => boolean,
): boolean {
  if (a.size !== b.size) return false;
  const others = b.entries();
  for (const [key, value] of a) {
    const other = others.next().value;
    if (other === undefined || other[0] !== key || !same(value, other[1])) return false;
  }
  return true;
}

function sameList(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}
