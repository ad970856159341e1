// The admin API's account objects: the same few calls for every kind.
import { type CallOptions, pathOf, type Transport } from "./transport.ts";
import type {
  CreateGroupBody,
  CreateOrgBody,
  CreateTeamBody,
  CreateUserBody,
  Group,
  GroupFields,
  Key,
  KeyFields,
  ListGroupsQuery,
  ListKeysQuery,
  ListOrgMembersQuery,
  ListOrgsQuery,
  ListTeamsQuery,
  MadeKey,
  Member,
  Org,
  OrgFields,
  RotateKeyBody,
  SetOrgMemberBody,
  Team,
  TeamFields,
  User,
  UserFields,
} from "./types.ts";

/** Kind → what is shown of it, sent to make it, sent to change it, asked of a list. */
interface Kinds {
  readonly orgs: { object: Org; made: CreateOrgBody; fields: OrgFields; query: ListOrgsQuery };
  readonly teams: { object: Team; made: CreateTeamBody; fields: TeamFields; query: ListTeamsQuery };
  readonly users: { object: User; made: CreateUserBody; fields: UserFields; query: ListOrgsQuery };
  readonly groups: { object: Group; made: CreateGroupBody; fields: GroupFields; query: ListGroupsQuery };
  readonly keys: { object: Key; made: KeyFields; fields: KeyFields; query: ListKeysQuery };
}

/** The segment of a kind's paths. */
export type KindName = keyof Kinds;

/** One page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** `after` of the next page; null on the last. */
  readonly next: string | null;
}

/** An object and its version. */
export interface Versioned<Item> {
  readonly object: Item;
  /** To be given back as `ifMatch`, so that nobody's change is lost. */
  readonly etag: string;
}

/** Options of a call that changes something. */
export interface ChangeOptions extends CallOptions {
  /** The change is refused with `ConflictError` (412) when the object is at another version. */
  readonly ifMatch?: string;
}

/** Objects of one kind. They are named by id or alias; all that is left out of what is sent stays as it is. */
export class Objects<Name extends KindName> {
  protected readonly transport: Transport;
  protected readonly root: string;

  constructor(transport: Transport, name: Name) {
    this.transport = transport;
    this.root = `/-/${name}`;
  }

  list(query: Kinds[Name]["query"] = {}, options?: CallOptions): Promise<Page<Kinds[Name]["object"]>> {
    return this.transport.json({ method: "GET", path: this.root, query: { ...query } }, options);
  }

  /** All of them, asked for page by page. */
  async *all(query: Kinds[Name]["query"] = {}, options?: CallOptions): AsyncGenerator<Kinds[Name]["object"], void> {
    let after = query.after;
    do {
      const page: Page<Kinds[Name]["object"]> = await this.list({ ...query, after }, options);
      yield* page.items;
      after = page.next ?? undefined;
    } while (after !== undefined);
  }

  async get(name: string, options?: CallOptions): Promise<Kinds[Name]["object"]> {
    return (await this.getVersioned(name, options)).object;
  }

  async getVersioned(name: string, options?: CallOptions): Promise<Versioned<Kinds[Name]["object"]>> {
    const { body, headers } = await this.transport.answer<Kinds[Name]["object"]>(
      { method: "GET", path: this.path(name) },
      options,
    );
    return { object: body, etag: headers.get("etag") ?? "" };
  }

  /** Null takes a field back to its default. */
  update(name: string, fields: Kinds[Name]["fields"], options?: ChangeOptions): Promise<Kinds[Name]["object"]> {
    return this.transport.json(
      // Sent twice it comes to the same, unless it was to hold for one version.
      { method: "PATCH", path: this.path(name), body: fields, ...matching(options), isRepeatable: !options?.ifMatch },
      options,
    );
  }

  delete(name: string, options?: ChangeOptions): Promise<void> {
    // A second try would not find what the first has deleted.
    return this.transport.json(
      { method: "DELETE", path: this.path(name), ...matching(options), isRepeatable: false },
      options,
    );
  }

  protected path(name: string, more = ""): string {
    return pathOf(`${this.root}/{name}${more}`, { name });
  }
}

/** Kinds that are made without a secret. */
export class MadeObjects<Name extends Exclude<KindName, "keys">> extends Objects<Name> {
  create(body: Kinds[Name]["made"], options?: CallOptions): Promise<Kinds[Name]["object"]> {
    return this.transport.json({ method: "POST", path: this.root, body }, options);
  }
}

/** Kinds with budgets. */
export class Users extends MadeObjects<"users"> {
  /** Forgets what was spent: the budgets begin anew. */
  resetSpend(name: string, options?: CallOptions): Promise<void> {
    return this.transport.json({ method: "POST", path: this.path(name, "/reset-spend") }, options);
  }
}

/** Organisations and teams: they have members. */
export class Places<Name extends "orgs" | "teams"> extends MadeObjects<Name> {
  /** Forgets what was spent: the budgets begin anew. */
  resetSpend(name: string, options?: CallOptions): Promise<void> {
    return this.transport.json({ method: "POST", path: this.path(name, "/reset-spend") }, options);
  }

  /** By user id. */
  members(name: string, query: ListOrgMembersQuery = {}, options?: CallOptions): Promise<Page<Member>> {
    return this.transport.json({ method: "GET", path: this.path(name, "/members"), query: { ...query } }, options);
  }

  /** Adds the user, or changes its role. */
  setMember(name: string, user: string, body: SetOrgMemberBody = {}, options?: CallOptions): Promise<Member> {
    return this.transport.json({ method: "PUT", path: this.#member(name, user), body }, options);
  }

  removeMember(name: string, user: string, options?: CallOptions): Promise<void> {
    return this.transport.json({ method: "DELETE", path: this.#member(name, user), isRepeatable: false }, options);
  }

  #member(name: string, user: string): string {
    return pathOf(`${this.root}/{name}/members/{user}`, { name, user });
  }
}

/** Virtual keys; they may also be named by their secret. */
export class Keys extends Objects<"keys"> {
  /** The answer has the secret, `key`, this once. */
  create(body: KeyFields, options?: CallOptions): Promise<MadeKey> {
    return this.transport.json({ method: "POST", path: this.root, body }, options);
  }

  /** A new secret, in `key` this once; `grace_period` says how long the old one works too. */
  rotate(name: string, body: RotateKeyBody = {}, options?: CallOptions): Promise<MadeKey> {
    return this.transport.json({ method: "POST", path: this.path(name, "/rotate"), body }, options);
  }

  /** Forgets what was spent: the budgets begin anew. */
  resetSpend(name: string, options?: CallOptions): Promise<void> {
    return this.transport.json({ method: "POST", path: this.path(name, "/reset-spend") }, options);
  }
}

function matching(options: ChangeOptions | undefined): { readonly headers?: Readonly<Record<string, string>> } {
  return options?.ifMatch === undefined ? {} : { headers: { "if-match": options.ifMatch } };
}
