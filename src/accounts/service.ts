// Managing accounts: every operation takes who asks, asks the table of rights, and is one transaction with its audit.
import type {
  AccountKind,
  AccountObject,
  AuditEntry,
  AuditQuery,
  Directory,
  Fields,
  ListQuery,
  Membership,
  Page,
  Within,
} from "../store/directory.ts";
import { type Actor, type Caller, isViewer, placesOf, resolveCaller, standingsTo } from "./caller.ts";
import { type ChangeBy, planChange, type Submitted } from "./change.ts";
import { AccountError } from "./errors.ts";
import { complete, NOUNS } from "./fields.ts";
import { type MemberPermission, mayDo, type Operation, RIGHTS, type Standing, whoMay } from "./rights.ts";
import { storeErrors } from "./store-errors.ts";
import { assertKeyIsWhole, assertNamed, assertTempBudget } from "./whole.ts";

/** How often a change that others got ahead of is worked out anew. */
const TRIES = 3;
const PAGE_MAX = 1_000;
/** What a refusal calls an operation whose name is no verb. */
const VERBS: Readonly<Partial<Record<Operation, string>>> = {
  reset_spend: "reset the spend of",
  iam: "change the IAM rules of",
};

/** Checks rules that are to be kept on an object. @throws AccountError `invalid_field` with what is wrong */
export type CheckRules = (scope: "org" | "team" | "key", alias: string, text: string) => void;

/** What the accounts work with. */
export interface AccountsOptions {
  readonly directory: Directory;
  /** Rules that are set are checked with it; without it none can be set. */
  readonly checkRules?: CheckRules;
}

/** What is needed to make an object. */
export interface Creation {
  /** Made up when left out. Not for keys. */
  readonly id?: string | undefined;
  readonly fields: Submitted;
}

/** Which objects to list. */
export interface ListWish
  extends Pick<ListQuery, "after" | "skip" | "aliasPrefix" | "aliasPart" | "search" | "isReversed" | "status"> {
  /** 1 to 1,000; 100 when left out. */
  readonly limit?: number | undefined;
  /** Of these, only those that the caller may see. */
  readonly within?: Within | readonly Within[] | undefined;
}

/** An object that was found, and how the caller stands to it. */
export interface Seen {
  readonly object: AccountObject;
  readonly standings: ReadonlySet<Standing>;
}

/** Organisations, teams, users, keys and access groups. Keys' secrets are made in keys.ts. */
export class Accounts {
  readonly directory: Directory;
  readonly #checkRules: CheckRules;

  constructor({ directory, checkRules = refuseRules }: AccountsOptions) {
    this.directory = directory;
    this.#checkRules = checkRules;
  }

  /** The object with all its fields. @throws AccountError `not_found`, also for what the caller may not see */
  async get(actor: Actor, kind: AccountKind, idOrAlias: string): Promise<AccountObject> {
    const { object } = await this.see(await this.caller(actor), kind, idOrAlias);
    return completed(object);
  }

