// `CreditStore` on SQLite: each method is one transaction, so that jobs opened side by side never hold too much.
import { randomUUID } from "node:crypto";
import type Database from "better-sqlite3";
import { CREDITS_MAX, MICRO_CREDITS } from "../../credit-units.ts";
import type {
  Booking,
  CallEnd,
  CreditAccount,
  CreditKind,
  CreditQuery,
  CreditStore,
  CreditTransaction,
  Job,
  JobEnd,
  NewCall,
  NewJob,
} from "../credits.ts";
import type { Page } from "../directory.ts";
import { StoreError } from "../store.ts";
import { countOf, type JobRow, pageOf, type TransactionRow, toJob, toTransaction } from "./credit-rows.ts";
import { guarded } from "./errors.ts";

const EXPIRED_MAX = 100;

const ACCOUNT = "SELECT team_id AS teamId, allocated, spent, reserved FROM credits WHERE team_id = ?";
const SET_ALLOCATED = `
  INSERT INTO credits (team_id, allocated, spent, reserved) VALUES (?, ?, 0, 0)
  ON CONFLICT (team_id) DO UPDATE SET allocated = excluded.allocated`;
/** Takes effect only where so much is left. */
const HOLD = `
  UPDATE credits SET reserved = reserved + @hold
  WHERE team_id = @teamId AND allocated - spent - reserved >= max(@hold, 1)`;
const MOVE = "UPDATE credits SET reserved = reserved + @reserved, spent = spent + @spent WHERE team_id = @teamId";
const BOOK = `
  INSERT INTO credit_transactions (id, team_id, at_ms, kind, amount, balance_after, job_id, actor, reason)
  SELECT @id, team_id, @atMs, @kind, @amount, allocated - spent, @jobId, @actor, @reason
  FROM credits WHERE team_id = @teamId`;
const OPEN_JOB = `
  INSERT INTO jobs (id, team_id, key_id, type, status, mode, metadata, created_ms, updated_ms, expires_ms, held)
  VALUES (@id, @teamId, @keyId, @type, @status, @mode, @metadata, @atMs, @atMs, @expiresMs, @hold)`;
const BEGIN_CALL = `
  UPDATE jobs SET status = 'in_progress', held = held + @hold, updated_ms = @atMs, expires_ms = max(expires_ms, @expiresMs)
  WHERE id = @id`;
const END_CALL = `
  UPDATE jobs SET calls = calls + 1, failed_calls = failed_calls + @failed, input_tokens = input_tokens + @inputTokens,
    output_tokens = output_tokens + @outputTokens, cost_nano_usd = cost_nano_usd + @costNanoUsd, updated_ms = @atMs,
    held = held + @held, charged = charged + @charged
  WHERE id = @id`;
const END_JOB = `
  UPDATE jobs SET status = @status, error = @error, metadata = @metadata, completed_ms = @atMs, updated_ms = @atMs,
    held = 0, charged = @charged
  WHERE id = @id`;
const EXPIRED = "SELECT * FROM jobs WHERE completed_ms IS NULL AND expires_ms <= ? ORDER BY expires_ms LIMIT ?";

/** What is written beside a booking's amount. */
interface Line extends Booking {
  readonly kind: CreditKind;
  readonly amount: number;
  readonly jobId: string | null;
}

export class SqliteCredits implements CreditStore {
  readonly #db: Database.Database;
  /** By their text: preparing one costs more than running it. */
  readonly #statements = new Map<string, Database.Statement>();

  constructor(db: Database.Database) {
    this.#db = db;
  }

  async account(teamId: string): Promise<CreditAccount | null> {
    return guarded(() => this.#account(teamId));
  }

  async allocate(teamId: string, allocated: number, booking: Booking): Promise<CreditAccount> {
    return this.#write(() => this.#setAllocated(teamId, () => allocated, "allocate", booking));
  }

  async add(teamId: string, amount: number, booking: Booking): Promise<CreditAccount> {
    return this.#write(() => this.#setAllocated(teamId, (before) => before + amount, "add", booking));
  }

  async transactions(query: CreditQuery): Promise<Page<CreditTransaction>> {
    return guarded(() =>
      pageOf<TransactionRow, CreditTransaction>(this.#db, "credit_transactions", query, toTransaction),
    );
  }

  async countTransactions(query: Pick<CreditQuery, "teamId">): Promise<number> {
    return guarded(() => countOf(this.#db, "credit_transactions", query));
  }

  async openJob({ metadata, begun = false, ...job }: NewJob): Promise<Job | null> {
    return this.#write(() => {
      if (!this.#hold(job.teamId, job.hold)) return null;
      const status = begun ? "in_progress" : "pending";
      this.#run(OPEN_JOB, { ...job, status, metadata: JSON.stringify(metadata) });
      return this.#existing(job.id);
    });
  }

  async beginCall(jobId: string, { hold, atMs, expiresMs }: NewCall): Promise<"begun" | "ended" | "no_credits"> {
    return this.#write(() => {
      const job = this.#existing(jobId);
      if (job.completedMs !== null) return "ended";
      const isFree = job.mode === "job_based";
      if (!isFree && !this.#hold(job.teamId, hold)) return "no_credits";
      this.#run(BEGIN_CALL, { id: jobId, hold: isFree ? 0 : hold, atMs, expiresMs });
      return "begun";
    });
  }

  async endCall(jobId: string, end: CallEnd, andJob?: JobEnd): Promise<void> {
    this.#write(() => {
      this.#endCall(this.#existing(jobId), end);
      const job = andJob === undefined ? null : this.#existing(jobId);
      if (andJob !== undefined && job?.completedMs === null) this.#endJob(job, andJob);
    });
  }

