// What the gateway asks of the request table.
import type { AccessRecord, RecordedRequest } from "../types.ts";
import type { AccountKind, Within } from "./directory.ts";

/** A row of `tollgate usage`. */
export interface UsageRow {
  /** The group: a key's, team's, user's or model's name, or a day `2026-11-21`; of several groups, the first one's. */
  readonly name: string;
  /** All of its groups' names, in the order that was asked for. */
  readonly names: readonly string[];
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNanoUsd: bigint;
}

/** How often a rule matched. */
export interface RuleHits {
  /** Of a `limit` or `budget` statement: how many requests it counted or refused. */
  readonly hits: number;
  /** How many of them a `limit` or `budget` statement refused; 0 for other rules. */
  readonly refused: number;
  /** When it last did, milliseconds since the epoch. */
  readonly lastMs: number;
}

/** What usage can be grouped by. */
export type UsageGroup = "key" | "team" | "user" | "model" | "day";

/** A row of the request table as people read it. */
export interface ListedRequest
  extends Pick<
    AccessRecord,
    | "id"
    | "receivedMs"
    | "totalMs"
    | "firstByteMs"
    | "endpoint"
    | "ip"
    | "keyId"
    | "keyAlias"
    | "teamId"
    | "userId"
    | "orgId"
    | "modelRequested"
    | "model"
    | "provider"
    | "status"
    | "error"
    | "costNanoUsd"
  > {
  /** null where there was no usage; likewise the next two. */
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedInputTokens: number | null;
}

/** Which rows to list. All that is given must hold. */
export interface RequestQuery {
  readonly id?: string | undefined;
  readonly keyId?: string | undefined;
  readonly userId?: string | undefined;
  /** Arrived at or after; milliseconds since the epoch, as the next. */
  readonly fromMs?: number | undefined;
  /** Arrived before. */
  readonly untilMs?: number | undefined;
  /** Whose requests may be seen: of these keys, this user, these teams, these organisations; left out for all. */
  readonly within?: Within | undefined;
  /** 1 to 1,000. */
  readonly limit: number;
  /** Rows to pass over. It costs time in proportion. */
  readonly skip?: number | undefined;
}

/** The request table. */
export interface RequestStore {
  /**
   * Queues the row into the ledger's current batch: it is committed with the settlements of the same two turns, in one transaction,
   * so that the sum of the rows' costs is the counters' `spent - unaccounted`. Never throws.
   */
  append(record: AccessRecord): void;
  /**
   * Sums over the requests that were sent to a provider and arrived at or after `sinceMs` and before `untilMs` (null:
   * up to now), dearest first; with days they come first, in order. A day is one of UTC. A request without the group's
   * field (no team, no user) counts under the name `-`.
   * @param groups one, or several: a row for each combination that there is
   */
  usage(groups: UsageGroup | readonly UsageGroup[], sinceMs: number, untilMs?: number | null): readonly UsageRow[];
  /**
   * The requests that rules decided and that arrived at or after `sinceMs`, newest first. Read a page at a time, so
   * that a long read holds nothing up; requests that arrive meanwhile are not in it.
   */
  decided(sinceMs: number): Iterable<RecordedRequest>;
  /** The newest decided request with that id, or null. @param receivedMs when it arrived, where that is known: else all are searched. */
  find(id: string, receivedMs: number | null): RecordedRequest | null;
  /**
   * How often each rule matched (as a live rule, in `shadow`, as a warning, or as a limit that counted or refused), by
   * rule id, in the UTC day of `sinceMs` and later ones. Counted in the transaction that writes the rows.
   */
  ruleHits(sinceMs: number): ReadonlyMap<string, RuleHits>;
  /** Rows, newest first. */
  list(query: RequestQuery): readonly ListedRequest[];
  /**
   * What the requests of these keys, teams, users or organisations have cost since they were made or last reset, in
   * nano-USD, by id; one that has spent nothing may be missing. Summed in the transaction that writes the rows.
   */
  spend(kind: Exclude<AccountKind, "group">, ids: readonly string[]): ReadonlyMap<string, bigint>;
}
