// Routes of teams and organisations: made, shown, listed, changed, blocked, deleted; and what members may do.
import { randomUUID } from "node:crypto";
import { AccountError, type Actor, type ApiRoute, z } from "../../src/plugin.ts";
import type { Desk } from "./desk.ts";
import { ALL_PERMISSIONS, ID_NAMES } from "./fields.ts";
import { liteRoute, ok, rowSchema } from "./lite-route.ts";
import { memberSchema, methodsOf, namedIn, pathOf, roleOf, suffix, titled } from "./member-routes.ts";
import type { Row } from "./rows.ts";
import { type Sent, sentSchema } from "./sent.ts";

type Kind = "team" | "org";

/** A list is one page: so many. */
const LIST_MAX = 1_000;
/** Keys that a team's answer shows. */
const KEYS_MAX = 100;

/** What both have; teams have more. */
export function teamRoutes(desk: Desk, kind: Kind): readonly ApiRoute[] {
  const shared = [
    newRoute(desk, kind),
    ...updateRoutes(desk, kind),
    ...deleteRoutes(desk, kind),
    infoRoute(desk, kind),
  ];
  const all = [...shared, listRoute(desk, kind)];
  return kind === "team" ? [...all, ...blockRoutes(desk), ...permissionRoutes(desk)] : all;
}

function newRoute(desk: Desk, kind: Kind): ApiRoute {
  const idName = ID_NAMES[kind];
  const spare = [idName, "members_with_roles"];
  return liteRoute(kind, {
    ...{ method: "POST", path: `${pathOf(kind)}/new`, operationId: `litellmNew${titled(kind)}` },
    summary: kind === "team" ? "Makes a team; who makes it is its admin" : "Makes an organisation",
    body: sentSchema(kind).extend({
      [idName]: z.string().nullish().describe("Made up when left out"),
      ...(kind === "team" ? { members_with_roles: z.array(memberSchema("team")).nullish() } : {}),
    }),
    replies: ok(),
    handle: async ({ actor, principal, body }) => {
      const sent = body as Sent;
      const given = sent[idName];
      const id = typeof given === "string" && given !== "" ? given : randomUUID();
      const fields = desk.read(kind, sent, spare);
      const makers = kind === "team" && principal?.user ? [{ user_id: principal.user.id, role: "admin" } as const] : [];
      const members = (sent.members_with_roles ?? []) as readonly z.output<ReturnType<typeof memberSchema>>[];
      // Before anything is made: what is made half cannot be taken back, for its id stays taken.
      for (const member of members) await desk.accounts.assertKnown(actor, namedIn(member));
      const object = await desk.accounts.create(actor, kind, { id, fields });
      for (const member of [...makers, ...members]) {
        await desk.accounts.setMember(actor, kind, id, namedIn(member), roleOf(member.role));
      }
      return { status: 200, body: await desk.row(actor, object) };
    },
  });
}

function updateRoutes(desk: Desk, kind: Kind): readonly ApiRoute[] {
  const idName = ID_NAMES[kind];
  return methodsOf(kind, "PATCH").map((method) =>
    liteRoute(kind, {
      ...{ method, path: `${pathOf(kind)}/update`, operationId: `litellmUpdate${titled(kind)}${suffix(method)}` },
      summary: "Changes fields; a whole row may be sent back",
      body: sentSchema(kind).extend({ [idName]: z.string() }),
      replies: ok(),
      handle: async ({ actor, body }) => {
        const sent = body as Sent;
        const object = await desk.change(actor, kind, String(sent[idName]), sent, [idName]);
        const row = await desk.row(actor, object);
        return { status: 200, body: kind === "team" ? { ...row, data: row } : row };
      },
    }),
  );
}

function deleteRoutes(desk: Desk, kind: Kind): readonly ApiRoute[] {
  const name = `${ID_NAMES[kind]}s`;
  return methodsOf(kind, "DELETE").map((method) =>
    liteRoute(kind, {
      ...{ method, path: `${pathOf(kind)}/delete`, operationId: `litellmDelete${titled(kind)}s${suffix(method)}` },
      summary: "Deletes them with all that is in them: all, or none when one may not be deleted",
      body: z.strictObject({ [name]: z.array(z.string()).min(1) }),
      replies: ok(),
      handle: async ({ actor, body }) => {
        const deleted = await desk.accounts.remove(actor, kind, (body as Record<string, string[]>)[name] ?? []);
        return { status: 200, body: { [`deleted_${pathOf(kind).slice(1)}s`]: deleted.map(({ id }) => id) } };
      },
    }),
  );
}

