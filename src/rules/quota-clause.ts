// What a `limit` or `budget` counts, how much of it and for how long: read from tokens, with what is wrong with each.
import type { IToken } from "chevrotain";
import { parseUsd } from "../money.ts";
import { suggest } from "../suggest.ts";
import type { BudgetWindow, QuotaUnit } from "../types.ts";
import type { AttributeNode, QuotaNode, QuotaPeriod } from "./ast.ts";
import { near } from "./mistakes.ts";
import { literalValue } from "./nodes.ts";
import { quote, RuleSyntaxError, spanOf } from "./syntax-error.ts";
import { PLAIN_DIMENSION } from "./value-words.ts";

/** The words of the clause; what is missing is undefined. */
export interface QuotaTokens {
  /** `limit` or `budget`. */
  readonly word: IToken;
  readonly amount: IToken | undefined;
  readonly unit: IToken | undefined;
  readonly per: IToken | undefined;
  readonly period: IToken | undefined;
}

/** A clause that was read. */
export interface Counted {
  readonly effect: "limit" | "budget";
  readonly quota: QuotaNode;
}

const LIMIT_UNITS: ReadonlyMap<string, QuotaUnit> = new Map([
  ["requests", "requests"],
  ["tokens", "tokens"],
  ["concurrent", "concurrent"],
]);
const CALENDAR: readonly BudgetWindow[] = ["day", "week", "month", "year", "total"];
/** Decimals that a unit of an amount shifts by. */
const SHIFTS = new Map([
  ["", 0],
  ["k", 3],
  ["M", 6],
]);
/** Durations that people write as words. */
const DURATIONS = new Map([
  ["second", "1s"],
  ["minute", "1m"],
  ["hour", "1h"],
  ["day", "1d"],
  ["week", "7d"],
  ["month", "30d"],
]);
/** Calendar periods that people write as adverbs. */
const ADVERBS = new Map([
  ["daily", "day"],
  ["weekly", "week"],
  ["monthly", "month"],
  ["yearly", "year"],
]);

interface Range {
  readonly leastMs: number;
  readonly mostMs: number;
  readonly text: string;
}

/** How far back a sliding window may look. */
const SLIDING: Range = { leastMs: 1_000, mostMs: 31 * 86_400_000, text: "from `1s` to `31d`" };
/** How long a window of fixed length may be. */
const FIXED: Range = { leastMs: 60_000, mostMs: 366 * 86_400_000, text: "from `1m` to `366d`" };

const LIMIT_FORMS = "as in `limit 100 requests per 1m`, `limit 200k tokens per 1h` or `limit 8 concurrent`";
const BUDGET_FORMS = "as in `budget $500 per month` or `budget $5 per 12h`";

/** Reads the clause. @throws {RuleSyntaxError} E107, E113, E114, E115, E116. */
export function readCounted(tokens: QuotaTokens, by: readonly AttributeNode[]): Counted {
  const effect = tokens.word.image as Counted["effect"];
  const { word, amount, unit, per, period } = tokens;
  if (amount === undefined) {
    const what = effect === "limit" ? "how many" : "how much";
    throw fault("E113", word, `${quote(effect)} does not say ${what}`, formsOf(effect));
  }
  const text = [word, amount, unit, per, period].flatMap((token) => token?.image ?? []).join(" ");
  const read = effect === "limit" ? readLimit(tokens, amount) : readBudget(tokens, amount);
  return { effect, quota: { ...read, by, text } };
}

type Read = Pick<QuotaNode, "unit" | "amount" | "period">;

function readLimit(tokens: QuotaTokens, amount: IToken): Read {
  const count = countOf(amount);
  const unit = unitOf(tokens, amount);
  const { per, period } = tokens;
  if (unit !== "concurrent") return { unit, amount: count, period: slidingOf(tokens) };
  if (per === undefined) return { unit, amount: count, period: { kind: "none" } };
  const written = period === undefined ? "per" : `per ${period.image}`;
  throw fault("E115", per, "what runs at once has no period", `take ${quote(written)} out`);
}

function unitOf({ word, unit }: QuotaTokens, amount: IToken): QuotaUnit {
  if (unit === undefined) throw fault("E114", amount, `${quote(word.image)} does not say what it counts`, LIMIT_FORMS);
  const known = LIMIT_UNITS.get(unit.image);
  if (known !== undefined) return known;
  const help = near(unit.image, LIMIT_UNITS.keys()) ?? LIMIT_FORMS;
  throw fault("E114", unit, `a \`limit\` counts no ${quote(unit.image)}`, help);
}