  async endJob(jobId: string, end: JobEnd): Promise<{ readonly job: Job; readonly changed: boolean }> {
    return this.#write(() => {
      const job = this.#existing(jobId);
      if (job.completedMs !== null) return { job, changed: false };
      this.#endJob(job, end);
      return { job: this.#existing(jobId), changed: true };
    });
  }

  async expireJobs(nowMs: number): Promise<number> {
    const due = (): readonly JobRow[] => this.#prepared<JobRow>(EXPIRED).all(nowMs, EXPIRED_MAX);
    // Asked for every few seconds, and mostly there is nothing to write.
    if (guarded(due).length === 0) return 0;
    return this.#write(() => {
      const rows = due();
      for (const job of rows.map(toJob)) {
        this.#endJob(job, {
          ...{ status: "failed", error: "expired", metadata: {} },
          ...{ actor: "expiry", reason: "the job was left open", atMs: nowMs },
        });
      }
      return rows.length;
    });
  }

  async job(jobId: string): Promise<Job | null> {
    return guarded(() => this.#job(jobId));
  }

  async jobs(query: Parameters<CreditStore["jobs"]>[0]): Promise<Page<Job>> {
    return guarded(() => pageOf<JobRow, Job>(this.#db, "jobs", query, toJob));
  }

  async countJobs(query: Parameters<CreditStore["countJobs"]>[0]): Promise<number> {
    return guarded(() => countOf(this.#db, "jobs", query));
  }

  #setAllocated(
    teamId: string,
    allocatedAfter: (before: number) => number,
    kind: CreditKind,
    booking: Booking,
  ): CreditAccount {
    const before = this.#account(teamId)?.allocated ?? 0;
    const allocated = allocatedAfter(before);
    if (!Number.isSafeInteger(allocated) || allocated < 0 || allocated > CREDITS_MAX * MICRO_CREDITS) {
      throw new StoreError("out_of_range", `A team can have between 0 and ${CREDITS_MAX} credits`);
    }
    this.#prepared(SET_ALLOCATED).run(teamId, allocated);
    this.#book(teamId, { ...booking, kind, amount: allocated - before, jobId: null });
    return this.#account(teamId) as CreditAccount;
  }

  #endCall({ id, teamId, mode, completedMs }: Job, { hold, actual, ...end }: CallEnd): void {
    const change = mode === "job_based" ? 0 : actual - hold;
    const isOpen = completedMs === null;
    const [held, charged] = isOpen ? [change, 0] : [0, change];
    this.#run(END_CALL, { ...end, id, failed: end.failed ? 1 : 0, held, charged });
    if (change === 0) return;
    this.#run(MOVE, { teamId, reserved: held, spent: charged });
    if (isOpen) return;
    const kind = change > 0 ? "job" : "refund";
    const booking = { atMs: end.atMs, actor: "gateway", reason: "a call that was under way when the job ended" };
    this.#book(teamId, { ...booking, kind, amount: -change, jobId: id });
  }

  #endJob(job: Job, { status, error, metadata, actor, reason, atMs }: JobEnd): void {
    const { id, teamId, held, mode } = job;
    const charged = mode === "job_based" && status === "failed" ? 0 : held;
    this.#run(END_JOB, {
      ...{ id, status, error, atMs, charged },
      metadata: JSON.stringify({ ...job.metadata, ...metadata }),
    });
    this.#run(MOVE, { teamId, reserved: -held, spent: charged });
    if (charged > 0) this.#book(teamId, { kind: "job", amount: -charged, jobId: id, actor, reason, atMs });
  }

  #hold(teamId: string, hold: number): boolean {
    return this.#run(HOLD, { teamId, hold }).changes === 1;
  }

  #book(teamId: string, line: Line): void {
    this.#run(BOOK, { ...line, teamId, id: randomUUID() });
  }

  #account(teamId: string): CreditAccount | null {
    return this.#prepared<CreditAccount>(ACCOUNT).get(teamId) ?? null;
  }

  #job(jobId: string): Job | null {
    const row = this.#prepared<JobRow>("SELECT * FROM jobs WHERE id = ?").get(jobId);
    return row === undefined ? null : toJob(row);
  }

  #existing(jobId: string): Job {
    const job = this.#job(jobId);
    if (job === null) throw new StoreError("no_such_object", `There is no job ${jobId}`);
    return job;
  }

  #run(sql: string, values: object): Database.RunResult {
    return this.#prepared(sql).run(values);
  }

  #prepared<Row>(sql: string): Database.Statement<unknown[], Row> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement as Database.Statement<unknown[], Row>;
  }

  #write<T>(work: () => T): T {
    return guarded(() => this.#db.transaction(work).immediate());
  }
}
