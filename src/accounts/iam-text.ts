// IAM rules as rules in the rule language: there is one engine for all.
import type { IamRule } from "../store/directory.ts";
import type { IamRuleType, PricingValue } from "./iam-values.ts";

/** What of a rule its text depends on. */
export type IamRuleText = Pick<IamRule, "id" | "ruleType" | "ruleValue" | "rank" | "status">;

/** When a price is refused, and what the caller is told. */
interface Violation {
  readonly part: "type" | "input" | "output";
  readonly when: string;
  readonly because: string;
}

const LIST_FIELDS = { models: "models", providers: "providers", ip_cidrs: "ipCidrs" } as const;

/**
 * The statements that one object's rules come to; null for none. Allow rules of one type and rank are one statement,
 * for any of them may allow; those of other types, of other ranks, and every deny rule must let a request pass as well.
 * Each statement is named by the rules that it is made of.
 */
export function iamText(rules: readonly IamRuleText[]): string | null {
  const active = rules.filter(({ status }) => status === "active");
  const allows = active.filter(({ ruleType }) => ruleType.startsWith("allow_"));
  const groups = new Map<string, IamRuleText[]>();
  for (const rule of allows) {
    const name = `${3 - rule.rank} ${ALLOW_ORDER.indexOf(rule.ruleType as IamRuleType)}`;
    groups.set(name, [...(groups.get(name) ?? []), rule]);
  }
  const lines = [
    ...[...groups].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, group]) => allowLines(group)),
    ...active.filter((rule) => !allows.includes(rule)).flatMap(denyLines),
  ];
  return lines.length === 0 ? null : `${lines.join("\n")}\n`;
}

/** In which order a caller is told of what is not allowed. */
const ALLOW_ORDER: readonly IamRuleType[] = ["allow_models", "allow_providers", "allow_pricing", "allow_ip_cidrs"];

/** @param rules of one type, at least one */
function allowLines(rules: readonly IamRuleText[]): readonly string[] {
  const as = rules.map(({ id }) => id).join("+");
  const type = rules[0]?.ruleType;
  if (type === "allow_pricing") return allowPricingLines(rules, as);
  const list = listed(rules);
  if (type === "allow_models")
    return [`deny unless ${isModel(list)} ${told(as, notIn("Model {model.requested}", "models"))}`];
  if (type === "allow_providers") {
    return [`deny unless provider in ${list} ${told(as, notIn("Provider {provider}", "providers"))}`];
  }
  return [`deny when ip not in ${list} ${told(as, "IP address {ip} is not in the allowed IP ranges")}`];
}

function denyLines(rule: IamRuleText): readonly string[] {
  const { id, ruleType } = rule;
  if (ruleType === "deny_pricing") {
    return violations(ruleType, rule.ruleValue as PricingValue).map(
      ({ part, when, because }) => `deny when ${when} ${told(`${id}.${part}`, because)}`,
    );
  }
  const list = listed([rule]);
  if (ruleType === "deny_models")
    return [`deny when ${isModel(list)} ${told(id, isIn("Model {model.requested}", "models"))}`];
  if (ruleType === "deny_providers") {
    return [`deny when provider in ${list} ${told(id, isIn("Provider {provider}", "providers"))}`];
  }
  return [`deny when ip in ${list} ${told(id, "IP address {ip} is in the denied IP ranges")}`];
}

/** Refused is what breaks a part of every rule; the caller is told which part of the first. */
function allowPricingLines(rules: readonly IamRuleText[], as: string): readonly string[] {
  const [first = [], ...others] = rules.map(({ ruleValue }) => violations("allow_pricing", ruleValue as PricingValue));
  const broken = others.map((parts) => ` and (${parts.map(({ when }) => when).join(" or ")})`).join("");
  return first.map(({ part, when, because }) => `deny when ${when}${broken} ${told(`${as}.${part}`, because)}`);
}

/** A price that the catalogue lacks is above every maximum, and neither free nor paid. */
function violations(type: "allow_pricing" | "deny_pricing", value: PricingValue): readonly Violation[] {
  const { pricingType, maxInputPrice, maxOutputPrice } = value;
  const isAllow = type === "allow_pricing";
  const all: Violation[] = [];
  if (pricingType !== undefined) {
    const isFree = pricingType === "free";
    const when = isFree === isAllow ? "price > $0/M" : "price = $0/M";
    const because = isAllow
      ? `Only ${pricingType} models are allowed`
      : `${isFree ? "Free" : "Paid"} models are not allowed`;
    all.push({ part: "type", when, because });
  }
  for (const [part, max] of [
    ["input", maxInputPrice],
    ["output", maxOutputPrice],
  ] as const) {
    if (max === undefined) continue;
    const because = `Model ${part} price exceeds maximum allowed ({price.${part}} > $${max}/M)`;
    all.push({ part, when: `price.${part} > $${max}/M`, because });
  }
  return all;
}

/** By the name that the caller wrote (an alias) or the model's own. */
function isModel(list: string): string {
  return `model in ${list} or model.requested in ${list}`;
}

/** All that the rules list. Addresses stand bare, and patterns; a name in quotes, for it may begin with a digit. */
function listed(rules: readonly IamRuleText[]): string {
  const names = rules.flatMap(({ ruleType, ruleValue }) => {
    const about = ruleType.slice(ruleType.indexOf("_") + 1) as keyof typeof LIST_FIELDS;
    const list = (ruleValue as Readonly<Record<string, readonly string[]>>)[LIST_FIELDS[about]] ?? [];
    return about === "ip_cidrs" ? list : list.map((name) => (/[*?]/.test(name) ? name : JSON.stringify(name)));
  });
  return `[${[...new Set(names)].join(", ")}]`;
}

function told(as: string, because: string): string {
  return `as ${as} because "Access denied: ${because}"`;
}

function notIn(subject: string, list: string): string {
  return `${subject} is not in the allowed ${list} list`;
}

function isIn(subject: string, list: string): string {
  return `${subject} is in the denied ${list} list`;
}
