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

/** The rules in force. */
export interface RuleService {
  /** Reads, checks and compiles all files of the rules directory; swaps them in when there is no error. */
  load(): Promise<RuleLoad>;
  /** Watches the directory (events and a poll) and loads on each change; `onLoad` is told of each that changed something or failed. */
  watch(signal: AbortSignal, onLoad: (load: RuleLoad) => void): void;
  /** Decides a call for each of its targets. Never throws: a fault inside denies with `policy_error`. */
  decide(call: Call, principal: Principal): Decision;
  readonly generation: number;
}
