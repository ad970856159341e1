// Routes of users: made with a first key, shown with their teams and keys, listed, changed, deleted.
import { randomUUID } from "node:crypto";
import { AccountError, type Actor, type ApiRoute, z } from "../../src/plugin.ts";
import type { Desk } from "./desk.ts";
import { liteRoute, ok, rowSchema } from "./lite-route.ts";
import { roleOf } from "./member-routes.ts";
import type { Row } from "./rows.ts";
import { type Sent, sentSchema } from "./sent.ts";
import { ownOr } from "./team-routes.ts";

const SHOWN_MAX = 100;
const SIZE_MAX = 100;

const place = z.union([
  z.string(),
  z.strictObject({ team_id: z.string(), user_role: z.enum(["admin", "user"]).default("user") }),
]);
/** What of a body is no field of the user. */
const SPARE = ["user_id", "teams", "auto_create_key", "key_alias", "duration", "team_id"];
const made = sentSchema("user").extend({
  user_id: z.string().nullish().describe("Made up when left out"),
  teams: z.array(place).nullish().describe("Teams to make the user a member of"),
  auto_create_key: z.boolean().default(true).describe("Makes a first key; its secret is shown this once"),
  key_alias: z.string().nullish().describe("Of the first key"),
  duration: z.string().nullish().describe("Of the first key"),
});

/** The routes. */
export function userRoutes(desk: Desk): readonly ApiRoute[] {
  return [newRoute(desk), updateRoute(desk), deleteRoute(desk), infoRoute(desk), listRoute(desk)];
}

function newRoute(desk: Desk): ApiRoute {
  return liteRoute("user", {
    ...{ method: "POST", path: "/user/new", operationId: "litellmNewUser", bodyOptional: true },
    summary: "Makes a user, and a first key for it unless `auto_create_key` is false",
    body: made,
    replies: ok(),
    handle: async ({ actor, body }) => {
      const { key_alias: alias, duration, ...sent } = body;
      const id = typeof sent.user_id === "string" && sent.user_id !== "" ? sent.user_id : randomUUID();
      const fields = desk.read("user", sent, SPARE);
      const first = desk.read("key", { user_id: id, key_alias: alias, duration });
      const teams = ((body.teams ?? []) as readonly z.output<typeof place>[]).map(placeOf);
      await assertFree(desk, actor, teams, alias);
      const user = await desk.accounts.create(actor, "user", { id, fields: { alias: fields.email ?? id, ...fields } });
      for (const { team_id, user_role } of teams) {
        await desk.accounts.setMember(actor, "team", team_id, id, roleOf(user_role));
      }
      const key = body.auto_create_key ? await desk.keys.create(actor, first) : null;
      const row = await desk.row(actor, user);
      return { status: 200, body: { ...row, key: key?.secret ?? null, token: key?.key.secret?.hash ?? null } };
    },
  });
}

function placeOf(team: z.output<typeof place>): { readonly team_id: string; readonly user_role: "admin" | "user" } {
  return typeof team === "string" ? { team_id: team, user_role: "user" } : team;
}

/** Before anything is made: a user that is made half cannot be taken back, for its id stays taken. */
async function assertFree(
  desk: Desk,
  actor: Actor,
  teams: readonly { readonly team_id: string }[],
  alias: unknown,
): Promise<void> {
  for (const { team_id } of teams) await desk.get(actor, "team", team_id);
  if (typeof alias !== "string" || alias === "" || (await desk.seek(actor, "key", alias)) === null) return;
  throw new AccountError("taken", "A key has this alias already", { field: "key_alias" });
}

function updateRoute(desk: Desk): ApiRoute {
  return liteRoute("user", {
    ...{ method: "POST", path: "/user/update", operationId: "litellmUpdateUser" },
    summary: "Changes fields of a user; a whole row may be sent back",
    body: sentSchema("user").extend({ user_id: z.string() }),
    replies: ok(),
    handle: async ({ actor, body }) => {
      const row = await desk.row(
        actor,
        await desk.change(actor, "user", String(body.user_id), body as Sent, ["user_id"]),
      );
      return { status: 200, body: { user_id: row.user_id, data: row } };
    },
  });
}

function deleteRoute(desk: Desk): ApiRoute {
  return liteRoute("user", {
    ...{ method: "POST", path: "/user/delete", operationId: "litellmDeleteUsers" },
    summary: "Deletes users with their keys: all, or none when one may not be deleted",
    body: z.strictObject({ user_ids: z.array(z.string()).min(1) }),
    replies: ok(),
    handle: async ({ actor, body: { user_ids: ids } }) => {
      const deleted = await desk.accounts.remove(actor, "user", ids);
      return { status: 200, body: { deleted_users: deleted.map(({ id }) => id) } };
    },
  });
}

function infoRoute(desk: Desk): ApiRoute {
  return liteRoute("user", {
    ...{ method: "GET", path: "/user/info", operationId: "litellmUserInfo" },
    summary: "Shows a user with its teams and newest keys; without `user_id` the caller's own",
    query: z.strictObject({ user_id: z.string().optional() }),
    replies: ok(),
    handle: async ({ actor, principal, query }) => {
      const user = await desk.get(actor, "user", ownOr(query.user_id, principal?.user?.id, "user_id"));
      const user_info = await desk.row(actor, user);
      const { items } = await desk.accounts.list(actor, "key", {
        ...{ within: { userId: user.id }, limit: SHOWN_MAX, isReversed: true },
      });
      const keys = await desk.rows(actor, "key", items);
      const teams = await teamsOf(desk, actor, user_info.teams as readonly string[]);
      return { status: 200, body: { user_id: user.id, user_info, keys, teams } };
    },
  });
}

async function teamsOf(desk: Desk, actor: Actor, ids: readonly string[]): Promise<readonly Row[]> {
  const { items } = await desk.accounts.list(actor, "team", { within: { ids }, limit: SHOWN_MAX });
  return desk.rows(actor, "team", items);
}

function listRoute(desk: Desk): ApiRoute {
  return liteRoute("user", {
    ...{ method: "GET", path: "/user/list", operationId: "litellmListUsers" },
    summary: "Lists the users that the caller may see, oldest first",
    query: z.strictObject({
      page: z.coerce.number().int().min(1).default(1),
      page_size: z.coerce.number().int().min(1).max(SIZE_MAX).default(25),
      user_ids: z.string().optional().describe("Several with commas between"),
    }),
    replies: ok(
      z.object({
        users: z.array(rowSchema),
        ...{ total: z.int(), page: z.int(), page_size: z.int(), total_pages: z.int() },
      }),
      "One page.",
    ),
    handle: async ({ actor, query: { page, page_size, user_ids } }) => {
      const within = user_ids === undefined ? [] : [{ ids: user_ids.split(",") }];
      const total = await desk.accounts.count(actor, "user", { within });
      const wish = { within, limit: page_size, skip: (page - 1) * page_size };
      const { items } = await desk.accounts.list(actor, "user", wish);
      const users = await desk.rows(actor, "user", items);
      return { status: 200, body: { users, total, page, page_size, total_pages: Math.ceil(total / page_size) } };
    },
  });
}
