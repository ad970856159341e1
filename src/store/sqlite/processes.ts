// Who uses the database: this process's heartbeat, and finding the processes that died with leases.
import type Database from "better-sqlite3";
import type { Clock } from "../../types.ts";
import type { Charge, InFlight } from "../store.ts";
import type { Counters } from "./counters.ts";
import { isGone, ownIdentity, type ProcessIdentity } from "./process-identity.ts";
import type { Recoveries } from "./recoveries.ts";

/** A process whose heartbeat has stood still this long, by our own monotonic clock, is taken for dead. */
const SILENT_MS = 15_000;

const BEAT = `
  INSERT INTO processes (id, host, pid, started, beat, heartbeat_ms) VALUES (?, ?, ?, ?, 1, ?)
  ON CONFLICT (id) DO UPDATE SET beat = beat + 1, heartbeat_ms = excluded.heartbeat_ms`;

const NOTHING_IN_FLIGHT = "[]";

interface ProcessRow extends ProcessIdentity {
  readonly id: string;
  readonly beat: number;
  /** A JSON array of `InFlight`. */
  readonly in_flight: string;
}

/** A dead process and what was charged for it. */
export interface Recovered {
  readonly process: string;
  readonly pid: number;
  readonly charged: readonly Charge[];
}

/**
 * The table of processes. Death is told by the pid and its start time where the pid means something here, and else by
 * a heartbeat that stands still; never by comparing wall clocks. Taking a stopped process for dead is not fatal: what
 * is charged for it is reversed as it settles.
 */
export class Processes {
  /** True once this process was entered in the table: it may hold leases. A command that only reads never is. */
  isEntered = false;
  readonly #id: string;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #recoveries: Recoveries;
  readonly #own = ownIdentity();
  /** Per other process: its last beat and when, on our monotonic clock, we first saw it. */
  readonly #seen = new Map<string, { beat: number; sinceMs: number }>();
  readonly #beat: Database.Statement<[string, string, number, string | null, number]>;
  readonly #others: Database.Statement<[string], ProcessRow>;
  readonly #remove: Database.Statement<[string]>;
  readonly #tell: Database.Statement<[string, string]>;
  #told = NOTHING_IN_FLIGHT;

  constructor(db: Database.Database, id: string, clock: Clock, counters: Counters, recoveries: Recoveries) {
    this.#id = id;
    this.#clock = clock;
    this.#counters = counters;
    this.#recoveries = recoveries;
    this.#beat = db.prepare(BEAT);
    this.#others = db.prepare("SELECT id, host, pid, started, beat, in_flight FROM processes WHERE id <> ?");
    this.#remove = db.prepare("DELETE FROM processes WHERE id = ?");
    this.#tell = db.prepare("UPDATE processes SET in_flight = ? WHERE id = ?");
  }

  /** Says that this process lives; enters it where it is missing, so that its leases can be found should it die. */
  beat(): void {
    this.isEntered = true;
    this.#beat.run(this.#id, this.#own.host, this.#own.pid, this.#own.started, Math.trunc(this.#clock.nowMs()));
  }

  /** Says which requests this process has in flight; written when they are others than before. After `beat`. */
  tell(inFlight: readonly InFlight[]): void {
    const text = JSON.stringify(inFlight);
    if (text === this.#told) return;
    this.#tell.run(text, this.#id);
    this.#told = text;
  }

  /** Other processes that are dead. Reads only. */
  findDead(): readonly ProcessRow[] {
    const others = this.#others.all(this.#id);
    const ids = new Set(others.map((other) => other.id));
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
    return others.filter((other) => isGone(other, this.#own) || this.#isSilent(other));
  }

  /** Charges the leases of those that are dead and removes them. Inside a write transaction. */
  recover(): readonly Recovered[] {
    return this.findDead().map(({ id, pid, in_flight }) => {
      const charged = this.#counters.chargeLeasesOf(id);
      const inFlight = JSON.parse(in_flight) as InFlight[];
      this.#recoveries.add(this.#clock.nowMs(), { process: id, pid, inFlight }, charged);
      this.#remove.run(id);
      return { process: id, pid, charged };
    });
  }

  /** Takes this process off the table. Inside a write transaction. */
  leave(): void {
    this.#remove.run(this.#id);
  }

  #isSilent(other: ProcessRow): boolean {
    const nowMs = this.#clock.monotonicMs();
    const seen = this.#seen.get(other.id);
    if (seen?.beat === other.beat) return nowMs - seen.sinceMs >= SILENT_MS;
    this.#seen.set(other.id, { beat: other.beat, sinceMs: nowMs });
    return false;
  }
}
