// What the routes share: finding objects, showing them as rows, changing them on what the client was shown.
import {
  AccountError,
  type AccountObject,
  type Actor,
  type Host,
  type Management,
  type Membership,
  type Submitted,
} from "../../src/plugin.ts";
import { inTheirNames } from "./errors.ts";
import type { LiteKind } from "./fields.ts";
import { type Row, type RowContext, rowOf } from "./rows.ts";
import { readSent, type Sent } from "./sent.ts";

/** How often a change that others got ahead of is read anew. */
const TRIES = 3;
/** Members of a team or an organisation that a row shows. */
const MEMBERS_MAX = 1_000;

/** A new object's fields: none yet. */
const NOTHING = Object.freeze({ fields: Object.freeze({}), row: null });

/** The accounts, spoken to in LiteLLM's shape. Rights are asked where they are kept: in the account services. */
export class Desk {
  readonly host: Host;
  readonly accounts: Management["accounts"];
  readonly keys: Management["keys"];

  constructor(host: Host) {
    this.host = host;
    this.accounts = host.management.accounts;
    this.keys = host.management.keys;
  }

  nowMs(): number {
    return this.host.clock.nowMs();
  }

  /** The object; a key by its secret, hash, id or alias. @throws AccountError `not_found` */
  async get(actor: Actor, kind: LiteKind, name: string): Promise<AccountObject> {
    return this.accounts.get(actor, kind, kind === "key" ? await this.keys.idOf(name) : name);
  }

  /** Null for what is not there, or what the caller may not know of. */
  async seek(actor: Actor, kind: LiteKind, name: string): Promise<AccountObject | null> {
    try {
      return await this.get(actor, kind, name);
    } catch (error) {
      if (error instanceof AccountError && error.code === "not_found") return null;
      throw error;
    }
  }

  /** One object as a row. */
  async row(actor: Actor, object: AccountObject): Promise<Row> {
    const [row] = await this.rows(actor, object.kind as LiteKind, [object]);
    if (row === undefined) throw new Error("one object is one row");
    return row;
  }

  /** Objects of one kind as rows, in their order. */
  async rows(actor: Actor, kind: LiteKind, objects: readonly AccountObject[]): Promise<readonly Row[]> {
    const spent = await this.host.management.spending.of(kind, objects);
    const teams = new Map<string, AccountObject | null>();
    const rows: Row[] = [];
    for (const object of objects) {
      const mine = spent.get(object.id) ?? { totalNanoUsd: 0n, budgets: [] };
      rows.push(rowOf(object, { spent: mine, ...(await this.#around(actor, object, teams)) }));
    }
    return rows;
  }

  /** What was sent for a new object, by our names of fields. */
  read(kind: LiteKind, sent: Sent, spare: readonly string[] = []): Submitted {
    return readSent(kind, sent, NOTHING, this.nowMs(), spare);
  }

  /** Changes an object as was sent. What the client was shown and sends back unchanged asks for no right. */
  async change(
    actor: Actor,
    kind: LiteKind,
    name: string,
    sent: Sent,
    spare: readonly string[],
  ): Promise<AccountObject> {
    for (let tries = 1; ; tries += 1) {
      const object = await this.get(actor, kind, name);
      const submitted = await this.changes(actor, object, sent, spare);
      try {
        const { version, id } = object;
        return await inTheirNames(kind, () => this.accounts.update(actor, kind, id, submitted, { version }));
      } catch (error) {
        const isBehind = error instanceof AccountError && error.code === "conflict";
        if (!isBehind || tries === TRIES) throw error;
      }
    }
  }

  /** What was sent that is not as the object is, by our names of fields. */
  async changes(actor: Actor, object: AccountObject, sent: Sent, spare: readonly string[]): Promise<Submitted> {
    const before = { fields: object.fields, row: await this.row(actor, object) };
    return readSent(object.kind as LiteKind, sent, before, this.nowMs(), spare);
  }

  /** Members as LiteLLM names their roles in a team or an organisation. */
  async members(actor: Actor, kind: Membership["kind"], id: string): Promise<readonly object[]> {
    const { items } = await this.accounts.members(actor, kind, id, { limit: MEMBERS_MAX });
    const roles = kind === "team" ? { admin: "admin", user: "user" } : { admin: "org_admin", user: "internal_user" };
    return items.map(({ userId, role }) => ({ user_id: userId, role: roles[role] }));
  }

  async #around(
    actor: Actor,
    { kind, id, fields }: AccountObject,
    teams: Map<string, AccountObject | null>,
  ): Promise<Omit<RowContext, "spent">> {
    if (kind === "team" || kind === "org") return { members: await this.members(actor, kind, id) };
    if (kind === "user") return { teams: await this.#teamsOf(id) };
    const { teamId } = fields;
    if (typeof teamId !== "string") return {};
    const team = teams.has(teamId) ? teams.get(teamId) : await this.seek(actor, "team", teamId);
    teams.set(teamId, team ?? null);
    return { team: team ?? null };
  }

  async #teamsOf(userId: string): Promise<readonly string[]> {
    const memberships = await this.accounts.directory.membershipsOf(userId);
    return memberships.filter(({ kind }) => kind === "team").map(({ objectId }) => objectId);
  }
}
