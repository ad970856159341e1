// Credits and jobs as a database keeps them: what a team may use, what its open jobs hold, and every booking.
import type { Json, Page } from "./directory.ts";

/** What a job costs: one credit, its dollars, or its tokens. */
export type BudgetMode = "job_based" | "consumption_usd" | "consumption_tokens";

/** A team's credits, in micro-credits as all amounts here. What can still be held is `allocated - spent - reserved`; it may be below 0 after a cut. */
export interface CreditAccount {
  readonly teamId: string;
  /** All that was ever given, less what was taken back. */
  readonly allocated: number;
  /** Booked for jobs that have ended. */
  readonly spent: number;
  /** Held by open jobs. */
  readonly reserved: number;
}

/**
 * Why the balance changed. `allocate`: the whole amount was set; `add`: given on top; `job`: charged for a job that
 * ended; `refund`: what an ended job was charged too much.
 */
export type CreditKind = "allocate" | "add" | "job" | "refund";

/** One booking. Never changed, never deleted. */
export interface CreditTransaction {
  readonly id: string;
  readonly teamId: string;
  readonly atMs: number;
  readonly kind: CreditKind;
  /** Negative for a charge. The sum of a team's transactions is its balance. */
  readonly amount: number;
  /** `allocated - spent` once it was booked. */
  readonly balanceAfter: number;
  readonly jobId: string | null;
  /** As in the audit log: `master`, `key:ID`, `local`; `expiry` for a job that was left open. */
  readonly actor: string;
  readonly reason: string | null;
}

/** `pending` until its first call. */
export type JobStatus = "pending" | "in_progress" | "completed" | "failed";

/** A job. */
export interface Job {
  /** A UUID. */
  readonly id: string;
  readonly teamId: string;
  /** The key that opened it. */
  readonly keyId: string;
  readonly type: string;
  readonly status: JobStatus;
  /** The team's when it was opened: a later change is for later jobs. */
  readonly mode: BudgetMode;
  readonly metadata: { readonly [name: string]: Json };
  readonly createdMs: number;
  readonly updatedMs: number;
  /** When it ended; null while it is open. */
  readonly completedMs: number | null;
  /** When it is taken for abandoned, unless another call comes first. */
  readonly expiresMs: number;
  readonly calls: number;
  /** Calls that got no complete answer. */
  readonly failedCalls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNanoUsd: number;
  /** Held of the team's credits; 0 once it has ended. */
  readonly held: number;
  /** What it cost; 0 while it is open. */
  readonly charged: number;
  /** Why it failed; null when it did not, or nobody said. */
  readonly error: string | null;
}

/** A job to open. */
export interface NewJob extends Pick<Job, "id" | "teamId" | "keyId" | "type" | "mode" | "metadata" | "expiresMs"> {
  readonly atMs: number;
  /** Held at once; with 0 it is enough that something is left. */
  readonly hold: number;
  /** True: its first call begins with it, and holds nothing more. */
  readonly begun?: boolean | undefined;
}

/** A call of a job that begins. */
export interface NewCall {
  /** The most that it can cost; a job that is paid by the job has calls that cost nothing, whatever this says. */
  readonly hold: number;
  readonly atMs: number;
  /** The job's new expiry. */
  readonly expiresMs: number;
}

/** How a call ended. */
export interface CallEnd {
  /** As `NewCall.hold` was. */
  readonly hold: number;
  /** What it cost. */
  readonly actual: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNanoUsd: number;
  readonly failed: boolean;
  readonly atMs: number;
}

/** How a job is ended. */
export interface JobEnd {
  readonly status: "completed" | "failed";
  readonly error: string | null;
  /** Merged into what it has. */
  readonly metadata: Job["metadata"];
  readonly actor: string;
  readonly reason: string;
  readonly atMs: number;
}

/** Who books, and why. */
export interface Booking {
  readonly actor: string;
  readonly reason: string | null;
  readonly atMs: number;
}

/** Which jobs or transactions to list: newest first. All that is given must hold. */
export interface CreditQuery {
  readonly teamId?: string | undefined;
  /** 1 to 1,000. */
  readonly limit: number;
  /** Starts after the one of this id: the last of the page before. */
  readonly after?: string | undefined;
  /** Passed over: for callers whose pages have numbers. */
  readonly skip?: number | undefined;
}

/**
 * Every method is one transaction, and so is exact whatever other processes do. Errors are `StoreError`s: `unavailable`,
 * `no_such_object` for a job or an account that is not there, `out_of_range` past `CREDITS_MAX`.
 */
export interface CreditStore {
  /** null for a team that was never given any. */
  account(teamId: string): Promise<CreditAccount | null>;
  /** Sets what the team was given in all; makes its account. What was spent stays spent. */
  allocate(teamId: string, allocated: number, booking: Booking): Promise<CreditAccount>;
  /** Gives more; makes the account where there is none. */
  add(teamId: string, amount: number, booking: Booking): Promise<CreditAccount>;
  transactions(query: CreditQuery): Promise<Page<CreditTransaction>>;
  countTransactions(query: Pick<CreditQuery, "teamId">): Promise<number>;
  /** Opens a job and holds its credits; null, and nothing changed, when the team has not enough left. */
  openJob(job: NewJob): Promise<Job | null>;
  /** `ended`: the job is over; `no_credits`: what is left does not cover the call. */
  beginCall(jobId: string, call: NewCall): Promise<"begun" | "ended" | "no_credits">;
  /**
   * The hold becomes the cost. A job that has ended meanwhile was charged the hold: the difference is booked.
   * @param andJob ends the job in the same step
   */
  endCall(jobId: string, end: CallEnd, andJob?: JobEnd): Promise<void>;
  /**
   * Ends an open job: what it holds becomes its cost, but one that is paid by the job and failed gives its credit back.
   * `changed` is false, and nothing changed, when it was over already.
   */
  endJob(jobId: string, end: JobEnd): Promise<{ readonly job: Job; readonly changed: boolean }>;
  /** Ends, as failed, the open jobs that have expired by then, at most 100 of them. Tells how many. */
  expireJobs(nowMs: number): Promise<number>;
  job(jobId: string): Promise<Job | null>;
  jobs(query: CreditQuery & { readonly status?: JobStatus | undefined }): Promise<Page<Job>>;
  countJobs(query: Pick<CreditQuery, "teamId"> & { readonly status?: JobStatus | undefined }): Promise<number>;
}
