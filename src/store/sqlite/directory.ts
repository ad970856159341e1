// `Directory` on SQLite: every change is one transaction with its audit entries.
import type Database from "better-sqlite3";
import type {
  AccountKind,
  AccountObject,
  AuditEntry,
  AuditQuery,
  By,
  CountQuery,
  Directory,
  IamKind,
  IamPlace,
  IamRule,
  Json,
  ListQuery,
  Membership,
  NewIamRule,
  NewObject,
  ObjectChange,
  Page,
  SecretParts,
} from "../directory.ts";
import { StoreError } from "../store.ts";
import type { AccountChanges, Log } from "./account-changes.ts";
import { newId } from "./account-rows.ts";
import { BudgetSpending } from "./budget-spend.ts";
import type { BudgetScope, Budgets } from "./budgets.ts";
import { countSql, listSql, narrowSql, type Sql } from "./directory-query.ts";
import { columnsOf, type ObjectRow, TABLES, toObject, type Value } from "./directory-rows.ts";
import { guarded, isDuplicate } from "./errors.ts";
import { IamRuleTable, type IamSubject } from "./iam-rules.ts";
import { assertFits } from "./inline-rules.ts";
import { Memberships } from "./memberships.ts";
import type { SpendKind, SpendTable } from "./spend.ts";

/** What the directory works with. */
export interface DirectoryOptions {
  readonly db: Database.Database;
  readonly changes: AccountChanges;
  readonly budgets: Budgets;
  readonly spend: SpendTable;
  readonly nowMs: () => number;
}

type ObjectId = Pick<ObjectChange, "kind" | "id" | "version">;

/** Accounts, for those who manage them. */
export class SqliteDirectory implements Directory {
  readonly #db: Database.Database;
  readonly #changes: AccountChanges;
  readonly #budgets: Budgets;
  readonly #spend: SpendTable;
  readonly #budgetSpend: BudgetSpending;
  readonly #members: Memberships;
  readonly #iam: IamRuleTable;
  readonly #nowMs: () => number;
  /** Prepared once: a page asks for every key on it. */
  readonly #grace: Database.Statement<[string, number], number | null>;

  constructor({ db, changes, budgets, spend, nowMs }: DirectoryOptions) {
    this.#db = db;
    this.#changes = changes;
    this.#budgets = budgets;
    this.#spend = spend;
    this.#budgetSpend = new BudgetSpending(db, budgets);
    this.#members = new Memberships(db);
    this.#iam = new IamRuleTable(db);
    this.#nowMs = nowMs;
    const grace = "SELECT max(until_ms) FROM grace_secrets WHERE key_id = ? AND until_ms > ?";
    this.#grace = db.prepare<[string, number], number | null>(grace).pluck();
  }

