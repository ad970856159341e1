// Reads decided requests back from the request table: one by its id, or all, a page at a time.
import type Database from "better-sqlite3";
import type { RecordedRequest } from "../../types.ts";
import { guarded } from "./errors.ts";

/** Rows of one page. Between two pages no read is open, which would keep the WAL from being written back. */
const PAGE_ROWS = 1_000;

/** A field that is a column of its own. */
type Plain = Exclude<keyof RecordedRequest, "stream" | "ruleIds" | "shadowIds" | "warningIds" | "unknown">;

/** Field → column. */
const PLAIN: Readonly<Record<Plain, string>> = {
  id: "r.id",
  receivedMs: "r.received_ms",
  method: "r.method",
  path: "r.path",
  endpoint: "r.endpoint",
  ip: "r.ip",
  keyId: "r.key_id",
  keyAlias: "r.key_alias",
  keyCreatedMs: "k.created_ms",
  teamId: "r.team_id",
  teamAlias: "r.team_alias",
  userId: "r.user_id",
  orgId: "r.org_id",
  modelRequested: "r.model_requested",
  model: "r.model",
  provider: "r.provider",
  status: "r.status",
  error: "r.error",
  decision: "r.decision",
  generation: "r.generation",
  rulesHash: "r.rules_hash",
  facts: "r.facts",
  costNanoUsd: "r.cost_nano_usd",
  requestBytes: "r.request_bytes",
};

/** A row as SQLite gives it. */
type Row = Pick<RecordedRequest, Plain> & {
  readonly place: number;
  readonly stream: number;
  readonly ruleIds: string | null;
  readonly shadowIds: string | null;
  readonly warningIds: string | null;
  readonly unknown: string | null;
};

const COLUMNS = Object.entries(PLAIN).map(([field, column]) => `${column} AS ${field}`);
const SELECT = `SELECT ${COLUMNS.join(", ")}, r.stream AS stream, r.rule_ids AS ruleIds, r.shadow_ids AS shadowIds,
  r.warning_ids AS warningIds, r.unknown AS unknown, r.rowid AS place
  FROM requests AS r LEFT JOIN keys AS k ON k.id = r.key_id WHERE r.decision IS NOT NULL`;
const NEWEST_FIRST = "ORDER BY r.received_ms DESC, r.rowid DESC LIMIT";

/** The request table, read back. */
export class RequestHistory {
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** See `RequestStore.decided`. */
  *decided(sinceMs: number): Generator<RecordedRequest, void, undefined> {
    const sql = `${SELECT} AND r.received_ms >= ? AND (r.received_ms, r.rowid) < (?, ?) ${NEWEST_FIRST} ${PAGE_ROWS}`;
    const page = guarded(() => this.#db.prepare<[number, number, number], Row>(sql));
    let before = { receivedMs: Number.MAX_SAFE_INTEGER, place: 0 };
    for (;;) {
      const rows = guarded(() => page.all(sinceMs, before.receivedMs, before.place));
      for (const row of rows) yield toRequest(row);
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE_ROWS) return;
      before = last;
    }
  }

  /** See `RequestStore.find`. */
  find(id: string, receivedMs: number | null): RecordedRequest | null {
    const [where, values] = receivedMs === null ? ["", [id]] : [" AND r.received_ms = ?", [id, receivedMs]];
    const sql = `${SELECT} AND r.id = ?${where} ${NEWEST_FIRST} 1`;
    const row = guarded(() => this.#db.prepare<(string | number)[], Row>(sql).get(...values));
    return row === undefined ? null : toRequest(row);
  }
}

function toRequest({ place: _place, stream, ruleIds, shadowIds, warningIds, unknown, ...rest }: Row): RecordedRequest {
  return {
    ...rest,
    stream: stream === 1,
    ruleIds: toList(ruleIds),
    shadowIds: toList(shadowIds),
    warningIds: toList(warningIds),
    unknown: toList(unknown),
  };
}

function toList(text: string | null): readonly string[] {
  return text === null ? [] : (JSON.parse(text) as string[]);
}
