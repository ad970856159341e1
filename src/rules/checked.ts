// The checked tree: names resolved, values typed. What the compiler, the interpreter and the sentences read.
import type { QuotaUnit, QuotaWindow } from "../types.ts";
import type { Effect, ExpectNode } from "./ast.ts";
import type { AttributeRef } from "./attributes.ts";
import type { RuleBody } from "./compile.ts";
import type { Net } from "./ip.ts";
import type { LintFacts } from "./lint-memory.ts";
import type { Zone } from "./local-time.ts";
import type { Source } from "./source.ts";

/** What an attribute's value is tested for. Numbers are in the attribute's own unit. */
export type Test =
  | { readonly kind: "names"; readonly exact: readonly string[]; readonly globs: readonly string[] }
  | { readonly kind: "order"; readonly op: "<" | "<=" | ">" | ">="; readonly value: number }
  | { readonly kind: "numbers"; readonly values: readonly number[] }
  /** From `low` to `high`; round the clock or the week when `low` is above `high`. */
  | { readonly kind: "range"; readonly low: number; readonly high: number; readonly openEnd: boolean }
  | { readonly kind: "nets"; readonly nets: readonly Net[] }
  | { readonly kind: "true" }
  | { readonly kind: "false" }
  | { readonly kind: "set" };

/** One test of one attribute. */
export interface Leaf {
  readonly kind: "test";
  readonly ref: AttributeRef;
  readonly test: Test;
  readonly negated: boolean;
  /** How a sentence puts it, e.g. `price > $10/M`. */
  readonly text: string;
}

/** A condition. `and` without parts is true. */
export type Cond =
  | { readonly kind: "and" | "or"; readonly parts: readonly Cond[] }
  | { readonly kind: "not"; readonly part: Cond }
  /** `@name`, with what it stands for. */
  | { readonly kind: "named"; readonly name: string; readonly part: Cond }
  | Leaf;

/** What a `limit` or `budget` counts. */
export interface CheckedQuota {
  readonly unit: QuotaUnit;
  readonly limit: bigint;
  readonly window: QuotaWindow;
  /** Each distinct value of these has its own counter. */
  readonly by: readonly AttributeRef[];
  /** Without its `by`: `limit 100 requests per 1m`. */
  readonly text: string;
  /** What its counters are called: the rule's `as`, else a hash of what it means without its amount and its place. */
  readonly name: string;
}

/** A rule. It fires when `fires` holds (see Meaning in the README) and its `until` is not past. */
export interface CheckedRule {
  readonly id: string;
  readonly source: Source;
  /** Offset in the source. */
  readonly start: number;
  readonly end: number;
  readonly mode: "live" | "shadow" | "off";
  readonly effect: Effect;
  /** null but for `limit` and `budget`. */
  readonly quota: CheckedQuota | null;
  /** For `only`: in scope and not what is selected. */
  readonly fires: Cond;
  /** The last local day on which the rule is in force, days since 1970-01-01; null for ever. */
  readonly untilDay: number | null;
  readonly zone: Zone;
  readonly because: string | null;
  /** HTTP status of a denial, or null for the code's own. */
  readonly status: number | null;
  readonly owner: string | null;
  /** The parts of `fires` as they were written, for sentences. */
  readonly written: {
    readonly selectors: readonly Cond[];
    readonly scope: readonly Cond[];
    readonly when: Cond | null;
    readonly unless: Cond | null;
  };
  /** Goes with the rule from load to load while it is the same but for where it stands. */
  readonly memo: RuleMemo;
}

/** What warnings and compiler have worked out of a rule alone. */
export interface RuleMemo {
  lint: LintFacts | null;
  body: RuleBody | null;
}

/** A `limit` or `budget`. */
export type CountingRule = CheckedRule & { readonly quota: CheckedQuota };

/** Whether a rule is one that counts, and so neither allows nor denies. */
export function isCounting(rule: CheckedRule): rule is CountingRule {
  return rule.quota !== null;
}

/** Whether a rule has a say in who may use what. */
export function decides({ effect }: Pick<CheckedRule, "effect">): boolean {
  return effect === "deny" || effect === "allow" || effect === "only";
}

/** A `default` line. */
export interface CheckedDefault {
  readonly id: string;
  readonly source: Source;
  readonly start: number;
  readonly effect: "allow" | "deny";
  readonly scope: readonly Leaf[];
}

/** What a `test` says of a request. Numbers are in the attribute's own unit; an address is its text. */
export interface Given {
  readonly ref: AttributeRef;
  readonly value: string | readonly string[] | number | boolean;
}

/** A `test` block. */
export interface CheckedTest {
  readonly name: string;
  readonly source: Source;
  /** Offset of the statement in the source: spans in `expects` count from it. */
  readonly offset: number;
  readonly start: number;
  /** End of the name. */
  readonly end: number;
  readonly zone: Zone;
  /** The moment that `at` names, milliseconds since the epoch; null when left out. */
  readonly atMs: number | null;
  readonly given: readonly Given[];
  /** At least one. */
  readonly expects: readonly ExpectNode[];
}

/** A checked rule set without errors: rules by (file, place), defaults most specific first, the unscoped one last. */
export interface CheckedSet {
  readonly rules: readonly CheckedRule[];
  readonly defaults: readonly CheckedDefault[];
  readonly tests: readonly CheckedTest[];
}
