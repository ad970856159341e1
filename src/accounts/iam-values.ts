// What an IAM rule holds: its type and value as LLM Gateway's users write them, checked and brought into one form.

import { picoUsdPerToken } from "../money.ts";
import type { IamRule, Json } from "../store/directory.ts";
import { suggest } from "../suggest.ts";
import { AccountError } from "./errors.ts";
import { type FieldType, ipRanges, models } from "./field-types.ts";

/** Every type of rule. */
export const IAM_RULE_TYPES = [
  ...(["allow_models", "deny_models", "allow_providers", "deny_providers"] as const),
  ...(["allow_pricing", "deny_pricing", "allow_ip_cidrs", "deny_ip_cidrs"] as const),
] as const;

/** A type of rule. */
export type IamRuleType = (typeof IAM_RULE_TYPES)[number];

/** The value of a rule on prices. Prices are decimal USD per million tokens: `10`, `0.0375`. */
export interface PricingValue {
  readonly pricingType?: "free" | "paid";
  readonly maxInputPrice?: string;
  readonly maxOutputPrice?: string;
}

/** What people send to make or change a rule. */
export interface IamWish {
  readonly ruleType?: unknown;
  readonly ruleValue?: unknown;
  readonly status?: unknown;
}

/** What the language's own check takes for a slip of the unit, in USD per million tokens: a price a token is below. */
const PRICE_MIN_PICO_USD = picoUsdPerToken("0.001") ?? 0;
/** No model is that dear: a cap above it does nothing. */
const PRICE_MAX_PICO_USD = picoUsdPerToken("10000") ?? 0;

const LISTS: Readonly<Record<string, { readonly field: string; readonly type: FieldType }>> = {
  models: { field: "models", type: models },
  providers: { field: "providers", type: models },
  ip_cidrs: { field: "ipCidrs", type: ipRanges },
};

/** The rule that a wish comes to, beside what is stored. @throws AccountError `invalid_field` */
export function readIamRule(
  { ruleType, ruleValue, status }: IamWish,
  stored: Pick<IamRule, "ruleType" | "ruleValue" | "status"> | null = null,
): Pick<IamRule, "ruleType" | "ruleValue" | "status"> {
  const type = readType(ruleType ?? stored?.ruleType);
  const value = readValue(type, ruleValue ?? stored?.ruleValue);
  return { ruleType: type, ruleValue: value, status: readStatus(status ?? stored?.status ?? "active") };
}

function readType(value: unknown): IamRuleType {
  const type = IAM_RULE_TYPES.find((one) => one === value);
  if (type !== undefined) return type;
  const near = typeof value === "string" ? suggest(value, IAM_RULE_TYPES) : null;
  const help = near === null ? `must be one of ${IAM_RULE_TYPES.join(", ")}` : `did you mean \`${near}\`?`;
  throw invalid("ruleType", `\`ruleType\` ${near === null ? help : `is not a type of rule: ${help}`}`);
}

function readStatus(value: unknown): IamRule["status"] {
  if (value === "active" || value === "inactive") return value;
  throw invalid("status", "`status` must be active or inactive");
}

function readValue(type: IamRuleType, value: unknown): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("ruleValue", "`ruleValue` must be an object");
  }
  const given = Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null && one !== undefined));
  const about = type.slice(type.indexOf("_") + 1);
  const list = LISTS[about];
  if (list === undefined) return readPricing(type, given) as { readonly [name: string]: Json };
  assertOnly(type, given, [list.field]);
  const read = readList(list.type, list.field, given[list.field]);
  if (read === null) throw invalid("ruleValue", `\`ruleValue.${list.field}\` is missing: a list of at least one`);
  return { [list.field]: read };
}

