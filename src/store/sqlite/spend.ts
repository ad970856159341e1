// What each key has spent, with its team, user and organisation: summed in the batch's transaction from the rows it writes.
import type Database from "better-sqlite3";
import type { AccessRecord } from "../../types.ts";
import type { AccountKind } from "../directory.ts";
import { guarded } from "./errors.ts";

/** What can have spent something. */
export type SpendKind = Exclude<AccountKind, "group">;

/** Its column. */
const COLUMNS: Readonly<Record<SpendKind, string>> = {
  key: "key_id",
  team: "team_id",
  user: "user_id",
  org: "org_id",
};

const ADD = `
  INSERT INTO spend (key_id, team_id, user_id, org_id, nano_usd) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (key_id, team_id, user_id, org_id) DO UPDATE SET nano_usd = nano_usd + excluded.nano_usd`;
const FORGET = `
  INSERT INTO spend_forgotten (kind, id, nano_usd) VALUES (?, ?, ?)
  ON CONFLICT (kind, id) DO UPDATE SET nano_usd = excluded.nano_usd`;

type Owners = readonly [keyId: string, teamId: string, userId: string, orgId: string];

/** The totals. One row a key and what it belonged to: it stays small however many requests there are. */
export class SpendTable {
  readonly #db: Database.Database;
  readonly #add: Database.Statement<[...Owners, number]>;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#add = db.prepare(ADD);
  }

  /** Adds what the batch's rows cost, one write a key, inside the batch's transaction. */
  add(rows: readonly AccessRecord[]): void {
    const [first] = rows;
    if (rows.length === 1 && first !== undefined) {
      this.#write(ownersOf(first), first.costNanoUsd);
      return;
    }
    const sums = new Map<string, { readonly owners: Owners; nanoUsd: number }>();
    for (const row of rows) {
      if (row.costNanoUsd === 0) continue;
      const owners = ownersOf(row);
      const name = owners.join("\n");
      const sum = sums.get(name);
      if (sum === undefined) sums.set(name, { owners, nanoUsd: row.costNanoUsd });
      else sum.nanoUsd += row.costNanoUsd;
    }
    for (const { owners, nanoUsd } of sums.values()) this.#write(owners, nanoUsd);
  }

  /** See `RequestStore.spend`. */
  of(kind: SpendKind, ids: readonly string[]): ReadonlyMap<string, bigint> {
    const column = COLUMNS[kind];
    const sql = `
      SELECT ${column}, sum(nano_usd) - coalesce(
        (SELECT nano_usd FROM spend_forgotten WHERE kind = ? AND id = ${column}), 0)
      FROM spend WHERE ${column} IN (SELECT value FROM json_each(?)) GROUP BY ${column}`;
    const all = () => this.#db.prepare<[string, string], [string, bigint]>(sql).raw().safeIntegers();
    return new Map(guarded(() => all().all(kind, JSON.stringify(ids))));
  }

  /** From now on what was spent so far is not counted. Inside the caller's transaction. */
  forget(kind: SpendKind, id: string): void {
    const sql = `SELECT coalesce(sum(nano_usd), 0) FROM spend WHERE ${COLUMNS[kind]} = ?`;
    const spent = this.#db.prepare<[string], bigint>(sql).pluck().safeIntegers().get(id) ?? 0n;
    this.#db.prepare(FORGET).run(kind, id, spent);
  }

  #write(owners: Owners, nanoUsd: number): void {
    if (nanoUsd > 0) this.#add.run(...owners, nanoUsd);
  }
}

/** Empty where there is none: a primary key holds no NULL. */
function ownersOf({ keyId, teamId, userId, orgId }: AccessRecord): Owners {
  return [keyId ?? "", teamId ?? "", userId ?? "", orgId ?? ""];
}
