// When a budget's money comes free again, and how people write it: `month`, or a length such as `30d`.
import type { Budget, BudgetWindow } from "./types.ts";

const CALENDAR: ReadonlySet<string> = new Set<BudgetWindow>(["day", "week", "month", "year", "total"]);
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `month` → itself; `30d` → windows of thirty days; null for what is neither. */
export function parseBudgetWindow(text: string): Budget["window"] | null {
  if (CALENDAR.has(text)) return text as BudgetWindow;
  const [, count, unit = ""] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  if (count === undefined) return null;
  return Object.freeze({ kind: "every", durationMs: Number(count) * (UNIT_MS[unit] ?? 0) });
}

/** As it is written, in the largest unit that is whole: `month`, `30d`, `90m`. */
export function budgetWindowText(window: Budget["window"]): string {
  if (typeof window === "string") return window;
  const units = Object.entries(UNIT_MS).reverse();
  const [unit, ms] = units.find(([, each]) => window.durationMs % each === 0) ?? ["s", 1_000];
  return `${window.durationMs / ms}${unit}`;
}