  async get(kind: AccountKind, id: string): Promise<AccountObject | null> {
    return guarded(() => this.#read(kind, "id = ?", id));
  }

  async find(kind: AccountKind, alias: string): Promise<AccountObject | null> {
    return guarded(() => this.#read(kind, "alias = ?", alias));
  }

  async findBySecret(hash: Buffer): Promise<AccountObject | null> {
    return guarded(() => {
      const sql = `
        SELECT id FROM keys WHERE hash = @hash
        UNION ALL SELECT key_id FROM grace_secrets WHERE hash = @hash AND until_ms > @nowMs`;
      const values = { hash, nowMs: this.#nowMs() };
      const id = this.#db.prepare<[typeof values], string>(sql).pluck().get(values);
      return id === undefined ? null : this.#read("key", "id = ?", id);
    });
  }

  async list(kind: AccountKind, query: ListQuery): Promise<Page<AccountObject>> {
    return guarded(() => {
      const { text, values } = listSql(kind, query, this.#isNarrow(kind, query));
      const rows = this.#db.prepare<Value[], ObjectRow>(text).all(...values);
      const items = rows.slice(0, query.limit).map((row) => this.#toObject(kind, row));
      return { items, next: rows.length > query.limit ? (items.at(-1)?.id ?? null) : null };
    });
  }

  async count(kind: AccountKind, query: CountQuery): Promise<number> {
    return guarded(() => this.#number(countSql(kind, query, this.#isNarrow(kind, query))));
  }

  async insert(object: NewObject, { actor }: By): Promise<AccountObject> {
    return this.#changes.run(actor, (log, nowMs) => {
      const { kind, fields, id = newId(TABLES[kind].idPrefix) } = object;
      assertFits((fields.rules ?? null) as string | null);
      const at = { created_ms: nowMs, created_by: actor, updated_ms: nowMs, updated_by: actor };
      const columns = { ...columnsOf(kind, fields, "{}"), bounds: JSON.stringify(object.bounds), ...at };
      const secret = object.secret === undefined ? {} : secretColumns(object.secret);
      this.#assertDistinct(kind, id, fields.alias, id);
      this.#write(kind, () => this.#insertRow(kind, { id, ...columns, ...secret }), String(fields.alias));
      if (fields.budgets !== undefined) this.#setBudgets(kind, id, fields.budgets);
      const line = { action: "create", kind, objectId: id, objectAlias: String(fields.alias) } as const;
      log({ ...line, field: null, old: null, new: withoutNulls(fields) });
      return this.#existing(kind, id);
    });
  }

  async update(change: ObjectChange, { actor }: By): Promise<AccountObject> {
    return this.#changes.run(actor, (log, nowMs) => {
      const { kind, id, fields, rotation } = change;
      assertFits((fields.rules ?? null) as string | null);
      const before = this.#current(change);
      const row = this.#row(kind, id);
      const columns = { ...columnsOf(kind, fields, row.settings), bounds: JSON.stringify(change.bounds) };
      const stamp = { version: before.version + 1, updated_ms: nowMs, updated_by: actor };
      const secret = rotation === undefined ? {} : this.#rotate(id, row, rotation);
      this.#assertDistinct(kind, id, fields.alias);
      this.#write(kind, () => this.#updateRow(kind, id, { ...columns, ...stamp, ...secret }), String(fields.alias));
      if (fields.budgets !== undefined) this.#setBudgets(kind, id, fields.budgets);
      const after = this.#existing(kind, id);
      logDifference(before, after, Object.keys(fields), log);
      return after;
    });
  }

  async remove(objects: readonly ObjectId[], { actor }: By): Promise<void> {
    this.#changes.run(actor, (log, nowMs) => {
      for (const object of objects) this.#remove(this.#current(object), actor, nowMs, log);
    });
  }

