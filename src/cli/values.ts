// Values on the command line: names, budgets, moments; and the same as JSON.
import { budgetWindowText } from "../budget-window.ts";
import { parseDuration } from "../config/units.ts";
import { formatUsd, parseUsd } from "../money.ts";
import type { Charge, NewBudget } from "../store/store.ts";
import type { Budget, BudgetWindow } from "../types.ts";
import { usage } from "./options.ts";

export { momentJson } from "../moment.ts";

const WINDOWS: readonly BudgetWindow[] = ["day", "week", "month", "year", "total"];
const NAME_LENGTH_MAX = 128;
const PAGE_MAX = 1_000;

/** An alias, role or tag: printable, not padded with blanks. */
export function readName(command: string, option: string, text: string): string {
  const isFit = text === text.trim() && text.length <= NAME_LENGTH_MAX && !/\p{Cc}/u.test(text);
  if (isFit && text !== "") return text;
  throw usage(command, `${option} takes up to ${NAME_LENGTH_MAX} printable characters, without blanks around them`);
}

/** `$5 per month`, `$0.50/day`, `$100 total` → nano-USD and window. */
export function readBudget(command: string, text: string): NewBudget {
  const match = /^(\S*?)\s*(?:(?:\s|^)per\s+|\/\s*|\s)\s*([a-z]+)$/i.exec(text.trim());
  const limitNanoUsd = parseUsd(match?.[1] ?? "");
  const window = WINDOWS.find((one) => one === match?.[2]?.toLowerCase());
  if (limitNanoUsd !== null && window !== undefined) return { limitNanoUsd, window };
  const eaten = /^\s*(?:\.\d+\s*)?per\b/.test(text) ? " (the shell takes `$5` away unless it is in single quotes)" : "";
  throw usage(command, `not a budget: write '$5 per month', with day, week, month, year or total${eaten}`);
}

/** `30d` from now, `2027-01-31` (00:00 UTC) or `2027-01-31T12:00:00Z` → milliseconds since the epoch. */
export function readMoment(command: string, option: string, text: string, nowMs: number, sign: 1 | -1): number {
  const duration = parseDuration(text);
  if (duration.ok) return nowMs + sign * duration.value;
  const isDate = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text);
  const moment = isDate && isCalendarDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(moment)) return moment;
  throw usage(command, `${option} takes a duration (30d, 12h) or a date (2027-01-31, 2027-01-31T12:00:00Z)`);
}

/** `Date.parse` takes 30 February for 2 March. */
function isCalendarDay(date: string): boolean {
  const ms = Date.parse(date);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}

/** A whole number, 0 or more. */
export function readCount(command: string, option: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw usage(command, `${option} takes a whole number`);
}

/** How many entries of a list are asked for, of one page. */
export function readPageSize(command: string, text: string): number {
  const size = readCount(command, "--limit", text);
  if (size >= 1 && size <= PAGE_MAX) return size;
  throw usage(command, `--limit takes a whole number, 1 to ${PAGE_MAX}`);
}

/** A budget in JSON output. */
export function budgetJson(budget: Pick<Budget, "limitNanoUsd" | "window">): { limit_usd: string; window: string } {
  return { limit_usd: formatUsd(budget.limitNanoUsd), window: budgetWindowText(budget.window) };
}

/** Budgets for people: `$5 per month, $100 total`. */
export function budgetText(budgets: readonly Pick<Budget, "limitNanoUsd" | "window">[]): string {
  const texts = budgets.map(({ limitNanoUsd, window }) =>
    window === "total"
      ? `$${formatUsd(limitNanoUsd)} total`
      : `$${formatUsd(limitNanoUsd)} per ${budgetWindowText(window)}`,
  );
  return texts.join(", ");
}

/** The same of budgets as JSON. */
export function shownBudgets(budgets: readonly { readonly limit_usd: string; readonly window: string }[]): string {
  const texts = budgets.map(({ limit_usd, window }) =>
    window === "total" ? `$${limit_usd} total` : `$${limit_usd} per ${window}`,
  );
  return texts.join(", ");
}

/** What was charged, for people: `$0.25`, `1200 tokens`. */
export function amountText({ unit, amount }: Pick<Charge, "unit" | "amount">): string {
  return unit === "nano-usd" ? `$${formatUsd(amount)}` : `${amount} ${unit}`;
}
