// Routes of jobs, for a team's key; and the path that makes calls in a job, which the pipeline serves.
import { type ApiRoute, type CallRoute, type Management, route, z } from "../../src/plugin.ts";
import { ownTeam } from "./credits.ts";
import { jobJson, jobShape, metadata, moment, paging } from "./shapes.ts";

const named = z.strictObject({ job_id: z.string() });
const endedShape = jobShape.extend({ credits_remaining: z.number() });
const text = z.string().min(1).max(1_000);

/** The calls in a job: the body and the answer are those of `POST /v1/chat/completions`. */
export const JOB_CALLS: CallRoute = Object.freeze({
  ...{ method: "POST", path: "/api/jobs/{job_id}/llm-call", operationId: "saasCallInJob", access: "key" },
  ...{ wire: "openai", endpoint: "chat", errorFormat: "detail", dataPlane: true },
  summary: "Makes a call to a model in a job",
  description: "The body is that of `POST /v1/chat/completions`, and so is the answer, streams too.",
  params: named,
  body: z.looseObject({ model: z.string(), messages: z.array(z.unknown()), stream: z.boolean().optional() }),
  replies: { 200: { description: "OpenAI's `chat.completion`, or its chunks." } },
});

/** The routes. @param idleMs how long a job may be left without a call */
export function jobRoutes({ jobs, credits }: Management, idleMs: number): readonly ApiRoute[] {
  const shared = { access: "key", dataPlane: true } as const;
  const ended = { 200: { description: "The job.", schema: endedShape } };
  const end = async (actor: Parameters<typeof jobs.end>[0], id: string, ending: Parameters<typeof jobs.end>[2]) => {
    const job = await jobs.end(actor, id, ending);
    const { remaining } = await credits.balance(actor, job.teamId);
    return { status: 200, body: { ...jobJson(job), credits_remaining: remaining } };
  };
  return [
    route({
      ...{ ...shared, method: "POST", path: "/api/jobs/create", operationId: "saasCreateJob" },
      summary: "Opens a job",
      body: z.strictObject({
        team_id: z.string().optional().describe("The key's own team when left out"),
        job_type: text,
        metadata: metadata.optional(),
        user_id: text.optional().describe("Of your own; kept in the job's metadata"),
      }),
      replies: {
        200: {
          description: "The job.",
          schema: z.object({ job_id: z.uuid(), status: z.literal("pending"), created_at: moment }),
        },
      },
      handle: async ({ actor, body: { team_id: team, job_type: type, metadata = {}, user_id } }) => {
        const kept = user_id === undefined ? metadata : { ...metadata, user_id };
        const job = jobJson(await jobs.open(actor, { team, type, metadata: kept, idleMs })) as z.output<
          typeof jobShape
        >;
        return { status: 200, body: { job_id: job.job_id, status: job.status, created_at: job.created_at } };
      },
    }),
    route({
      ...{ ...shared, method: "GET", path: "/api/jobs", operationId: "saasListJobs" },
      summary: "Lists the team's jobs, newest first",
      query: z.strictObject({ ...paging, team_id: z.string().optional(), status: jobShape.shape.status.optional() }),
      replies: { 200: { description: "One page.", schema: z.object({ total: z.int(), jobs: z.array(jobShape) }) } },
      handle: async (request) => {
        const { limit, offset, team_id: name, status } = request.query;
        const team = ownTeam(request, name);
        const { items, total } = await jobs.list(request.actor, { team, status, limit, skip: offset });
        return { status: 200, body: { total, jobs: items.map(jobJson) } };
      },
    }),
    route({
      ...{ ...shared, method: "GET", path: "/api/jobs/{job_id}", operationId: "saasGetJob" },
      summary: "Shows one job",
      params: named,
      replies: { 200: { description: "The job.", schema: jobShape } },
      handle: async ({ actor, params }) => ({ status: 200, body: jobJson(await jobs.get(actor, params.job_id)) }),
    }),
    route({
      ...{ ...shared, method: "POST", path: "/api/jobs/{job_id}/complete", operationId: "saasCompleteJob" },
      summary: "Ends a job: it costs its credits. Asking again changes nothing",
      params: named,
      body: z.strictObject({
        status: z.enum(["completed", "failed"]).default("completed"),
        metadata: metadata.optional(),
        error_message: text.nullable().optional(),
      }),
      bodyOptional: true,
      replies: ended,
      handle: ({ actor, params, body: { status, metadata, error_message: error } }) =>
        end(actor, params.job_id, { status, metadata, error: error ?? undefined }),
    }),
    route({
      ...{ ...shared, method: "POST", path: "/api/jobs/{job_id}/fail", operationId: "saasFailJob" },
      summary: "Ends a job that came to nothing: one that is paid by the job gives its credit back",
      params: named,
      body: z.strictObject({ error_message: text.nullable().optional(), metadata: metadata.optional() }),
      bodyOptional: true,
      replies: ended,
      handle: ({ actor, params, body: { metadata, error_message: error } }) =>
        end(actor, params.job_id, { status: "failed", metadata, error: error ?? undefined }),
    }),
  ];
}
