// What the gateway asks of a database. Each database implements this; nothing above it writes SQL.
import type { Budget, InlineRules, Principal, QuotaUnit, Subject } from "../types.ts";
import type { CreditStore } from "./credits.ts";
import type { AccountKind, Directory } from "./directory.ts";
import type { RequestStore } from "./request-store.ts";

export type * from "./request-store.ts";

/** A key's state as stored. `expired` is not stored: it follows from `expiresMs`. */
export type KeyStatus = "active" | "disabled" | "revoked";

/** The longest text of rules that a subject may keep, in UTF-8 bytes: 64 KiB. */
export const RULES_BYTES_MAX = 64 * 1024;

/** A virtual key as stored. The secret is not in it: only its hash is kept, and that stays inside the store. */
export interface KeyRow {
  readonly id: string;
  /** Unique among keys. */
  readonly alias: string;
  /** `sk-` and the first characters of the secret, for display. */
  readonly prefix: string;
  readonly lastFour: string;
  readonly status: KeyStatus;
  readonly teamId: string | null;
  readonly createdMs: number;
  /** null: never. */
  readonly expiresMs: number | null;
}

/** A key found by its secret's hash: its state and, whatever the state, whose it is. */
export interface KeyLookup {
  readonly status: KeyStatus;
  readonly expiresMs: number | null;
  readonly principal: Principal;
  /** What the key may call: exact routes, `/x/*` or names of groups of routes; empty for all. */
  readonly allowedRoutes: readonly string[];
  /** What the key belongs to and is not active: its team, its user, its organisation; null when all are. */
  readonly blockedBy: { readonly kind: "org" | "team" | "user"; readonly status: string } | null;
  /** From when on this is no longer so though nobody changes anything (a raised budget ends); null: never. */
  readonly staleMs: number | null;
}

/** What rules can be kept on by `getRules` and `setRules`. */
export type RuleScope = Exclude<InlineRules["scope"], "user">;

/** What is needed to make a key. The caller makes the secret and hashes it. */
export interface NewKey {
  readonly alias: string;
  readonly hash: Buffer;
  readonly prefix: string;
  readonly lastFour: string;
  readonly teamAlias?: string | undefined;
  readonly userAlias?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly expiresMs?: number | undefined;
  readonly budget?: NewBudget | undefined;
  /** Rules to keep on it, in the rule language; the caller has checked them. */
  readonly rules?: string | undefined;
}

/** A budget to put on a key or a team. */
export interface NewBudget {
  readonly limitNanoUsd: bigint;
  readonly window: Budget["window"];
}

/** An organisation as stored. */
export interface OrgRow extends Subject {
  readonly createdMs: number;
}

/** What else a new team may have. */
export interface NewTeam {
  /** The organisation it belongs to. */
  readonly orgAlias?: string | undefined;
  /** Rules to keep on it, in the rule language; the caller has checked them. */
  readonly rules?: string | undefined;
}

/** A team as stored. */
export interface TeamRow extends Subject {
  readonly org: Subject | null;
  readonly createdMs: number;
  readonly budgets: readonly Budget[];
}