  /** What the caller may see, oldest first. A user sees its own keys, a team's admin those of the team. */
  async list(actor: Actor, kind: AccountKind, wish: ListWish = {}): Promise<Page<AccountObject>> {
    const { limit = 100, ...query } = wish;
    if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_MAX) {
      throw new AccountError("invalid_field", `A page has 1 to ${PAGE_MAX} entries`, { field: "limit" });
    }
    const within = this.#visible(await this.caller(actor), kind, wish.within);
    const page = await storeErrors(kind, () => this.directory.list(kind, { ...query, within, limit }));
    return { items: page.items.map(completed), next: page.next };
  }

  /** How many `list` would give on all its pages. */
  async count(actor: Actor, kind: AccountKind, wish: Omit<ListWish, "limit" | "after" | "skip"> = {}): Promise<number> {
    const within = this.#visible(await this.caller(actor), kind, wish.within);
    return storeErrors(kind, () => this.directory.count(kind, { ...wish, within }));
  }

  /** Makes an organisation, a team, a user or an access group. @throws AccountError */
  async create(actor: Actor, kind: Exclude<AccountKind, "key">, { id, fields }: Creation): Promise<AccountObject> {
    const caller = await this.caller(actor);
    const standings = await standingsTo(this.directory, caller, { kind, id: null, fields: fields as Fields });
    this.assertMay(caller, kind, "create", standings);
    const { alias = id, ...rest } = fields;
    assertId(id);
    const submitted = { ...rest, alias };
    const by = { standings, isOwn: false, isNew: true };
    const planned = this.plan(kind, { fields: {}, bounds: {} }, submitted, by);
    if (kind === "team") await this.assertThere(caller, "org", planned.fields.orgId);
    const object = { kind, id, ...planned };
    return completed(await storeErrors(kind, () => this.directory.insert(object, { actor: caller.label })));
  }

  /**
   * Changes the fields that are not as they are stored; sending a whole object back unchanged changes nothing.
   * @param version refuse with `conflict` unless the object still has it
   * @throws AccountError
   */
  async update(
    actor: Actor,
    kind: AccountKind,
    idOrAlias: string,
    submitted: Submitted,
    { version }: { readonly version?: number | undefined } = {},
  ): Promise<AccountObject> {
    const caller = await this.caller(actor);
    return this.retrying(kind, async () => {
      const seen = await this.see(caller, kind, idOrAlias, "update", "/key/update");
      if (version !== undefined && seen.object.version !== version) throw conflict(kind);
      return this.write(caller, seen, submitted);
    });
  }

  /** Writes what differs. */
  async write(
    caller: Caller,
    { object, standings }: Seen,
    submitted: Submitted,
    rotation?: Parameters<Directory["update"]>[0]["rotation"],
  ): Promise<AccountObject> {
    const { kind, id, version } = object;
    const isOwn = kind === "key" ? standings.has("owner") : standings.has("self");
    const planned = this.plan(kind, object, submitted, { standings, isOwn, isNew: false });
    if (Object.keys(planned.fields).length === 0 && rotation === undefined) return completed(object);
    if ("teamId" in planned.fields) await this.#assertMayMove(caller, planned.fields.teamId);
    if ("userId" in planned.fields) await this.assertThere(caller, "user", planned.fields.userId);
    if ("orgId" in planned.fields) await this.assertThere(caller, "org", planned.fields.orgId);
    const change = { kind, id, version, ...planned, rotation };
    return completed(await storeErrors(kind, () => this.directory.update(change, { actor: caller.label })));
  }

  /** All or none: one that may not be deleted, or is not there, fails them all. @throws AccountError */
  async remove(actor: Actor, kind: AccountKind, idsOrAliases: readonly string[]): Promise<readonly AccountObject[]> {
    const caller = await this.caller(actor);
    return this.retrying(kind, async () => {
      const found = new Map<string, AccountObject>();
      for (const name of idsOrAliases) {
        const { object } = await this.see(caller, kind, name, "delete", "/key/delete");
        found.set(object.id, object);
      }
      const objects = [...found.values()];
      await storeErrors(kind, () => this.directory.remove(objects, { actor: caller.label }));
      return objects.map(completed);
    });
  }

  /** Forgets what was spent of the object's budgets. */
  async resetSpend(actor: Actor, kind: Exclude<AccountKind, "group">, idOrAlias: string): Promise<void> {
    const caller = await this.caller(actor);
    const { object } = await this.see(caller, kind, idOrAlias, "reset_spend");
    await storeErrors(kind, () => this.directory.resetSpend(kind, object.id, { actor: caller.label }));
  }

  /** Adds a user to a team or an organisation, or changes the user's role there. */
  async setMember(
    actor: Actor,
    kind: Membership["kind"],
    idOrAlias: string,
    userIdOrAlias: string,
    role: Membership["role"],
  ): Promise<Membership> {
    const caller = await this.caller(actor);
    const { object } = await this.#seeForMembers(caller, kind, idOrAlias);
    const user = await this.#known(caller, userIdOrAlias);
    const member = { kind, objectId: object.id, userId: user.id, role };
    return storeErrors(kind, () => this.directory.setMember(member, { actor: caller.label }));
  }

  /** @throws AccountError `not_found` unless the caller knows the user, so that it could be made a member of something */
  async assertKnown(actor: Actor, userIdOrAlias: string): Promise<void> {
    await this.#known(await this.caller(actor), userIdOrAlias);
  }

  async removeMember(actor: Actor, kind: Membership["kind"], idOrAlias: string, userIdOrAlias: string): Promise<void> {
    const caller = await this.caller(actor);
    const { object } = await this.#seeForMembers(caller, kind, idOrAlias);
    const userId = (await this.#named("user", userIdOrAlias))?.id ?? userIdOrAlias;
    const member = { kind, objectId: object.id, userId };
    await storeErrors("user", () => this.directory.removeMember(member, { actor: caller.label }));
  }

  /** Members by user id. Whoever may see the team or organisation may see them. */
  async members(
    actor: Actor,
    kind: Membership["kind"],
    idOrAlias: string,
    { after = "", limit = 100 }: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<Page<Membership>> {
    const { object } = await this.see(await this.caller(actor), kind, idOrAlias);
    return storeErrors(kind, () => this.directory.members(kind, object.id, { after, limit }));
  }

  /** Whose requests the caller may see: its own, and those of the teams and organisations it is an admin of; null: all. */
  async requestsWithin(actor: Actor): Promise<Within | null> {
    const caller = await this.caller(actor);
    return caller.role === "admin" || caller.role === "viewer" ? null : ownPlaces(caller, "key");
  }

  /** Who changed what. For proxy admins and their viewers. */
  async audit(actor: Actor, query: AuditQuery): Promise<readonly AuditEntry[]> {
    const caller = await this.caller(actor);
    if (caller.role !== "admin" && caller.role !== "viewer") {
      throw new AccountError("not_permitted", "Only proxy admins and proxy admin viewers can read the audit log");
    }
    return this.directory.audit(query);
  }

  /** Looks the actor up. */
  async caller(actor: Actor): Promise<Caller> {
    return resolveCaller(this.directory, actor);
  }

  /**
   * The object, when the caller may see it and may do that to it.
   * @throws AccountError `not_found` for a stranger, whether or not it exists; `not_permitted`
   */
  async see(
    caller: Caller,
    kind: AccountKind,
    idOrAlias: string,
    operation: Operation = "read",
    permission?: MemberPermission,
  ): Promise<Seen> {
    const object = await this.#named(kind, idOrAlias);
    if (object === null) throw notFound(kind);
    const standings = await standingsTo(this.directory, caller, object, permission);
    if (!mayDo(kind, "read", standings)) throw notFound(kind);
    if (operation !== "read") this.assertMay(caller, kind, operation, standings);
    return { object, standings };
  }

  /** @throws AccountError `not_permitted`; viewers change nothing, whatever else they are */
  assertMay(caller: Caller, kind: AccountKind, operation: Operation, standings: ReadonlySet<Standing>): void {
    const verb = VERBS[operation] ?? operation;
    if (isViewer(caller)) {
      throw new AccountError("not_permitted", `A viewer cannot ${verb} ${NOUNS[kind]}s`);
    }
    if (mayDo(kind, operation, standings)) return;
    throw new AccountError("not_permitted", `Only ${whoMay(kind, operation)} can ${verb} this ${NOUNS[kind]}`);
  }

  /** What would change, once it is permitted and whole. */
  plan(kind: AccountKind, stored: Pick<AccountObject, "fields" | "bounds">, submitted: Submitted, by: ChangeBy) {
    const planned = planChange(kind, stored, submitted, by);
    const after = { ...stored.fields, ...planned.fields };
    assertNamed(after);
    if (kind === "key") {
      assertKeyIsWhole(after);
      assertTempBudget(after);
    }
    const { rules } = planned.fields;
    if (typeof rules === "string" && (kind === "org" || kind === "team" || kind === "key")) {
      this.#checkRules(kind, String(after.alias), rules);
    }
    return planned;
  }

  /** @throws AccountError `not_found` when an id is given that the caller cannot see */
  async assertThere(caller: Caller, kind: AccountKind, id: unknown): Promise<void> {
    if (typeof id !== "string") return;
    const object = await this.directory.get(kind, id);
    const standings = object === null ? null : await standingsTo(this.directory, caller, object);
    if (standings === null || !mayDo(kind, "read", standings)) throw notFound(kind);
  }

  /** Works a change out anew when another got ahead of it. */
  async retrying<T>(kind: AccountKind, work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await work();
      } catch (error) {
        const isStale = error instanceof AccountError && error.code === "conflict" && error.cause !== undefined;
        if (!isStale || tries === TRIES) throw isStale ? conflict(kind) : error;
      }
    }
  }

  /** A key may go to a team where the caller could make one. */
  async #assertMayMove(caller: Caller, teamId: unknown): Promise<void> {
    if (typeof teamId !== "string") return;
    await this.assertThere(caller, "team", teamId);
    const place = { kind: "key", id: null, fields: { teamId } } as const;
    const standings = await standingsTo(this.directory, caller, place, "/key/generate");
    this.assertMay(caller, "key", "create", standings);
  }

  async #seeForMembers(caller: Caller, kind: Membership["kind"], idOrAlias: string): Promise<Seen> {
    const seen = await this.see(caller, kind, idOrAlias);
    if (isViewer(caller)) throw new AccountError("not_permitted", "A viewer cannot change members");
    if (mayDo(kind, "members", seen.standings)) return seen;
    const message = `Only ${whoMay(kind, "members")} can change the members of this ${NOUNS[kind]}`;
    throw new AccountError("not_permitted", message);
  }

  async #known(caller: Caller, userIdOrAlias: string): Promise<AccountObject> {
    const user = await this.#named("user", userIdOrAlias);
    if (user === null || !(await this.#isKnownTo(caller, user.id))) throw notFound("user");
    return user;
  }

  /** Who is no proxy admin knows those with whom it shares a team or organisation, and its organisations' teams. */
  async #isKnownTo(caller: Caller, userId: string): Promise<boolean> {
    if (caller.role === "admin") return true;
    const places = new Set(caller.memberships.map(({ objectId }) => objectId));
    const theirs = await this.directory.membershipsOf(userId);
    if (theirs.some(({ objectId }) => places.has(objectId))) return true;
    const orgs = placesOf(caller, "org", "admin");
    const teams = await Promise.all(
      theirs.filter(({ kind }) => kind === "team").map(({ objectId }) => this.directory.get("team", objectId)),
    );
    return teams.some((team) => orgs.includes(String(team?.fields.orgId)));
  }

  /** By id, else by alias: an id is never somebody else's alias, for ids win. */
  async #named(kind: AccountKind, idOrAlias: string): Promise<AccountObject | null> {
    return (await this.directory.get(kind, idOrAlias)) ?? (await this.directory.find(kind, idOrAlias));
  }

  /** What of the wish the caller may see; none for all. */
  #visible(caller: Caller, kind: AccountKind, wish: ListWish["within"]): readonly Within[] {
    const wished = wish === undefined ? [] : [wish].flat();
    if (caller.role === "admin" || caller.role === "viewer") return wished;
    if (!RIGHTS[kind].read.some((standing) => standing !== "admin" && standing !== "viewer")) return [{}];
    return [...wished, ownPlaces(caller, kind)];
  }
}

