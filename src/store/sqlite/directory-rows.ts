// Account objects as rows: which fields have a column of their own, and how each is written.
import type { AccountKind, AccountObject, Fields, Json } from "../directory.ts";

/** A value that SQLite takes. */
export type Value = string | number | null;

/** A row of any of the tables. Its other columns are read by name. */
export interface ObjectRow {
  readonly seq: number;
  readonly id: string;
  readonly alias: string;
  readonly settings: string;
  readonly bounds: string;
  readonly version: number;
  readonly created_ms: number;
  readonly created_by: string;
  readonly updated_ms: number;
  readonly updated_by: string;
  readonly deleted_ms: number | null;
  readonly [column: string]: Value | Buffer;
}

/** A field's column. */
interface Column {
  readonly name: string;
  /** `list`: a JSON array of strings, empty for none. `required`: taken back to `fallback`. */
  readonly holds: "value" | "list" | "required";
  readonly fallback?: string;
}

/** A kind's table. */
export interface Table {
  readonly name: string;
  readonly idPrefix: "org" | "team" | "user" | "key" | "grp";
  /** Field → column. The other fields are in `settings`. */
  readonly columns: Readonly<Record<string, Column>>;
  /** True when it can have budgets. */
  readonly hasBudgets: boolean;
}

const ALIAS: Column = { name: "alias", holds: "value" };
const STATUS: Column = { name: "status", holds: "required", fallback: "active" };
const RULES: Column = { name: "rules", holds: "value" };

export const TABLES: Readonly<Record<AccountKind, Table>> = {
  org: {
    name: "organizations",
    idPrefix: "org",
    columns: { alias: ALIAS, status: STATUS, rules: RULES },
    hasBudgets: true,
  },
  team: {
    name: "teams",
    idPrefix: "team",
    columns: { alias: ALIAS, orgId: { name: "org_id", holds: "value" }, status: STATUS, rules: RULES },
    hasBudgets: true,
  },
  user: {
    name: "users",
    idPrefix: "user",
    columns: {
      alias: ALIAS,
      role: { name: "role", holds: "required", fallback: "internal_user" },
      status: STATUS,
    },
    hasBudgets: true,
  },
  key: {
    name: "keys",
    idPrefix: "key",
    columns: {
      alias: ALIAS,
      teamId: { name: "team_id", holds: "value" },
      userId: { name: "user_id", holds: "value" },
      status: STATUS,
      expiresMs: { name: "expires_ms", holds: "value" },
      roles: { name: "roles", holds: "list" },
      tags: { name: "tags", holds: "list" },
      rules: RULES,
    },
    hasBudgets: true,
  },
  group: { name: "access_groups", idPrefix: "grp", columns: { alias: ALIAS }, hasBudgets: false },
};

/** The row's fields: columns, settings, and the budgets where there are some. */
export function fieldsOf(kind: AccountKind, row: ObjectRow, budgets: Json): Fields {
  const fields: Record<string, Json> = JSON.parse(row.settings) as Record<string, Json>;
  for (const [field, { name, holds }] of Object.entries(TABLES[kind].columns)) {
    const value = row[name] as Value;
    fields[field] = holds === "list" ? (JSON.parse(value as string) as Json) : value;
  }
  if (TABLES[kind].hasBudgets) fields.budgets = budgets;
  return fields;
}

/** The columns to write for these fields. Those without a column are merged into `settings`; null takes one out. */
export function columnsOf(kind: AccountKind, fields: Fields, settings: string): Record<string, Value> {
  const { columns } = TABLES[kind];
  const written: Record<string, Value> = {};
  const merged = JSON.parse(settings) as Record<string, Json>;
  for (const [field, value] of Object.entries(fields)) {
    if (field === "budgets") continue;
    const column = Object.hasOwn(columns, field) ? columns[field] : undefined;
    if (column !== undefined) written[column.name] = columnValue(column, value);
    else if (value === null) delete merged[field];
    else merged[field] = value;
  }
  written.settings = JSON.stringify(merged);
  return written;
}

function columnValue({ holds, fallback }: Column, value: Json): Value {
  if (holds === "list") return JSON.stringify(value ?? []);
  return (value ?? fallback ?? null) as Value;
}

/** The object as the directory gives it. */
export function toObject(kind: AccountKind, row: ObjectRow, budgets: Json, graceUntilMs: number | null): AccountObject {
  return {
    kind,
    id: row.id,
    version: row.version,
    fields: fieldsOf(kind, row, budgets),
    bounds: JSON.parse(row.bounds) as AccountObject["bounds"],
    createdMs: row.created_ms,
    createdBy: row.created_by,
    updatedMs: row.updated_ms,
    updatedBy: row.updated_by,
    secret:
      kind !== "key"
        ? null
        : {
            hash: (row.hash as Buffer).toString("hex"),
            prefix: row.prefix as string,
            lastFour: row.last_four as string,
            lastUsedMs: row.last_used_ms as number | null,
            graceUntilMs,
          },
  };
}