/** Keys, teams and organisations. Errors are `StoreError`s. */
export interface AccountStore {
  /** Adds a key. `alias_taken` when the alias is in use, `no_such_team` when the team is not there, `too_long`. */
  createKey(key: NewKey): KeyRow;
  /** The key whose secret has this hash, or null. */
  findKey(hash: Buffer): KeyLookup | null;
  /** The key of that id or alias, as `findKey` would give it. `no_such_key`. */
  getKey(idOrAlias: string): KeyLookup;
  /**
   * Whose limits a key, a team, a user or an organisation has, by id or alias: of a key as `getKey`; of the others the
   * principal that a key without a name, of it alone, would have. `no_such_key`, `no_such_object`.
   */
  limited(kind: Budget["scope"], idOrAlias: string): Principal;
  /** True once a key has been made, whatever became of it. */
  hasKeys(): boolean;
  /** True when it is the id or the alias of something that has not been deleted. */
  hasName(kind: AccountKind, name: string): boolean;
  /**
   * Aliases of which one may be meant by a word that is none: all while there are few, else those an edit away, the
   * word's neighbours in the alphabet, and some that have its second half in common.
   */
  namesNear(kind: AccountKind, word: string): readonly string[];
  /** By id or alias. Revoked is final: `revoked` when it is already so and something else is asked. `no_such_key`. */
  setKeyStatus(idOrAlias: string, status: KeyStatus): KeyRow;
  /** `alias_taken`, `no_such_org`, `too_long`. */
  createTeam(alias: string, budget?: NewBudget, more?: NewTeam): TeamRow;
  /** `alias_taken`, `too_long`. @param rules to keep on it; the caller has checked them */
  createOrg(alias: string, rules?: string): OrgRow;
  /** Replaces the budget of that window on the key or team, or adds it. A replaced one keeps its id, and so what was spent. */
  setBudget(scope: "key" | "team", idOrAlias: string, budget: NewBudget): Budget;
  /** The subject, and the text of the rules kept on it; null when there are none. `no_such_key`, `no_such_team`, `no_such_org`. */
  getRules(scope: RuleScope, idOrAlias: string): { readonly subject: Subject; readonly text: string | null };
  /**
   * Keeps rules on a subject in place of those before; null takes them away. The caller has checked the text.
   * `too_long` above `RULES_BYTES_MAX`, and as `getRules`.
   */
  setRules(scope: RuleScope, idOrAlias: string, text: string | null): Subject;
  /** All rules that are kept: on organisations, then teams, then keys, each oldest first. */
  listRules(): readonly InlineRules[];
  /**
   * A number that grows whenever a key, team, organisation, budget or rule kept on one changes, by this process or another.
   * Cheap enough for every request: the database is asked once a turn of the event loop (about a microsecond); within
   * the turn this process's own changes are seen at once, another's at the next.
   */
  revision(): number;
  /** What has changed after that revision, new objects too; null when it is so much that all had better be forgotten. */
  changesSince(revision: number): readonly { readonly kind: AccountKind; readonly objectId: string }[] | null;
  /**
   * Notes that the key was used. Written in batches, at most once a minute for a key; what cannot be written is dropped,
   * and so is what a crash takes. Changes no revision.
   */
  markUsed(keyId: string, atMs: number): void;
}

/** One counter: a quota in one window. */
export interface CounterId {
  /** Stable name of the quota, e.g. `budget:bud_123` or `rule:prod.rules:7/team=ml`. */
  readonly quota: string;
  /** The window's index, e.g. `2026-11` or `2026-11-21`; sortable within a quota. */
  readonly window: string;
}

/** Windows of one quota that are held against its limit together: indexes from `from` to `to`, both included. */
export interface WindowSpan {
  readonly from: string;
  readonly to: string;
}

/** A wish for a larger lease. Amounts are integers in the quota's unit (nano-USD for money). */
export interface LeaseWish extends CounterId {
  /**
   * What the quota counts; nano-USD when left out. A dead process's leases are charged in it, but for `concurrent`
   * ones: what was in flight has ended, so they are only freed.
   */
  readonly unit?: QuotaUnit;
  readonly limit: bigint;
  /** The least that helps; 0 asks only whether the limit has been passed. */
  readonly need: number;
  /** What the engine would like, >= need. The store grants what is between the two by `grantFor`. */
  readonly want: number;
  /** The windows whose use counts, `window` among them; that one alone when left out. */
  readonly span?: WindowSpan | null;
  /** See `CounterChange`. */
  readonly expiresMs?: number | null;
}

