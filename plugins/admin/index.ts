// The admin plugin: the gateway's own HTTP API for its accounts, on the admin listener.
import { type AccountKind, definePlugin, z } from "../../src/plugin.ts";
import { creditRoutes } from "./credits.ts";
import { iamRoutes } from "./iam.ts";
import { keyRoutes } from "./keys.ts";
import { memberRoutes } from "./members.ts";
import { objectRoutes, SEGMENTS } from "./objects.ts";
import { reportRoutes } from "./reports.ts";
import { ruleCheckRoute } from "./rules.ts";

export default definePlugin({
  name: "admin",
  config: z.strictObject({}),
  setup: (host) => {
    const { management } = host;
    const kinds = Object.keys(SEGMENTS) as AccountKind[];
    return {
      routes: {
        tag: "admin",
        description: "Organisations, teams, users, access groups, keys, their IAM rules, credits, audit log and usage.",
        routes: [
          ...kinds.flatMap((kind) => objectRoutes({ kind, management })),
          ...keyRoutes(management),
          ...memberRoutes("org", management),
          ...memberRoutes("team", management),
          ...(["org", "team", "key"] as const).flatMap((kind) => iamRoutes(kind, management)),
          ...creditRoutes(management),
          ruleCheckRoute(management),
          ...reportRoutes(host),
        ],
      },
    };
  },
});