function infoRoute(desk: Desk, kind: Kind): ApiRoute {
  const idName = ID_NAMES[kind];
  return liteRoute(kind, {
    ...{ method: "GET", path: `${pathOf(kind)}/info`, operationId: `litellm${titled(kind)}Info` },
    summary: kind === "team" ? "Shows a team with its members and newest keys" : "Shows an organisation with its teams",
    query: z.strictObject({ [idName]: z.string() }),
    replies: ok(),
    handle: async ({ actor, query }) => {
      const object = await desk.get(actor, kind, String((query as Sent)[idName]));
      const row = await desk.row(actor, object);
      if (kind === "org") return { status: 200, body: { ...row, teams: await teamsOf(desk, actor, object.id) } };
      const keys = await keysOf(desk, actor, object.id);
      const team_memberships = (row.members_with_roles as readonly Row[]).map((one) => ({
        ...one,
        team_id: object.id,
      }));
      return { status: 200, body: { team_id: object.id, team_info: row, keys, team_memberships } };
    },
  });
}

async function keysOf(desk: Desk, actor: Actor, teamId: string): Promise<readonly Row[]> {
  const wish = { within: { teamIds: [teamId] }, limit: KEYS_MAX, isReversed: true };
  return desk.rows(actor, "key", (await desk.accounts.list(actor, "key", wish)).items);
}

async function teamsOf(desk: Desk, actor: Actor, orgId: string): Promise<readonly Row[]> {
  const wish = { within: { orgIds: [orgId] }, limit: LIST_MAX };
  return desk.rows(actor, "team", (await desk.accounts.list(actor, "team", wish)).items);
}

function listRoute(desk: Desk, kind: Kind): ApiRoute {
  const isTeam = kind === "team";
  return liteRoute(kind, {
    ...{ method: "GET", path: `${pathOf(kind)}/list`, operationId: `litellmList${titled(kind)}s` },
    summary: `Lists those that the caller may see, oldest first: ${LIST_MAX} at most`,
    query: z.strictObject(isTeam ? { organization_id: z.string().optional(), user_id: z.string().optional() } : {}),
    replies: ok(z.array(rowSchema), "All of them."),
    handle: async ({ actor, query }) => {
      const { organization_id: org, user_id: user } = query as Record<string, string | undefined>;
      const within = [
        ...(org === undefined ? [] : [{ orgIds: [org] }]),
        ...(user === undefined ? [] : [{ ids: await teamIdsOf(desk, user) }]),
      ];
      const { items } = await desk.accounts.list(actor, kind, { within, limit: LIST_MAX });
      return { status: 200, body: await desk.rows(actor, kind, items) };
    },
  });
}

/** Where a user is a member; of them, the caller is shown what it may see. */
async function teamIdsOf(desk: Desk, userId: string): Promise<readonly string[]> {
  const memberships = await desk.accounts.directory.membershipsOf(userId);
  return memberships.filter(({ kind }) => kind === "team").map(({ objectId }) => objectId);
}

function blockRoutes(desk: Desk): readonly ApiRoute[] {
  return ([true, false] as const).map((isBlocked) =>
    liteRoute("team", {
      ...{ method: "POST", path: isBlocked ? "/team/block" : "/team/unblock" },
      operationId: isBlocked ? "litellmBlockTeam" : "litellmUnblockTeam",
      summary: isBlocked ? "Refuses the requests of a team's keys" : "Lets the requests of a team's keys through again",
      body: z.strictObject({ team_id: z.string() }),
      replies: ok(),
      handle: async ({ actor, body: { team_id: id } }) => {
        const object = await desk.change(actor, "team", id, { blocked: isBlocked }, []);
        return { status: 200, body: await desk.row(actor, object) };
      },
    }),
  );
}

function permissionRoutes(desk: Desk): readonly ApiRoute[] {
  return [
    liteRoute("team", {
      ...{ method: "GET", path: "/team/permissions_list", operationId: "litellmTeamPermissions" },
      summary: "What a team's members may do with its keys",
      query: z.strictObject({ team_id: z.string() }),
      replies: ok(),
      handle: async ({ actor, query: { team_id: name } }) => {
        const object = await desk.get(actor, "team", name);
        const { team_member_permissions } = await desk.row(actor, object);
        const all_available_permissions = ALL_PERMISSIONS;
        return { status: 200, body: { team_id: object.id, team_member_permissions, all_available_permissions } };
      },
    }),
    liteRoute("team", {
      ...{ method: "POST", path: "/team/permissions_update", operationId: "litellmUpdateTeamPermissions" },
      summary: "Permits a team's members what to do with its keys",
      body: z.strictObject({ team_id: z.string(), team_member_permissions: z.array(z.string()) }),
      replies: ok(),
      handle: async ({ actor, body: { team_id: id, ...permissions } }) => {
        const object = await desk.change(actor, "team", id, permissions, []);
        return { status: 200, body: await desk.row(actor, object) };
      },
    }),
  ];
}

/** The id in a query, else the caller's own. */
export function ownOr(given: string | undefined, own: string | undefined, field: string): string {
  const id = given ?? own;
  if (id !== undefined) return id;
  throw new AccountError("invalid_field", `\`${field}\` is missing`, { field });
}