/** What the store holds of a counter, or of those of a span together. */
export interface CounterState extends CounterId {
  /** Charged and committed, in the quota's unit. */
  readonly spent: bigint;
  /** Part of `spent` that was charged for dead processes' leases. */
  readonly unaccounted: bigint;
  /** Held by all live processes' leases. */
  readonly leased: bigint;
  /** The latest window of the span that is in use, by any process; null when none is, and without a span. */
  readonly newest: string | null;
}

/**
 * The answer to a wish list: all granted (amounts, and the states before, in the wishes' order), or the first wish
 * that cannot be met.
 */
export type LeaseAnswer =
  | { readonly ok: true; readonly granted: readonly number[]; readonly states: readonly CounterState[] }
  | { readonly ok: false; readonly refused: number; readonly state: CounterState };

/** A change of a counter to write at the next commit. Amounts are integers >= 0. */
export interface CounterChange extends CounterId {
  /** Added to `spent`. */
  readonly spend: number;
  /**
   * Taken off this process's lease (spent or given back). What the lease no longer holds, because this process was
   * taken for dead and the lease was charged, is taken off that charge instead: `unaccounted` is reversed.
   */
  readonly release: number;
  /** From when on nobody asks for this counter again, by the time of `passTime`; null or left out: kept for good. */
  readonly expiresMs?: number | null;
}

/** What of one window of a span is taken, in the quota's unit. */
export interface WindowUse {
  readonly window: string;
  /** Spent and leased. */
  readonly taken: bigint;
}

/** What was charged to one counter because a process died. */
export interface Recovery extends Charge {
  /** Grows with every one. */
  readonly id: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly atMs: number;
  readonly process: string;
  readonly pid: number;
  /** Of `amount`: what is still charged. Less once the process turned out to live, 0 once it is reversed. */
  readonly open: bigint;
  /**
   * Requests that were in flight on the counter when the process last told of them, up to a second before it died; some
   * may have ended since. Of a thousand and more the oldest are known.
   */
  readonly inFlight: readonly string[];
  /** null: it is not. */
  readonly reversed: { readonly atMs: number; readonly by: string; readonly reason: string | null } | null;
}

/** A request in flight, and the quotas that something is held of for it. */
export interface InFlight {
  readonly requestId: string;
  readonly quotas: readonly string[];
}

/** What reversing one recovery came to. */
export interface Reversal {
  /** As it was before. */
  readonly recovery: Recovery;
  /** What was taken off, in the quota's unit; 0 when nothing was charged any more. */
  readonly amount: bigint;
}

/** Counters, this process's leases on them, and the write batch that makes settlements durable. */
export interface LedgerStore {
  /**
   * All or nothing, in one transaction; takes from `limit - spent - leases` what each wish asks. What is queued is
   * committed first, in the same transaction, so that what was given back this turn can be granted.
   * Throws `StoreError` `unavailable`.
   */
  lease(wishes: readonly LeaseWish[]): LeaseAnswer;
  /** The counter as committed (zeros when it has never been used); with a span, all counters of it together. */
  counter(id: CounterId, span?: WindowSpan | null): CounterState;
  /** The windows of a span that are in use, as committed, earliest first. */
  uses(quota: string, span: WindowSpan): readonly WindowUse[];
  /**
   * Adds to the batch that is committed, in one transaction, at the end of the next turn of the event loop.
   * The promise (one for the whole batch) resolves once it is on disk. A commit that fails is retried with
   * the later ones; the promise rejects with `unavailable` when it is not through after `commitTimeoutMs`,
   * and the changes stay queued all the same: spend is never dropped. The promise may be ignored: its rejection
   * is not an unhandled one. Throws `unavailable`, and queues nothing, only once the store is closed.
   */
  commit(changes: readonly CounterChange[]): Promise<void>;
  /**
   * Says that this process lives, and which requests it has in flight, for the record should it die (null or left out:
   * as it said before). Called every second or so by the gateway; also finds and charges dead processes' leases. Never
   * throws: a database that cannot be written is told by the next `lease` or `probe`, and as an event.
   */
  heartbeat(inFlight?: readonly InFlight[] | null): void;
  /**
   * Tells all processes the time that windows without a calendar go by, and says the latest that any has told; forgets
   * counters that have expired by then, a thousand at most. Never throws, as `heartbeat`: then it says `nowMs`.
   */
  passTime(nowMs: number): number;
  /**
   * True for the first call, of any process, with these: a warning is told once for each window and amount. Forgotten a
   * year and more later. Throws `unavailable`.
   */
  claimWarning(id: CounterId, amount: bigint): boolean;
  /** What was charged for dead processes at or after `sinceMs`, newest first. */
  recoveries(sinceMs: number): readonly Recovery[];
  /**
   * Takes off what is still charged for dead processes: of the recovery of that id, or of all. Each is taken off once,
   * however often and by however many it is asked, with a line in the audit log in the same transaction. null when there
   * is none of that id. Throws `unavailable`.
   */
  reverse(
    which: number | "all",
    by: { readonly actor: string; readonly reason: string | null },
  ): readonly Reversal[] | null;
  /** Throws `unavailable` when the database cannot be written now (a success in the last 100 ms counts as proof). */
  probe(): void;
}

