// The request table: one row a request, and the sums that `tollgate usage` shows.
import type Database from "better-sqlite3";
import type { AccessRecord } from "../../types.ts";
import type { UsageGroup, UsageRow } from "../store.ts";
import { guarded } from "./errors.ts";

type Value = string | number | null;

const list = (items: readonly string[]): string | null => (items.length === 0 ? null : JSON.stringify(items));
const flag = (value: boolean): number => (value ? 1 : 0);

/** Column → its value in a record. */
const COLUMNS: readonly (readonly [name: string, value: (r: AccessRecord) => Value])[] = [
  ["id", (r) => r.id],
  ["received_ms", (r) => r.receivedMs],
  ["method", (r) => r.method],
  ["path", (r) => r.path],
  ["endpoint", (r) => r.endpoint],
  ["ip", (r) => r.ip],
  ["key_id", (r) => r.keyId],
  ["key_alias", (r) => r.keyAlias],
  ["team_id", (r) => r.teamId],
  ["team_alias", (r) => r.teamAlias],
  ["user_id", (r) => r.userId],
  ["org_id", (r) => r.orgId],
  ["model_requested", (r) => r.modelRequested],
  ["model", (r) => r.model],
  ["provider", (r) => r.provider],
  ["stream", (r) => flag(r.stream)],
  ["status", (r) => r.status],
  ["error", (r) => r.error],
  ["decision", (r) => r.decision],
  ["rule_ids", (r) => list(r.ruleIds)],
  ["shadow_ids", (r) => list(r.shadowIds)],
  ["warning_ids", (r) => list(r.warningIds)],
  ["unknown", (r) => list(r.unknown)],
  ["generation", (r) => r.generation],
  ["rules_hash", (r) => r.rulesHash],
  ["facts", (r) => r.facts],
  ["input_tokens", (r) => r.usage?.inputTokens ?? null],
  ["output_tokens", (r) => r.usage?.outputTokens ?? null],
  ["cached_input_tokens", (r) => r.usage?.cachedInputTokens ?? null],
  ["cache_write_tokens", (r) => r.usage?.cacheWriteTokens ?? null],
  ["estimated", (r) => (r.usage === null ? null : flag(r.usage.estimated))],
  ["reserved_nano_usd", (r) => r.reservedNanoUsd],
  ["cost_nano_usd", (r) => r.costNanoUsd],
  ["outcome", (r) => r.outcome],
  ["request_bytes", (r) => r.requestBytes],
  ["response_bytes", (r) => r.responseBytes],
  ["first_byte_ms", (r) => r.firstByteMs],
  ["total_ms", (r) => r.totalMs],
];

/** Per group: what rows are grouped by, and the name shown. max() makes the name the newest row's. */
const GROUPS: Readonly<Record<UsageGroup, { readonly by: string; readonly name: string }>> = {
  key: { by: "key_id", name: "coalesce(key_alias, key_id, '-')" },
  team: { by: "team_id", name: "coalesce(team_alias, team_id, '-')" },
  user: { by: "user_id", name: "coalesce(user_id, '-')" },
  model: { by: "model", name: "coalesce(model, '-')" },
  day: { by: "date(received_ms / 1000, 'unixepoch')", name: "date(received_ms / 1000, 'unixepoch')" },
};

type Sums = readonly [requests: bigint, input: bigint, output: bigint, cost: bigint, newest: bigint];

/** The request table's two statements. */
export class Requests {
  readonly #db: Database.Database;
  readonly #insert: Database.Statement<Value[]>;

  constructor(db: Database.Database) {
    this.#db = db;
    const names = COLUMNS.map(([name]) => name).join(", ");
    const places = COLUMNS.map(() => "?").join(", ");
    this.#insert = db.prepare(`INSERT INTO requests (${names}) VALUES (${places})`);
  }

  /** Writes one row, inside the batch's transaction. */
  insert(record: AccessRecord): void {
    this.#insert.run(...COLUMNS.map(([, value]) => value(record) ?? null));
  }

  /** See `RequestStore.usage`. */
  usage(
    groups: UsageGroup | readonly UsageGroup[],
    sinceMs: number,
    untilMs: number | null = null,
  ): readonly UsageRow[] {
    const all = typeof groups === "string" ? [groups] : groups;
    const days = all.flatMap((group, i) => (group === "day" ? [String(i + 1)] : []));
    const names = all.map((_, i) => String(i + 1));
    const order = [...days, `${all.length + 4} DESC`, `${all.length + 1} DESC`, ...names];
    const sql = `
      SELECT ${all.map((group) => GROUPS[group].name).join(", ")}, count(*), coalesce(sum(input_tokens), 0),
        coalesce(sum(output_tokens), 0), coalesce(sum(cost_nano_usd), 0), max(received_ms)
      FROM requests WHERE received_ms >= ? AND received_ms < ? AND outcome <> 'not_sent'
      GROUP BY ${all.map((group) => GROUPS[group].by).join(", ")} ORDER BY ${order.join(", ")}`;
    return guarded(() =>
      this.#db
        .prepare<[number, number], (string | bigint)[]>(sql)
        .raw()
        .safeIntegers()
        .all(sinceMs, untilMs ?? Number.MAX_SAFE_INTEGER),
    ).map((row) => toRow(row.slice(0, all.length) as string[], row.slice(all.length) as unknown as Sums));
  }
}

function toRow(names: readonly string[], [requests, input, output, costNanoUsd]: Sums): UsageRow {
  return {
    name: names[0] ?? "",
    names,
    requests: Number(requests),
    inputTokens: Number(input),
    outputTokens: Number(output),
    costNanoUsd,
  };
}
