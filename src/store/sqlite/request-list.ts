// Reads rows of the request table back for people: those of a key, a user, a time, newest first, in pages.
import type Database from "better-sqlite3";
import type { ListedRequest, RequestQuery } from "../store.ts";
import { guarded } from "./errors.ts";

type Value = string | number;

/** Field → column. */
const COLUMNS: Readonly<Record<keyof ListedRequest, string>> = {
  id: "id",
  receivedMs: "received_ms",
  totalMs: "total_ms",
  firstByteMs: "first_byte_ms",
  endpoint: "endpoint",
  ip: "ip",
  keyId: "key_id",
  keyAlias: "key_alias",
  teamId: "team_id",
  userId: "user_id",
  orgId: "org_id",
  modelRequested: "model_requested",
  model: "model",
  provider: "provider",
  status: "status",
  error: "error",
  inputTokens: "input_tokens",
  outputTokens: "output_tokens",
  cachedInputTokens: "cached_input_tokens",
  costNanoUsd: "cost_nano_usd",
};

const SELECT = Object.entries(COLUMNS)
  .map(([field, column]) => `${column} AS ${field}`)
  .join(", ");

/** The request table, as a list. */
export class RequestList {
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** See `RequestStore.list`. */
  page(query: RequestQuery): readonly ListedRequest[] {
    const { parts, values } = conditions(query);
    const sql = `SELECT ${SELECT} FROM requests WHERE ${parts.join(" AND ")}
      ORDER BY received_ms DESC, rowid DESC LIMIT ? OFFSET ?`;
    const page = () => this.#db.prepare<Value[], ListedRequest>(sql).all(...values, query.limit, query.skip ?? 0);
    return guarded(page);
  }
}

function conditions({ id, keyId, userId, fromMs, untilMs, within }: RequestQuery): {
  readonly parts: readonly string[];
  readonly values: readonly Value[];
} {
  const all: (readonly [string, Value | undefined])[] = [
    ["received_ms >= ?", fromMs],
    ["received_ms < ?", untilMs],
    ["id = ?", id],
    ["key_id = ?", keyId],
    ["user_id = ?", userId],
  ];
  const given = all.filter((one): one is readonly [string, Value] => one[1] !== undefined);
  const parts = given.map(([part]) => part);
  const values = given.map(([, value]) => value);
  if (within === undefined) return { parts: ["true", ...parts], values };
  const { ids = [], userId: own, teamIds = [], orgIds = [] } = within;
  const places =
    "(key_id IN (SELECT value FROM json_each(?)) OR user_id = ? OR team_id IN (SELECT value FROM json_each(?)) OR org_id IN (SELECT value FROM json_each(?)))";
  const lists = [JSON.stringify(ids), own ?? "", JSON.stringify(teamIds), JSON.stringify(orgIds)];
  return { parts: [...parts, places], values: [...values, ...lists] };
}
