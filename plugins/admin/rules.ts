// `POST /-/rules/check`: whether rules may be kept on an object, before they are.
import { type ApiRoute, type Management, route, z } from "../../src/plugin.ts";

/** The route. Nothing is changed, and there need be no such object yet. */
export function ruleCheckRoute({ checkRules }: Management): ApiRoute {
  return route({
    ...{ method: "POST", path: "/-/rules/check", operationId: "checkRules", access: "any" },
    summary: "Checks rules that are to be kept on an organisation, a team or a key",
    body: z.strictObject({
      scope: z.enum(["org", "team", "key"]),
      alias: z.string().describe("What the object is called, or is to be"),
      rules: z.string(),
    }),
    replies: {
      200: {
        description: "They may be kept; rules with an error are refused as when they are sent.",
        schema: z.object({
          count: z.int().describe("How many rules there are"),
          warnings: z.string().describe("As `tollgate check` prints them; empty for none, and for a virtual key"),
        }),
      },
    },
    handle: ({ actor, body }) => {
      const { count, warnings } = checkRules(body.scope, body.alias, body.rules);
      // They may name teams and keys that the owner of a virtual key may not see.
      return { status: 200, body: { count, warnings: actor.kind === "master" ? warnings : "" } };
    },
  });
}
