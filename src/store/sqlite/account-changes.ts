// Every change of an account in SQLite: one transaction, the next revision, its lines in the audit log.
import type Database from "better-sqlite3";
import type { AccountKind, AuditEntry, AuditQuery, Json } from "../directory.ts";
import { guarded } from "./errors.ts";

/** What a change says of itself; who and when are known already. */
export type AuditLine = Omit<AuditEntry, "seq" | "atMs" | "actor">;

/** Writes one line of the audit log, inside the transaction. */
export type Log = (line: AuditLine) => void;

/** An object that has changed. */
export interface Changed {
  readonly kind: AccountKind;
  readonly objectId: string;
}

/** Past so many changes a cache had better forget everything. */
const CHANGES_MAX = 1_000;

const INSERT = `
  INSERT INTO audit (revision, at_ms, actor, action, kind, object_id, object_alias, field, old, new)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** Names whose values are secrets, wherever they are in what is logged: people put such things into metadata. */
const SECRET_NAME = /secret|password|passwd|token|credential|api[-_]?key|private[-_]?key/i;

interface StoredEntry extends Omit<AuditEntry, "old" | "new" | "atMs" | "objectId" | "objectAlias"> {
  readonly at_ms: number;
  readonly object_id: string;
  readonly object_alias: string;
  readonly old: string | null;
  readonly new: string | null;
}

/** The revision and the audit log. */
export class AccountChanges {
  readonly #db: Database.Database;
  readonly #nowMs: () => number;
  readonly #revision: Database.Statement<[], number>;
  readonly #bump: Database.Statement<[], number>;
  readonly #insert: Database.Statement<(string | number | null)[]>;
  readonly #since: Database.Statement<[number, number], Changed>;
  #revisionThisTurn: number | null = null;
  readonly #endTurn = (): void => {
    this.#revisionThisTurn = null;
  };

  constructor(db: Database.Database, nowMs: () => number) {
    this.#db = db;
    this.#nowMs = nowMs;
    this.#revision = db.prepare<[], number>("SELECT revision FROM meta").pluck();
    this.#bump = db.prepare<[], number>("UPDATE meta SET revision = revision + 1 RETURNING revision").pluck();
    this.#insert = db.prepare(INSERT);
    this.#since = db.prepare(
      "SELECT DISTINCT kind, object_id AS objectId FROM audit WHERE revision > ? AND kind <> 'quota' ORDER BY revision LIMIT ?",
    );
  }

  /** One transaction; whoever caches accounts, in any process, sees that they changed. */
  run<T>(actor: string, work: (log: Log, nowMs: number) => T): T {
    const nowMs = this.#nowMs();
    const change = this.#db.transaction(() => {
      const revision = this.#bump.get() ?? 0;
      return work(({ action, kind, objectId, objectAlias, field, old, new: now }) => {
        const values = [jsonText(old, field), jsonText(now, field)];
        this.#insert.run(revision, nowMs, actor, action, kind, objectId, objectAlias, field, ...values);
      }, nowMs);
    });
    this.#revisionThisTurn = null;
    return guarded(() => change.immediate());
  }

  /** See `AccountStore.revision`. Read once a turn of the event loop: requests that arrive together share the look. */
  revision(): number {
    if (this.#revisionThisTurn !== null) return this.#revisionThisTurn;
    const revision = guarded(() => this.#revision.get() ?? 0);
    this.#revisionThisTurn = revision;
    setImmediate(this.#endTurn);
    return revision;
  }

  /** See `AccountStore.changesSince`. */
  since(revision: number): readonly Changed[] | null {
    const changes = guarded(() => this.#since.all(revision, CHANGES_MAX + 1));
    return changes.length > CHANGES_MAX ? null : changes;
  }

  /** See `Directory.audit`. */
  audit({ sinceMs, object, afterSeq, limit }: AuditQuery): readonly AuditEntry[] {
    const where = ["seq > @afterSeq"];
    if (sinceMs !== undefined) where.push("at_ms >= @sinceMs");
    if (object !== undefined) where.push("(object_id = @object OR object_alias = @object)");
    const sql = `SELECT * FROM audit WHERE ${where.join(" AND ")} ORDER BY seq LIMIT @limit`;
    const values = { afterSeq: afterSeq ?? 0, sinceMs, object, limit };
    return guarded(() => this.#db.prepare<[typeof values], StoredEntry>(sql).all(values)).map(toEntry);
  }
}

function toEntry({ seq, at_ms, actor, action, kind, object_id, object_alias, field, ...row }: StoredEntry): AuditEntry {
  const [old, now] = [fromText(row.old), fromText(row.new)];
  return {
    seq,
    atMs: at_ms,
    actor,
    action,
    kind,
    objectId: object_id,
    objectAlias: object_alias,
    field,
    old,
    new: now,
  };
}

function fromText(text: string | null): Json {
  return text === null ? null : (JSON.parse(text) as Json);
}

function jsonText(value: Json, field: string | null): string | null {
  return value === null ? null : JSON.stringify(field === "secret" ? value : masked(value));
}

/** The value without what looks like a secret. */
export function masked(value: Json): Json {
  if (Array.isArray(value)) return value.map(masked);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([name, inner]): [string, Json] => [
    name,
    SECRET_NAME.test(name) && isFilled(inner) ? "***" : masked(inner),
  ]);
  return Object.fromEntries(entries);
}

/** Names such as `modelTokenLimits` hold numbers and lists: only text can be a secret. */
function isFilled(value: Json): boolean {
  return typeof value === "string" && value !== "";
}
