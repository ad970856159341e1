// What the rule engine offers the rest of the gateway: load, watch, decide.
import type { Call, Decision, Principal } from "../types.ts";
import type { AppliedQuota, SubjectOfRules } from "./applying.ts";

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

/** What is in force, and whether it is what the files say. */
export interface RuleStatus {
  /** 0 until something is in force. */
  readonly generation: number;
  /** SHA-256 of the files in force, first 12 hex digits; empty until something is in force. */
  readonly hash: string;
  readonly files: number;
  readonly rules: number;
  /** When the set came into force, milliseconds since the epoch; null until one has. */
  readonly loadedMs: number | null;
  /** True: the files are broken, and a set from before is in force. */
  readonly stale: boolean;
  /** For a set that was kept from before this start: when it was kept, milliseconds since the epoch. Else null. */
  readonly keptMs: number | null;
  /** The newest load, where it failed; null after a good one. */
  readonly lastFailure: RuleFailure | null;
}

/** A load that failed. */
export interface RuleFailure {
  readonly atMs: number;
  /** As `RuleLoad.report`. */
  readonly report: string;
}

/** Where faults inside the engine are told; pino's loggers fit. */
export interface RuleLog {
  error(fields: object, message: string): void;
}

/** Keeps the last good rule set across restarts. Both may throw: what cannot be kept is logged. */
export interface RuleKeeper {
  keep(set: RuleTexts): void;
  /** What was kept last, or null. */
  kept(): (RuleTexts & { readonly keptMs: number }) | null;
}

/** A rule set as its files' texts. */
export interface RuleTexts {
  /** SHA-256 over names and texts, 64 hex digits. */
  readonly hash: string;
  readonly files: readonly { readonly name: string; readonly text: string }[];
}

/** The rules in force. */
export interface RuleService {
  /**
   * Reads, checks and compiles all files of the rules directory; swaps them in when there is no error. The first load,
   * where the files are broken, brings the last good set into force instead, if one was kept and that is wanted.
   */
  load(): Promise<RuleLoad>;
  /** Watches the directory (events and a poll) and loads on each change; `onLoad` is told of each that changed something or failed. */
  watch(signal: AbortSignal, onLoad: (load: RuleLoad) => void): void;
  /** Decides a call for each of its targets. Never throws: a fault inside denies with `policy_error`. */
  decide(call: Call, principal: Principal): Decision;
  /** What to keep of a decided call; null when no generation that is still known decided it. */
  record(call: Call, principal: Principal, as: RecordedAs): Recorded | null;
  /**
   * The `limit` and `budget` statements that apply to a subject: of the files in force, and of those that are kept for
   * it. Kept ones that are broken are left out: its requests are denied.
   */
  statements(subject: SubjectOfRules): readonly AppliedQuota[];
  /** What is in force now. */
  status(): RuleStatus;
  readonly generation: number;
  /** Hash of the files in force, first 12 hex digits; empty before the first good load. */
  readonly hash: string;
  readonly loads: LoadCounts;
}
