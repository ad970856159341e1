// What the rule engine offers the rest of the gateway: load, watch, decide.
import type { Call, Decision, Principal } from "../types.ts";

/** What a load or reload came to. */
export interface RuleLoad {
  /** True: the files' rules are in force. False: `report` says why not, and the set before stays in force. */
  readonly ok: boolean;
  /** False when the files are what they were at the last load. */
  readonly changed: boolean;
  /** Number of the set that is in force; grows by one with each swap. */
  readonly generation: number;
  /** SHA-256 of the files in force, first 12 hex digits. */
  readonly hash: string;
  readonly files: number;
  readonly rules: number;
  /** Errors and warnings as `tollgate check` prints them; empty when clean. */
  readonly report: string;
}

/** What is kept of a request that the rules decided, beside its record. */
export interface Recorded {
  /** Hash of the files that decided, first 12 hex digits. */
  readonly rulesHash: string;
  /** What rules can read and the record does not hold, as JSON (see record.ts). */
  readonly facts: string;
}

/** How a request went on after it was decided. */
export interface RecordedAs {
  /** The generation that decided it. */
  readonly generation: number;
  /** Whether a provider was sent it. */
  readonly sent: boolean;
}

/** How often rules were loaded since the start, by what came of it; a load that finds nothing changed is none. */
export interface LoadCounts {
  readonly ok: number;
  readonly failed: number;
}

/** The rules in force. */
export interface RuleService {
  /** Reads, checks and compiles all files of the rules directory; swaps them in when there is no error. */
  load(): Promise<RuleLoad>;
  /** Watches the directory (events and a poll) and loads on each change; `onLoad` is told of each that changed something or failed. */
  watch(signal: AbortSignal, onLoad: (load: RuleLoad) => void): void;
  /** Decides a call for each of its targets. Never throws: a fault inside denies with `policy_error`. */
  decide(call: Call, principal: Principal): Decision;
  /** What to keep of a decided call; null when no generation that is still known decided it. */
  record(call: Call, principal: Principal, as: RecordedAs): Recorded | null;
  readonly generation: number;
  /** Hash of the files in force, first 12 hex digits; empty before the first good load. */
  readonly hash: string;
  readonly loads: LoadCounts;
}
