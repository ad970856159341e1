// The table of what was charged because a process died. Every function runs inside the caller's transaction.
import type Database from "better-sqlite3";
import type { Charge, InFlight, Recovery } from "../store.ts";

const INSERT = `
  INSERT INTO recoveries (at_ms, process, pid, quota, win, unit, amount, open, in_flight)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const SELECT = `
  SELECT id, at_ms AS atMs, process, pid, quota, win AS "window", unit, amount, open, in_flight AS inFlight,
    reversed_ms AS reversedMs, reversed_by AS reversedBy, reason FROM recoveries`;
const OPEN_OF = `
  SELECT id, open FROM recoveries WHERE process = ? AND quota = ? AND win = ? AND open > 0 ORDER BY id`;

interface Stored extends Omit<Recovery, "id" | "atMs" | "pid" | "inFlight" | "reversed"> {
  readonly id: bigint;
  readonly atMs: bigint;
  readonly pid: bigint;
  readonly inFlight: string;
  readonly reversedMs: bigint | null;
  readonly reversedBy: string | null;
  readonly reason: string | null;
}

/** Whose charges they are. */
export interface DeadProcess {
  readonly process: string;
  readonly pid: number;
  /** What it had told of its requests. */
  readonly inFlight: readonly InFlight[];
}

/** Recoveries, kept for good: they are few, and a person may have to explain a bill with them. */
export class Recoveries {
  readonly #insert: Database.Statement<(string | number | bigint)[]>;
  readonly #since: Database.Statement<[number], Stored>;
  readonly #byId: Database.Statement<[number], Stored>;
  readonly #allOpen: Database.Statement<[], Stored>;
  readonly #openOf: Database.Statement<[string, string, string], { readonly id: bigint; readonly open: bigint }>;
  readonly #take: Database.Statement<[bigint, bigint]>;
  readonly #reverse: Database.Statement<[number, string, string | null, number]>;

  constructor(db: Database.Database) {
    this.#insert = db.prepare(INSERT);
    this.#since = db
      .prepare<[number], Stored>(`${SELECT} WHERE at_ms >= ? ORDER BY at_ms DESC, id DESC`)
      .safeIntegers();
    this.#byId = db.prepare<[number], Stored>(`${SELECT} WHERE id = ?`).safeIntegers();
    this.#allOpen = db.prepare<[], Stored>(`${SELECT} WHERE open > 0 ORDER BY id`).safeIntegers();
    this.#openOf = db.prepare<[string, string, string], { id: bigint; open: bigint }>(OPEN_OF).safeIntegers();
    this.#take = db.prepare("UPDATE recoveries SET open = open - ? WHERE id = ?");
    this.#reverse = db.prepare(
      "UPDATE recoveries SET open = 0, reversed_ms = ?, reversed_by = ?, reason = ? WHERE id = ? AND open > 0",
    );
  }

  /** Adds a row for each charge, with the requests that were in flight on it. */
  add(atMs: number, { process, pid, inFlight }: DeadProcess, charged: readonly Charge[]): void {
    for (const { quota, window, unit, amount } of charged) {
      const ids = inFlight.filter(({ quotas }) => quotas.includes(quota)).map(({ requestId }) => requestId);
      const at = Math.trunc(atMs);
      this.#insert.run(at, process, pid, quota, window, unit, amount, amount, JSON.stringify(ids));
    }
  }

  /** What was charged at or after an instant, newest first. */
  since(sinceMs: number): readonly Recovery[] {
    return this.#since.all(sinceMs).map(toRecovery);
  }

  /** The one with that id, or null. */
  get(id: number): Recovery | null {
    const row = this.#byId.get(id);
    return row === undefined ? null : toRecovery(row);
  }

  /** Those of which something is still charged, oldest first. */
  allOpen(): readonly Recovery[] {
    return this.#allOpen.all().map(toRecovery);
  }

  /**
   * The process lives after all and gives back what it held: how much of that is still charged for it. What was
   * reversed is not: it has been taken off already.
   */
  giveBack(process: string, quota: string, window: string, amount: bigint): bigint {
    let left = amount;
    for (const { id, open } of this.#openOf.all(process, quota, window)) {
      const taken = open < left ? open : left;
      if (taken > 0n) this.#take.run(taken, id);
      left -= taken;
    }
    return amount - left;
  }

  /** Nothing of it is charged any more. */
  reverse(id: number, atMs: number, by: string, reason: string | null): void {
    this.#reverse.run(Math.trunc(atMs), by, reason, id);
  }
}

function toRecovery({ id, atMs, pid, inFlight, reversedMs, reversedBy, reason, ...rest }: Stored): Recovery {
  const reversed = reversedMs === null ? null : { atMs: Number(reversedMs), by: reversedBy ?? "", reason };
  const requestIds = JSON.parse(inFlight) as string[];
  return { ...rest, id: Number(id), atMs: Number(atMs), pid: Number(pid), inFlight: requestIds, reversed };
}
