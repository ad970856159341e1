// Credits, their bookings and jobs as JSON: what the native API answers and `--json` shows.
import { creditsOf } from "../credit-units.ts";
import { momentJson } from "../moment.ts";
import { formatUsd } from "../money.ts";
import type { CreditTransaction, Job } from "../store/credits.ts";
import type { TeamCredits } from "./credits.ts";

/** A team's credits, in whole credits and millionths of one. */
export function creditsJson({ team, mode, allocated, used, reserved, remaining }: TeamCredits): object {
  return { team: team.id, alias: team.fields.alias, budget_mode: mode, allocated, used, reserved, remaining };
}

/** One booking. */
export function transactionJson(booked: CreditTransaction): object {
  const { id, teamId, atMs, kind, amount, balanceAfter, jobId, actor, reason } = booked;
  return {
    ...{ id, team: teamId, at: momentJson(atMs), kind, amount: creditsOf(amount) },
    ...{ balance_after: creditsOf(balanceAfter), job: jobId, actor, reason },
  };
}

/** A job: what it used, what it holds, what it cost. */
export function jobJson(job: Job): object {
  const { id, teamId, keyId, type, status, mode, calls, failedCalls, inputTokens, outputTokens, metadata } = job;
  return {
    ...{ id, team: teamId, key: keyId, type, status, budget_mode: mode },
    ...{ calls, failed_calls: failedCalls, input_tokens: inputTokens, output_tokens: outputTokens },
    ...{ cost_usd: formatUsd(job.costNanoUsd), credits_held: creditsOf(job.held) },
    ...{ credits_charged: creditsOf(job.charged), error: job.error, metadata },
    ...{ created: momentJson(job.createdMs), updated: momentJson(job.updatedMs) },
    ...{ completed: momentJson(job.completedMs), expires: momentJson(job.expiresMs) },
  };
}