/** A rule set that was in force: the texts of its files. */
export interface KeptRules {
  /** SHA-256 over names and texts, 64 hex digits. */
  readonly hash: string;
  /** When it was first kept. */
  readonly keptMs: number;
  readonly files: readonly { readonly name: string; readonly text: string }[];
}

/** The last good rule set of each rules directory. Throws `StoreError` `unavailable`. */
export interface RuleStore {
  /** Replaces what is kept for the directory; nothing is written when it is this set already. */
  keep(directory: string, rules: Omit<KeptRules, "keptMs">): void;
  /** What is kept for the directory, or null. */
  kept(directory: string): KeptRules | null;
}

/** What a store tells the gateway's log. */
export type StoreEvent =
  /** A process died without giving its leases back: they were charged to their counters as `unaccounted`. */
  | { readonly kind: "recovered"; readonly process: string; readonly pid: number; readonly charged: readonly Charge[] }
  /** The database cannot be written: `lease` and `probe` throw until it can. */
  | { readonly kind: "unavailable"; readonly error: StoreError }
  /** The database can be written again, and all that was queued is. */
  | { readonly kind: "available"; readonly afterMs: number }
  /** Rows of refused requests that were not kept while the database could not be written. */
  | { readonly kind: "rows_dropped"; readonly count: number };

/** A dead process's lease on one counter, in the quota's unit. */
export interface Charge extends CounterId {
  readonly unit: QuotaUnit;
  readonly amount: bigint;
}

/** An open database. */
export interface Store {
  readonly accounts: AccountStore;
  readonly directory: Directory;
  readonly credits: CreditStore;
  readonly ledger: LedgerStore;
  readonly requests: RequestStore;
  readonly rules: RuleStore;
  /**
   * Commits what is queued, gives all leases back, closes. Safe to call twice. Rejects with `unavailable` when what is
   * queued could not be written within the commit time-out; the leases then stay, for the next process to charge.
   */
  close(): Promise<void>;
}

/** Why the store could not do what was asked. */
export type StoreErrorCode =
  | "unavailable"
  /** Opening only: no such directory, no right, not a Tollgate database, or one that a newer Tollgate wrote. */
  | "cannot_open"
  | "alias_taken"
  | "no_such_key"
  | "no_such_team"
  | "no_such_org"
  | "no_such_object"
  | "id_taken"
  /** The object has changed since the change was worked out: look again. */
  | "stale"
  | "revoked"
  /** Rules to keep of more than `RULES_BYTES_MAX` bytes. */
  | "too_long"
  /** A budget below 0 or above the store's largest integer, 2^63 - 1. */
  | "out_of_range";

/** An expected failure of the store; `unavailable` covers locked, full and broken databases. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "StoreError";
    this.code = code;
  }
}
