// The budget plugin: holds back what a request may cost from every budget that applies, then charges what it did cost.
import {
  type Call,
  type Decision,
  definePlugin,
  type Hold,
  type Host,
  type Principal,
  type Reservation,
  StoreError,
  z,
} from "../../src/plugin.ts";
import { BUDGET_ATTRIBUTES, withAttributes } from "./attributes.ts";
import { quotasOf } from "./quotas.ts";
import { exceeded, storeUnavailable, unpriced } from "./refusals.ts";

/** The most the ledger counts at once, about $9 million: a caller may ask for 10^12 answers, and a provider claim them. */
const MOST_NANO_USD = Number.MAX_SAFE_INTEGER;

/** A reservation and the ledger's hold behind it. */
interface BudgetReservation extends Reservation {
  readonly hold: Hold;
}

/**
 * Throws `model_unpriced` when an allowed target has no price, `budget_exceeded` when a budget cannot cover the
 * dearest of them, `store_unavailable` when the database cannot be written.
 */
export default definePlugin({
  name: "budget",
  config: z.strictObject({}),
  attributes: BUDGET_ATTRIBUTES,
  setup: (host) =>
    withAttributes(host, {
      reserve: (call, principal, decision) => reserve(host, call, principal, decision),
      settle: (reservation, outcome) => {
        const costNanoUsd = outcome.usage === null ? 0 : Math.min(outcome.costNanoUsd, MOST_NANO_USD);
        return host.ledger.settle((reservation as BudgetReservation).hold, costNanoUsd);
      },
    }),
});

function reserve(host: Host, call: Call, principal: Principal, decision: Decision): BudgetReservation {
  const amountNanoUsd = dearest(host, call, decision);
  const answer = ask(host, principal, amountNanoUsd);
  if (!answer.ok) throw exceeded(answer.refusal, amountNanoUsd, host.clock.nowMs());
  return { amountNanoUsd, hold: answer.hold };
}

/** What the call can cost at the dearest allowed target, in nano-USD. */
function dearest(host: Host, call: Call, decision: Decision): number {
  let mostNanoUsd = 0;
  for (const target of decision.targets) {
    const { costNanoUsd } = host.costBound(call, target);
    if (costNanoUsd === null) throw unpriced(target);
    mostNanoUsd = Math.max(mostNanoUsd, costNanoUsd);
  }
  return Math.min(mostNanoUsd, MOST_NANO_USD);
}

function ask(host: Host, principal: Principal, amountNanoUsd: number): ReturnType<Host["ledger"]["reserve"]> {
  try {
    return host.ledger.reserve(quotasOf(principal), amountNanoUsd);
  } catch (error) {
    if (error instanceof StoreError && error.code === "unavailable") throw storeUnavailable(error);
    throw error;
  }
}
