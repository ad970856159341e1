// What the store tells of itself, kept for `/readyz` and `/metrics` and told to the log.
import type { Logger } from "pino";
import { single } from "./metrics.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Metric } from "./plugin.ts";
import type { StoreEvent } from "./store/store.ts";

/** What the store has told. */
export interface Health {
  storeProblem: string | null;
  /** Charged by this process to budgets for processes that died. */
  unaccountedNanoUsd: bigint;
  rowsDropped: number;
}

/** The gateway's own numbers. */
export function gatewayMetrics(
  pipeline: Pipeline,
  { storeProblem, unaccountedNanoUsd, rowsDropped }: Health,
): Metric[] {
  const ready = pipeline.draining || storeProblem !== null ? 0 : 1;
  return [
    single("gauge", "tollgate_requests_in_flight", "Requests under way.", pipeline.active),
    single("gauge", "tollgate_ready", "1 while requests are served, as /readyz says.", ready),
    single(
      "counter",
      "tollgate_unaccounted_usd_total",
      "Charged to budgets for gateways that died, in US dollars, by this one.",
      Number(unaccountedNanoUsd) / 1e9,
    ),
    single(
      "counter",
      "tollgate_rows_dropped_total",
      "Rows of refused requests that were not kept while the database could not be written.",
      rowsDropped,
    ),
  ];
}

/** Notes the event, and tells it. */
export function onStoreEvent(event: StoreEvent, log: Logger, health: Health): void {
  switch (event.kind) {
    case "unavailable":
      health.storeProblem = "the database cannot be written";
      log.error({ err: event.error }, "the database cannot be written: requests are refused until it can");
      break;
    case "available":
      health.storeProblem = null;
      log.info({ after_ms: event.afterMs }, "the database can be written again");
      break;
    case "recovered":
      for (const { quota, amount } of event.charged) {
        if (quota.startsWith("budget:")) health.unaccountedNanoUsd += amount;
      }
      log.warn(
        {
          process: event.process,
          pid: event.pid,
          charged: event.charged.map((c) => ({ ...c, amount: String(c.amount) })),
        },
        "a process died: what it held is charged as unaccounted",
      );
      break;
    case "rows_dropped":
      health.rowsDropped += event.count;
      log.warn({ count: event.count }, "rows of refused requests were not kept");
  }
}
