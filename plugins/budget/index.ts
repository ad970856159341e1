// The budget plugin: holds back what a request may use of every budget and limit that applies, then charges what it did.
import {
  type Call,
  type Decision,
  definePlugin,
  durationShape,
  type Hold,
  type Host,
  type Need,
  type Outcome,
  type Principal,
  StoreError,
  z,
} from "../../src/plugin.ts";
import { BUDGET_ATTRIBUTES, type KeyReservation, withAttributes } from "./attributes.ts";
import { limitHeaders, standingsOf } from "./limit-headers.ts";
import { limitsRoute } from "./limits-route.ts";
import { actualsOf, budgetOf, dearest, isPriced, isRuleQuota, needsOf, type PricedBound } from "./quotas.ts";
import { recoveredRoutes } from "./recovered-routes.ts";
import { refused, storeUnavailable, unpriced } from "./refusals.ts";
import { Telling } from "./telling.ts";
import { percent, watchedOf } from "./thresholds.ts";
import { BudgetWarnings } from "./warnings.ts";

const config = z.strictObject({
  warn_at: z
    .array(percent)
    .prefault(["80%", "95%"])
    .describe("Shares of a budget; `[]` for none. A soft budget is warned about besides."),
  webhook: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }).describe("Where warnings are posted as JSON."),
      secret: z.string().min(1).optional().describe("Secret. Signs them, as standard webhooks do."),
      timeout: durationShape.prefault("5s").describe("For one try."),
    })
    .optional()
    .describe("Left out: warnings are in the log only."),
});

/** A reservation, the ledger's hold behind it and what it was decided by. */
interface BudgetReservation extends KeyReservation {
  readonly hold: Hold;
  readonly decision: Decision;
}

/**
 * Throws `model_unpriced` when an allowed target has no price, `budget_exceeded` or `rate_limit_exceeded` when a budget
 * or a limit cannot cover the dearest of them, `store_unavailable` when the database cannot be written.
 */
export default definePlugin({
  name: "budget",
  config,
  attributes: BUDGET_ATTRIBUTES,
  setup: (host, options) => {
    const telling = new Telling(host, options.webhook);
    const warnings = new BudgetWarnings({
      host,
      watch: (quota) => watchedOf(quota, isRuleQuota(quota) ? null : budgetOf(quota), options.warn_at),
      tell: (warning) => telling.tell(warning),
    });
    return {
      ...withAttributes(host, {
        reserve: (call, principal, decision) => reserve({ host, warnings }, call, principal, decision),
        settle: (reservation, outcome) => settle({ host, warnings }, reservation as BudgetReservation, outcome),
      }),
      metrics: () => telling.metrics(),
      routes: {
        tag: "budget",
        description: "Budgets and limits.",
        routes: [limitsRoute(host), ...recoveredRoutes(host)],
      },
      stop: async () => {
        warnings.lookNow();
        await telling.stop();
      },
    };
  },
});

const WARNING_HEADER = "x-tollgate-budget-warning";

/** What the phases work with. */
interface Parts {
  readonly host: Host;
  readonly warnings: BudgetWarnings;
}

function reserve({ host, warnings }: Parts, call: Call, principal: Principal, decision: Decision): BudgetReservation {
  const bounds = decision.targets.map((target): PricedBound => {
    const bound = host.costBound(call, target);
    if (!isPriced(bound)) throw unpriced(target);
    return bound;
  });
  const most = dearest(bounds);
  const answer = ask(host, call, needsOf(principal, decision, bounds, most));
  if (!answer.ok) throw refused(answer.refusal, call.wire, host.clock.nowMs());
  const { hold } = answer;
  const amountNanoUsd = Math.min(most.costNanoUsd, Number.MAX_SAFE_INTEGER);
  const keyId = principal.key.id;
  const warning = warnings.headerFor(hold);
  if (decision.quotas === undefined && warning === null) return { amountNanoUsd, hold, decision, keyId };
  const headers =
    decision.quotas === undefined ? [] : limitHeaders(call.wire, standingsOf(host.ledger, hold), host.clock.nowMs());
  if (warning !== null) headers.push(WARNING_HEADER, warning);
  return { amountNanoUsd, hold, decision, keyId, headers };
}

function ask(host: Host, { id }: Call, needs: readonly Need[]): ReturnType<Host["ledger"]["reserve"]> {
  try {
    return host.ledger.reserve(needs, id);
  } catch (error) {
    if (error instanceof StoreError && error.code === "unavailable") throw storeUnavailable(error);
    throw error;
  }
}

function settle({ host, warnings }: Parts, { hold, decision }: BudgetReservation, outcome: Outcome): Promise<void> {
  const actuals = actualsOf(hold.needs, decision, outcome);
  const isNear = warnings.isNear(hold, actuals);
  const written = host.ledger.settle(hold, actuals);
  // What could not be written in time is written later, and looked at with the next charge.
  if (isNear) written.then(() => warnings.lookSoon()).catch(() => undefined);
  return written;
}
