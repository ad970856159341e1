// A list of account objects as SQL: what must hold, in which order, from where on.
import type { AccountKind, CountQuery, ListQuery, Within } from "../directory.ts";
import { TABLES, type Value } from "./directory-rows.ts";
import { SEARCH_LENGTH_MIN, searchText } from "./names.ts";

/** A statement and its values. */
export interface Sql {
  readonly text: string;
  readonly values: readonly Value[];
}

/** Places with no more objects are searched by reading these; larger ones by the search index. */
const NARROW_MAX = 5_000;

/** One page, with one row more than asked for where there is a next one. @param isNarrow see `narrowSql` */
export function listSql(kind: AccountKind, query: ListQuery, isNarrow: boolean): Sql {
  const { name } = TABLES[kind];
  const { from, parts, values, order, sorted } = conditions(kind, query, isNarrow);
  const [comesAfter, direction] = query.isReversed === true ? ["<", "DESC"] : [">", "ASC"];
  if (query.after !== undefined) {
    parts.push(`${sorted} ${comesAfter} (SELECT ${order} FROM ${name} WHERE id = ?)`);
    values.push(query.after);
  }
  // What is passed over is an entry of an index, not a row.
  const page = `SELECT seq FROM ${from} WHERE ${parts.join(" AND ")} ORDER BY ${sorted} ${direction} LIMIT ? OFFSET ?`;
  const text = `SELECT * FROM ${name} WHERE seq IN (${page}) ORDER BY ${order} ${direction}`;
  return { text, values: [...values, query.limit + 1, query.skip ?? 0] };
}

/** How many there are. */
export function countSql(kind: AccountKind, query: CountQuery, isNarrow: boolean): Sql {
  const { from, parts, values } = conditions(kind, query, isNarrow);
  return { text: `SELECT count(*) FROM ${from} WHERE ${parts.join(" AND ")}`, values };
}

/** For each place: asks whether there are few objects. None where that makes no difference. */
export function narrowSql(kind: AccountKind, query: CountQuery): readonly Sql[] {
  if (indexedText(query) === null) return [];
  return placesOf(query).map((place) => {
    const { text, values } = withinSql(kind, place);
    const some = `SELECT 1 FROM ${TABLES[kind].name} WHERE ${text} LIMIT ${NARROW_MAX + 1}`;
    return { text: `SELECT count(*) <= ${NARROW_MAX} FROM (${some})`, values };
  });
}

interface Conditions {
  readonly from: string;
  readonly parts: string[];
  readonly values: Value[];
  readonly order: "seq" | "alias";
  /** The same column where SQLite finds it in order. */
  readonly sorted: string;
}

function conditions(kind: AccountKind, query: CountQuery, isNarrow: boolean): Conditions {
  const { name } = TABLES[kind];
  const index = `${name}_search`;
  const { aliasPrefix, aliasPart, search, status } = query;
  const parts = [`${name}.deleted_ms IS NULL`];
  const values: Value[] = [];
  const add = (part: string, ...more: readonly Value[]): void => {
    parts.push(part);
    values.push(...more);
  };
  const indexed = isNarrow ? null : indexedText(query);
  const isShort = search !== undefined && !isLong(search);
  if (indexed !== null) add(`${index} MATCH ?`, searchText(indexed));
  if (search !== undefined && !isShort && indexed !== search) {
    add(`${name}.alias LIKE ? ESCAPE '\\'`, `%${search.replace(/[\\%_]/g, "\\$&")}%`);
  }
  if (aliasPart !== undefined) add(`instr(${name}.alias, ?) > 0`, aliasPart);
  for (const prefix of [aliasPrefix, isShort ? search : undefined]) {
    if (prefix !== undefined) add(`${name}.alias >= ? AND ${name}.alias < ?`, prefix, `${prefix}\u{10ffff}`);
  }
  if (status !== undefined) add("status = ?", status);
  for (const place of placesOf(query)) {
    const { text, values: inside } = withinSql(kind, place);
    add(text, ...inside);
  }
  // SQLite is told to begin with the search index: it gives rows in order, so that a page ends early.
  const from = indexed === null ? name : `${index} CROSS JOIN ${name} ON ${name}.seq = ${index}.rowid`;
  const order = aliasPrefix !== undefined || isShort ? "alias" : "seq";
  const sorted = indexed !== null && order === "seq" ? `${index}.rowid` : `${name}.${order}`;
  return { from, parts, values, order, sorted };
}

/** The part of the alias that the search index is asked for; null where it cannot help. */
function indexedText({ search, aliasPart }: CountQuery): string | null {
  return [search, aliasPart].find((text) => text !== undefined && isLong(text)) ?? null;
}

function isLong(text: string): boolean {
  return [...text].length >= SEARCH_LENGTH_MIN;
}

function placesOf({ within }: CountQuery): readonly Within[] {
  return within === undefined ? [] : [within].flat();
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
