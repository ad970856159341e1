// The admin-llmgateway plugin: keys and IAM rules over HTTP in the shape of LLM Gateway, on the admin listener.
import { type ApiProblem, definePlugin, type ErrorDialect, z } from "../../src/plugin.ts";
import { iamRoutes } from "./iam.ts";
import { keyRoutes } from "./keys.ts";

/** `{"error": true, "status": 403, "message": "…"}`. */
const errors: ErrorDialect = {
  schema: z.object({ error: z.literal(true), status: z.int(), message: z.string() }),
  body: ({ status, message }: ApiProblem) => ({ error: true, status, message }),
};

export default definePlugin({
  name: "admin-llmgateway",
  config: z.strictObject({}),
  setup: ({ management }) => ({
    routes: {
      tag: "llmgateway",
      description: "API keys, their limits and IAM rules, as LLM Gateway has them.",
      errors,
      routes: [
        ...keyRoutes(management),
        ...iamRoutes("key", management),
        ...iamRoutes("team", management),
        ...iamRoutes("org", management),
      ],
    },
  }),
});
