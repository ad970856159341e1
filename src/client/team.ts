// The client of the team API: a team's key, its credits and its jobs.

import type { ChatAnswer, ChatChunk, ChatRequest } from "./chat.ts";
import { UnexpectedAnswerError } from "./errors.ts";
import { eventsOf } from "./events.ts";
import { type CallOptions, type ClientOptions, pathOf, Transport } from "./transport.ts";
import type {
  Balance,
  CompleteJobBody,
  CompleteJobReply,
  CreateJobBody,
  CreateJobReply,
  FailJobBody,
  Job,
  ListJobsQuery,
  ListJobsReply,
  ListTransactionsQuery,
  ListTransactionsReply,
  OwnTeam,
  VerifiedKey,
} from "./types.ts";

/** What the team client is made with. */
export interface TeamOptions extends ClientOptions {
  readonly teamId: string;
  /** The team's virtual key. */
  readonly virtualKey: string;
}

/**
 * Works for one team, on the data plane: checks its key, looks at its credits, makes calls inside jobs.
 *
 * @example
 * const client = new TollgateTeam({ baseUrl: "http://127.0.0.1:4000", teamId: "acme-corp", virtualKey });
 * const job = await client.createJob("document_analysis");
 * const answer = await job.call({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] });
 * await job.complete();
 */
export class TollgateTeam {
  readonly teamId: string;
  readonly #transport: Transport;

  constructor({ teamId, virtualKey, ...options }: TeamOptions) {
    this.teamId = teamId;
    this.#transport = new Transport(options, { authorization: `Bearer ${virtualKey}` });
  }

  /** Whose key it is. @throws PermissionError when the team is suspended or paused */
  verify(options?: CallOptions): Promise<VerifiedKey> {
    return this.#transport.json({ method: "GET", path: "/api/teams/verify" }, options);
  }

  /** The team, its key masked. */
  team(options?: CallOptions): Promise<OwnTeam> {
    return this.#transport.json({ method: "GET", path: pathOf("/api/teams/{id}", { id: this.teamId }) }, options);
  }

  /** What is left of the team's credits. */
  balance(options?: CallOptions): Promise<Balance> {
    const query = { team_id: this.teamId };
    return this.#transport.json({ method: "GET", path: "/api/credits/balance", query }, options);
  }

  /** What was booked, newest first. */
  transactions(query: ListTransactionsQuery = {}, options?: CallOptions): Promise<ListTransactionsReply> {
    const own = { team_id: this.teamId, ...query };
    return this.#transport.json({ method: "GET", path: "/api/credits/transactions", query: own }, options);
  }

  /**
   * Opens a job, which holds a credit until it is complete or has failed.
   * @throws PermissionError when the team is suspended or has no credits left
   */
  async createJob(
    jobType: string,
    more: Omit<CreateJobBody, "job_type" | "team_id"> = {},
    options?: CallOptions,
  ): Promise<OpenJob> {
    const body: CreateJobBody = { ...more, team_id: this.teamId, job_type: jobType };
    const job = await this.#transport.json<CreateJobReply>({ method: "POST", path: "/api/jobs/create", body }, options);
    return new OpenJob(this.#transport, job);
  }

  /** The team's jobs, newest first. */
  jobs(query: ListJobsQuery = {}, options?: CallOptions): Promise<ListJobsReply> {
    const own = { team_id: this.teamId, ...query };
    return this.#transport.json({ method: "GET", path: "/api/jobs", query: own }, options);
  }

  /** A job that was opened before. */
  async job(jobId: string, options?: CallOptions): Promise<OpenJob> {
    const path = pathOf("/api/jobs/{id}", { id: jobId });
    return new OpenJob(this.#transport, await this.#transport.json<Job>({ method: "GET", path }, options));
  }
}

/** A job: calls of a model that are paid for together. */
export class OpenJob {
  readonly job_id: string;
  readonly created_at: string;
  readonly #transport: Transport;
  #status: Job["status"];

  constructor(transport: Transport, { job_id, status, created_at }: Pick<Job, "job_id" | "status" | "created_at">) {
    if (typeof job_id !== "string") throw new UnexpectedAnswerError("the answer is no job");
    this.#transport = transport;
    this.job_id = job_id;
    this.created_at = created_at;
    this.#status = status;
  }

  /** As it was told last: `refresh` asks anew. */
  get status(): Job["status"] {
    return this.#status;
  }

  /** The job as it is now, with what it has cost. */
  refresh(options?: CallOptions): Promise<Job> {
    return this.#told(this.#transport.json<Job>({ method: "GET", path: this.#path("") }, options));
  }

  /** Calls a model inside the job; the request and the answer are of OpenAI's chat completions. */
  call(request: ChatRequest, options?: CallOptions): Promise<ChatAnswer> {
    const body = { ...request, stream: false };
    return this.#transport.json({ method: "POST", path: this.#path("/llm-call"), body }, options);
  }

  /** The same as it comes, chunk by chunk. Whoever stops early ends the call. */
  async *stream(request: ChatRequest, options?: CallOptions): AsyncGenerator<ChatChunk, void> {
    const body = { ...request, stream: true };
    const headers = { accept: "text/event-stream" };
    const wanted = { method: "POST", path: this.#path("/llm-call"), body, headers } as const;
    yield* eventsOf<ChatChunk>(await this.#transport.stream(wanted, options), options?.signal);
  }

  /** Ends the job: it is paid for. Asking again changes nothing. */
  complete(body: Omit<CompleteJobBody, "status"> = {}, options?: CallOptions): Promise<CompleteJobReply> {
    return this.#end("/complete", body, options);
  }

  /** Ends a job that came to nothing: one that is paid by the job gives its credit back. */
  fail(body: FailJobBody = {}, options?: CallOptions): Promise<CompleteJobReply> {
    return this.#end("/fail", body, options);
  }

  #end(how: string, body: object, options: CallOptions | undefined): Promise<CompleteJobReply> {
    const wanted = { method: "POST", path: this.#path(how), body, isRepeatable: true } as const;
    return this.#told(this.#transport.json<CompleteJobReply>(wanted, options));
  }

  async #told<Told extends Job>(answer: Promise<Told>): Promise<Told> {
    const told = await answer;
    this.#status = told.status;
    return told;
  }

  #path(more: string): string {
    return pathOf(`/api/jobs/{id}${more}`, { id: this.job_id });
  }
}
