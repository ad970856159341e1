// What rules may compare of budgets and traffic: `budget.spent`, `budget.remaining`, `requests.rate`, `concurrency`.
import {
  type AttributeDeclaration,
  type AttributeReader,
  type Call,
  type Decision,
  type Host,
  type Outcome,
  type PluginHooks,
  type Principal,
  type Reservation,
  StoreError,
} from "../../src/plugin.ts";
import { Activity } from "./activity.ts";
import { quotasOf } from "./quotas.ts";

/** A budget's state, in nano-USD. */
export interface BudgetState {
  /** Charged, and held for requests under way. */
  readonly spent: bigint;
  readonly limit: bigint;
}

/** What the attributes are read from. */
export interface BudgetFacts {
  /** The budgets on a key, its team, its user and its organisation; null while the database cannot be read. */
  budgets(principal: Principal): readonly BudgetState[] | null;
  /** Requests of the key that were let through in the last minute, in this process. */
  rate(keyId: string): number;
  /** Requests of the key that are under way, in this process. */
  concurrency(keyId: string): number;
}

/** As rules know them. */
export const BUDGET_ATTRIBUTES: readonly AttributeDeclaration[] = [
  {
    name: "budget.spent",
    type: "money",
    note: "of the budget on key, team, user or org that has spent most; `$` or `%`; unset without one",
    fixedBy: "now",
    mayLack: true,
    percent: true,
  },
  {
    name: "budget.remaining",
    type: "money",
    note: "of the one that has least left; `$` or `%`; unset without one",
    fixedBy: "now",
    mayLack: true,
    percent: true,
  },
  {
    name: "requests.rate",
    type: "number",
    note: "requests of the key let through in the last minute, in this process",
    fixedBy: "now",
  },
  {
    name: "concurrency",
    type: "number",
    note: "requests of the key under way, in this process",
    fixedBy: "now",
  },
];

/** The readers of the attributes. */
export function readersOf(facts: BudgetFacts): Record<string, AttributeReader> {
  const ofBudgets =
    (
      amountOf: (budget: BudgetState, isShare: boolean) => number,
      pick: (...values: number[]) => number,
    ): AttributeReader =>
    (_call, principal, _target, as) => {
      const budgets = facts.budgets(principal);
      if (budgets === null) return undefined;
      return budgets.length === 0 ? null : pick(...budgets.map((budget) => amountOf(budget, as === "percent")));
    };
  return {
    "budget.spent": ofBudgets(spentOf, Math.max),
    "budget.remaining": ofBudgets(remainingOf, Math.min),
    "requests.rate": (_call, { key }) => facts.rate(key.id),
    concurrency: (_call, { key }) => facts.concurrency(key.id),
  };
}

/** Nano-USD, or per cent of the limit; of a limit of nothing all is spent. */
function spentOf({ spent, limit }: BudgetState, isShare: boolean): number {
  if (!isShare) return Number(spent);
  return limit === 0n ? 100 : (Number(spent) / Number(limit)) * 100;
}

/** The same of what is left, which is never less than nothing. */
function remainingOf({ spent, limit }: BudgetState, isShare: boolean): number {
  const left = limit > spent ? limit - spent : 0n;
  if (!isShare) return Number(left);
  return limit === 0n ? 0 : (Number(left) / Number(limit)) * 100;
}

/** A reservation that knows whose it is: a look-up by the reservation cost a microsecond of garbage collection. */
export interface KeyReservation extends Reservation {
  readonly keyId: string;
}

/** The hooks of a plugin that reserves at once. */
export interface Reserving {
  reserve(call: Call, principal: Principal, decision: Decision): KeyReservation;
  settle(reservation: Reservation, outcome: Outcome): void | Promise<void>;
}

/** The hooks, with a count of what they let through and with the readers of the attributes. */
export function withAttributes(host: Host, hooks: Reserving): PluginHooks {
  const activity = new Activity(() => host.clock.monotonicMs());
  return {
    reserve: (call, principal, decision) => {
      const reservation = hooks.reserve(call, principal, decision);
      activity.began(reservation.keyId);
      return reservation;
    },
    settle: (reservation, outcome) => {
      activity.ended((reservation as KeyReservation).keyId);
      return hooks.settle(reservation, outcome);
    },
    readAttributes: readersOf({
      budgets: (principal) => budgetsOf(host, principal),
      rate: (keyId) => activity.rate(keyId),
      concurrency: (keyId) => activity.concurrency(keyId),
    }),
  };
}

function budgetsOf({ ledger }: Host, principal: Principal): readonly BudgetState[] | null {
  try {
    const limiting = quotasOf(principal).filter((_quota, i) => principal.budgets[i]?.isSoftOnly !== true);
    return limiting.map((quota) => {
      const { spent, reserved } = ledger.balance(quota);
      return { spent: spent + reserved, limit: quota.limit };
    });
  } catch (error) {
    if (error instanceof StoreError && error.code === "unavailable") return null;
    throw error;
  }
}
