// Account objects as a database keeps them: fields by name, a version that every change raises, and the audit log.

/** The kinds of account objects. `group` is an access group: a name for a list of models. */
export type AccountKind = "org" | "team" | "user" | "key" | "group";

/** What a field can hold: JSON, so that every field can be compared, stored and logged in one way. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** Fields by name (camel case). One that is not there has its default. */
export type Fields = { readonly [name: string]: Json };

/** What was set by someone of a higher rank than the object's owner: those below may not go beyond it. */
export interface Bound {
  /** 1 or more, of whoever set it; see `RANKS` in accounts/rights.ts. */
  readonly rank: number;
  readonly value: Json;
}

/** An account object as stored. Frozen by nobody: treat it as read-only. */
export interface AccountObject {
  readonly kind: AccountKind;
  readonly id: string;
  /** Grows with every change; an update names the one it was made from. */
  readonly version: number;
  readonly fields: Fields;
  /** By field; at most one for each rank, the highest first. */
  readonly bounds: { readonly [field: string]: readonly Bound[] };
  /** Milliseconds since the epoch, as all times here. */
  readonly createdMs: number;
  /** Who: `master`, `user:ID`, `key:ID`, or `local` for the command line. */
  readonly createdBy: string;
  readonly updatedMs: number;
  readonly updatedBy: string;
  /** Keys only. */
  readonly secret: KeySecret | null;
}

/** What may be shown of a key's secret, and when it was last used. */
export interface KeySecret {
  /** What the store knows the secret by: 64 hex digits. It opens nothing. */
  readonly hash: string;
  /** `sk-` and the first characters. */
  readonly prefix: string;
  readonly lastFour: string;
  /** To the minute; null: never. */
  readonly lastUsedMs: number | null;
  /** Until when the secret before this one works too; null: it does not. */
  readonly graceUntilMs: number | null;
}

/** A new secret for a key: its hash, and what may be shown of it. */
export interface SecretParts {
  readonly hash: Buffer;
  readonly prefix: string;
  readonly lastFour: string;
}

/** An object to add. */
export interface NewObject {
  readonly kind: AccountKind;
  /** Made up when left out. */
  readonly id?: string | undefined;
  readonly fields: Fields;
  readonly bounds: AccountObject["bounds"];
  /** Keys only, and always. */
  readonly secret?: SecretParts | undefined;
}

/** A change of one object. */
export interface ObjectChange {
  readonly kind: AccountKind;
  readonly id: string;
  /** The version that the change was worked out on. */
  readonly version: number;
  /** The fields to set; null takes one back to its default. */
  readonly fields: Fields;
  /** All bounds, new and kept. */
  readonly bounds: AccountObject["bounds"];
  /** Keys only: the new secret, and until when the old one works beside it. */
  readonly rotation?: { readonly secret: SecretParts; readonly graceUntilMs: number | null } | undefined;
}

/** Which objects to list. All that is given must hold. */
export interface ListQuery {
  /** Starts after the object of this id: the last one of the page before. */
  readonly after?: string | undefined;
  /** Objects to pass over: for callers whose pages have numbers. It costs time in proportion. */
  readonly skip?: number | undefined;
  /** 1 to 1,000. */
  readonly limit: number;
  /** Aliases that begin so; the list is then in the order of aliases, else oldest first. */
  readonly aliasPrefix?: string | undefined;
  /** Aliases with this in them, in capitals or not; of fewer than 3 characters, those that begin so: as `aliasPrefix`. */
  readonly search?: string | undefined;
  /** Aliases that have this somewhere, written just so. Of fewer than 3 characters, every alias is looked at. */
  readonly aliasPart?: string | undefined;
  /** Turns the order round. */
  readonly isReversed?: boolean | undefined;
  /** Where the object is; in all of these when there are several. */
  readonly within?: Within | readonly Within[] | undefined;
  readonly status?: string | undefined;
}

/** Which of a list are counted: all that is no page. */
export type CountQuery = Pick<ListQuery, "within" | "aliasPrefix" | "aliasPart" | "search" | "status">;

/** An object matches when one of them holds; without any, none does. */
export interface Within {
  readonly ids?: readonly string[] | undefined;
  /** Teams of these organisations, and keys of such teams. */
  readonly orgIds?: readonly string[] | undefined;
  readonly teamIds?: readonly string[] | undefined;
  readonly userId?: string | undefined;
}

/** One page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** `after` of the next page; null on the last one. */
  readonly next: string | null;
}

/** A user's place in a team or an organisation. */
export interface Membership {
  readonly kind: "team" | "org";
  readonly objectId: string;
  readonly userId: string;
  readonly role: "admin" | "user";
  readonly createdMs: number;
}

/** What can have IAM rules. */
export type IamKind = "org" | "team" | "key";

