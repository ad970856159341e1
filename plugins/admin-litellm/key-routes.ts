// Routes of keys: made, shown, changed, replaced, blocked, deleted.
import { AccountError, type AccountObject, type Actor, type ApiReply, type ApiRoute, z } from "../../src/plugin.ts";
import type { Desk } from "./desk.ts";
import { lengthOf } from "./durations.ts";
import { liteRoute, ok, rowSchema } from "./lite-route.ts";
import { type Sent, sentSchema } from "./sent.ts";

const KEY = z.string().describe("The secret, its hash (`token`), id or alias");
const named = z.strictObject({ key: KEY });
/** What of a body is no field of the key. */
const SPARE = ["key", "grace_period"];
const body = sentSchema("key");
const update = body.extend({ key: KEY.optional() });
const regenerate = body.extend({
  key: KEY.optional(),
  grace_period: z.string().nullish().describe("How long the old secret works too: 24h; 30d at most"),
});
const made = z.looseObject({ key: z.string().describe("The secret, shown this once") });

/** The routes of one key at a time. */
export function keyRoutes(desk: Desk): readonly ApiRoute[] {
  return [...makingRoutes(desk), ...changingRoutes(desk), ...regenerateRoutes(desk), ...blockRoutes(desk)];
}

function makingRoutes(desk: Desk): readonly ApiRoute[] {
  const make = async (actor: Actor, sent: Sent, isServiceAccount: boolean): Promise<ApiReply> => {
    const fields = desk.read("key", sent, ["organization_id"]);
    const wish = isServiceAccount ? { ...fields, serviceAccount: true } : fields;
    await assertOrganization(desk, actor, sent);
    const { key, secret } = await desk.keys.create(actor, wish);
    return { status: 200, body: { ...(await desk.row(actor, key)), key: secret } };
  };
  return [
    liteRoute("key", {
      ...{ method: "POST", path: "/key/generate", operationId: "litellmGenerateKey", bodyOptional: true },
      summary: "Makes a key; its secret is shown this once",
      body,
      replies: ok(made),
      handle: ({ actor, body: sent }) => make(actor, sent, false),
    }),
    liteRoute("key", {
      ...{ method: "POST", path: "/key/service-account/generate", operationId: "litellmGenerateServiceKey" },
      summary: "Makes the key of a service account: it belongs to a team alone",
      body,
      replies: ok(made),
      handle: ({ actor, body: sent }) => make(actor, sent, true),
    }),
  ];
}

function changingRoutes(desk: Desk): readonly ApiRoute[] {
  return [
    liteRoute("key", {
      ...{ method: "POST", path: "/key/update", operationId: "litellmUpdateKey" },
      summary: "Changes fields of a key",
      description: "A whole key may be sent back: what is as it was shown asks for no right.",
      body: update,
      replies: ok(),
      handle: async ({ actor, body: sent }) => {
        const key = await updateKey(desk, actor, sent);
        return { status: 200, body: { ...(await desk.row(actor, key)), key: nameIn(sent) } };
      },
    }),
    liteRoute("key", {
      ...{ method: "GET", path: "/key/info", operationId: "litellmKeyInfo" },
      summary: "Shows a key; without `key` the caller's own",
      query: z.strictObject({ key: KEY.optional() }),
      replies: ok(z.object({ key: z.string(), info: rowSchema }), "The key."),
      handle: async ({ actor, query }) => {
        const key = await desk.get(actor, "key", query.key ?? ownKey(actor));
        const info = await desk.row(actor, key);
        return { status: 200, body: { key: query.key ?? info.token, info } };
      },
    }),
    liteRoute("key", {
      ...{ method: "POST", path: "/key/delete", operationId: "litellmDeleteKeys" },
      summary: "Deletes keys: all of them, or none when one may not be deleted",
      body: z.strictObject({ keys: z.array(KEY).nullish(), key_aliases: z.array(z.string()).nullish() }),
      replies: ok(z.object({ deleted_keys: z.array(z.string()) })),
      handle: async ({ actor, body: { keys, key_aliases: aliases } }) => {
        const names = [...(keys ?? []), ...(aliases ?? [])];
        if (names.length === 0) throw missing("keys", "`keys` or `key_aliases` is missing");
        const ids: string[] = [];
        for (const name of names) ids.push(await desk.keys.idOf(name));
        await desk.accounts.remove(actor, "key", ids);
        return { status: 200, body: { deleted_keys: names } };
      },
    }),
    liteRoute("key", {
      ...{ method: "POST", path: "/key/{key}/reset_spend", operationId: "litellmResetKeySpend", bodyOptional: true },
      summary: "Forgets what a key has spent",
      params: named,
      body: z.strictObject({ reset_to: z.literal(0).optional().describe("What it begins anew with") }),
      replies: ok(),
      handle: async ({ actor, params }) => {
        const key = await desk.get(actor, "key", params.key);
        const { spend: previous_spend } = await desk.row(actor, key);
        await desk.accounts.resetSpend(actor, "key", key.id);
        const { spend, max_budget, budget_reset_at, token } = await desk.row(actor, key);
        return { status: 200, body: { key: token, spend, previous_spend, max_budget, budget_reset_at } };
      },
    }),
  ];
}

