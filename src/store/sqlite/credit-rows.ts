// Rows of the tables of credits and jobs, what they become outside the store, and the SQL of their lists.
import type Database from "better-sqlite3";
import type { CreditQuery, CreditTransaction, Job, JobStatus } from "../credits.ts";
import type { Page } from "../directory.ts";

/** A row of `credit_transactions`. */
export interface TransactionRow {
  readonly id: string;
  readonly team_id: string;
  readonly at_ms: number;
  readonly kind: CreditTransaction["kind"];
  readonly amount: number;
  readonly balance_after: number;
  readonly job_id: string | null;
  readonly actor: string;
  readonly reason: string | null;
}

/** A row of `jobs`. */
export interface JobRow {
  readonly id: string;
  readonly team_id: string;
  readonly key_id: string;
  readonly type: string;
  readonly status: JobStatus;
  readonly mode: Job["mode"];
  readonly metadata: string;
  readonly created_ms: number;
  readonly updated_ms: number;
  readonly completed_ms: number | null;
  readonly expires_ms: number;
  readonly calls: number;
  readonly failed_calls: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cost_nano_usd: number;
  readonly held: number;
  readonly charged: number;
  readonly error: string | null;
}

export function toTransaction(row: TransactionRow): CreditTransaction {
  const { id, kind, amount, actor, reason } = row;
  const { team_id: teamId, at_ms: atMs, balance_after: balanceAfter, job_id: jobId } = row;
  return { id, teamId, atMs, kind, amount, balanceAfter, jobId, actor, reason };
}

export function toJob(row: JobRow): Job {
  const { id, type, status, mode, calls, held, charged, error } = row;
  return {
    ...{ id, teamId: row.team_id, keyId: row.key_id, type, status, mode },
    metadata: JSON.parse(row.metadata) as Job["metadata"],
    ...{ createdMs: row.created_ms, updatedMs: row.updated_ms, completedMs: row.completed_ms },
    ...{ expiresMs: row.expires_ms, calls, failedCalls: row.failed_calls },
    ...{ inputTokens: row.input_tokens, outputTokens: row.output_tokens, costNanoUsd: row.cost_nano_usd },
    ...{ held, charged, error },
  };
}

type Filter = Pick<CreditQuery, "teamId"> & { readonly status?: JobStatus | undefined };

/** One page of a table, newest first. */
export function pageOf<Row extends { readonly id: string }, Item>(
  db: Database.Database,
  table: "jobs" | "credit_transactions",
  { after, limit, skip = 0, ...filter }: CreditQuery & Filter,
  toItem: (row: Row) => Item,
): Page<Item> {
  const { where, values } = whereOf(filter);
  if (after !== undefined) where.push(`seq < (SELECT seq FROM ${table} WHERE id = @after)`);
  const clause = where.length === 0 ? "" : `WHERE ${where.join(" AND ")}`;
  const sql = `SELECT * FROM ${table} ${clause} ORDER BY seq DESC LIMIT @limit OFFSET @skip`;
  const rows = db.prepare<[object], Row>(sql).all({ ...values, after, limit: limit + 1, skip });
  const items = rows.slice(0, limit);
  return { items: items.map(toItem), next: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
}

/** How many rows `pageOf` would give on all its pages. */
export function countOf(db: Database.Database, table: "jobs" | "credit_transactions", filter: Filter): number {
  const { where, values } = whereOf(filter);
  const clause = where.length === 0 ? "" : `WHERE ${where.join(" AND ")}`;
  return db.prepare<[object], number>(`SELECT count(*) FROM ${table} ${clause}`).pluck().get(values) ?? 0;
}

function whereOf({ teamId, status }: Filter): { where: string[]; values: object } {
  const where: string[] = [];
  if (teamId !== undefined) where.push("team_id = @teamId");
  if (status !== undefined) where.push("status = @status");
  return { where, values: { teamId, status } };
}
