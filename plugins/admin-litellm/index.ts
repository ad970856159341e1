// The admin-litellm plugin: the accounts in the shape of LiteLLM's management API, on the admin listener.
import { definePlugin, z } from "../../src/plugin.ts";
import { Desk } from "./desk.ts";
import { LITELLM_ERRORS } from "./errors.ts";
import { keyListRoutes } from "./key-list.ts";
import { keyRoutes } from "./key-routes.ts";
import { memberRoutes } from "./member-routes.ts";
import { reportRoutes } from "./report-routes.ts";
import { teamRoutes } from "./team-routes.ts";
import { userRoutes } from "./user-routes.ts";

export default definePlugin({
  name: "admin-litellm",
  config: z.strictObject({}),
  setup: (host) => {
    const desk = new Desk(host);
    return {
      routes: {
        tag: "litellm",
        description: "Keys, teams, users and organisations in the shape of LiteLLM's management API.",
        errors: LITELLM_ERRORS,
        routes: [
          ...keyRoutes(desk),
          ...keyListRoutes(desk),
          ...teamRoutes(desk, "team"),
          ...memberRoutes(desk, "team"),
          ...userRoutes(desk),
          ...teamRoutes(desk, "org"),
          ...memberRoutes(desk, "org"),
          ...reportRoutes(desk),
        ],
      },
    };
  },
});