/** Where what the caller may see is. */
function ownPlaces(caller: Caller, kind: AccountKind): Within {
  const orgIds = placesOf(caller, "org", "admin");
  if (kind === "org") return { ids: placesOf(caller, "org") };
  if (kind === "user") return { ids: caller.userId === null ? [] : [caller.userId] };
  const keyTeams = caller.keyTeamId === null ? [] : [caller.keyTeamId];
  if (kind === "team") return { ids: [...placesOf(caller, "team"), ...keyTeams], orgIds };
  const userId = caller.userId ?? undefined;
  const ids = caller.keyId === null ? [] : [caller.keyId];
  return { ids, userId, teamIds: placesOf(caller, "team", "admin"), orgIds };
}

/** With all its fields. */
function completed(object: AccountObject): AccountObject {
  return { ...object, fields: complete(object.kind, object.fields) };
}

/** The one message for what is not there and for what the caller may not know of. */
export function notFound(kind: AccountKind): AccountError {
  return new AccountError("not_found", `There is no such ${NOUNS[kind]}`);
}

function conflict(kind: AccountKind): AccountError {
  return new AccountError("conflict", `The ${NOUNS[kind]} has changed in the meantime: look at it again`);
}

function assertId(id: string | undefined): void {
  if (id === undefined || /^[A-Za-z0-9][\w.@+:-]{0,127}$/.test(id)) return;
  const message = "An id has up to 128 letters, digits and _ . @ + : -, and begins with a letter or digit";
  throw new AccountError("invalid_field", message, { field: "id" });
}

const refuseRules: CheckRules = () => {
  throw new AccountError("invalid_field", "`rules` cannot be set here", { field: "rules" });
};
