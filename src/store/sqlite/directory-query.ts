// A list of account objects as SQL: what must hold, in which order, from where on.
import type { AccountKind, CountQuery, ListQuery, Within } from "../directory.ts";
import { TABLES, type Value } from "./directory-rows.ts";

/** A statement and its values. */
export interface Sql {
  readonly text: string;
  readonly values: readonly Value[];
}

/** One page, with one row more than asked for where there is a next one. */
export function listSql(kind: AccountKind, query: ListQuery): Sql {
  const { name } = TABLES[kind];
  const { parts, values } = conditions(kind, query);
  const order = query.aliasPrefix === undefined ? "seq" : "alias";
  const [comesAfter, direction] = query.isReversed === true ? ["<", "DESC"] : [">", "ASC"];
  if (query.after !== undefined) {
    parts.push(`${order} ${comesAfter} (SELECT ${order} FROM ${name} WHERE id = ?)`);
    values.push(query.after);
  }
  // What is passed over is an entry of an index, not a row.
  const page = `SELECT seq FROM ${name} WHERE ${parts.join(" AND ")} ORDER BY ${order} ${direction} LIMIT ? OFFSET ?`;
  const text = `SELECT * FROM ${name} WHERE seq IN (${page}) ORDER BY ${order} ${direction}`;
  return { text, values: [...values, query.limit + 1, query.skip ?? 0] };
}

/** How many there are. */
export function countSql(kind: AccountKind, query: CountQuery): Sql {
  const { parts, values } = conditions(kind, query);
  return { text: `SELECT count(*) FROM ${TABLES[kind].name} WHERE ${parts.join(" AND ")}`, values };
}

function conditions(
  kind: AccountKind,
  { within, aliasPrefix, aliasPart, status }: CountQuery,
): { parts: string[]; values: Value[] } {
  const parts = ["deleted_ms IS NULL"];
  const values: Value[] = [];
  if (aliasPrefix !== undefined) {
    parts.push("alias >= ? AND alias < ?");
    values.push(aliasPrefix, `${aliasPrefix}\u{10ffff}`);
  }
  if (aliasPart !== undefined) {
    parts.push("instr(alias, ?) > 0");
    values.push(aliasPart);
  }
  if (status !== undefined) {
    parts.push("status = ?");
    values.push(status);
  }
  for (const place of within === undefined ? [] : [within].flat()) {
    const inside = withinSql(kind, place);
    parts.push(inside.text);
    values.push(...inside.values);
  }
  return { parts, values };
}

const GIVEN = "SELECT value FROM json_each(?)";

/** Each column has an index of its own, and SQLite joins what they give. */
function withinSql(kind: AccountKind, { ids, orgIds, teamIds, userId }: Within): Sql {
  const any: string[] = [];
  const values: Value[] = [];
  const add = (column: string, wanted: readonly string[] | undefined, of = GIVEN): void => {
    if (wanted === undefined || wanted.length === 0) return;
    any.push(`${column} IN (${of})`);
    values.push(JSON.stringify(wanted));
  };
  add("id", ids);
  if (kind === "team") add("org_id", orgIds);
  if (kind === "key") add("team_id", orgIds, `SELECT id FROM teams WHERE org_id IN (${GIVEN})`);
  if (kind === "key") add("team_id", teamIds);
  if (kind === "key") add("user_id", userId === undefined ? undefined : [userId]);
  return { text: any.length === 0 ? "0" : `(${any.join(" OR ")})`, values };
}