  async setMember(member: Omit<Membership, "createdMs">, { actor }: By): Promise<Membership> {
    return this.#changes.run(actor, (log, nowMs) => {
      this.#existing("user", member.userId);
      const { alias } = this.#existing(member.kind, member.objectId).fields;
      return this.#members.set(member, String(alias), nowMs, log);
    });
  }

  async removeMember(member: Parameters<Directory["removeMember"]>[0], { actor }: By): Promise<void> {
    this.#changes.run(actor, (log, nowMs) => {
      const { alias } = this.#existing(member.kind, member.objectId).fields;
      this.#members.remove(member, String(alias), log);
      if (member.kind === "team") this.#disableKeysOf(member, actor, nowMs, log);
    });
  }

  async member(kind: Membership["kind"], objectId: string, userId: string): Promise<Membership | null> {
    return guarded(() => this.#members.get({ kind, objectId, userId }));
  }

  async members(
    kind: Membership["kind"],
    objectId: string,
    { after = "", limit }: { after?: string; limit: number },
  ): Promise<Page<Membership>> {
    return guarded(() => this.#members.list(kind, objectId, after, limit));
  }

  async membershipsOf(userId: string): Promise<readonly Membership[]> {
    return guarded(() => this.#members.ofUser(userId));
  }

  async audit(query: AuditQuery): Promise<readonly AuditEntry[]> {
    return this.#changes.audit(query);
  }

  async iamRules(kind: IamKind, objectId: string): Promise<readonly IamRule[]> {
    return guarded(() => this.#iam.of(kind, objectId));
  }

  async iamRulesOf(kind: IamKind, objectIds: readonly string[]): Promise<ReadonlyMap<string, readonly IamRule[]>> {
    return guarded(() => this.#iam.ofAll(kind, objectIds));
  }

  async putIamRule(place: IamPlace, rule: NewIamRule, { actor }: By): Promise<IamRule> {
    return this.#changes.run(actor, (log, nowMs) => {
      const subject = this.#touch(place, actor, nowMs);
      if (rule.id !== undefined) this.#iamRule(place, rule.id);
      return this.#iam.put(subject, rule, nowMs, log);
    });
  }

  async removeIamRule(place: IamPlace, ruleId: string, { actor }: By): Promise<void> {
    this.#changes.run(actor, (log, nowMs) => {
      const subject = this.#touch(place, actor, nowMs);
      this.#iam.remove(subject, this.#iamRule(place, ruleId), log);
    });
  }

  async budgetIds(kind: AccountKind, id: string): Promise<readonly string[]> {
    return guarded(() => this.#budgets.idsOf(kind as BudgetScope, id));
  }

  async resetSpend(kind: AccountKind, id: string, { actor }: By): Promise<void> {
    this.#changes.run(actor, (log) => {
      const { alias } = this.#existing(kind, id).fields;
      const spent = this.#budgetSpend.of(kind as BudgetScope, id);
      this.#budgetSpend.reset(kind as BudgetScope, id);
      this.#spend.forget(kind as SpendKind, id);
      const line = { action: "update", kind, objectId: id, objectAlias: String(alias) } as const;
      log({ ...line, field: "spend", old: [...spent], new: "0" });
    });
  }

  #disableKeysOf(
    { objectId: teamId, userId }: Pick<Membership, "objectId" | "userId">,
    actor: string,
    nowMs: number,
    log: Log,
  ): void {
    const sql = `
      SELECT id, alias, version FROM keys
      WHERE team_id = ? AND user_id = ? AND status = 'active' AND deleted_ms IS NULL`;
    type Row = { readonly id: string; readonly alias: string; readonly version: number };
    for (const { id, alias, version } of this.#db.prepare<[string, string], Row>(sql).all(teamId, userId)) {
      this.#updateRow("key", id, { status: "disabled", version: version + 1, updated_ms: nowMs, updated_by: actor });
      const line = { action: "update", kind: "key", objectId: id, objectAlias: alias, field: "status" } as const;
      log({ ...line, old: "active", new: "disabled" });
    }
  }

  #isNarrow(kind: AccountKind, filter: CountQuery): boolean {
    return narrowSql(kind, filter).some((sql) => this.#number(sql) === 1);
  }

  #number({ text, values }: Sql): number {
    const statement = this.#db.prepare<Value[], number>(text).pluck();
    return statement.get(...values) ?? 0;
  }

  /** Raises the version of what a rule is on. */
  #touch(place: IamPlace, actor: string, nowMs: number): IamSubject {
    const { kind, id, version, fields } = this.#current(place);
    this.#updateRow(kind, id, { version: version + 1, updated_ms: nowMs, updated_by: actor });
    return { kind: place.kind, id, alias: String(fields.alias) };
  }

  /** The rule of that id that is on that very object. */
  #iamRule({ kind, id }: IamPlace, ruleId: string): IamRule {
    const rule = this.#iam.of(kind, id).find((one) => one.id === ruleId);
    if (rule === undefined) throw new StoreError("no_such_object", `The ${kind} ${id} has no IAM rule ${ruleId}`);
    return rule;
  }

  #read(kind: AccountKind, where: string, value: string): AccountObject | null {
    const sql = `SELECT * FROM ${TABLES[kind].name} WHERE ${where} AND deleted_ms IS NULL`;
    const row = this.#db.prepare<[string], ObjectRow>(sql).get(value);
    return row === undefined ? null : this.#toObject(kind, row);
  }

  #existing(kind: AccountKind, id: string): AccountObject {
    const object = this.#read(kind, "id = ?", id);
    if (object === null) throw new StoreError("no_such_object", `There is no ${kind} with the id ${id}`);
    return object;
  }

  /** What is there now. `stale` when it is not what the change was worked out on. */
  #current({ kind, id, version }: ObjectId): AccountObject {
    const object = this.#existing(kind, id);
    if (object.version === version) return object;
    throw new StoreError("stale", `The ${kind} ${id} has changed in the meantime`);
  }

  #row(kind: AccountKind, id: string): ObjectRow {
    const row = this.#db.prepare<[string], ObjectRow>(`SELECT * FROM ${TABLES[kind].name} WHERE id = ?`).get(id);
    if (row === undefined) throw new Error("the row was there a moment ago");
    return row;
  }

  #toObject(kind: AccountKind, row: ObjectRow): AccountObject {
    const { hasBudgets } = TABLES[kind];
    const budgets = hasBudgets ? this.#budgets.fieldOf(kind as BudgetScope, row.id) : [];
    return toObject(kind, row, budgets, kind === "key" ? this.#graceUntil(row.id) : null);
  }

  #graceUntil(keyId: string): number | null {
    return this.#grace.get(keyId, this.#nowMs()) ?? null;
  }

  #setBudgets(kind: AccountKind, id: string, budgets: Json): void {
    this.#budgets.replace(kind as BudgetScope, id, budgets as readonly { limitUsd: string; window: string }[] | null);
  }

  #insertRow(kind: AccountKind, columns: Record<string, Value | Buffer>): void {
    const names = Object.keys(columns);
    const places = names.map((name) => `@${name}`);
    this.#db
      .prepare(`INSERT INTO ${TABLES[kind].name} (${names.join(", ")}) VALUES (${places.join(", ")})`)
      .run(columns);
  }

  #updateRow(kind: AccountKind, id: string, columns: Record<string, Value | Buffer>): void {
    const sets = Object.keys(columns).map((name) => `${name} = @${name}`);
    this.#db.prepare(`UPDATE ${TABLES[kind].name} SET ${sets.join(", ")} WHERE id = @id`).run({ ...columns, id });
  }

  /** Rules take an object by its id and by its alias: who has another's id for an alias would pass for it. */
  #assertDistinct(kind: AccountKind, ownId: string, alias: Json | undefined, id?: string): void {
    const others = (column: string, name: Json | undefined): boolean => {
      const sql = `SELECT 1 FROM ${TABLES[kind].name} WHERE ${column} = ? AND id <> ? AND deleted_ms IS NULL`;
      return typeof name === "string" && this.#db.prepare(sql).get(name, ownId) !== undefined;
    };
    if (others("id", alias)) throw new StoreError("alias_taken", `The alias is the id of another ${kind}`);
    if (others("alias", id)) throw new StoreError("id_taken", `The id is the alias of another ${kind}`);
  }

  #write(kind: AccountKind, work: () => void, alias: string): void {
    const { name } = TABLES[kind];
    try {
      work();
    } catch (error) {
      if (isDuplicate(error, `${name}.alias`)) {
        throw new StoreError("alias_taken", `There is a ${kind} called ${alias} already`, error);
      }
      if (isDuplicate(error, `${name}.id`)) throw new StoreError("id_taken", `The id of the ${kind} is taken`, error);
      throw error;
    }
  }

  /** The old secret stays for the grace period; what is past its own is forgotten. */
  #rotate(id: string, row: ObjectRow, { secret, graceUntilMs }: NonNullable<ObjectChange["rotation"]>) {
    this.#db.prepare("DELETE FROM grace_secrets WHERE key_id = ? AND until_ms <= ?").run(id, this.#nowMs());
    if (graceUntilMs === null) this.#db.prepare("DELETE FROM grace_secrets WHERE key_id = ?").run(id);
    else {
      const sql = "INSERT INTO grace_secrets (hash, key_id, until_ms) VALUES (?, ?, ?)";
      this.#db.prepare(sql).run(row.hash as Buffer, id, graceUntilMs);
    }
    return secretColumns(secret);
  }

  #remove({ kind, id, fields }: AccountObject, actor: string, nowMs: number, log: Log): void {
    const columns = { deleted_ms: nowMs, updated_ms: nowMs, updated_by: actor };
    this.#updateRow(kind, id, kind === "key" ? { ...columns, status: "revoked" } : columns);
    if (kind === "key") this.#db.prepare("DELETE FROM grace_secrets WHERE key_id = ?").run(id);
    if (kind === "team" || kind === "org") this.#members.removeAll("object_id", id);
    if (kind === "user") this.#members.removeAll("user_id", id);
    log({ action: "delete", kind, objectId: id, objectAlias: String(fields.alias), field: null, old: null, new: null });
    const inside = { org: ["team", "org_id"], team: ["key", "team_id"], user: ["key", "user_id"] } as const;
    if (kind === "key" || kind === "group") return;
    const [part, column] = inside[kind];
    const sql = `SELECT id FROM ${TABLES[part].name} WHERE ${column} = ? AND deleted_ms IS NULL`;
    for (const partId of this.#db.prepare<[string], string>(sql).pluck().all(id)) {
      this.#remove(this.#existing(part, partId), actor, nowMs, log);
    }
  }
}

function secretColumns({ hash, prefix, lastFour }: SecretParts) {
  return { hash, prefix, last_four: lastFour };
}

function withoutNulls(fields: ObjectChange["fields"]): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** One entry for each field that was asked for and is another now; a new secret is shown by its ends. */
function logDifference(before: AccountObject, after: AccountObject, names: readonly string[], log: Log): void {
  const line = { kind: after.kind, objectId: after.id, objectAlias: String(after.fields.alias) };
  for (const field of names) {
    const [old, now] = [before.fields[field] ?? null, after.fields[field] ?? null];
    if (JSON.stringify(old) !== JSON.stringify(now)) log({ ...line, action: "update", field, old, new: now });
  }
  const [old, now] = [shown(before), shown(after)];
  if (old !== now) log({ ...line, action: "rotate", field: "secret", old, new: now });
}

function shown({ secret }: AccountObject): string | null {
  return secret === null ? null : `${secret.prefix}…${secret.lastFour}`;
}
