// Teams, balances, bookings and jobs as these routes show them.
import {
  type AccountObject,
  type CreditTransaction,
  creditsOf,
  formatUsd,
  type Job,
  momentJson,
  type TeamCredits,
  z,
} from "../../src/plugin.ts";

const CREDITS_MAX = 1_000_000_000;

export const budgetMode = z
  .enum(["job_based", "consumption_usd", "consumption_tokens"])
  .describe("What a completed job costs: one credit, its dollars or its tokens");
export const credits = z.number().min(0).max(CREDITS_MAX).multipleOf(0.000_001);
export const names = z.array(z.string().min(1));
export const metadata = z.record(z.string(), z.json());
export const moment = z.iso.datetime();
/** Pages have offsets here, as in SaaS LiteLLM. */
export const paging = {
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  offset: z.coerce.number().int().min(0).default(0),
};
export const named = z.strictObject({ team_id: z.string() });

const balance = {
  credits_allocated: z.number(),
  credits_used: z.number(),
  credits_reserved: z.number().describe("Held by open jobs"),
  credits_remaining: z.number().describe("What is left to open jobs with"),
};

export const teamShape = z.object({
  ...{ team_id: z.string(), organization_id: z.string().nullable(), team_alias: z.string() },
  virtual_key: z.string().nullable().describe("Masked, but for the one time when it is made"),
  ...{ status: z.enum(["active", "suspended", "paused"]), access_groups: names },
  budget_mode: z.enum(["none", ...budgetMode.options]),
  ...balance,
  ...{ metadata, created_at: moment, notes: names.optional() },
});

export const balanceShape = z.object({ team_id: z.string(), budget_mode: z.string(), ...balance });

export const transactionShape = z.object({
  ...{ transaction_id: z.uuid(), team_id: z.string(), transaction_type: z.enum(["allocate", "add", "job", "refund"]) },
  credits_amount: z.number().describe("Negative for a charge"),
  balance_after: z.number(),
  ...{ job_id: z.string().nullable(), actor: z.string(), reason: z.string().nullable(), created_at: moment },
});

export const jobShape = z.object({
  ...{ job_id: z.uuid(), team_id: z.string(), job_type: z.string() },
  status: z.enum(["pending", "in_progress", "completed", "failed"]),
  ...{ created_at: moment, updated_at: moment, completed_at: moment.nullable() },
  expires_at: moment.describe("When it is taken for abandoned, unless another call comes first"),
  ...{ metadata, error_message: z.string().nullable(), budget_mode: budgetMode },
  credits_reserved: z.number(),
  credits_charged: z.number(),
  costs: z.object({
    ...{ total_calls: z.int(), successful_calls: z.int(), failed_calls: z.int() },
    ...{ input_tokens: z.int(), output_tokens: z.int(), total_tokens: z.int() },
    total_cost_usd: z.string().describe("Decimal"),
  }),
});

/** A team. @param key what may be shown of its virtual key */
export function teamJson(of: TeamCredits, key: string | null): object {
  const { id, fields, createdMs } = of.team;
  return {
    ...{ team_id: id, organization_id: fields.orgId, team_alias: fields.alias, virtual_key: key },
    ...{ status: fields.status, access_groups: fields.accessGroups, budget_mode: of.mode },
    ...balanceOf(of),
    ...{ metadata: fields.metadata, created_at: momentJson(createdMs) },
  };
}

/** A team's credits. */
export function balanceJson(of: TeamCredits): object {
  return { team_id: of.team.id, budget_mode: of.mode, ...balanceOf(of) };
}

function balanceOf({ allocated, used, reserved, remaining }: TeamCredits): object {
  return {
    ...{ credits_allocated: allocated, credits_used: used },
    ...{ credits_reserved: reserved, credits_remaining: remaining },
  };
}

/** One booking. */
export function transactionJson(booked: CreditTransaction): object {
  return {
    ...{ transaction_id: booked.id, team_id: booked.teamId, transaction_type: booked.kind },
    ...{ credits_amount: creditsOf(booked.amount), balance_after: creditsOf(booked.balanceAfter) },
    ...{ job_id: booked.jobId, actor: booked.actor, reason: booked.reason, created_at: momentJson(booked.atMs) },
  };
}

/** A job. */
export function jobJson(job: Job): object {
  const { id, teamId, type, status, calls, failedCalls, inputTokens, outputTokens } = job;
  return {
    ...{ job_id: id, team_id: teamId, job_type: type, status },
    ...{ created_at: momentJson(job.createdMs), updated_at: momentJson(job.updatedMs) },
    ...{ completed_at: momentJson(job.completedMs), expires_at: momentJson(job.expiresMs) },
    ...{ metadata: job.metadata, error_message: job.error, budget_mode: job.mode },
    ...{ credits_reserved: creditsOf(job.held), credits_charged: creditsOf(job.charged) },
    costs: {
      ...{ total_calls: calls, successful_calls: calls - failedCalls, failed_calls: failedCalls },
      ...{ input_tokens: inputTokens, output_tokens: outputTokens, total_tokens: inputTokens + outputTokens },
      total_cost_usd: formatUsd(job.costNanoUsd),
    },
  };
}

/** What may be shown of a key's secret. */
export function masked({ secret }: AccountObject): string | null {
  return secret === null ? null : `${secret.prefix}…${secret.lastFour}`;
}
