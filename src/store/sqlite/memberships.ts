// Who is in which team and organisation, in SQLite.
import type Database from "better-sqlite3";
import type { Membership, Page } from "../directory.ts";
import { StoreError } from "../store.ts";
import type { Log } from "./account-changes.ts";

interface Row {
  readonly kind: Membership["kind"];
  readonly object_id: string;
  readonly user_id: string;
  readonly role: Membership["role"];
  readonly created_ms: number;
}

type MemberId = Pick<Membership, "kind" | "objectId" | "userId">;

/** The memberships table. What writes runs inside the caller's transaction. */
export class Memberships {
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** @param alias of the team or organisation, for the log */
  set(member: Omit<Membership, "createdMs">, alias: string, nowMs: number, log: Log): Membership {
    const { kind, objectId, userId, role } = member;
    const before = this.get(member);
    const sql = `
      INSERT INTO memberships (kind, object_id, user_id, role, created_ms) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (kind, object_id, user_id) DO UPDATE SET role = excluded.role`;
    this.#db.prepare(sql).run(kind, objectId, userId, role, nowMs);
    const line = { kind, objectId, objectAlias: alias, field: `member ${userId}`, new: role };
    if (before === null) log({ ...line, action: "add_member", old: null });
    else if (before.role !== role) log({ ...line, action: "change_member", old: before.role });
    return { ...member, createdMs: before?.createdMs ?? nowMs };
  }

  /** `no_such_object` when there is no such member. */
  remove(id: MemberId, alias: string, log: Log): void {
    const before = this.get(id);
    if (before === null) throw new StoreError("no_such_object", `${id.userId} is no member of ${alias}`);
    const { kind, objectId, userId } = id;
    const sql = "DELETE FROM memberships WHERE kind = ? AND object_id = ? AND user_id = ?";
    this.#db.prepare(sql).run(kind, objectId, userId);
    const line = { kind, objectId, objectAlias: alias, field: `member ${userId}` };
    log({ ...line, action: "remove_member", old: before.role, new: null });
  }

  /** All of an object that is deleted, or of a user that is. */
  removeAll(column: "object_id" | "user_id", id: string): void {
    this.#db.prepare(`DELETE FROM memberships WHERE ${column} = ?`).run(id);
  }

  get({ kind, objectId, userId }: MemberId): Membership | null {
    const sql = "SELECT * FROM memberships WHERE kind = ? AND object_id = ? AND user_id = ?";
    const row = this.#db.prepare<[string, string, string], Row>(sql).get(kind, objectId, userId);
    return row === undefined ? null : toMembership(row);
  }

  list(kind: Membership["kind"], objectId: string, after: string, limit: number): Page<Membership> {
    const sql = "SELECT * FROM memberships WHERE kind = ? AND object_id = ? AND user_id > ? ORDER BY user_id LIMIT ?";
    const rows = this.#db.prepare<[string, string, string, number], Row>(sql).all(kind, objectId, after, limit + 1);
    const items = rows.slice(0, limit).map(toMembership);
    return { items, next: rows.length > limit ? (items.at(-1)?.userId ?? null) : null };
  }

  ofUser(userId: string): readonly Membership[] {
    const sql = "SELECT * FROM memberships WHERE user_id = ? ORDER BY kind, object_id";
    return this.#db.prepare<[string], Row>(sql).all(userId).map(toMembership);
  }
}

function toMembership({ kind, object_id, user_id, role, created_ms }: Row): Membership {
  return { kind, objectId: object_id, userId: user_id, role, createdMs: created_ms };
}
