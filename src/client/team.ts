// The client of the team API: a team's key, its credits and its jobs.
import { UnexpectedAnswerError } from "./errors.ts";
import { eventsOf } from "./events.ts";
import type {
  ChatAnswer,
  ChatChunk,
  ChatRequest,
  CreditBalance,
  JobState,
  JobStatus,
  TeamStatus,
} from "./team-types.ts";
import { type CallOptions, type ClientOptions, pathOf, Transport } from "./transport.ts";

/** What the team client is made with. */
export interface TeamOptions extends ClientOptions {
  readonly teamId: string;
  /** The team's virtual key. */
  readonly virtualKey: string;
}

/**
 * Works for one team: checks its key, looks at its credits, makes calls inside jobs.
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

  /** Whose key it is, and whether the team may work. */
  verify(options?: CallOptions): Promise<TeamStatus> {
    return this.#transport.json({ method: "GET", path: "/api/teams/verify" }, options);
  }

  /** What is left of the team's credits. */
  balance(options?: CallOptions): Promise<CreditBalance> {
    const query = { team_id: this.teamId };
    return this.#transport.json({ method: "GET", path: "/api/credits/balance", query }, options);
  }

  /**
   * Begins a job, which holds a credit until it is complete or has failed.
   * @throws PermissionError when the team is suspended or has no credits left
   */
  async createJob(jobType: string, options?: CallOptions): Promise<Job> {
    const body = { team_id: this.teamId, job_type: jobType };
    return new Job(
      this.#transport,
      await this.#transport.json<JobState>({ method: "POST", path: "/api/jobs/create", body }, options),
    );
  }

  /** A job that was made before. */
  async job(jobId: string, options?: CallOptions): Promise<Job> {
    const path = pathOf("/api/jobs/{id}", { id: jobId });
    return new Job(this.#transport, await this.#transport.json<JobState>({ method: "GET", path }, options));
  }
}

/** A job: calls of a model that are paid for together. */
export class Job {
  readonly job_id: string;
  readonly created_at: string;
  readonly #transport: Transport;
  #status: JobStatus;

  constructor(transport: Transport, { job_id, status, created_at }: JobState) {
    if (typeof job_id !== "string") throw new UnexpectedAnswerError("the answer is no job");
    this.#transport = transport;
    this.job_id = job_id;
    this.created_at = created_at;
    this.#status = status;
  }

  /** As it was told last. */
  get status(): JobStatus {
    return this.#status;
  }

  /** Calls a model inside the job; the request and the answer are of OpenAI's chat completions. */
  call(request: ChatRequest, options?: CallOptions): Promise<ChatAnswer> {
    return this.#transport.json(
      { method: "POST", path: this.#path("/llm-call"), body: { ...request, stream: false } },
      options,
    );
  }

  /** The same as it comes, chunk by chunk. Whoever stops early ends the call. */
  async *stream(request: ChatRequest, options?: CallOptions): AsyncGenerator<ChatChunk, void> {
    const headers = { accept: "text/event-stream" };
    const wanted = {
      method: "POST",
      path: this.#path("/llm-call"),
      body: { ...request, stream: true },
      headers,
    } as const;
    yield* eventsOf<ChatChunk>(await this.#transport.stream(wanted, options));
  }

  /** Ends the job well: it is paid for. */
  complete(options?: CallOptions): Promise<void> {
    return this.#end("complete", options);
  }

  /** Ends the job badly: its credit is given back. */
  fail(options?: CallOptions): Promise<void> {
    return this.#end("fail", options);
  }

  async #end(how: "complete" | "fail", options: CallOptions | undefined): Promise<void> {
    const { status } = await this.#transport.json<Pick<JobState, "status">>(
      { method: "POST", path: this.#path(`/${how}`), body: {} },
      options,
    );
    this.#status = status;
  }

  #path(more: string): string {
    return pathOf(`/api/jobs/{id}${more}`, { id: this.job_id });
  }
}
