// Binds rules that are kept on a subject to it: their scope, their ids, their place after the rule files.
import type { InlineRules, Principal } from "../types.ts";
import { ATTRIBUTES } from "./attribute-table.ts";
import { headerText } from "./check-context.ts";
import type { CheckedQuota, CheckedRule, CheckedSet, Leaf } from "./checked.ts";
import { isError } from "./diagnostics.ts";
import { inlineSource, type KnownAttributes, nameOf, readText } from "./inline-text.ts";
import { keptName } from "./quotas.ts";
import { renderText } from "./render.ts";

/** Rules kept on a subject cannot be evaluated: its requests are denied. */
export class InlineRulesError extends Error {
  /** As `tollgate check` prints it. */
  readonly report: string;

  constructor({ scope, subject }: InlineRules, report: string) {
    super(`The rules kept on ${nameOf(scope, subject.alias)} could not be evaluated, so the request is denied`);
    this.name = "InlineRulesError";
    this.report = report;
  }
}

/** The set that a text comes to, bound to nobody yet: its rules' ids are `:7` or what `as` says. null for a broken one. */
export function readRules(text: string, known: KnownAttributes): CheckedSet | null {
  return readText({ name: "", label: "", text }, known).set;
}

/** The error that says what is wrong with the text. */
export function brokenRules(rules: InlineRules, known: KnownAttributes): InlineRulesError {
  const { diagnostics } = readText(inlineSource(rules), known);
  return new InlineRulesError(rules, renderText(diagnostics.filter(isError)));
}

/** Makes nobody's rules those of the subject, in the same order; their ids become `team:ml:7` or `team:ml:night`. */
export function bindRules(all: readonly CheckedRule[], rules: InlineRules): CheckedRule[] {
  const source = inlineSource(rules);
  const prefix = headerText(source.name);
  return all.map((rule): CheckedRule => {
    const id = `${prefix}${rule.id.startsWith(":") ? "" : ":"}${rule.id}`;
    const fires = { kind: "and", parts: [isSubject(rule, rules), rule.fires] } as const;
    return { ...rule, id, source, fires, quota: rule.quota === null ? null : ownQuota(rule.quota, rules) };
  });
}

/** Counters of the subject's own. */
function ownQuota(quota: CheckedQuota, { scope, subject }: InlineRules): CheckedQuota {
  const name = keptName(scope, subject.id, quota.name);
  return Object.freeze({ ...quota, name, text: `${nameOf(scope, subject.alias)}'s ${quota.text}` });
}

/** The implied `for team ml`. It is left out of what was written, so that no sentence says it twice. */
function isSubject({ zone }: CheckedRule, { scope, subject }: InlineRules): Leaf {
  const attribute = ATTRIBUTES.get(scope);
  if (attribute === undefined) throw new Error(`${scope} is an attribute`);
  const ref = { attribute, param: null, text: scope, zone };
  const test = { kind: "names", exact: [subject.id], globs: [] } as const;
  return { kind: "test", ref, test, negated: false, text: nameOf(scope, subject.alias) };
}

/** The set with what is kept for the principal, for the plain walk. @throws InlineRulesError */
export function withInline(set: CheckedSet, { rules = [] }: Principal, known: KnownAttributes = {}): CheckedSet {
  if (rules.length === 0) return set;
  return { ...set, rules: [...set.rules, ...rules.flatMap((kept) => boundRules(kept, known))] };
}

/** The rules that are kept on one subject. @throws InlineRulesError */
export function boundRules(rules: InlineRules, known: KnownAttributes): CheckedRule[] {
  const read = readRules(rules.text, known);
  if (read === null) throw brokenRules(rules, known);
  return bindRules(read.rules, rules);
}
