// Routes of what teams need around them: organisations and access groups, for the admin key.
import { type AccountObject, type ApiRoute, type Management, momentJson, route, z } from "../../src/plugin.ts";
import { metadata, moment, names, paging } from "./shapes.ts";

const orgShape = z.object({
  ...{ organization_id: z.string(), name: z.string(), status: z.string(), metadata, created_at: moment },
});
const groupShape = z.object({ group_name: z.string(), models: names, created_at: moment });

/** The routes. */
export function placeRoutes({ accounts }: Management): readonly ApiRoute[] {
  const admin = { access: "admin" } as const;
  const [org, group] = [orgShape, groupShape].map((schema) => ({ 200: { description: "It.", schema } }));
  return [
    route({
      ...{ ...admin, method: "POST", path: "/api/organizations/create", operationId: "saasCreateOrganization" },
      summary: "Makes an organisation",
      body: z.strictObject({
        organization_id: z.string().min(1),
        name: z.string().min(1).optional().describe("Its id when left out"),
        metadata: metadata.optional(),
      }),
      replies: org ?? {},
      handle: async ({ actor, body: { organization_id: id, name: alias = id, metadata } }) => {
        return { status: 200, body: orgJson(await accounts.create(actor, "org", { id, fields: { alias, metadata } })) };
      },
    }),
    route({
      ...{ ...admin, method: "GET", path: "/api/organizations", operationId: "saasListOrganizations" },
      summary: "Lists organisations, oldest first",
      query: z.strictObject(paging),
      replies: {
        200: { description: "One page.", schema: z.object({ total: z.int(), organizations: z.array(orgShape) }) },
      },
      handle: async ({ actor, query: { limit, offset } }) => {
        const { items } = await accounts.list(actor, "org", { limit, skip: offset });
        return { status: 200, body: { total: await accounts.count(actor, "org"), organizations: items.map(orgJson) } };
      },
    }),
    route({
      ...{ ...admin, method: "GET", path: "/api/organizations/{organization_id}", operationId: "saasGetOrganization" },
      summary: "Shows one organisation",
      params: z.strictObject({ organization_id: z.string() }),
      replies: org ?? {},
      handle: async ({ actor, params }) => {
        return { status: 200, body: orgJson(await accounts.get(actor, "org", params.organization_id)) };
      },
    }),
    route({
      ...{ ...admin, method: "POST", path: "/api/access-groups/create", operationId: "saasCreateAccessGroup" },
      summary: "Makes an access group: a name for a list of models",
      body: z.strictObject({ group_name: z.string().min(1), models: names }),
      replies: group ?? {},
      handle: async ({ actor, body: { group_name: alias, models } }) => {
        return { status: 200, body: groupJson(await accounts.create(actor, "group", { fields: { alias, models } })) };
      },
    }),
    route({
      ...{ ...admin, method: "GET", path: "/api/access-groups", operationId: "saasListAccessGroups" },
      summary: "Lists access groups, oldest first",
      query: z.strictObject(paging),
      replies: {
        200: { description: "One page.", schema: z.object({ total: z.int(), access_groups: z.array(groupShape) }) },
      },
      handle: async ({ actor, query: { limit, offset } }) => {
        const { items } = await accounts.list(actor, "group", { limit, skip: offset });
        return {
          status: 200,
          body: { total: await accounts.count(actor, "group"), access_groups: items.map(groupJson) },
        };
      },
    }),
    route({
      ...{ ...admin, method: "PUT", path: "/api/access-groups/{group_name}", operationId: "saasSetAccessGroupModels" },
      summary: "Replaces the models of an access group",
      params: z.strictObject({ group_name: z.string() }),
      body: z.strictObject({ models: names }),
      replies: group ?? {},
      handle: async ({ actor, params, body: { models } }) => {
        return { status: 200, body: groupJson(await accounts.update(actor, "group", params.group_name, { models })) };
      },
    }),
  ];
}

function orgJson({ id, fields, createdMs }: AccountObject): object {
  const { alias: name, status, metadata } = fields;
  return { organization_id: id, name, status, metadata, created_at: momentJson(createdMs) };
}

function groupJson({ fields, createdMs }: AccountObject): object {
  return { group_name: fields.alias, models: fields.models, created_at: momentJson(createdMs) };
}
