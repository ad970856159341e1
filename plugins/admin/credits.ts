// Routes of credits and jobs: what teams have, giving them more, every booking, what their jobs cost.
import {
  type ApiRoute,
  creditsJson,
  creditTransactionJson,
  type Management,
  route,
  teamJobJson,
  z,
} from "../../src/plugin.ts";
import { pageOf, paging } from "./pages.ts";

const mode = z.enum(["job_based", "consumption_usd", "consumption_tokens"]);
const moment = z.iso.datetime();
const named = z.strictObject({ id: z.string().describe("Its id or alias") });
const team = z.string().optional().describe("A team's id or alias; all teams when left out");
const status = z.enum(["pending", "in_progress", "completed", "failed"]);

const credits = z.object({
  ...{ team: z.string(), alias: z.string() },
  budget_mode: z.enum(["none", ...mode.options]),
  allocated: z.number().describe("All that was given, less what was taken back"),
  used: z.number().describe("Charged for jobs that have ended"),
  reserved: z.number().describe("Held by open jobs"),
  remaining: z.number(),
});

const transaction = z.object({
  ...{ id: z.string(), team: z.string(), at: moment, kind: z.enum(["allocate", "add", "job", "refund"]) },
  amount: z.number().describe("Negative for a charge"),
  balance_after: z.number(),
  ...{ job: z.string().nullable(), actor: z.string(), reason: z.string().nullable() },
});

const job = z.object({
  ...{ id: z.string(), team: z.string(), key: z.string(), type: z.string(), status, budget_mode: mode },
  ...{ calls: z.int(), failed_calls: z.int(), input_tokens: z.int(), output_tokens: z.int() },
  cost_usd: z.string().describe("Decimal"),
  ...{ credits_held: z.number(), credits_charged: z.number() },
  ...{ error: z.string().nullable(), metadata: z.record(z.string(), z.unknown()) },
  ...{ created: moment, updated: moment, completed: moment.nullable() },
  expires: moment.describe("When it is taken for abandoned, unless another call comes first"),
});

/** The routes. */
export function creditRoutes({ credits: all, jobs }: Management): readonly ApiRoute[] {
  const found = { 200: { description: "The credits.", schema: credits } };
  return [
    route({
      ...{ method: "GET", path: "/-/teams/{id}/credits", operationId: "getCredits", access: "any", params: named },
      summary: "Shows one team's credits",
      replies: found,
      handle: async ({ actor, params }) => ({ status: 200, body: creditsJson(await all.balance(actor, params.id)) }),
    }),
    route({
      ...{ method: "POST", path: "/-/teams/{id}/credits", operationId: "addCredits", access: "any", params: named },
      summary: "Gives one team more credits",
      body: z.strictObject({
        credits: z.number().describe("More than 0, with at most six decimals"),
        reason: z.string().max(1_000).optional().describe("Why, for the list of bookings"),
      }),
      replies: found,
      handle: async ({ actor, params, body }) => {
        const after = await all.add(actor, params.id, body.credits, body.reason ?? null);
        return { status: 200, body: creditsJson(after) };
      },
    }),
    route({
      ...{ method: "GET", path: "/-/credits/transactions", operationId: "listCreditTransactions", access: "any" },
      summary: "Lists what was booked, newest first",
      query: z.strictObject({ ...paging, team }),
      replies: { 200: { description: "One page.", schema: pageOf(transaction) } },
      handle: async ({ actor, query }) => {
        const { items, next } = await all.transactions(actor, query);
        return { status: 200, body: { items: items.map(creditTransactionJson), next } };
      },
    }),
    route({
      ...{ method: "GET", path: "/-/jobs", operationId: "listTeamJobs", access: "any" },
      summary: "Lists teams' jobs, newest first",
      query: z.strictObject({ ...paging, team, status: status.optional() }),
      replies: { 200: { description: "One page.", schema: pageOf(job) } },
      handle: async ({ actor, query }) => {
        const { items, next } = await jobs.list(actor, query);
        return { status: 200, body: { items: items.map(teamJobJson), next } };
      },
    }),
    route({
      ...{ method: "GET", path: "/-/jobs/{id}", operationId: "getTeamJob", access: "any" },
      summary: "Shows one job",
      params: z.strictObject({ id: z.string() }),
      replies: { 200: { description: "The job.", schema: job } },
      handle: async ({ actor, params }) => ({ status: 200, body: teamJobJson(await jobs.get(actor, params.id)) }),
    }),
  ];
}
