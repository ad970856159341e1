// IAM rules of organisations, teams and keys in SQLite.
import type Database from "better-sqlite3";
import type { IamKind, IamRule, Json, NewIamRule } from "../directory.ts";
import type { Log } from "./account-changes.ts";
import { newId, type Owner } from "./account-rows.ts";

interface Row {
  readonly id: string;
  readonly kind: IamKind;
  readonly object_id: string;
  readonly rule_type: string;
  readonly rule_value: string;
  readonly status: IamRule["status"];
  readonly rank: number;
  readonly created_ms: number;
  readonly updated_ms: number;
}

/** Whose rules, and what it is called in the log. */
export interface IamSubject {
  readonly kind: IamKind;
  readonly id: string;
  readonly alias: string;
}

const PUT = `
  INSERT INTO iam_rules (id, kind, object_id, rule_type, rule_value, status, rank, created_ms, updated_ms)
  VALUES (@id, @kind, @object_id, @rule_type, @rule_value, @status, @rank, @now, @now)
  ON CONFLICT (id) DO UPDATE SET rule_type = excluded.rule_type, rule_value = excluded.rule_value,
    status = excluded.status, rank = excluded.rank, updated_ms = excluded.updated_ms`;

/** The iam_rules table. What writes runs inside the caller's transaction. */
export class IamRuleTable {
  readonly #db: Database.Database;
  readonly #ofMany: Database.Statement<(string | null)[], Row>;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#ofMany = db.prepare("SELECT * FROM iam_rules WHERE object_id IN (?, ?, ?) ORDER BY seq");
  }

  /** Oldest first. */
  of(kind: IamKind, objectId: string): readonly IamRule[] {
    const sql = "SELECT * FROM iam_rules WHERE kind = ? AND object_id = ? ORDER BY seq";
    return this.#db.prepare<[string, string], Row>(sql).all(kind, objectId).map(toRule);
  }

  /** By object id, each oldest first. */
  ofAll(kind: IamKind, objectIds: readonly string[]): ReadonlyMap<string, readonly IamRule[]> {
    const sql = `SELECT * FROM iam_rules
      WHERE kind = ? AND object_id IN (SELECT value FROM json_each(?)) ORDER BY seq`;
    const rows = this.#db.prepare<[string, string], Row>(sql).all(kind, JSON.stringify(objectIds));
    return Map.groupBy(rows.map(toRule), ({ objectId }) => objectId);
  }

  /** Those of a key and what it belongs to, by scope: one look-up for all. A user has none. */
  ofOwners(owners: readonly Owner[]): ReadonlyMap<Owner["scope"], readonly IamRule[]> {
    const ids = (["key", "team", "org"] as const).map((kind) => owners.find(({ scope }) => scope === kind)?.subject.id);
    const rules = new Map<Owner["scope"], IamRule[]>();
    for (const row of this.#ofMany.all(...ids.map((id) => id ?? null))) {
      const owner = owners.find(({ scope, subject }) => scope === row.kind && subject.id === row.object_id);
      // A team and an organisation may have the same id.
      if (owner !== undefined) rules.set(row.kind, [...(rules.get(row.kind) ?? []), toRule(row)]);
    }
    return rules;
  }

  /** Adds the rule, or replaces the one that has its id. */
  put({ kind, id: objectId, alias }: IamSubject, rule: NewIamRule, nowMs: number, log: Log): IamRule {
    const id = rule.id ?? newId("iam");
    const before = this.#row(id);
    const { ruleType, ruleValue, status, rank } = rule;
    const [rule_type, rule_value] = [ruleType, JSON.stringify(ruleValue)];
    this.#db.prepare(PUT).run({ id, kind, object_id: objectId, rule_type, rule_value, status, rank, now: nowMs });
    const after = toRule(this.#row(id) as Row);
    const old = before === undefined ? null : shown(toRule(before));
    const line = { kind, objectId, objectAlias: alias, field: `iam ${id}` };
    log({ ...line, action: "update", old, new: shown(after) });
    return after;
  }

  remove({ kind, id: objectId, alias }: IamSubject, rule: IamRule, log: Log): void {
    this.#db.prepare("DELETE FROM iam_rules WHERE id = ?").run(rule.id);
    const line = { kind, objectId, objectAlias: alias, field: `iam ${rule.id}` };
    log({ ...line, action: "update", old: shown(rule), new: null });
  }

  #row(id: string): Row | undefined {
    return this.#db.prepare<[string], Row>("SELECT * FROM iam_rules WHERE id = ?").get(id);
  }
}

/** What the audit log holds of a rule. */
function shown({ ruleType, ruleValue, status }: NewIamRule): Json {
  return { ruleType, ruleValue, status };
}

function toRule(row: Row): IamRule {
  return Object.freeze({
    id: row.id,
    objectId: row.object_id,
    ruleType: row.rule_type,
    ruleValue: JSON.parse(row.rule_value) as IamRule["ruleValue"],
    status: row.status,
    rank: row.rank,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
  });
}
