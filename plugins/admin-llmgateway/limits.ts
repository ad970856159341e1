// A key's two limits on spending, in all and in a period, as entries of its budgets.
import { AccountError, type Fields, z } from "../../src/plugin.ts";

/** A budget as a field of a key holds it. */
export interface BudgetEntry {
  readonly limitUsd: string;
  readonly window: string;
}

const UNITS = ["hour", "day", "week", "month"] as const;

type Unit = (typeof UNITS)[number];

/** A period that comes again and again. */
interface Period {
  readonly value: number;
  readonly unit: Unit;
}

/** US dollars. */
const amount = z
  .union([z.string().regex(/^\d{1,10}(?:\.\d{1,9})?$/, "write US dollars as a decimal: 12.50"), z.number().min(0)])
  .nullable()
  .optional();

/** The fields that say what a key may spend. What is left out stays as it is; null lifts a limit. */
export const LIMIT_FIELDS = {
  usageLimit: amount.describe("Most that the key may ever spend, US dollars"),
  periodUsageLimit: amount.describe("Most that it may spend in each period, US dollars"),
  periodUsageDurationValue: z.int().min(1).max(8_784).nullable().optional(),
  periodUsageDurationUnit: z
    .enum(UNITS)
    .nullable()
    .optional()
    .describe("1 to 8784 hours, 366 days, 52 weeks, 1 or 12 months"),
};

/** What a body says of them. */
export type LimitWish = z.output<z.ZodObject<typeof LIMIT_FIELDS>>;

/** True when the body says anything of limits. */
export function wishesLimits(wish: LimitWish): boolean {
  return Object.keys(LIMIT_FIELDS).some((field) => wish[field as keyof LimitWish] !== undefined);
}

/** The budget without an end, and the first with a period; other budgets of the key are no concern of this shape. */
export function limitsOf({ budgets }: Fields): {
  readonly total: BudgetEntry | null;
  readonly period: BudgetEntry | null;
} {
  const all = (budgets ?? []) as unknown as readonly BudgetEntry[];
  const isTotal = ({ window }: BudgetEntry): boolean => window === "total";
  return { total: all.find(isTotal) ?? null, period: all.find((entry) => !isTotal(entry)) ?? null };
}

/** The key's budgets as they are to be. @throws AccountError `invalid_field` */
export function budgetsAfter(fields: Fields, wish: LimitWish): readonly BudgetEntry[] {
  const before = limitsOf(fields);
  const all = (fields.budgets ?? []) as unknown as readonly BudgetEntry[];
  const others = all.filter((entry) => entry !== before.total && entry !== before.period);
  const total = wish.usageLimit === undefined ? before.total : entryOf(wish.usageLimit, "total");
  const period = periodAfter(before.period, wish);
  return [total, period, ...others].filter((entry) => entry !== null);
}

function periodAfter(before: BudgetEntry | null, wish: LimitWish): BudgetEntry | null {
  const { periodUsageLimit: limit, periodUsageDurationValue: value, periodUsageDurationUnit: unit } = wish;
  const hasPeriod = typeof value === "number" && typeof unit === "string";
  if (limit === null) return null;
  if (!hasPeriod && (typeof value === "number" || typeof unit === "string")) {
    throw invalid("`periodUsageDurationValue` and `periodUsageDurationUnit` go together");
  }
  const window = hasPeriod ? windowOf({ value, unit }) : (before?.window ?? null);
  if (limit === undefined) {
    if (!hasPeriod) return before;
    if (before === null) throw invalid("A period needs `periodUsageLimit`");
    return { ...before, window: window as string };
  }
  if (window === null)
    throw invalid("`periodUsageLimit` needs `periodUsageDurationValue` and `periodUsageDurationUnit`");
  return entryOf(limit, window);
}

function entryOf(limit: string | number | null, window: string): BudgetEntry | null {
  return limit === null ? null : { limitUsd: limit as string, window };
}

/** One of a unit is the calendar's; several are a length. */
function windowOf({ value, unit }: Period): string {
  if (unit === "month") {
    if (value === 1) return "month";
    if (value === 12) return "year";
    throw invalid("A period of months is 1 or 12 of them: months differ in length, so give others in days");
  }
  const days = unit === "week" ? value * 7 : value;
  if (unit !== "hour" && days > 366) throw invalid("A period is at most 366 days long");
  if (unit === "hour") return `${value}h`;
  return value === 1 ? unit : `${days}d`;
}

/** The period that a budget's window is, in the largest unit that it is a multiple of; null for one of another kind. */
export function periodOf(window: string): Period | null {
  const calendar: Readonly<Record<string, Period>> = {
    day: { value: 1, unit: "day" },
    week: { value: 1, unit: "week" },
    month: { value: 1, unit: "month" },
    year: { value: 12, unit: "month" },
  };
  const known = Object.hasOwn(calendar, window) ? calendar[window] : undefined;
  if (known !== undefined) return known;
  const [, digits = "", letter = ""] = /^(\d+)([hd])$/.exec(window) ?? [];
  const value = Number(digits);
  if (letter === "h") return { value, unit: "hour" };
  if (letter !== "d") return null;
  return value % 7 === 0 ? { value: value / 7, unit: "week" } : { value, unit: "day" };
}

function invalid(message: string): AccountError {
  return new AccountError("invalid_field", message, { field: "periodUsageLimit" });
}
