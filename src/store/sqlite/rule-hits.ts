// How often each rule matched, by day: counted in the batch's transaction from the rows that it writes.
import type Database from "better-sqlite3";
import type { AccessRecord } from "../../types.ts";
import type { RuleHits } from "../store.ts";
import { guarded } from "./errors.ts";

const DAY_MS = 86_400_000;

/** A rule's matches in one batch and day. */
interface Tally {
  hits: number;
  refused: number;
  lastMs: number;
}

/** Rule id → tally, by day. */
type Tallies = Map<number, Map<string, Tally>>;

/** The table of rule hits. One row a rule and day: it stays small however many requests there are, and is never pruned. */
export class RuleHitTable {
  readonly #db: Database.Database;
  readonly #add: Database.Statement<[string, number, number, number, number]>;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#add = db.prepare(
      `INSERT INTO rule_hits (rule_id, day, hits, refused, last_ms) VALUES (?, ?, ?, ?, ?) ON CONFLICT (rule_id, day)
       DO UPDATE SET hits = hits + excluded.hits, refused = refused + excluded.refused,
         last_ms = max(last_ms, excluded.last_ms)`,
    );
  }

  /** Adds what the batch's rows say, one write a rule and day, inside the batch's transaction. */
  add(rows: readonly AccessRecord[]): void {
    const tallies: Tallies = new Map();
    for (const { receivedMs, ruleIds, shadowIds, warningIds, countedIds, refusedById } of rows) {
      if (ruleIds.length > 0) tally(tallies, receivedMs, ruleIds);
      if (shadowIds.length > 0) tally(tallies, receivedMs, shadowIds);
      if (warningIds.length > 0) tally(tallies, receivedMs, warningIds);
      if (countedIds !== undefined) tally(tallies, receivedMs, countedIds);
      if (refusedById !== undefined) tally(tallies, receivedMs, [refusedById], 1);
    }
    for (const [day, ofDay] of tallies) {
      for (const [id, { hits, refused, lastMs }] of ofDay) this.#add.run(id, day, hits, refused, lastMs);
    }
  }

  /** See `RequestStore.ruleHits`. */
  since(sinceMs: number): ReadonlyMap<string, RuleHits> {
    type Row = [id: string, hits: number, refused: number, lastMs: number];
    const sql = "SELECT rule_id, sum(hits), sum(refused), max(last_ms) FROM rule_hits WHERE day >= ? GROUP BY rule_id";
    const rows = guarded(() =>
      this.#db
        .prepare<[number], Row>(sql)
        .raw()
        .all(Math.floor(sinceMs / DAY_MS)),
    );
    return new Map(rows.map(([id, hits, refused, lastMs]) => [id, { hits, refused, lastMs }]));
  }
}

function tally(tallies: Tallies, receivedMs: number, ids: readonly string[], refused = 0): void {
  const day = Math.floor(receivedMs / DAY_MS);
  let ofDay = tallies.get(day);
  if (ofDay === undefined) {
    ofDay = new Map();
    tallies.set(day, ofDay);
  }
  for (const id of ids) {
    const known = ofDay.get(id);
    if (known === undefined) ofDay.set(id, { hits: 1, refused, lastMs: receivedMs });
    else {
      known.hits += 1;
      known.refused += refused;
      known.lastMs = Math.max(known.lastMs, receivedMs);
    }
  }
}