/** An IAM rule, as LLM Gateway has them: it lists or measures what an object's requests may use. */
export interface IamRule {
  readonly id: string;
  /** What it is on. */
  readonly objectId: string;
  /** `allow_models`, `deny_pricing` and so on: see accounts/iam-values.ts. */
  readonly ruleType: string;
  readonly ruleValue: Json;
  /** An inactive one restricts nothing. */
  readonly status: "active" | "inactive";
  /** Of whoever set it; see `RANKS` in accounts/rights.ts. */
  readonly rank: number;
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** One to write: with the id of one that is there it replaces it, without an id it is new. */
export interface NewIamRule extends Omit<IamRule, "id" | "objectId" | "createdMs" | "updatedMs"> {
  readonly id?: string | undefined;
}

/** The object that an IAM rule is on, and the version that the change was worked out on; the change raises it. */
export interface IamPlace {
  readonly kind: IamKind;
  readonly id: string;
  readonly version: number;
}

/** One line of the audit log. Secrets are masked before they get here. */
export interface AuditEntry {
  /** Grows with every entry. */
  readonly seq: number;
  readonly atMs: number;
  readonly actor: string;
  readonly action: AuditAction;
  /** `quota`: a counter that is no account object's, by its id. */
  readonly kind: AccountKind | "quota";
  readonly objectId: string;
  readonly objectAlias: string;
  /** The field that changed; null where the object as a whole was made or deleted. */
  readonly field: string | null;
  readonly old: Json;
  readonly new: Json;
}

export type AuditAction = "create" | "update" | "delete" | "rotate" | "add_member" | "change_member" | "remove_member";

/** Which entries to show, oldest first. */
export interface AuditQuery {
  readonly sinceMs?: number | undefined;
  /** An object's id, or the alias it had. */
  readonly object?: string | undefined;
  /** Starts after this entry. */
  readonly afterSeq?: number | undefined;
  readonly limit: number;
}

/** Who changes something, for the audit log. */
export interface By {
  readonly actor: string;
}

/**
 * The accounts, for those who manage them. Every change is one transaction with its audit entries. All methods answer
 * with a promise, so that a database across the network can do the same. Errors are `StoreError`s: `alias_taken`,
 * `id_taken`, `no_such_object`, `out_of_range`, `too_long`, `unavailable`, and `stale` when the object has changed since.
 */
export interface Directory {
  /** The object, unless it was deleted. */
  get(kind: AccountKind, id: string): Promise<AccountObject | null>;
  /** By alias. */
  find(kind: AccountKind, alias: string): Promise<AccountObject | null>;
  /** The key whose secret has this hash, also an old one in its grace period. */
  findBySecret(hash: Buffer): Promise<AccountObject | null>;
  list(kind: AccountKind, query: ListQuery): Promise<Page<AccountObject>>;
  /** How many `list` would give without its pages. */
  count(kind: AccountKind, query: CountQuery): Promise<number>;
  insert(object: NewObject, by: By): Promise<AccountObject>;
  update(change: ObjectChange, by: By): Promise<AccountObject>;
  /**
   * All or none. Deleted objects keep their rows, for usage and audit, and their ids; keys are revoked; an alias is free
   * again. The keys of a deleted team and the teams of a deleted organisation are deleted with it.
   */
  remove(objects: readonly Pick<ObjectChange, "kind" | "id" | "version">[], by: By): Promise<void>;
  /** Adds the member, or changes the role. */
  setMember(member: Omit<Membership, "createdMs">, by: By): Promise<Membership>;
  /** `no_such_object` when there is no such member. The user's keys in a team that it leaves are disabled. */
  removeMember(member: Pick<Membership, "kind" | "objectId" | "userId">, by: By): Promise<void>;
  member(kind: Membership["kind"], objectId: string, userId: string): Promise<Membership | null>;
  /** Members of a team or an organisation, by user id. @param after the last user id of the page before */
  members(
    kind: Membership["kind"],
    objectId: string,
    page: { after?: string; limit: number },
  ): Promise<Page<Membership>>;
  /** Where a user is a member. */
  membershipsOf(userId: string): Promise<readonly Membership[]>;
  audit(query: AuditQuery): Promise<readonly AuditEntry[]>;
  /** The IAM rules of an object, oldest first; none where there is no such object. */
  iamRules(kind: IamKind, objectId: string): Promise<readonly IamRule[]>;
  /** The same of many, by object id, in one query; an object without rules is not in it. */
  iamRulesOf(kind: IamKind, objectIds: readonly string[]): Promise<ReadonlyMap<string, readonly IamRule[]>>;
  putIamRule(place: IamPlace, rule: NewIamRule, by: By): Promise<IamRule>;
  /** `no_such_object` when the object has no such rule. */
  removeIamRule(place: IamPlace, ruleId: string, by: By): Promise<void>;
  /** The ids of the object's budgets, in the order of its field. Their counters are called by them. */
  budgetIds(kind: AccountKind, id: string): Promise<readonly string[]>;
  /**
   * What was spent of the object's budgets, those by model too, is forgotten: their counters begin anew. What is in
   * flight is charged to the old ones. The audit log keeps what was spent. `RequestStore.spend` begins anew too.
   */
  resetSpend(kind: AccountKind, id: string, by: By): Promise<void>;
}
