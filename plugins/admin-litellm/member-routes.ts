// Routes of the members of teams and organisations.
import { AccountError, type Actor, type ApiReply, type ApiRoute, type Membership, z } from "../../src/plugin.ts";
import type { Desk } from "./desk.ts";
import { ID_NAMES } from "./fields.ts";
import { liteRoute, ok } from "./lite-route.ts";

/** A user as it is named in a body. */
const who = {
  user_id: z.string().nullish(),
  user_email: z.string().nullish().describe("The user's alias, where that is the address"),
};
const nothing = z.null().optional().describe("Not supported: give the member's key a budget");

const ROLES = {
  team: z.enum(["admin", "user"]),
  org: z.enum(["org_admin", "internal_user", "internal_user_viewer"]),
} as const;

/** One member as a body names it. */
export const memberSchema = (kind: Membership["kind"]) => z.strictObject({ ...who, role: ROLES[kind] });

/** Their word for a role. */
export type LiteRole = z.output<(typeof ROLES)["team" | "org"]>;

/** The role here: admin or not. */
export function roleOf(role: LiteRole): Membership["role"] {
  return role === "admin" || role === "org_admin" ? "admin" : "user";
}

/** The user that a body names. */
export function namedIn({
  user_id: id,
  user_email: email,
}: {
  user_id?: string | null | undefined;
  user_email?: string | null | undefined;
}): string {
  const name = id ?? email;
  if (name !== undefined && name !== null && name !== "") return name;
  throw new AccountError("invalid_field", "`user_id` or `user_email` is missing", { field: "user_id" });
}

/** The routes of one kind. LiteLLM's have other methods for organisations: both are served. */
export function memberRoutes(desk: Desk, kind: Membership["kind"]): readonly ApiRoute[] {
  return [...addRoutes(desk, kind), ...updateRoutes(desk, kind), ...removeRoutes(desk, kind)];
}

function addRoutes(desk: Desk, kind: Membership["kind"]): readonly ApiRoute[] {
  const idName = ID_NAMES[kind];
  const one = memberSchema(kind);
  return [
    liteRoute(kind, {
      ...{ method: "POST", path: `${pathOf(kind)}/member_add`, operationId: `litellmAdd${titled(kind)}Member` },
      summary: "Adds members, or changes their roles",
      body: z.strictObject({
        [idName]: z.string(),
        member: z.union([one, z.array(one).min(1)]),
        ...{ max_budget_in_team: nothing, max_budget_in_organization: nothing },
      }),
      replies: ok(),
      handle: async ({ actor, body }) => {
        const { member, [idName]: id } = body as unknown as {
          readonly member: Sent | readonly Sent[];
          readonly [id: string]: unknown;
        };
        const members: Membership[] = [];
        for (const each of [member].flat()) {
          members.push(await desk.accounts.setMember(actor, kind, String(id), namedIn(each), roleOf(each.role)));
        }
        const updated = members.map(({ userId, objectId, role }) => ({ user_id: userId, [idName]: objectId, role }));
        const name = kind === "team" ? "updated_team_memberships" : "updated_organization_memberships";
        const users = members.map(({ userId }) => ({ user_id: userId }));
        return shown(desk, actor, kind, String(id), { updated_users: users, [name]: updated });
      },
    }),
  ];
}

type Sent = z.output<ReturnType<typeof memberSchema>>;

function updateRoutes(desk: Desk, kind: Membership["kind"]): readonly ApiRoute[] {
  const idName = ID_NAMES[kind];
  return methodsOf(kind, "PATCH").map((method) =>
    liteRoute(kind, {
      ...{
        method,
        path: `${pathOf(kind)}/member_update`,
        operationId: `litellmUpdate${titled(kind)}Member${suffix(method)}`,
      },
      summary: "Changes a member's role",
      body: z.strictObject({
        [idName]: z.string(),
        ...who,
        role: ROLES[kind].optional(),
        ...{ max_budget_in_team: nothing, max_budget_in_organization: nothing },
      }),
      replies: ok(),
      handle: async ({ actor, body }) => {
        const sent = body as unknown as Sent & { readonly [id: string]: unknown };
        const id = String(sent[idName]);
        await assertMember(desk, actor, kind, id, namedIn(sent));
        const role: LiteRole | undefined = sent.role;
        if (role !== undefined) await desk.accounts.setMember(actor, kind, id, namedIn(sent), roleOf(role));
        return { status: 200, body: { [idName]: id, user_id: namedIn(sent), ...(role === undefined ? {} : { role }) } };
      },
    }),
  );
}

/** An update adds nobody. */
async function assertMember(
  desk: Desk,
  actor: Actor,
  kind: Membership["kind"],
  id: string,
  user: string,
): Promise<void> {
  const object = await desk.get(actor, kind, id);
  const found = await desk.accounts.directory.member(kind, object.id, user);
  if (found === null) throw new AccountError("not_found", "There is no such member", { field: "user_id" });
}

function removeRoutes(desk: Desk, kind: Membership["kind"]): readonly ApiRoute[] {
  const idName = ID_NAMES[kind];
  return methodsOf(kind, "DELETE").map((method) =>
    liteRoute(kind, {
      ...{
        method,
        path: `${pathOf(kind)}/member_delete`,
        operationId: `litellmRemove${titled(kind)}Member${suffix(method)}`,
      },
      summary: "Removes a member",
      body: z.strictObject({ [idName]: z.string(), ...who }),
      replies: ok(),
      handle: async ({ actor, body }) => {
        const sent = body as unknown as Sent & { readonly [id: string]: unknown };
        const id = String(sent[idName]);
        await desk.accounts.removeMember(actor, kind, id, namedIn(sent));
        return shown(desk, actor, kind, id, {});
      },
    }),
  );
}

/** The team or organisation as it is now; who has just left it may no longer see it. */
async function shown(
  desk: Desk,
  actor: Actor,
  kind: Membership["kind"],
  name: string,
  more: object,
): Promise<ApiReply> {
  const object = await desk.seek(actor, kind, name);
  const row = object === null ? { [ID_NAMES[kind]]: name } : await desk.row(actor, object);
  return { status: 200, body: { ...row, ...more } };
}

/** The path that a kind's routes begin with. */
export function pathOf(kind: "team" | "org"): string {
  return kind === "team" ? "/team" : "/organization";
}

/** The methods of a route: LiteLLM has `theirs` for organisations, and POST for teams. */
export function methodsOf(kind: "team" | "org", theirs: "PATCH" | "DELETE") {
  return kind === "team" ? (["POST"] as const) : (["POST", theirs] as const);
}

/** What tells the operation ids of one route's methods apart. */
export function suffix(method: string): string {
  return method === "POST" ? "" : `By${titled(method.toLowerCase())}`;
}

/** With a capital. */
export function titled(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