/**
 * Changes the key that a body names.
 * `spend: 0` by itself forgets what was spent, as LiteLLM has it.
 */
export async function updateKey(desk: Desk, actor: Actor, sent: Sent): Promise<AccountObject> {
  const id = (await desk.get(actor, "key", nameIn(sent))).id;
  const fields = Object.entries(sent).filter(([name, value]) => name !== "key" && value !== undefined);
  if (fields.length === 1 && fields[0]?.[0] === "spend" && fields[0][1] === 0) {
    await desk.accounts.resetSpend(actor, "key", id);
    return desk.get(actor, "key", id);
  }
  return desk.change(actor, "key", id, sent, ["key"]);
}

/** A key is named by `key`, else by its alias. */
function nameIn({ key, key_alias: alias }: Sent): string {
  const name = key ?? alias;
  if (typeof name === "string" && name !== "") return name;
  throw missing("key", "`key` is missing");
}

function regenerateRoutes(desk: Desk): readonly ApiRoute[] {
  const work = async (actor: Actor, name: string, sent: Sent): Promise<ApiReply> => {
    const { grace_period: grace } = sent as { readonly grace_period?: string | null };
    const object = await desk.get(actor, "key", name);
    const fields = await desk.changes(actor, object, sent, SPARE);
    const { key, secret } = await desk.keys.regenerate(actor, object.id, graceOf(grace), fields);
    return { status: 200, body: { ...(await desk.row(actor, key)), key: secret } };
  };
  const shared = { summary: "Gives a key a new secret, shown this once", replies: ok(made) };
  return [
    liteRoute("key", {
      ...{ method: "POST", path: "/key/regenerate", operationId: "litellmRegenerateKey", ...shared },
      body: regenerate,
      handle: ({ actor, body: sent }) => work(actor, (sent.key as string | undefined) ?? ownKey(actor), sent),
    }),
    liteRoute("key", {
      ...{ method: "POST", path: "/key/{key}/regenerate", operationId: "litellmRegenerateKeyByName", ...shared },
      ...{ params: named, body: regenerate, bodyOptional: true },
      handle: ({ actor, params, body: sent }) => work(actor, params.key, sent),
    }),
  ];
}

function graceOf(grace: string | null | undefined): number {
  if (grace === undefined || grace === null || grace === "" || grace === "0s") return 0;
  try {
    return lengthOf(grace);
  } catch (error) {
    throw new AccountError("invalid_field", `\`grace_period\` ${(error as TypeError).message}`, {
      field: "grace_period",
      cause: error,
    });
  }
}

function blockRoutes(desk: Desk): readonly ApiRoute[] {
  return ([true, false] as const).map((isBlocked) =>
    liteRoute("key", {
      ...{ method: "POST", path: isBlocked ? "/key/block" : "/key/unblock" },
      operationId: isBlocked ? "litellmBlockKey" : "litellmUnblockKey",
      summary: isBlocked ? "Refuses a key's requests until it is unblocked" : "Lets a key's requests through again",
      body: named,
      replies: ok(),
      handle: async ({ actor, body: { key } }) => {
        return { status: 200, body: await desk.row(actor, await desk.keys.setBlocked(actor, key, isBlocked)) };
      },
    }),
  );
}

/** A key's organisation is its team's: another one cannot be had. */
async function assertOrganization(desk: Desk, actor: Actor, sent: Sent): Promise<void> {
  const { organization_id: wanted, team_id: teamId } = sent;
  if (wanted === undefined || wanted === null || wanted === "") return;
  const team = typeof teamId === "string" ? await desk.seek(actor, "team", teamId) : null;
  if (wanted === team?.fields.orgId) return;
  throw missing("organization_id", "`organization_id` is that of the key's team: it cannot be set");
}

function ownKey(actor: Actor): string {
  if (actor.kind === "key") return actor.keyId;
  throw missing("key", "`key` is missing: the admin key is no virtual key");
}

/** A field that is missing, or cannot be had. */
export function missing(field: string, message: string): AccountError {
  return new AccountError("invalid_field", message, { field });
}
