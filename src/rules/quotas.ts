// The counter that a `limit` or `budget` comes to for one request: its stable id, and what people call it.
import { createHash } from "node:crypto";
import type { RuleQuota } from "../types.ts";
import { type AttributeRef, readFact } from "./attributes.ts";
import type { CountingRule } from "./checked.ts";
import type { Fact, Facts } from "./facts.ts";
import type { Ip } from "./ip.ts";
import { factText } from "./sentence.ts";

/** Ids longer than this are hashed: callers choose the values of headers. */
const ID_CHARS_MAX = 200;

/** Finds the counter of a rule for a request. */
export type QuotaFor = (rule: CountingRule, facts: Facts) => RuleQuota;

/** Makes the counter of a rule for a request. */
export const quotaFor: QuotaFor = (rule, facts) => {
  const { quota, id: ruleId, because } = rule;
  const { unit, limit, window, by } = quota;
  const values = by.map((ref) => ({ ref, fact: readFact(ref, facts) }));
  const label = [quota.text, values.map(({ ref, fact }) => labelOf(ref, fact)).join(", ")].filter(
    (part) => part !== "",
  );
  return Object.freeze({
    id: counterId(rule, facts),
    ruleId,
    label: label.join(" for "),
    unit,
    limit,
    window,
    because,
  });
};

/**
 * The id of the counter of a rule for a request: a JSON array, so that no two lists of values run together. A changed
 * amount or place keeps it; another unit, window or `by` makes another.
 */
export function counterId({ quota: { name, unit, window, by } }: CountingRule, facts: Facts): string {
  const values = by.map((ref) => [ref.attribute.name, ref.param, counted(ref, readFact(ref, facts))] as const);
  values.sort(([a, x], [b, y]) => (a < b || (a === b && (x ?? "") < (y ?? "")) ? -1 : 1));
  const text = JSON.stringify([name, unit, window, ...values]);
  return `rule:${text.length <= ID_CHARS_MAX ? text : createHash("sha256").update(text).digest("hex")}`;
}

/** What a subject's own counter is called, whoever else keeps the same text: no name that people write holds a blank. */
export function keptName(scope: string, id: string, name: string): string {
  return `${scope} ${id} ${name}`;
}

/** What is unset has a counter of its own, and so has what is unknown. */
const UNKNOWN = {};

/** A value as JSON: a subject by its id, which a new alias does not change; a set sorted; an address as its network. */
function counted({ attribute }: AttributeRef, fact: Fact): string | readonly string[] | null | typeof UNKNOWN {
  if (fact === undefined) return UNKNOWN;
  if (fact === null) return null;
  if (Array.isArray(fact)) {
    const names = fact as readonly string[];
    return attribute.isSubject ? (names.at(-1) ?? null) : [...new Set(names)].sort();
  }
  return typeof fact === "object" ? JSON.stringify(networkOf(fact as Ip)) : String(fact);
}

function labelOf(ref: AttributeRef, fact: Fact): string {
  if (fact === undefined) return `unknown ${ref.text}`;
  if (fact === null) return `no ${ref.text}`;
  const isIp = typeof fact === "object" && "words" in fact;
  return `${ref.text} ${factText(ref, isIp ? networkOf(fact) : fact)}${isIp && fact.v6 ? "/64" : ""}`;
}

/** Whoever has one IPv6 address has 2^64 of them: they are counted together. */
function networkOf(ip: Ip): Ip {
  return ip.v6 ? { v6: true, words: [ip.words[0], ip.words[1], 0, 0] } : ip;
}
