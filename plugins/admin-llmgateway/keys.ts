// Routes of keys: made, listed, shown, changed, limited, rolled, deleted.
import { randomBytes } from "node:crypto";
import {
  AccountError,
  type AccountObject,
  type Actor,
  type ApiRoute,
  type Management,
  route,
  type Submitted,
  z,
} from "../../src/plugin.ts";
import { ruleJson, ruleSchema } from "./iam.ts";
import { keyJson, keySchema, madeKeySchema } from "./key-shape.ts";
import { budgetsAfter, LIMIT_FIELDS, type LimitWish, wishesLimits } from "./limits.ts";

/** How often a change of limits that others got ahead of is worked out anew. */
const TRIES = 3;

const description = z.string().trim().min(1).max(200).describe("What it is for");
const expiresAt = z.iso.datetime({ offset: true }).nullable().optional().describe("null: never");
const params = z.strictObject({ id: z.string().describe("Its id or alias") });
const oneKey = z.object({ apiKey: keySchema });
const listedKey = keySchema.extend({ iamRules: z.array(ruleSchema) });
const toldKey = z.object({ message: z.string(), apiKey: keySchema });
const madeKey = z.object({ apiKey: madeKeySchema });

/** The routes. */
export function keyRoutes(management: Management): readonly ApiRoute[] {
  const { accounts, keys } = management;
  const show = async (key: AccountObject): Promise<object> => {
    const spent = await management.spending.of("key", [key]);
    return keyJson(key, spent.get(key.id));
  };
  const told = async (message: string, key: AccountObject) => ({
    status: 200,
    body: { message, apiKey: await show(key) },
  });
  return [
    route({
      ...{ method: "POST", path: "/keys/api", operationId: "llmgatewayCreateKey", access: "any" },
      summary: "Makes a key; its secret is shown this once",
      body: z.strictObject({
        description,
        projectId: z.string().optional().describe("The team that it is to belong to: its id or alias"),
        expiresAt,
        ...LIMIT_FIELDS,
      }),
      replies: { 201: { description: "The key with its secret.", schema: madeKey } },
      handle: async ({ actor, body }) => {
        const { projectId } = body;
        const teamId = projectId === undefined ? null : (await accounts.get(actor, "team", projectId)).id;
        const budgets = budgetsAfter({}, body);
        const fields = { description: body.description, teamId, budgets, expiresMs: momentOf(body.expiresAt) };
        const made = await create(management, actor, fields);
        return { status: 201, body: { apiKey: { ...(await show(made.key)), token: made.secret } } };
      },
    }),
    route({
      ...{ method: "GET", path: "/keys/api", operationId: "llmgatewayListKeys", access: "any" },
      summary: "Lists the keys that the caller may see, oldest first",
      query: z.strictObject({
        projectId: z.string().optional().describe("Only those of this team: its id"),
        limit: z.coerce.number().int().min(1).max(1_000).default(100),
        after: z.string().optional().describe("`next` of the page before"),
      }),
      replies: {
        200: {
          description: "One page.",
          schema: z.object({ apiKeys: z.array(listedKey), next: z.string().nullable() }),
        },
      },
      handle: async ({ actor, query: { projectId, limit, after } }) => {
        const within = projectId === undefined ? undefined : { teamIds: [projectId] };
        const { items, next } = await accounts.list(actor, "key", { limit, after, within });
        const spent = await management.spending.of("key", items);
        const rules = await management.iam.of("key", items);
        const apiKeys = items.map((key) => ({
          ...keyJson(key, spent.get(key.id)),
          iamRules: (rules.get(key.id) ?? []).map((rule) => ruleJson(rule, "key")),
        }));
        return { status: 200, body: { apiKeys, next } };
      },
    }),
    route({
      ...{ method: "GET", path: "/keys/api/{id}", operationId: "llmgatewayGetKey", access: "any", params },
      summary: "Shows one key",
      replies: { 200: { description: "The key.", schema: oneKey } },
      handle: async ({ actor, params: { id } }) => {
        return { status: 200, body: { apiKey: await show(await accounts.get(actor, "key", id)) } };
      },
    }),
    route({
      ...{ method: "PATCH", path: "/keys/api/{id}", operationId: "llmgatewayUpdateKey", access: "any", params },
      summary: "Disables or enables one key, describes it anew, sets when it expires",
      body: z.strictObject({
        status: z.enum(["active", "inactive"]).optional(),
        description: description.optional(),
        expiresAt,
      }),
      replies: { 200: { description: "The key.", schema: toldKey } },
      handle: async ({ actor, params: { id }, body }) => {
        const status = body.status === "inactive" ? "disabled" : body.status;
        const fields = { status, description: body.description, expiresMs: momentOf(body.expiresAt) };
        return told("API key updated", await accounts.update(actor, "key", id, fields));
      },
    }),
    route({
      ...{ method: "PATCH", path: "/keys/api/limit/{id}", operationId: "llmgatewayLimitKey", access: "any", params },
      summary: "Sets or lifts what one key may spend, in all and in a period",
      body: z.strictObject(LIMIT_FIELDS),
      replies: { 200: { description: "The key.", schema: toldKey } },
      handle: async ({ actor, params: { id }, body }) => {
        if (!wishesLimits(body))
          throw new AccountError("invalid_field", "Say what to set: usageLimit or periodUsageLimit");
        return told("API key usage limit updated", await limit(management, actor, id, body));
      },
    }),
    route({
      ...{ method: "POST", path: "/keys/api/{id}/roll", operationId: "llmgatewayRollKey", access: "any", params },
      summary: "Gives one key a new secret, shown this once; the old one is refused from now on",
      replies: { 200: { description: "The key with its new secret.", schema: madeKey } },
      handle: async ({ actor, params: { id } }) => {
        const { key, secret } = await keys.regenerate(actor, id);
        return { status: 200, body: { apiKey: { ...(await show(key)), token: secret } } };
      },
    }),
    route({
      ...{ method: "DELETE", path: "/keys/api/{id}", operationId: "llmgatewayDeleteKey", access: "any", params },
      summary: "Deletes one key; its rows stay, for usage and audit",
      replies: { 200: { description: "It is deleted.", schema: z.object({ message: z.string() }) } },
      handle: async ({ actor, params: { id } }) => {
        await accounts.remove(actor, "key", [id]);
        return { status: 200, body: { message: "API key deleted" } };
      },
    }),
  ];
}

/** Descriptions may be alike and aliases may not: a second one of that name has some letters behind it. */
async function create({ keys }: Management, actor: Actor, fields: Submitted) {
  try {
    return await keys.create(actor, { ...fields, alias: fields.description });
  } catch (error) {
    if (!(error instanceof AccountError) || error.code !== "taken") throw error;
    return keys.create(actor, { ...fields, alias: `${fields.description} ${randomBytes(4).toString("hex")}` });
  }
}

/** Other budgets stay, also those that someone else sets meanwhile. */
async function limit({ accounts }: Management, actor: Actor, id: string, wish: LimitWish): Promise<AccountObject> {
  for (let tries = 1; ; tries += 1) {
    const { fields, version } = await accounts.get(actor, "key", id);
    try {
      return await accounts.update(actor, "key", id, { budgets: budgetsAfter(fields, wish) }, { version });
    } catch (error) {
      if (!(error instanceof AccountError) || error.code !== "conflict" || tries === TRIES) throw error;
    }
  }
}

/** undefined: stays as it is; null: never. */
function momentOf(text: string | null | undefined): number | null | undefined {
  return typeof text === "string" ? Date.parse(text) : text;
}
