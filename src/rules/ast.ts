// The tree that the parser makes of one statement. Spans are offsets into that statement's own text.
import type { BudgetWindow, QuotaUnit } from "../types.ts";
import type { Literal } from "./literal.ts";

/** Offsets in UTF-16 units, end excluded. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A bare word: a glob when it holds `*` or `?`. */
export interface WordValue {
  readonly kind: "word";
  readonly text: string;
  readonly span: Span;
}

/** A quoted value: always literal. */
export interface TextValue {
  readonly kind: "text";
  readonly text: string;
  readonly span: Span;
}

/** A number with or without a unit, a time, a date or an address. */
export interface LiteralValue {
  readonly kind: "literal";
  readonly literal: Literal;
  /** As written. */
  readonly text: string;
  readonly span: Span;
}

export type Value = WordValue | TextValue | LiteralValue;

export interface ListNode {
  readonly kind: "list";
  readonly items: readonly Value[];
  readonly span: Span;
}

/** `@name`; `name` has no `@`. */
export interface NameNode {
  readonly kind: "name";
  readonly name: string;
  readonly span: Span;
}

export interface RangeNode {
  readonly kind: "range";
  readonly low: Value;
  readonly high: Value;
  readonly span: Span;
}

export type Operand = Value | ListNode | NameNode | RangeNode;

/** `team not [a, b]`. */
export interface SelectorNode {
  readonly kind: "selector";
  readonly subject: string;
  readonly negated: boolean;
  readonly operand: Value | ListNode | NameNode;
  readonly span: Span;
}

/** `header["x"]`, `price.input`. */
export interface AttributeNode {
  readonly name: string;
  readonly param: string | null;
  readonly span: Span;
}

export type Comparison = "=" | "<" | "<=" | ">" | ">=";

/** `attr op operand`; `!=`, `not in` and `not has` are their opposites, negated. */
export interface CompareNode {
  readonly kind: "compare";
  readonly attribute: AttributeNode;
  readonly op: Comparison | "in" | "has";
  readonly negated: boolean;
  readonly operand: Operand;
  readonly span: Span;
}

/** `attr is set`, or negated `attr is unset`. */
export interface IsSetNode {
  readonly kind: "is-set";
  readonly attribute: AttributeNode;
  readonly negated: boolean;
  readonly span: Span;
}

/** An attribute that stands alone, as `stream`. */
export interface BareNode {
  readonly kind: "bare";
  readonly attribute: AttributeNode;
  readonly span: Span;
}

export interface LogicNode {
  readonly kind: "and" | "or";
  readonly parts: readonly Expr[];
  readonly span: Span;
}

export interface NotNode {
  readonly kind: "not";
  readonly part: Expr;
  readonly span: Span;
}

export type Expr = LogicNode | NotNode | NameNode | SelectorNode | CompareNode | IsSetNode | BareNode;

export interface Meta {
  readonly as?: string;
  readonly because?: string;
  readonly owner?: string;
  /** Days since 1970-01-01. */
  readonly until?: { readonly day: number; readonly span: Span };
  readonly status?: { readonly code: number; readonly span: Span };
}

export type Effect = "deny" | "allow" | "only" | "warn" | "limit" | "budget";

/** `per month`, `per 12h` of a budget, `per 1m` of a limit; none of what runs at once. */
export type QuotaPeriod =
  | { readonly kind: "calendar"; readonly period: BudgetWindow }
  | { readonly kind: "every" | "sliding"; readonly durationMs: number }
  | { readonly kind: "none" };

/** `limit 100 requests per 1m by key`, `budget $500 per month by team`. */
export interface QuotaNode {
  readonly unit: QuotaUnit;
  /** In the unit; at least 1. */
  readonly amount: bigint;
  readonly period: QuotaPeriod;
  readonly by: readonly AttributeNode[];
  /** As written, without its `by`: `limit 100 requests per 1m`. */
  readonly text: string;
}

export interface RuleNode {
  readonly kind: "rule";
  readonly mode: "live" | "shadow" | "off";
  readonly effect: Effect;
  /** What a `limit` or `budget` counts; null for the other effects. */
  readonly quota: QuotaNode | null;
  readonly selectors: readonly SelectorNode[];
  readonly scope: readonly SelectorNode[];
  readonly when: Expr | null;
  readonly unless: Expr | null;
  readonly meta: Meta;
  readonly span: Span;
}

export interface ScopeNode {
  readonly kind: "scope";
  readonly scope: readonly SelectorNode[];
  readonly rules: readonly RuleNode[];
  readonly span: Span;
}

export interface LetNode {
  readonly kind: "let";
  readonly name: NameNode;
  readonly value: ListNode | Expr;
  readonly span: Span;
}

export interface DefaultNode {
  readonly kind: "default";
  readonly effect: "allow" | "deny";
  readonly scope: readonly SelectorNode[];
  readonly span: Span;
}

export interface VersionNode {
  readonly kind: "version";
  readonly version: Value;
  readonly span: Span;
}

export interface TimezoneNode {
  readonly kind: "timezone";
  readonly zone: string;
  readonly span: Span;
}

/** `team interns` after `given`. */
export interface GivenNode {
  readonly attribute: AttributeNode;
  readonly operand: Value | ListNode;
  readonly span: Span;
}

/** A rule's id after `by` or `warn`. */
export interface IdNode {
  readonly id: string;
  readonly span: Span;
}

/** `expect deny by a, b warn c`. */
export interface ExpectNode {
  readonly effect: "allow" | "deny";
  readonly by: readonly IdNode[];
  readonly warn: IdNode | null;
  readonly span: Span;
}

export interface TestNode {
  readonly kind: "test";
  readonly name: string;
  readonly nameSpan: Span;
  /** The moment as written; check-test.ts reads it in the file's time zone. */
  readonly at: { readonly text: string; readonly span: Span } | null;
  readonly given: readonly GivenNode[];
  readonly expects: readonly ExpectNode[];
  readonly span: Span;
}

export type Statement = RuleNode | ScopeNode | LetNode | DefaultNode | VersionNode | TimezoneNode | TestNode;
