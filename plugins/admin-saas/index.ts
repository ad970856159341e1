// The admin-saas plugin: teams, credits and jobs over HTTP in SaaS LiteLLM's shape, and calls that are paid with credits.
import { definePlugin, durationShape, type Reservation, z } from "../../src/plugin.ts";
import { JobCalls } from "./calls.ts";
import { creditRoutes } from "./credits.ts";
import { DETAIL } from "./dialect.ts";
import { JOB_CALLS, jobRoutes } from "./jobs.ts";
import { placeRoutes } from "./places.ts";
import { teamChangeRoutes } from "./team-changes.ts";
import { teamMakingRoutes } from "./team-making.ts";
import { teamRoutes } from "./teams.ts";

/** How often jobs that were left open are looked for, milliseconds. */
const EXPIRE_EVERY_MS = 10_000;

const config = z.strictObject({
  credits_per_dollar: z.number().positive().default(10).describe("Budget mode consumption_usd: what a dollar costs."),
  tokens_per_credit: z
    .int()
    .min(1)
    .default(10_000)
    .describe("Budget mode consumption_tokens: input and output tokens that a credit buys."),
  job_expiry: durationShape.default(86_400_000).describe("How long a job may be left without a call: then it fails."),
});

export default definePlugin({
  name: "admin-saas",
  config,
  setup: (host, options) => {
    const { management, log } = host;
    const idleMs = options.job_expiry;
    const calls = new JobCalls(host, {
      creditsPerDollar: options.credits_per_dollar,
      tokensPerCredit: options.tokens_per_credit,
      idleMs,
    });
    const expire = (): void => {
      management.jobs.expire().then(
        (count) => count > 0 && log.info({ count }, "jobs that were left open have failed"),
        (error: unknown) => log.error({ err: error }, "jobs that were left open could not be ended"),
      );
    };
    let timer: NodeJS.Timeout | undefined;
    return {
      start: () => {
        timer = setInterval(expire, EXPIRE_EVERY_MS).unref();
      },
      stop: () => clearInterval(timer),
      reserve: (call, principal, decision) => calls.reserve(call, principal, decision),
      settle: (reservation: Reservation, outcome) =>
        calls.settle(reservation as Parameters<typeof calls.settle>[0], outcome),
      routes: {
        tag: "saas-litellm",
        description: "Teams, credits and jobs as in SaaS LiteLLM.",
        errors: DETAIL,
        adminKeyInOwnHeaderOnly: true,
        routes: [
          ...teamMakingRoutes(management),
          ...teamRoutes(management),
          ...teamChangeRoutes(management),
          ...placeRoutes(management),
          ...creditRoutes(management),
          ...jobRoutes(management, idleMs),
        ],
        calls: [JOB_CALLS],
      },
    };
  },
});
