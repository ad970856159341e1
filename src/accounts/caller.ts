// Who asks for a change, and how they stand to an object: always worked out from what is stored now.
import type { AccountKind, AccountObject, Directory, Fields, Membership } from "../store/directory.ts";
import { AccountError } from "./errors.ts";
import type { MemberPermission, Standing } from "./rights.ts";

/** Whoever asks. A `key` acts for its user; one without a user only for itself. `name` goes to the audit log. */
export type Actor =
  | { readonly kind: "master"; readonly name?: string }
  | { readonly kind: "user"; readonly userId: string }
  | { readonly kind: "key"; readonly keyId: string };

/** What is asked of an object before it is made or found. */
export interface Place {
  readonly kind: AccountKind;
  /** null for one that is not made yet. */
  readonly id: string | null;
  readonly fields: Fields;
}

/** An actor with what it is a member of. Good for one operation: it is never kept. */
export interface Caller {
  /** For the audit log. */
  readonly label: string;
  readonly role: "admin" | "viewer" | "user" | "user_viewer" | "key";
  readonly userId: string | null;
  /** The key that acts, and its team. */
  readonly keyId: string | null;
  readonly keyTeamId: string | null;
  readonly memberships: readonly Membership[];
}

const ROLES: Readonly<Record<string, Caller["role"]>> = {
  proxy_admin: "admin",
  proxy_admin_viewer: "viewer",
  internal_user_viewer: "user_viewer",
};

/** Looks the actor up. @throws AccountError `not_permitted` when it is gone or not active */
export async function resolveCaller(directory: Directory, actor: Actor): Promise<Caller> {
  const none = { userId: null, keyId: null, keyTeamId: null, memberships: [] };
  if (actor.kind === "master") return { ...none, label: actor.name ?? "master", role: "admin" };
  if (actor.kind === "user") return userCaller(directory, actor.userId, `user:${actor.userId}`, none);
  const key = await directory.get("key", actor.keyId);
  if (key === null || (key.fields.status ?? "active") !== "active") throw inactive("key");
  const own = { keyId: key.id, keyTeamId: (key.fields.teamId ?? null) as string | null };
  const label = `key:${key.id}`;
  const userId = key.fields.userId ?? null;
  if (userId === null) return { ...none, ...own, label, role: "key" };
  return userCaller(directory, userId as string, label, { ...none, ...own });
}

async function userCaller(
  directory: Directory,
  userId: string,
  label: string,
  own: Pick<Caller, "keyId" | "keyTeamId">,
): Promise<Caller> {
  const user = await directory.get("user", userId);
  if (user === null || (user.fields.status ?? "active") !== "active") throw inactive("user");
  const role = ROLES[String(user.fields.role)] ?? "user";
  return { ...own, label, role, userId, memberships: await directory.membershipsOf(userId) };
}

function inactive(what: string): AccountError {
  return new AccountError("not_permitted", `The ${what} that asks is not active`);
}

/** True for a role that only looks. */
export function isViewer({ role }: Caller): boolean {
  return role === "viewer" || role === "user_viewer";
}

/** Ids of the teams or organisations where the caller is a member, or an admin. */
export function placesOf(
  { memberships }: Caller,
  kind: Membership["kind"],
  role?: Membership["role"],
): readonly string[] {
  const there = memberships.filter((member) => member.kind === kind && (role === undefined || member.role === role));
  return there.map(({ objectId }) => objectId);
}

/** True when the user has no role, and no place in a team or organisation, that the caller has not as well. */
export async function covers(directory: Directory, caller: Caller, user: AccountObject): Promise<boolean> {
  if (caller.role === "admin") return true;
  if (user.fields.role === "proxy_admin" || user.fields.role === "proxy_admin_viewer") return false;
  for (const { kind, objectId, role } of await directory.membershipsOf(user.id)) {
    const object = await directory.get(kind, objectId);
    if (object === null) continue;
    const standings = await standingsTo(directory, caller, object);
    const isAdmin = standings.has("team_admin") || standings.has("org_admin");
    if (!isAdmin && (role === "admin" || !standings.has("member"))) return false;
  }
  return true;
}

/**
 * How the caller stands to the object; empty for a stranger, who must not learn that it exists.
 * @param permission what a member of a key's team needs for the operation
 */
export async function standingsTo(
  directory: Directory,
  caller: Caller,
  place: Place,
  permission?: MemberPermission,
): Promise<ReadonlySet<Standing>> {
  const standings = new Set<Standing>();
  if (caller.role === "admin") return standings.add("admin");
  if (caller.role === "viewer") standings.add("viewer");
  const { teamId, orgId } = await surroundings(directory, place);
  if (isOwner(caller, place)) standings.add("owner");
  if (isSelf(caller, place)) standings.add("self");
  const member = (kind: "team" | "org", id: string | null): Membership["role"] | null =>
    caller.memberships.find((each) => each.kind === kind && each.objectId === id)?.role ?? null;
  if (member("org", orgId) === "admin") standings.add("org_admin");
  if (member("team", teamId) === "admin") standings.add("team_admin");
  if (member(place.kind === "org" ? "org" : "team", place.kind === "org" ? orgId : teamId) !== null) {
    standings.add("member");
    if (permission !== undefined && (await isPermitted(directory, teamId, permission))) standings.add("permitted");
  }
  return standings;
}

async function surroundings(
  directory: Directory,
  { kind, id, fields }: Place,
): Promise<{ readonly teamId: string | null; readonly orgId: string | null }> {
  if (kind === "org") return { teamId: null, orgId: id };
  if (kind === "team") return { teamId: id, orgId: textOf(fields.orgId) };
  if (kind !== "key") return { teamId: null, orgId: null };
  const teamId = textOf(fields.teamId);
  const team = teamId === null ? null : await directory.get("team", teamId);
  return { teamId, orgId: textOf(team?.fields.orgId) };
}

function isOwner(caller: Caller, { kind, fields }: Place): boolean {
  return kind === "key" && caller.userId !== null && fields.userId === caller.userId;
}

function isSelf(caller: Caller, { kind, id }: Place): boolean {
  if (id === null) return false;
  if (kind === "key") return caller.keyId === id;
  if (kind === "user") return caller.userId === id;
  return kind === "team" && caller.keyTeamId === id;
}

async function isPermitted(
  directory: Directory,
  teamId: string | null,
  permission: MemberPermission,
): Promise<boolean> {
  const team: AccountObject | null = teamId === null ? null : await directory.get("team", teamId);
  return ((team?.fields.memberPermissions ?? []) as readonly string[]).includes(permission);
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
