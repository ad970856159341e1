// The sentence that a denied caller reads: the model, what was compared, and the rule.
import { formatPerMillion, formatUsd } from "../money.ts";
import type { Target } from "../types.ts";
import { ATTRIBUTES } from "./attribute-table.ts";
import { type AttributeRef, isBound, readFact } from "./attributes.ts";
import type { CheckedDefault, CheckedRule, Leaf } from "./checked.ts";
import type { Fact, Facts } from "./facts.ts";
import { leavesOf } from "./interpret.ts";
import { formatDate, formatTime, WEEKDAYS } from "./local-time.ts";
import { positionAt } from "./source.ts";
import { condText } from "./written.ts";

const VALUE_MAX = 80;

/** `{price.input}` in the text of a `because`. */
const PLACEHOLDER = /\{([^{}]+)\}/g;

/** The rule's `because`, with the value that it saw for each attribute in braces. */
export function becauseSentence(rule: CheckedRule, because: string, facts: Facts): string {
  return because.replace(PLACEHOLDER, (written, name: string) => {
    const ref = quotable(rule, name);
    return ref === null ? written : factText(ref, readFact(ref, facts));
  });
}

/** Every attribute whose value the sentence may tell. */
export function quotedBy(rule: CheckedRule): readonly AttributeRef[] {
  if (rule.because === null) return leavesOf(rule.fires).map(({ ref }) => ref);
  return [...rule.because.matchAll(PLACEHOLDER)].flatMap(([, name = ""]) => quotable(rule, name) ?? []);
}

/** What the rule looks at itself, and what model or key fix: to anything else the rule is no reason to tell. */
function quotable(rule: CheckedRule, name: string): AttributeRef | null {
  const own = leavesOf(rule.fires).find(({ ref }) => ref.text === name);
  if (own !== undefined) return own.ref;
  const attribute = ATTRIBUTES.get(name);
  if (attribute === undefined || attribute.takesParam || !isBound(attribute)) return null;
  return { attribute, param: null, text: name, zone: rule.zone };
}

/** `Access denied: model gpt-4 (price $60/M) is denied by rules/models.rules:7 (price > $10/M)`. */
export function denialSentence(rule: CheckedRule, facts: Facts): string {
  const seen = observed(rule, facts);
  const compared = comparedBy(rule);
  const model = `model ${facts.target.model}${seen === "" ? "" : ` (${seen})`}`;
  return `Access denied: ${model} is denied by ${namedRule(rule)}${compared === "" ? "" : ` (${compared})`}`;
}

/** A rule's id; of one that is kept on a subject, `team ml's rules, line 2`. */
function namedRule({ id, source, start }: CheckedRule): string {
  if (source.keptOn === undefined) return id;
  return `${clipped(source.label)}'s rules, line ${positionAt(source, start).line + 1}`;
}

/** `Access denied: model gpt-4 is not allowed by any rule (default deny, rules/models.rules:3)`. */
export function defaultSentence(fallback: CheckedDefault, target: Target): string {
  return `Access denied: model ${target.model} is not allowed by any rule (default deny, ${fallback.id})`;
}

/** What the rule's conditions looked at, with the values they saw; the model is named already. */
function observed(rule: CheckedRule, facts: Facts): string {
  const { when, unless } = rule.written;
  const leaves = [when, unless].flatMap((cond) => (cond === null ? [] : leavesOf(cond)));
  const seen = new Map<string, string>();
  for (const { ref } of leaves) {
    if (ref.attribute.name !== "model") seen.set(ref.text, `${ref.text} ${factText(ref, readFact(ref, facts))}`);
  }
  return [...seen.values()].join(", ");
}

/** The rule's own words, without what the sentence says already: `deny` and a selector of models. */
function comparedBy(rule: CheckedRule): string {
  const { selectors, scope, when, unless } = rule.written;
  const parts: string[] = [];
  const shown =
    rule.effect === "only" ? selectors : selectors.filter((cond) => (cond as Leaf).ref.attribute.name !== "model");
  if (rule.effect === "only") parts.push("only");
  parts.push(...shown.map(condText));
  if (scope.length > 0) parts.push(`for ${scope.map(condText).join(" ")}`);
  if (when !== null) parts.push(parts.length > 0 ? `when ${condText(when)}` : condText(when));
  if (unless !== null) parts.push(`unless ${condText(unless)}`);
  return parts.join(" ");
}

/** An attribute's value for people: short, and without control characters. */
export function factText(ref: AttributeRef, fact: Fact): string {
  if (fact === undefined) return "unknown";
  if (fact === null) return "unset";
  if (typeof fact === "number") return numberText(ref, fact);
  if (typeof fact === "boolean") return String(fact);
  if (typeof fact === "string") return clipped(fact);
  return "words" in fact ? ipText(fact.words, fact.v6) : clipped(nameOf(ref, fact));
}

/** A subject has an alias and an id: its alias is what people know. A set shows all. */
function nameOf(ref: AttributeRef, names: readonly string[]): string {
  return ref.attribute.isSubject ? (names[0] ?? "") : names.join(", ");
}

function numberText(ref: AttributeRef, value: number): string {
  switch (ref.attribute.type) {
    case "price":
      return `$${formatPerMillion(value)}/M`;
    case "money":
      return `$${formatUsd(Math.round(value))}`;
    case "percent":
      return `${Math.round(value * 100) / 100}%`;
    case "time":
      return formatTime(value);
    case "date":
      return formatDate(value);
    case "weekday":
      return WEEKDAYS[value] ?? "";
    case "duration":
      return durationText(value);
    default:
      return String(value);
  }
}

function durationText(ms: number): string {
  for (const [unit, size] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
  ] as const) {
    if (ms >= size) return `${Math.floor(ms / size)}${unit}`;
  }
  return `${Math.floor(ms / 1000)}s`;
}

function ipText(words: readonly number[], v6: boolean): string {
  const bytes = words.flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]);
  if (!v6) return bytes.slice(12).join(".");
  return words
    .flatMap((word) => [word >>> 16, word & 0xffff])
    .map((group) => group.toString(16))
    .join(":");
}

/** Callers choose headers and metadata: what is echoed is short and has no control characters. */
function clipped(text: string): string {
  const clean = text.replace(/[^\x20-\x7e\u00a1-\uffff]/g, "\ufffd");
  return clean.length > VALUE_MAX ? `${clean.slice(0, VALUE_MAX)}…` : clean;
}
