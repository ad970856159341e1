// Jobs: a team's key opens one, makes calls in it and ends it. The credits that it holds are booked by the store.
import { randomUUID } from "node:crypto";
import { MICRO_CREDITS } from "../credit-units.ts";
import type { BudgetMode, CallEnd, CreditQuery, CreditStore, Job, JobStatus } from "../store/credits.ts";
import type { Json, Page } from "../store/directory.ts";
import type { Actor } from "./caller.ts";
import { assertLimit, type Credits } from "./credits.ts";
import { AccountError } from "./errors.ts";
import type { Accounts } from "./service.ts";

/** What the jobs work with. */
export interface JobsOptions {
  readonly accounts: Accounts;
  readonly credits: Credits;
  /** Wall clock, milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/** A job to open. */
export interface JobWish {
  /** Id or alias; the key's own team when left out. */
  readonly team?: string | undefined;
  readonly type: string;
  readonly metadata?: Metadata | undefined;
  /** How long it may be left without a call. */
  readonly idleMs: number;
}

/** Whatever the caller wants to keep with a job. */
export type Metadata = { readonly [name: string]: Json };

/** A call of a job that is to begin. */
export interface CallWish {
  /** The most that it can cost in that mode, micro-credits. */
  mostOf(mode: BudgetMode): number;
  /** How long the job may be left without another call. */
  readonly idleMs: number;
}

/** Whose key makes a call: it has been authenticated for it, and is the team's. */
export interface CallMaker {
  readonly keyId: string;
  readonly teamId: string;
}

/** How a job of one call ends. */
export interface AloneEnding {
  readonly status: "completed" | "failed";
  readonly keyId: string;
}

/** What a call that has begun holds; for `endCall`. */
export interface CallHold {
  readonly jobId: string;
  readonly mode: BudgetMode;
  readonly hold: number;
}

/** How a job is to end. */
export interface JobEnding {
  readonly status: "completed" | "failed";
  readonly metadata?: Metadata | undefined;
  readonly error?: string | undefined;
}

/** Which jobs to list. */
export interface JobListWish extends Partial<Pick<CreditQuery, "limit" | "after" | "skip">> {
  /** Id or alias; of all teams when left out, which only proxy admins and their viewers may see. */
  readonly team?: string | undefined;
  readonly status?: JobStatus | undefined;
}

const METADATA_MAX = 64 * 1024;
const TEXT_MAX = 1_000;

/** Operations on jobs. */
export class Jobs {
  readonly #accounts: Accounts;
  readonly #store: CreditStore;
  readonly #credits: Credits;
  readonly #nowMs: () => number;

  constructor({ accounts, credits, nowMs }: JobsOptions) {
    this.#accounts = accounts;
    this.#credits = credits;
    this.#store = credits.store;
    this.#nowMs = nowMs;
  }

  /**
   * Opens a job for the key's team. One that is paid by the job holds a credit from now on.
   * @throws AccountError `not_permitted` for another team's key, `credits_exhausted`, `invalid_field`
   */
  async open(actor: Actor, { team, type, metadata = {}, idleMs }: JobWish): Promise<Job> {
    assertText("jobType", type);
    assertMetadata(metadata);
    const { keyId, teamId } = await this.#keyOf(actor, team);
    const { fields } = await this.#accounts.get(actor, "team", teamId);
    if (fields.budgetMode === "none") throw exhausted();
    const mode = fields.budgetMode as BudgetMode;
    const atMs = this.#nowMs();
    const job = { id: randomUUID(), teamId, keyId, type, mode, metadata, atMs, expiresMs: atMs + idleMs };
    const wish = { ...job, hold: mode === "job_based" ? MICRO_CREDITS : 0 };
    const opened = await this.#tryToOpen(wish);
    if (opened === null) throw exhausted();
    return opened;
  }

  /** @throws AccountError `not_found`; `not_permitted` for another team's */
  async get(actor: Actor, jobId: string): Promise<Job> {
    const job = await this.#existing(jobId);
    const { keyTeamId, role } = await this.#accounts.caller(actor);
    if (keyTeamId !== job.teamId && role !== "admin" && role !== "viewer") throw notOfTeam();
    return job;
  }

  /** Newest first, for whoever may see the team. */
  async list(actor: Actor, wish: JobListWish): Promise<Page<Job> & { readonly total: number }> {
    const { team, status, limit = 100, after, skip } = wish;
    assertLimit(limit);
    const teamId = await this.#credits.placeOf(actor, team);
    const page = await this.#store.jobs({ teamId, status, limit, after, skip });
    return { ...page, total: await this.#store.countJobs({ teamId, status }) };
  }

  /**
   * Ends a job; asking again for the same end changes nothing.
   * @throws AccountError `not_found`, `not_permitted`, `job_ended` when it has ended otherwise
   */
  async end(actor: Actor, jobId: string, { status, metadata = {}, error }: JobEnding): Promise<Job> {
    if (error !== undefined) assertText("errorMessage", error);
    const job = await this.#own(actor, jobId);
    assertMetadata({ ...job.metadata, ...metadata });
    const { label } = await this.#accounts.caller(actor);
    const ended = await this.#store.endJob(jobId, {
      ...{ status, metadata, error: error ?? null, actor: label, atMs: this.#nowMs() },
      reason: `job ${job.type} ${status}`,
    });
    if (!ended.changed && ended.job.status !== status) throw jobEnded(ended.job);
    return ended.job;
  }