/** `100`, `1.5k`, `2M` → a whole number. */
function countOf(token: IToken): bigint {
  const { literal } = literalValue(token);
  if (literal.dimension !== "number" && literal.dimension !== "tokens") {
    const isMoney = literal.dimension === "money";
    const help = isMoney ? `money is a budget: write \`budget ${token.image} per month\`` : LIMIT_FORMS;
    const what = PLAIN_DIMENSION[literal.dimension];
    throw fault("E114", token, `a \`limit\` counts requests or tokens, ${quote(token.image)} is ${what}`, help);
  }
  const [, whole = "", decimals = "", unit = ""] = /^(\d+)(?:\.(\d+))?([kM]?)$/.exec(token.image) ?? [];
  const digits = SHIFTS.get(unit) ?? 0;
  const kept = decimals.replace(/0+$/, "");
  if (kept.length > digits)
    throw fault("E116", token, `${quote(token.image)} is not a whole number`, "count whole ones");
  return positive(token, BigInt(whole + kept.padEnd(digits, "0")));
}

function readBudget(tokens: QuotaTokens, amount: IToken): Read {
  const { unit } = tokens;
  const limit = moneyOf(amount, unit);
  if (unit !== undefined) {
    const period = ADVERBS.get(unit.image);
    if (period !== undefined)
      throw fault("E115", unit, `${quote(unit.image)} is not used here`, `write \`per ${period}\``);
    throw fault("E114", unit, `a \`budget\` counts no ${quote(unit.image)}`, "`$` says that it is money");
  }
  return { unit: "nano-usd", amount: limit, period: budgetPeriod(tokens) };
}

/** `$500` → nano-USD. */
function moneyOf(token: IToken, unit: IToken | undefined): bigint {
  const nanoUsd = token.image.startsWith("$") ? parseUsd(token.image) : null;
  if (nanoUsd !== null) return positive(token, nanoUsd);
  const { dimension } = literalValue(token).literal;
  const message = (what: string): string => `a \`budget\` is an amount of money, ${what}`;
  if (unit !== undefined && LIMIT_UNITS.has(unit.image)) {
    const written = `${token.image} ${unit.image}`;
    const help = `write \`limit ${written}${unit.image === "concurrent" ? "" : " per 1h"}\``;
    throw fault("E114", token, message(`${quote(written)} is a limit`), help);
  }
  const help = dimension === "number" ? `write \`$${token.image}\`` : BUDGET_FORMS;
  throw fault("E114", token, message(`${quote(token.image)} is ${PLAIN_DIMENSION[dimension]}`), help);
}

function positive(token: IToken, amount: bigint): bigint {
  if (amount > 0n) return amount;
  throw fault("E116", token, `${quote(token.image)} leaves nothing to use`, "use `deny`");
}

function slidingOf(tokens: QuotaTokens): QuotaPeriod {
  const { period } = tokens;
  if (period === undefined) throw noPeriod(tokens);
  if (period.tokenType.name === "Quantity") return { kind: "sliding", durationMs: durationOf(period, SLIDING) };
  const word = suggest(period.image, DURATIONS.keys()) ?? period.image;
  const duration = DURATIONS.get(word);
  const help = duration === undefined ? "write it as `30s`, `1m`, `1h` or `7d`" : `write \`per ${duration}\``;
  throw fault("E115", period, `a \`limit\` looks back over a duration, ${quote(period.image)} is none`, help);
}

function budgetPeriod(tokens: QuotaTokens): QuotaPeriod {
  const { period } = tokens;
  if (period === undefined) throw noPeriod(tokens);
  if (period.tokenType.name === "Quantity") return { kind: "every", durationMs: durationOf(period, FIXED) };
  const known = CALENDAR.find((name) => name === period.image);
  if (known !== undefined) return { kind: "calendar", period: known };
  const duration = DURATIONS.get(period.image);
  const help =
    duration === undefined
      ? (near(period.image, CALENDAR) ?? `the periods are ${CALENDAR.join(", ")}, or a duration such as \`12h\``)
      : `write \`per ${duration}\``;
  throw fault("E115", period, `unknown period ${quote(period.image)}`, help);
}

/** Milliseconds. */
function durationOf(token: IToken, { leastMs, mostMs, text }: Range): number {
  const { literal } = literalValue(token);
  if (literal.dimension !== "duration") {
    const what = PLAIN_DIMENSION[literal.dimension];
    throw fault(
      "E115",
      token,
      `a period is a duration, ${quote(token.image)} is ${what}`,
      "write it as `30s`, `1m`, `12h` or `7d`",
    );
  }
  const { value } = literal;
  if (Number.isInteger(value) && value >= leastMs && value <= mostMs) return value;
  throw fault("E115", token, `the period ${quote(token.image)} is out of range`, text);
}

function noPeriod({ word, per }: QuotaTokens): RuleSyntaxError {
  return fault("E115", per ?? word, `${quote(word.image)} does not say for how long`, formsOf(word.image));
}

function formsOf(effect: string): string {
  return effect === "limit" ? LIMIT_FORMS : BUDGET_FORMS;
}

function fault(code: "E113" | "E114" | "E115" | "E116", token: IToken, message: string, help: string): RuleSyntaxError {
  return new RuleSyntaxError(code, spanOf(token), message, help);
}
