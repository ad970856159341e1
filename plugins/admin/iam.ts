// Routes of the IAM rules of one kind of object: list, add, change, remove.
import {
  type Actor,
  type ApiRoute,
  IAM_RULE_TYPES,
  type IamKind,
  type IamRule,
  iamRuleJson,
  type Management,
  NOUNS,
  route,
  z,
} from "../../src/plugin.ts";
import { SEGMENTS, titled } from "./objects.ts";

const type = z.enum(IAM_RULE_TYPES);
const status = z.enum(["active", "inactive"]);
const value = z
  .record(z.string(), z.unknown())
  .describe(
    "By type: models, providers, ipCidrs; pricingType, maxInputPrice, maxOutputPrice, in USD per million tokens",
  );
const rule = z.object({
  ...{ id: z.string(), rule_type: type, rule_value: value, status },
  ...{ created: z.iso.datetime(), updated: z.iso.datetime() },
});
const changed = z.object({
  rule,
  warnings: z.array(z.string()).describe("What the object's rules name and nothing here has"),
});

/** The routes. */
export function iamRoutes(kind: IamKind, { iam }: Management): readonly ApiRoute[] {
  const [noun, Noun] = [NOUNS[kind], titled(kind)];
  const path = `/-/${SEGMENTS[kind]}/{id}/iam`;
  const params = z.strictObject({ id: z.string().describe("Its id or alias") });
  const ofRule = params.extend({ rule: z.string().describe("The rule's id") });
  const tell = async (actor: Actor, rule: IamRule): Promise<object> => ({
    rule: iamRuleJson(rule),
    warnings: await iam.warnings(actor, kind, rule.objectId),
  });
  return [
    route({
      ...{ method: "GET", path, operationId: `list${Noun}IamRules`, access: "any", params },
      summary: `Lists the IAM rules of one ${noun}, oldest first`,
      replies: {
        200: {
          description: "All of them.",
          schema: z.object({
            items: z.array(rule),
            text: z.string().describe("What they come to in the rule language; empty for none"),
          }),
        },
      },
      handle: async ({ actor, params: { id } }) => {
        const { rules } = await iam.list(actor, kind, id);
        return { status: 200, body: { items: rules.map(iamRuleJson), text: await iam.text(actor, kind, id) } };
      },
    }),
    route({
      ...{ method: "POST", path, operationId: `add${Noun}IamRule`, access: "any", params },
      summary: `Adds an IAM rule to one ${noun}`,
      body: z.strictObject({ rule_type: type, rule_value: value, status: status.optional() }),
      replies: { 201: { description: "The rule.", schema: changed } },
      handle: async ({ actor, params: { id }, body: { rule_type: ruleType, rule_value: ruleValue, status } }) => {
        const added = await iam.add(actor, kind, id, { ruleType, ruleValue, status });
        return { status: 201, body: await tell(actor, added) };
      },
    }),
    route({
      ...{ method: "PATCH", path: `${path}/{rule}`, operationId: `update${Noun}IamRule`, access: "any" },
      summary: `Changes an IAM rule of one ${noun}; what is left out stays as it is`,
      params: ofRule,
      body: z.strictObject({ rule_type: type.optional(), rule_value: value.optional(), status: status.optional() }),
      replies: { 200: { description: "The rule.", schema: changed } },
      handle: async ({ actor, params, body: { rule_type: ruleType, rule_value: ruleValue, status } }) => {
        const after = await iam.change(actor, kind, params.id, params.rule, { ruleType, ruleValue, status });
        return { status: 200, body: await tell(actor, after) };
      },
    }),
    route({
      ...{ method: "DELETE", path: `${path}/{rule}`, operationId: `remove${Noun}IamRule`, access: "any" },
      summary: `Removes an IAM rule from one ${noun}`,
      params: ofRule,
      replies: { 204: { description: "It is removed." } },
      handle: async ({ actor, params }) => {
        await iam.remove(actor, kind, params.id, params.rule);
        return { status: 204 };
      },
    }),
  ];
}