  /**
   * A call of a job begins.
   * @throws AccountError `not_found`, `not_permitted`, `job_ended`, `credits_exhausted`
   */
  async beginCall({ teamId }: CallMaker, jobId: string, { mostOf, idleMs }: CallWish): Promise<CallHold> {
    const job = await this.#existing(jobId);
    if (job.teamId !== teamId) throw notOfTeam();
    const hold = mostOf(job.mode);
    const atMs = this.#nowMs();
    const begun = await this.#store.beginCall(jobId, { hold, atMs, expiresMs: atMs + idleMs });
    if (begun === "no_credits") throw exhausted();
    if (begun === "ended") throw jobEnded(await this.#existing(jobId));
    return { jobId, mode: job.mode, hold };
  }

  /**
   * A call begins that is a job of its own; `endCall` has to be told how the job ends.
   * @throws AccountError `credits_exhausted`
   */
  async beginAlone(maker: CallMaker, mode: BudgetMode, { mostOf, idleMs }: CallWish): Promise<CallHold> {
    const [jobId, atMs] = [randomUUID(), this.#nowMs()];
    const hold = mode === "job_based" ? MICRO_CREDITS : mostOf(mode);
    const job = { id: jobId, ...maker, type: "direct", mode, metadata: {}, atMs, expiresMs: atMs + idleMs };
    if ((await this.#tryToOpen({ ...job, hold, begun: true })) === null) throw exhausted();
    return { jobId, mode, hold };
  }

  /** It has ended. @param andJob how its job ends with it */
  async endCall({ jobId, hold }: CallHold, end: Omit<CallEnd, "atMs" | "hold">, andJob?: AloneEnding): Promise<void> {
    const atMs = this.#nowMs();
    const ending = andJob && {
      ...{ status: andJob.status, metadata: {}, error: null, actor: `key:${andJob.keyId}`, atMs },
      reason: `a call outside of a job ${andJob.status}`,
    };
    await this.#store.endCall(jobId, { ...end, hold, atMs }, ending);
  }

  /** Ends what was left open for too long. Tells how many that were. */
  async expire(): Promise<number> {
    return this.#store.expireJobs(this.#nowMs());
  }

  /** What expired jobs hold is free, though nobody has looked at them yet. */
  async #tryToOpen(wish: Parameters<CreditStore["openJob"]>[0]): Promise<Job | null> {
    const opened = await this.#store.openJob(wish);
    return opened === null && (await this.expire()) > 0 ? this.#store.openJob(wish) : opened;
  }

  async #existing(jobId: string): Promise<Job> {
    const job = await this.#store.job(jobId);
    if (job === null) throw new AccountError("not_found", "There is no such job");
    return job;
  }

  /** Jobs are for keys: the admin key has no team. */
  async #keyOf(actor: Actor, team: string | undefined): Promise<{ readonly keyId: string; readonly teamId: string }> {
    const { keyId, keyTeamId } = await this.#accounts.caller(actor);
    if (keyId === null) throw new AccountError("not_permitted", "Only a team's key can open jobs");
    if (keyTeamId === null) throw new AccountError("not_permitted", "The API key belongs to no team");
    if (team === undefined || team === keyTeamId) return { keyId, teamId: keyTeamId };
    const { fields } = await this.#accounts.get(actor, "team", keyTeamId);
    // Whether the other team exists is none of the key's business.
    if (fields.alias !== team) throw notOfTeam();
    return { keyId, teamId: keyTeamId };
  }

  /** The job of the key's own team: what proxy admins may see is not theirs to use. */
  async #own(actor: Actor, jobId: string): Promise<Job> {
    const job = await this.get(actor, jobId);
    const { keyTeamId } = await this.#accounts.caller(actor);
    if (keyTeamId !== job.teamId) throw notOfTeam();
    return job;
  }
}

/** What a key is told that asks for another team's things, whether or not they exist. */
export function notOfTeam(): AccountError {
  return new AccountError("not_permitted", "API key does not belong to this team");
}

function exhausted(): AccountError {
  return new AccountError("credits_exhausted", "The team has not enough credits left");
}

function jobEnded({ status, error }: Job): AccountError {
  const why = error === null ? "" : ` (${error})`;
  return new AccountError("job_ended", `The job is ${status} already${why}`);
}

function assertText(field: string, text: string): void {
  if (text !== "" && text.length <= TEXT_MAX) return;
  throw new AccountError("invalid_field", `The text must have 1 to ${TEXT_MAX} characters`, { field });
}

function assertMetadata(metadata: Metadata): void {
  if (JSON.stringify(metadata).length <= METADATA_MAX) return;
  const message = `\`metadata\` must be no longer than ${METADATA_MAX / 1_024} KiB as JSON`;
  throw new AccountError("invalid_field", message, { field: "metadata" });
}
