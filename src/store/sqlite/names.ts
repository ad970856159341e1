// Names of account objects in SQLite: whether one is known, and which are near to one that is not.
import type Database from "better-sqlite3";
import type { AccountKind } from "../directory.ts";
import { TABLES } from "./directory-rows.ts";

/** Up to so many objects all names are told: whoever compares them finds the nearest. */
const ALL_MAX = 2_000;
/** How many neighbours in the alphabet are told, before the word and after it. */
const NEIGHBOURS = 25;
/** Longer words are looked for among their neighbours alone: they have too many variants. */
const VARIANT_LENGTH_MAX = 64;
/** What an edit may put into a word, beside the word's own characters. */
const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_. ";
/** A part of an alias that can be searched for has as many characters, at least. */
export const SEARCH_LENGTH_MIN = 3;

/** Looks names up by the tables' indexes: it takes no longer among a million. */
export class Names {
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** True when it is the id or the alias of what is there. */
  has(kind: AccountKind, name: string): boolean {
    const sql = `SELECT 1 FROM ${TABLES[kind].name} WHERE (id = ? OR alias = ?) AND deleted_ms IS NULL`;
    return this.#db.prepare(sql).get(name, name) !== undefined;
  }

  /** See `AccountStore.namesNear`. */
  near(kind: AccountKind, word: string): readonly string[] {
    const { name } = TABLES[kind];
    const few = this.#texts(`SELECT alias FROM ${name} WHERE deleted_ms IS NULL LIMIT ${ALL_MAX + 1}`);
    if (few.length <= ALL_MAX) return few;
    const live = `SELECT alias FROM ${name} WHERE deleted_ms IS NULL AND alias`;
    return [
      ...this.#texts(`${live} < ? ORDER BY alias DESC LIMIT ${NEIGHBOURS}`, word),
      ...this.#texts(`${live} >= ? ORDER BY alias LIMIT ${NEIGHBOURS}`, word),
      ...this.#texts(`${live} IN (SELECT value FROM json_each(?))`, JSON.stringify(variantsOf(word))),
      ...this.#ending(kind, word),
    ];
  }

  /** Some of those with the word's second half in them: their beginnings may be written otherwise. */
  #ending(kind: AccountKind, word: string): readonly string[] {
    const half = [...word].slice(Math.ceil([...word].length / 2)).join("");
    if ([...half].length < SEARCH_LENGTH_MIN) return [];
    const index = `${TABLES[kind].name}_search`;
    return this.#texts(`SELECT alias FROM ${index} WHERE ${index} MATCH ? LIMIT ${NEIGHBOURS}`, searchText(half));
  }

  #texts(sql: string, ...values: string[]): readonly string[] {
    return this.#db
      .prepare<string[], string>(sql)
      .pluck()
      .all(...values);
  }
}

/** A text to be matched as it is, in FTS5's query language. */
export function searchText(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/** Every text that is one insertion, deletion, replacement or swap of neighbours away from the word. */
function variantsOf(word: string): readonly string[] {
  const letters = [...word];
  if (letters.length > VARIANT_LENGTH_MAX) return [];
  const alphabet = new Set([...LETTERS, ...letters]);
  const variants = new Set<string>();
  for (let at = 0; at <= letters.length; at += 1) {
    const [before, after] = [letters.slice(0, at).join(""), letters.slice(at)];
    const [first = "", second = ""] = after;
    const [rest, further] = [after.slice(1).join(""), after.slice(2).join("")];
    variants.add(before + rest).add(before + second + first + further);
    for (const letter of alphabet) variants.add(before + letter + rest).add(before + letter + after.join(""));
  }
  return [...variants];
}