function readList(type: FieldType, field: string, value: unknown): Json {
  try {
    return type.read(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const told = error.message.replace("must name models", `must name ${field}`);
    throw invalid("ruleValue", `\`ruleValue.${field}\` ${told}`, error);
  }
}

function readPricing(type: IamRuleType, given: Readonly<Record<string, unknown>>): PricingValue {
  assertOnly(type, given, ["pricingType", "maxInputPrice", "maxOutputPrice"]);
  const { pricingType, maxInputPrice, maxOutputPrice } = given;
  if (pricingType !== undefined && pricingType !== "free" && pricingType !== "paid") {
    throw invalid("ruleValue", "`ruleValue.pricingType` must be free or paid");
  }
  const value: PricingValue = {
    ...(pricingType === undefined ? {} : { pricingType }),
    ...(maxInputPrice === undefined ? {} : { maxInputPrice: readPrice("maxInputPrice", maxInputPrice) }),
    ...(maxOutputPrice === undefined ? {} : { maxOutputPrice: readPrice("maxOutputPrice", maxOutputPrice) }),
  };
  const parts = Object.keys(value).length;
  if (parts === 0) {
    const message = "`ruleValue` says nothing: give pricingType, maxInputPrice or maxOutputPrice";
    throw invalid("ruleValue", message);
  }
  // What is free costs no more than any maximum; what is paid is denied at any price.
  const idle = type === "allow_pricing" ? "free" : "paid";
  if (parts > 1 && pricingType === idle) {
    throw invalid(
      "ruleValue",
      `A maximum price does nothing beside \`pricingType\` ${idle} in ${type}: leave one of them out`,
    );
  }
  return value;
}

/** `10`, `0.5`, `$10/M`, `$0.01/k` → decimal USD per million tokens. */
function readPrice(field: string, value: unknown): string {
  const written = typeof value === "number" ? decimal(value) : value;
  const match = typeof written === "string" ? /^\$?(\d+(?:\.\d+)?)(\/[Mk])?$/.exec(written.trim()) : null;
  const perMillion = match === null ? null : match[2] === "/k" ? thousandfold(match[1] ?? "") : (match[1] ?? "");
  const picoUsd = perMillion === null ? null : picoUsdPerToken(perMillion);
  if (picoUsd === null) {
    const message = `\`ruleValue.${field}\` must be USD per million tokens, with at most six decimals: 10 or "$10/M"`;
    throw invalid("ruleValue", message);
  }
  if (picoUsd > 0 && picoUsd < PRICE_MIN_PICO_USD && match?.[2] === undefined) {
    const message = `\`ruleValue.${field}\` is USD per million tokens: ${written} looks like a price per token`;
    throw invalid("ruleValue", `${message} (with its unit, "$${written}/M", it is taken as it is)`);
  }
  if (picoUsd > PRICE_MAX_PICO_USD) {
    const message = `\`ruleValue.${field}\` is USD per million tokens: above 10000 it does nothing`;
    throw invalid("ruleValue", message);
  }
  return perMillion as string;
}

/** A number as people write it: without an exponent. */
function decimal(value: number): string {
  return /e-/.test(String(value)) ? value.toFixed(12).replace(/0+$/, "") : String(value);
}

/** A decimal, its point three places on. */
function thousandfold(text: string): string {
  const [whole = "", decimals = ""] = text.split(".");
  const digits = decimals.padEnd(3, "0");
  const rest = digits.slice(3);
  return `${whole}${digits.slice(0, 3)}${rest === "" ? "" : `.${rest}`}`.replace(/^0+(?=\d)/, "");
}

/** A part that has no meaning in the rule would be silently idle. */
function assertOnly(type: IamRuleType, given: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = suggest(unknown, known);
  const help = near === null ? `it takes ${known.join(", ")}` : `did you mean \`${near}\`?`;
  throw invalid("ruleValue", `\`ruleValue.${unknown}\` does nothing in a rule of type ${type}: ${help}`);
}

function invalid(field: string, message: string, cause?: unknown): AccountError {
  return new AccountError("invalid_field", message, { field, cause });
}
