// The budget plugin: holds back what a request may use of every budget and limit that applies, then charges what it did.
import {
  type Call,
  type Decision,
  definePlugin,
  type Hold,
  type Host,
  type Need,
  type Outcome,
  type Principal,
  type Reservation,
  StoreError,
  z,
} from "../../src/plugin.ts";
import { BUDGET_ATTRIBUTES, withAttributes } from "./attributes.ts";
import { limitHeaders, standingsOf } from "./limit-headers.ts";
import { actualsOf, dearest, needsOf, type PricedBound } from "./quotas.ts";
import { refused, storeUnavailable, unpriced } from "./refusals.ts";

/** A reservation, the ledger's hold behind it and what it was decided by. */
interface BudgetReservation extends Reservation {
  readonly hold: Hold;
  readonly decision: Decision;
}

/**
 * Throws `model_unpriced` when an allowed target has no price, `budget_exceeded` or `rate_limit_exceeded` when a budget
 * or a limit cannot cover the dearest of them, `store_unavailable` when the database cannot be written.
 */
export default definePlugin({
  name: "budget",
  config: z.strictObject({}),
  attributes: BUDGET_ATTRIBUTES,
  setup: (host) =>
    withAttributes(host, {
      reserve: (call, principal, decision) => reserve(host, call, principal, decision),
      settle: (reservation, outcome) => settle(host, reservation as BudgetReservation, outcome),
    }),
});

function reserve(host: Host, call: Call, principal: Principal, decision: Decision): BudgetReservation {
  const bounds = decision.targets.map((target): PricedBound => {
    const { costNanoUsd, ...tokens } = host.costBound(call, target);
    if (costNanoUsd === null) throw unpriced(target);
    return { ...tokens, costNanoUsd };
  });
  const most = dearest(bounds);
  const answer = ask(host, call, needsOf(principal, decision, bounds, most));
  if (!answer.ok) throw refused(answer.refusal, call.wire, host.clock.nowMs());
  const { hold } = answer;
  const amountNanoUsd = Math.min(most.costNanoUsd, Number.MAX_SAFE_INTEGER);
  if (decision.quotas === undefined) return { amountNanoUsd, hold, decision };
  const headers = limitHeaders(call.wire, standingsOf(host.ledger, hold), host.clock.nowMs());
  return { amountNanoUsd, hold, decision, headers };
}

function ask(host: Host, { id }: Call, needs: readonly Need[]): ReturnType<Host["ledger"]["reserve"]> {
  try {
    return host.ledger.reserve(needs, id);
  } catch (error) {
    if (error instanceof StoreError && error.code === "unavailable") throw storeUnavailable(error);
    throw error;
  }
}

function settle(host: Host, { hold, decision }: BudgetReservation, outcome: Outcome): Promise<void> {
  return host.ledger.settle(hold, actualsOf(hold.needs, decision, outcome));
}
