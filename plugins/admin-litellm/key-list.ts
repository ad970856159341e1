// The list of keys, in numbered pages; and changes of many at once.
import { AccountError, type Actor, type ApiRoute, GatewayError, z } from "../../src/plugin.ts";
import type { Desk } from "./desk.ts";
import { updateKey } from "./key-routes.ts";
import { liteRoute, ok, rowSchema } from "./lite-route.ts";
import type { Row } from "./rows.ts";
import { sentSchema } from "./sent.ts";

const SIZE_MAX = 100;
const BULK_MAX = 500;

const flag = z.stringbool().optional();

const query = z.strictObject({
  page: z.coerce.number().int().min(1).default(1),
  size: z.coerce.number().int().min(1).max(SIZE_MAX).default(10),
  user_id: z.string().optional(),
  team_id: z.string().optional(),
  organization_id: z.string().optional(),
  key_hash: z.string().optional().describe("The `token`"),
  key_alias: z.string().min(1).optional().describe("A part of the alias"),
  status: z.enum(["active", "disabled", "revoked"]).optional(),
  return_full_object: flag.describe("Rows instead of hashes"),
  include_team_keys: flag.describe("The keys of teams whose admin one is are always there"),
  include_created_by_keys: flag.describe("A key that one has made for another is the other's"),
  expand: z.literal("user").optional().describe("Shows with each row its user"),
  sort_by: z.enum(["created_at", "key_alias"]).default("created_at"),
  sort_order: z.enum(["asc", "desc"]).default("desc"),
});

/** A page and how many there are. */
const pageSchema = z.object({
  keys: z.array(z.union([z.string(), rowSchema])),
  ...{ total_count: z.int(), current_page: z.int(), total_pages: z.int() },
});

/** The routes. */
export function keyListRoutes(desk: Desk): readonly ApiRoute[] {
  return [
    liteRoute("key", {
      ...{ method: "GET", path: "/key/list", operationId: "litellmListKeys" },
      summary: "Lists the keys that the caller may see: its own, and those of teams whose admin it is",
      query,
      replies: ok(pageSchema, "One page."),
      handle: async ({ actor, query: asked }) => ({ status: 200, body: await pageOf(desk, actor, asked) }),
    }),
    liteRoute("key", {
      ...{ method: "POST", path: "/key/bulk_update", operationId: "litellmBulkUpdateKeys" },
      summary: "Changes many keys, each by itself",
      body: z.strictObject({
        keys: z
          .array(sentSchema("key").extend({ key: z.string() }))
          .min(1)
          .max(BULK_MAX),
      }),
      replies: ok(
        z.object({
          total_requested: z.int(),
          successful_updates: z.array(rowSchema),
          failed_updates: z.array(rowSchema),
        }),
      ),
      handle: async ({ actor, body: { keys } }) => {
        const successful_updates: object[] = [];
        const failed_updates: object[] = [];
        for (const sent of keys) {
          try {
            const key_info = await desk.row(actor, await updateKey(desk, actor, sent));
            successful_updates.push({ key: sent.key, key_info });
          } catch (error) {
            if (!(error instanceof AccountError) && !(error instanceof GatewayError)) throw error;
            failed_updates.push({ key: sent.key, failed_reason: error.message });
          }
        }
        return { status: 200, body: { total_requested: keys.length, successful_updates, failed_updates } };
      },
    }),
  ];
}

async function pageOf(desk: Desk, actor: Actor, asked: z.output<typeof query>): Promise<object> {
  const { page, size } = asked;
  const wish = await wishOf(desk, asked);
  const total = await desk.accounts.count(actor, "key", wish);
  const order = {
    isReversed: asked.sort_order === "desc",
    // A list by aliases that begin with nothing: all of them, in their order.
    ...(asked.sort_by === "key_alias" ? { aliasPrefix: "" } : {}),
  };
  const { items } = await desk.accounts.list(actor, "key", { ...wish, ...order, limit: size, skip: (page - 1) * size });
  const isFull = asked.return_full_object === true || asked.expand === "user";
  const rows = isFull ? await desk.rows(actor, "key", items) : items.map(({ secret }) => secret?.hash);
  const keys = asked.expand === "user" ? await withUsers(desk, actor, rows as readonly Row[]) : rows;
  return { keys, total_count: total, current_page: page, total_pages: Math.ceil(total / size) };
}

/** Each row with its user, where the caller may see it. */
async function withUsers(desk: Desk, actor: Actor, rows: readonly Row[]): Promise<readonly Row[]> {
  const users = new Map<unknown, Row | null>();
  for (const { user_id: id } of rows) {
    if (typeof id !== "string" || users.has(id)) continue;
    const user = await desk.seek(actor, "user", id);
    users.set(id, user === null ? null : { user_id: id, user_email: user.fields.email, user_alias: user.fields.alias });
  }
  return rows.map((row) => ({ ...row, user: users.get(row.user_id) ?? null }));
}

/** All that is asked must hold. */
async function wishOf(desk: Desk, asked: z.output<typeof query>) {
  const { user_id: userId, team_id: team, organization_id: org, key_hash: hash, key_alias: aliasPart, status } = asked;
  const within = [
    ...(userId === undefined ? [] : [{ userId }]),
    ...(team === undefined ? [] : [{ teamIds: [team] }]),
    ...(org === undefined ? [] : [{ orgIds: [org] }]),
    ...(hash === undefined ? [] : [{ ids: [await desk.keys.idOf(hash)] }]),
  ];
  return { within, aliasPart, status };
}
