// How a warning about a budget is told: one line in the log, one message to the webhook.
import { budgetWindowText, formatUsd, type Host, type Metric, momentJson } from "../../src/plugin.ts";
import type { Warning } from "./warnings.ts";
import { Webhook, type WebhookConfig } from "./webhook.ts";

/** Tells warnings, and counts them. */
export class Telling {
  readonly #host: Host;
  readonly #webhook: Webhook | null;
  #told = 0;

  constructor(host: Host, webhook: WebhookConfig | undefined) {
    this.#host = host;
    this.#webhook = webhook === undefined ? null : new Webhook(webhook, host);
  }

  /** Returns at once. */
  tell(warning: Warning): void {
    const facts = factsOf(warning);
    this.#told += 1;
    this.#host.log.warn(facts, warning.text);
    const at = momentJson(this.#host.clock.nowMs());
    this.#webhook?.send({ type: "budget.threshold", timestamp: at, data: { ...facts, text: warning.text } });
  }

  /** See `Webhook.stop`. */
  async stop(): Promise<void> {
    await this.#webhook?.stop();
  }

  metrics(): readonly Metric[] {
    const results = Object.entries(this.#webhook?.counts ?? {});
    return [
      {
        name: "tollgate_budget_warnings_total",
        help: "Thresholds of budgets that were passed, told by this process.",
        type: "counter",
        samples: [{ value: this.#told }],
      },
      {
        name: "tollgate_budget_webhooks_total",
        help: "Messages to the webhook, by what came of them.",
        type: "counter",
        samples: results.map(([result, value]) => ({ labels: { result }, value })),
      },
    ];
  }
}

/** As in the log and in the webhook's `data`. */
function factsOf({ watched: { quota, budget }, threshold, balance }: Warning): Readonly<Record<string, unknown>> {
  const isRule = "ruleId" in quota;
  return {
    quota: quota.id,
    budget: quota.label,
    ...(budget === null ? {} : { scope: budget.scope, id: budget.subject.id, alias: budget.subject.alias }),
    ...(isRule ? { rule: quota.ruleId } : {}),
    threshold: threshold.name,
    threshold_usd: formatUsd(threshold.nanoUsd),
    spent_usd: formatUsd(balance.spent),
    limit_usd: budget?.isSoftOnly === true ? null : formatUsd(quota.limit),
    ...(budget === null ? {} : { window: budgetWindowText(budget.window) }),
    in: balance.window,
    resets: momentJson(balance.resetsMs),
  };
}
