// Routes of IAM rules, on keys, on teams (projects) and on organisations.
import {
  type Actor,
  type ApiRoute,
  IAM_RULE_TYPES,
  type IamKind,
  type IamRule,
  type Management,
  momentJson,
  NOUNS,
  route,
  z,
} from "../../src/plugin.ts";

/** Where each kind's rules are, and what names it in a rule. */
const PLACES: Readonly<Record<IamKind, { readonly path: string; readonly ref: string; readonly name: string }>> = {
  key: { path: "/keys/api/{id}/iam", ref: "apiKeyId", name: "Key" },
  team: { path: "/projects/{id}/iam", ref: "projectId", name: "Project" },
  org: { path: "/orgs/{id}/iam", ref: "organizationId", name: "Org" },
};

const PRICE_UNIT = "USD per million tokens";

const ruleType = z.enum(IAM_RULE_TYPES);
const status = z.enum(["active", "inactive"]);
const price = z
  .union([z.number(), z.string()])
  .nullish()
  .describe(`${PRICE_UNIT}: 10, or with its unit "$10/M", "$0.01/k"`);
const names = z.array(z.string()).nullish();
const ruleValue = z.strictObject({
  models: names.describe("Of allow_models and deny_models: names, aliases, or patterns such as gpt-4*"),
  providers: names.describe("Of allow_providers and deny_providers"),
  pricingType: z.enum(["free", "paid"]).nullish().describe("Of allow_pricing and deny_pricing, likewise the next two"),
  maxInputPrice: price,
  maxOutputPrice: price,
  ipCidrs: names.describe("Of allow_ip_cidrs and deny_ip_cidrs: 10.0.0.0/8, 2001:db8::1"),
});

/** The shape of a rule. */
export const ruleSchema = z.object({
  id: z.string(),
  ruleType,
  ruleValue: z.record(z.string(), z.unknown()),
  priceUnit: z.string().optional().describe("Of the prices in it"),
  status,
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
const told = z.object({
  message: z.string(),
  rule: ruleSchema,
  warnings: z.array(z.string()).optional().describe("What the object's rules name and nothing here has"),
});

/** The routes of one kind. */
export function iamRoutes(kind: IamKind, { iam }: Pick<Management, "iam">): readonly ApiRoute[] {
  const { path, name } = PLACES[kind];
  const noun = NOUNS[kind];
  const params = z.strictObject({ id: z.string().describe(`The ${noun}'s id or alias`) });
  const ofRule = params.extend({ ruleId: z.string() });
  const shown = (rule: IamRule): object => ruleJson(rule, kind);
  const tell = async (actor: Actor, message: string, rule: IamRule): Promise<object> => {
    const warnings = await iam.warnings(actor, kind, rule.objectId);
    return { message, rule: shown(rule), ...(warnings.length === 0 ? {} : { warnings }) };
  };
  return [
    route({
      ...{ method: "POST", path, operationId: `llmgatewayCreate${name}IamRule`, access: "any", params },
      summary: `Adds an IAM rule to one ${noun}`,
      body: z.strictObject({ ruleType, ruleValue, status: status.optional() }),
      replies: { 201: { description: "The rule.", schema: told } },
      handle: async ({ actor, params: { id }, body }) => {
        const rule = await iam.add(actor, kind, id, body);
        return { status: 201, body: await tell(actor, "IAM rule created", rule) };
      },
    }),
    route({
      ...{ method: "GET", path, operationId: `llmgatewayList${name}IamRules`, access: "any", params },
      summary: `Lists the IAM rules of one ${noun}, oldest first; with as=rules, the text that is in force`,
      query: z.strictObject({
        as: z.enum(["rules"]).optional().describe("rules: in the rule language, as plain text"),
      }),
      replies: { 200: { description: "The rules.", schema: z.object({ rules: z.array(ruleSchema) }) } },
      handle: async ({ actor, params: { id }, query }) => {
        if (query.as === "rules") {
          const headers = { "content-type": "text/plain; charset=utf-8" };
          return { status: 200, body: await iam.text(actor, kind, id), headers };
        }
        const { rules } = await iam.list(actor, kind, id);
        return { status: 200, body: { rules: rules.map(shown) } };
      },
    }),
    route({
      ...{ method: "PATCH", path: `${path}/{ruleId}`, operationId: `llmgatewayUpdate${name}IamRule`, access: "any" },
      summary: `Changes an IAM rule of one ${noun}; what is left out stays as it is`,
      params: ofRule,
      body: z.strictObject({
        ruleType: ruleType.optional(),
        ruleValue: ruleValue.optional(),
        status: status.optional(),
      }),
      replies: { 200: { description: "The rule.", schema: told } },
      handle: async ({ actor, params: { id, ruleId }, body }) => {
        const rule = await iam.change(actor, kind, id, ruleId, body);
        return { status: 200, body: await tell(actor, "IAM rule updated", rule) };
      },
    }),
    route({
      ...{ method: "DELETE", path: `${path}/{ruleId}`, operationId: `llmgatewayDelete${name}IamRule`, access: "any" },
      summary: `Removes an IAM rule from one ${noun}`,
      params: ofRule,
      replies: { 200: { description: "It is removed.", schema: z.object({ message: z.string() }) } },
      handle: async ({ actor, params: { id, ruleId } }) => {
        await iam.remove(actor, kind, id, ruleId);
        return { status: 200, body: { message: "IAM rule deleted" } };
      },
    }),
  ];
}

/** A rule. Prices are numbers, as LLM Gateway has them, with their unit beside. */
export function ruleJson(rule: IamRule, kind: IamKind): object {
  const { id, objectId, ruleType, status, createdMs, updatedMs } = rule;
  const entries = Object.entries(rule.ruleValue as Readonly<Record<string, unknown>>);
  const value = entries.map(([name, part]) => [name, isPrice(name) ? Number(part) : part] as const);
  return {
    id,
    [PLACES[kind].ref]: objectId,
    ruleType,
    ruleValue: Object.fromEntries(value),
    ...(entries.some(([name]) => isPrice(name)) ? { priceUnit: PRICE_UNIT } : {}),
    status,
    createdAt: momentJson(createdMs),
    updatedAt: momentJson(updatedMs),
  };
}

function isPrice(name: string): boolean {
  return name === "maxInputPrice" || name === "maxOutputPrice";
}
