// Routes of keys' secrets: made, replaced.
import {
  type ApiRoute,
  durationShape,
  fieldsSchema,
  type Management,
  objectSchema,
  readObjectFields,
  route,
  z,
} from "../../src/plugin.ts";
import { shown } from "./objects.ts";

/** The routes. */
export function keyRoutes({ keys }: Management): readonly ApiRoute[] {
  const secret = objectSchema("key").extend({ key: z.string().describe("The secret, shown this once") });
  return [
    route({
      ...{ method: "POST", path: "/-/keys", operationId: "createKey", access: "any" },
      summary: "Makes a key; its secret is shown this once",
      body: fieldsSchema("key"),
      replies: { 201: { description: "The key with its secret.", schema: secret } },
      handle: async ({ actor, body }) => {
        const made = await keys.create(actor, readObjectFields("key", body));
        return shown(made.key, 201, { key: made.secret });
      },
    }),
    route({
      ...{ method: "POST", path: "/-/keys/{id}/rotate", operationId: "rotateKey", access: "any" },
      summary: "Gives a key a new secret, shown this once",
      params: z.strictObject({ id: z.string().describe("Its id, alias or secret") }),
      body: z.strictObject({
        grace_period: durationShape.optional().describe("How long the old one works too; 30d at most"),
      }),
      bodyOptional: true,
      replies: { 200: { description: "The key with its new secret.", schema: secret } },
      handle: async ({ actor, params, body }) => {
        const made = await keys.regenerate(actor, params.id, body.grace_period ?? 0);
        return shown(made.key, 200, { key: made.secret });
      },
    }),
  ];
}
