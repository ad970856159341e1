// Budgets as LiteLLM has them: `max_budget` with `budget_duration`, `budget_limits` beside it, `model_max_budget`.
import { type Fields, momentJson, type Spent, z } from "../../src/plugin.ts";
import { durationOf, windowOf } from "./durations.ts";

/** A budget as an account object has it. */
export interface Budget {
  readonly limitUsd: string | number;
  readonly window: string;
}

/** An amount: LiteLLM's own clients send an empty text for none. */
export const amount = z.union([z.number(), z.string()]).describe("US dollars");

const limit = z.strictObject({
  budget_duration: z.string(),
  max_budget: amount,
  ...{ spend: z.number().optional(), reset_at: z.string().nullish() },
});

/** The fields of budgets that can be sent. */
export const budgetFields = {
  max_budget: amount.nullish().describe("US dollars; null for none"),
  budget_duration: z.string().nullish().describe("30s, 30m, 30h, 30d or 1mo; null never resets"),
  budget_limits: z.array(limit).nullish().describe("More budgets, each on a window of its own"),
};

/** What was sent of them. */
export type SentBudgets = z.output<z.ZodObject<typeof budgetFields>>;

/** Which of an object's budgets is shown as `max_budget`. */
function split(fields: Fields): { readonly main: Budget | null; readonly others: readonly Budget[] } {
  const budgets = (fields.budgets ?? []) as unknown as readonly Budget[];
  if (fields.noMainBudget === true) return { main: null, others: budgets };
  const [main = null, ...others] = budgets;
  return { main, others };
}

/**
 * The object's budgets after what was sent; null when nothing of them was sent.
 * @param stored the fields that it has now: what is not sent stays
 * @throws TypeError with words for people, the field's name in it
 */
export function readBudgets(sent: SentBudgets, stored: Fields): Readonly<Record<string, unknown>> | null {
  const isSent = (["max_budget", "budget_duration", "budget_limits"] as const).some((name) => sent[name] !== undefined);
  if (!isSent) return null;
  const now = split(stored);
  const main = readMain(sent, now.main);
  const others = sent.budget_limits === undefined ? now.others : (sent.budget_limits ?? []).map(readLimit);
  const budgets = main === null ? others : [main, ...others];
  if (new Set(budgets.map(({ window }) => window)).size < budgets.length) {
    throw new TypeError("`budget_limits` has a window twice, or that of `budget_duration`");
  }
  return { budgets, noMainBudget: main === null && others.length > 0 };
}

function readMain({ max_budget: max, budget_duration: duration }: SentBudgets, stored: Budget | null): Budget | null {
  const limitUsd = max === undefined ? stored?.limitUsd : max;
  if (limitUsd === undefined || limitUsd === null || limitUsd === "") {
    const isEmpty = duration === undefined || duration === null || duration === "";
    if (isEmpty || max !== undefined || stored !== null) return null;
    throw new TypeError("`budget_duration` says nothing without `max_budget`");
  }
  const window = duration === undefined ? (stored?.window ?? "total") : named("budget_duration", duration, windowOf);
  return { limitUsd, window };
}

function readLimit({ max_budget: limitUsd, budget_duration: duration }: z.output<typeof limit>): Budget {
  return { limitUsd, window: named("budget_limits", duration, windowOf) };
}

/** @throws TypeError with the field's name before what is wrong */
export function named<Value, Read>(name: string, value: Value, read: (value: Value) => Read): Read {
  try {
    return read(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TypeError(`\`${name}\` ${error.message}`);
  }
}

/** The budgets as LiteLLM shows them, with what was spent of each. */
export function budgetsJson(fields: Fields, { totalNanoUsd, budgets }: Spent): Readonly<Record<string, unknown>> {
  const { main, others } = split(fields);
  const spent = main === null ? undefined : budgets[0];
  const rest = budgets.slice(main === null ? 0 : 1);
  return {
    spend: dollars(spent?.spentNanoUsd ?? totalNanoUsd),
    max_budget: main === null ? null : Number(main.limitUsd),
    budget_duration: main === null ? null : durationOf(main.window),
    budget_reset_at: momentJson(spent?.resetsMs ?? null),
    budget_limits: others.map(({ limitUsd, window }, i) => ({
      budget_duration: durationOf(window) ?? "total",
      max_budget: Number(limitUsd),
      spend: dollars(rest[i]?.spentNanoUsd ?? 0n),
      reset_at: momentJson(rest[i]?.resetsMs ?? null),
    })),
  };
}

function dollars(nanoUsd: bigint): number {
  return Number(nanoUsd) / 1e9;
}

const modelBudget = z.strictObject({
  ...{ budget_limit: amount.optional(), max_budget: amount.optional() },
  ...{ time_period: z.string().nullish(), budget_duration: z.string().nullish() },
});

/** `{"gpt-4o": 5}` or `{"gpt-4o": {budget_limit: 5, time_period: "1d"}}`. */
export const modelBudgets = z.record(z.string(), z.union([z.number(), modelBudget]));

/** @throws TypeError with words for people */
export function readModelBudgets(sent: z.output<typeof modelBudgets>): Readonly<Record<string, Budget>> {
  return Object.fromEntries(Object.entries(sent).map(([model, one]) => [model, readModelBudget(one)]));
}

function readModelBudget(sent: number | z.output<typeof modelBudget>): Budget {
  if (typeof sent === "number") return { limitUsd: sent, window: "total" };
  const limitUsd = sent.budget_limit ?? sent.max_budget;
  if (limitUsd === undefined) throw new TypeError("must have a `budget_limit` for each model");
  return { limitUsd, window: windowOf(sent.time_period ?? sent.budget_duration ?? null) };
}

/** As `readModelBudgets` reads it back. */
export function modelBudgetsJson(budgets: Readonly<Record<string, Budget>>): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(budgets).map(([model, { limitUsd, window }]) => [
      model,
      { budget_limit: Number(limitUsd), time_period: durationOf(window) },
    ]),
  );
}
