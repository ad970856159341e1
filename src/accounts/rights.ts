// The one table of rights: who may do what to which account object, by how they stand to it.
import type { AccountKind } from "../store/directory.ts";

/**
 * How a caller stands to an object; one may stand to it in several ways.
 * `admin`: the master key or a proxy admin. `viewer`: a proxy admin viewer. `org_admin`, `team_admin`: of the object's
 * organisation or team. `permitted`: a member of a key's team whose members are permitted the operation. `owner`: of a
 * key. `member`: of the team or organisation. `self`: the object is the caller's own key or user, or its key's team.
 */
export type Standing = "admin" | "viewer" | "org_admin" | "team_admin" | "permitted" | "owner" | "member" | "self";

/** What one can do to an object as a whole. `iam`: add, change and remove its IAM rules; whoever may read it reads them. */
export type Operation = "read" | "create" | "update" | "delete" | "regenerate" | "block" | "reset_spend" | "iam";

/** What changing a field asks. `key_type`: a move between presets; `management`: to the one that manages. */
export type FieldRight =
  | "plain"
  | "profile"
  | "budget"
  | "routes"
  | "key_type"
  | "management"
  | "roles"
  | "owner"
  | "team"
  | "status"
  | "members";

/** What a team can permit its members to do with its keys. */
export const MEMBER_PERMISSIONS = Object.freeze([
  "/key/generate",
  "/key/update",
  "/key/delete",
  "/key/regenerate",
  "/key/service-account/generate",
] as const);

/** The permission of team members that an operation on keys asks. */
export type MemberPermission = (typeof MEMBER_PERMISSIONS)[number];

const ADMIN = ["admin"] as const;
const ABOVE_TEAM = ["admin", "org_admin"] as const;
const ABOVE_OWNER = ["admin", "org_admin", "team_admin"] as const;
const HOLDERS = ["admin", "org_admin", "team_admin", "permitted", "owner"] as const;

type Rights = Readonly<Record<Operation | FieldRight, readonly Standing[]>>;

const NOBODY: Rights = {
  ...{ read: [], create: [], update: [], delete: [], regenerate: [], block: [], reset_spend: [], iam: [] },
  ...{ plain: [], profile: [], budget: [], routes: [], key_type: [], management: [] },
  ...{ roles: [], owner: [], team: [], status: [], members: [] },
};

/** Kind → operation or field right → who has it. */
export const RIGHTS: Readonly<Record<AccountKind, Rights>> = Object.freeze({
  key: {
    ...NOBODY,
    read: ["admin", "viewer", "org_admin", "team_admin", "owner", "member", "self"],
    ...{ create: HOLDERS, update: HOLDERS, delete: HOLDERS, regenerate: HOLDERS, iam: HOLDERS },
    ...{ block: ABOVE_OWNER, reset_spend: ABOVE_OWNER },
    ...{ plain: HOLDERS, profile: HOLDERS, key_type: HOLDERS },
    ...{ budget: ABOVE_OWNER, status: ABOVE_OWNER, team: ABOVE_OWNER },
    ...{ routes: ADMIN, management: ADMIN, roles: ADMIN, owner: ADMIN },
  },
  team: {
    ...NOBODY,
    read: ["admin", "viewer", "org_admin", "team_admin", "member", "self"],
    update: ABOVE_OWNER,
    ...{ create: ABOVE_TEAM, delete: ABOVE_TEAM, block: ABOVE_TEAM, reset_spend: ABOVE_TEAM, iam: ABOVE_TEAM },
    ...{ plain: ABOVE_TEAM, profile: ABOVE_TEAM, budget: ABOVE_TEAM, status: ABOVE_TEAM },
    members: ABOVE_OWNER,
    owner: ADMIN,
  },
  user: {
    ...NOBODY,
    read: ["admin", "viewer", "self"],
    update: ["admin", "self"],
    profile: ["admin", "self"],
    ...{ create: ADMIN, delete: ADMIN, block: ADMIN, reset_spend: ADMIN },
    ...{ plain: ADMIN, budget: ADMIN, status: ADMIN, roles: ADMIN },
  },
  org: {
    ...NOBODY,
    read: ["admin", "viewer", "org_admin", "member"],
    ...{ update: ABOVE_TEAM, profile: ABOVE_TEAM, members: ABOVE_TEAM },
    ...{ create: ADMIN, delete: ADMIN, block: ADMIN, reset_spend: ADMIN, iam: ADMIN },
    ...{ plain: ADMIN, budget: ADMIN, status: ADMIN },
  },
  group: {
    ...NOBODY,
    read: ["admin", "viewer"],
    ...{ create: ADMIN, update: ADMIN, delete: ADMIN, profile: ADMIN, plain: ADMIN },
  },
});

/** From whom a restriction comes: nobody of a lower rank can lift it. */
export const RANKS: Readonly<Record<Standing, number>> = Object.freeze({
  ...{ admin: 3, org_admin: 2, team_admin: 1 },
  ...{ viewer: 0, permitted: 0, owner: 0, member: 0, self: 0 },
});

const TITLES: Readonly<Record<Standing, string>> = {
  admin: "proxy admins",
  viewer: "proxy admin viewers",
  org_admin: "org admins",
  team_admin: "team admins",
  permitted: "permitted team members",
  owner: "the owner",
  member: "members",
  self: "the object itself",
};

/** True when one of the standings has the right. */
export function mayDo(kind: AccountKind, right: Operation | FieldRight, standings: ReadonlySet<Standing>): boolean {
  return RIGHTS[kind][right].some((standing) => standings.has(standing));
}

/** The highest rank among the standings. */
export function rankOf(standings: ReadonlySet<Standing>): number {
  return Math.max(0, ...[...standings].map((standing) => RANKS[standing]));
}

/** Who has the right, for a message: `proxy admins, org admins and team admins`. */
export function whoMay(kind: AccountKind, right: Operation | FieldRight): string {
  const titles = RIGHTS[kind][right].map((standing) => TITLES[standing]);
  const last = titles.pop() ?? "nobody";
  return titles.length === 0 ? last : `${titles.join(", ")} and ${last}`;
}
