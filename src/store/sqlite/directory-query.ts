// A list of account objects as SQL: what must hold, in which order, from where on.
import type { AccountKind, ListQuery, Within } from "../directory.ts";
import { TABLES, type Value } from "./directory-rows.ts";
import { SEARCH_LENGTH_MIN, searchText } from "./names.ts";

/** A statement and its values. */
export interface Sql {
  readonly text: string;
  readonly values: readonly Value[];
}

/** What says which objects are meant, without the page. */
export type Filter = Pick<ListQuery, "within" | "aliasPrefix" | "search" | "status">;

/** One page, with one row more than asked for where there is a next one. @param isNarrow see `narrowSql` */
export function listSql(kind: AccountKind, query: ListQuery, isNarrow: boolean): Sql {
  const { name } = TABLES[kind];
  const { from, parts, values, order, sorted } = conditions(kind, query, isNarrow);
  if (query.after !== undefined) {
    parts.push(`${sorted} > (SELECT ${order} FROM ${name} WHERE id = ?)`);
    values.push(query.after);
  }
  // What is passed over is an entry of an index, not a row.
  const page = `SELECT seq FROM ${from} WHERE ${parts.join(" AND ")} ORDER BY ${sorted} LIMIT ? OFFSET ?`;
  const text = `SELECT * FROM ${name} WHERE seq IN (${page}) ORDER BY ${order}`;
  return { text, values: [...values, query.limit + 1, query.skip ?? 0] };
}

/** How many there are. */
export function countSql(kind: AccountKind, query: Filter, isNarrow: boolean): Sql {
  const { from, parts, values } = conditions(kind, query, isNarrow);
  return { text: `SELECT count(*) FROM ${from} WHERE ${parts.join(" AND ")}`, values };
}

/** Places with no more objects are searched by reading these; larger ones by the search index. */
const NARROW_MAX = 5_000;

/** Asks whether there are few objects in the places; null where that makes no difference. */
export function narrowSql(kind: AccountKind, { search, within }: Filter): Sql | null {
  if (within === undefined || !isIndexed(search)) return null;
  const { text, values } = withinSql(kind, within);
  const some = `SELECT 1 FROM ${TABLES[kind].name} WHERE ${text} LIMIT ${NARROW_MAX + 1}`;
  return { text: `SELECT count(*) <= ${NARROW_MAX} FROM (${some})`, values };
}

interface Conditions {
  readonly from: string;
  readonly parts: string[];
  readonly values: Value[];
  readonly order: "seq" | "alias";
  /** The same column where SQLite finds it in order. */
  readonly sorted: string;
}

function conditions(kind: AccountKind, { within, aliasPrefix, search, status }: Filter, isNarrow: boolean): Conditions {
  const { name } = TABLES[kind];
  const index = `${name}_search`;
  const parts = [`${name}.deleted_ms IS NULL`];
  const values: Value[] = [];
  const add = (part: string, ...more: Value[]): void => {
    parts.push(part);
    values.push(...more);
  };
  const byIndex = isIndexed(search) && !isNarrow;
  if (byIndex) add(`${index} MATCH ?`, searchText(search));
  else if (isIndexed(search)) add(`${name}.alias LIKE ? ESCAPE '\\'`, `%${search.replace(/[\\%_]/g, "\\$&")}%`);
  for (const prefix of [aliasPrefix, isIndexed(search) ? undefined : search]) {
    if (prefix !== undefined) add(`${name}.alias >= ? AND ${name}.alias < ?`, prefix, `${prefix}\u{10ffff}`);
  }
  if (status !== undefined) add("status = ?", status);
  if (within !== undefined) {
    const inside = withinSql(kind, within);
    add(inside.text, ...inside.values);
  }
  // SQLite is told to begin with the search index: it gives rows in order, so that a page ends early.
  const from = byIndex ? `${index} CROSS JOIN ${name} ON ${name}.seq = ${index}.rowid` : name;
  const order = aliasPrefix !== undefined || (search !== undefined && !isIndexed(search)) ? "alias" : "seq";
  const sorted = byIndex && order === "seq" ? `${index}.rowid` : `${name}.${order}`;
  return { from, parts, values, order, sorted };
}

/** True for a text that is searched for anywhere in the alias. */
function isIndexed(search: string | undefined): search is string {
  return search !== undefined && [...search].length >= SEARCH_LENGTH_MIN;
}

/** Each column has an index of its own, and SQLite joins what they give. */
function withinSql(kind: AccountKind, { ids, orgIds, teamIds, userId }: Within): Sql {
  const any: string[] = [];
  const values: Value[] = [];
  const add = (column: string, wanted: readonly string[] | undefined): void => {
    if (wanted === undefined || wanted.length === 0) return;
    any.push(`${column} IN (SELECT value FROM json_each(?))`);
    values.push(JSON.stringify(wanted));
  };
  add("id", ids);
  if (kind === "team") add("org_id", orgIds);
  if (kind === "key") add("team_id", teamIds);
  if (kind === "key") add("user_id", userId === undefined ? undefined : [userId]);
  return { text: any.length === 0 ? "0" : `(${any.join(" OR ")})`, values };
}
