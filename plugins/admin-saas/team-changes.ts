// Routes that change a team: its fields, its access groups, its status.
import { type ApiRoute, type Management, route, z } from "../../src/plugin.ts";
import { credits as amount, budgetMode, metadata, named, names, teamShape } from "./shapes.ts";
import { notesOnGroups, shownTeam } from "./team-view.ts";

const change = z.strictObject({
  team_alias: z.string().min(1).optional(),
  organization_id: z.string().min(1).optional(),
  access_groups: names.optional(),
  credits_allocated: amount.optional().describe("What it was given in all; what was used stays used"),
  budget_mode: budgetMode.optional().describe("For jobs that are opened from now on"),
  status: z.enum(["active", "suspended", "paused"]).optional(),
  metadata: metadata.optional(),
});

const STATUSES = { suspend: "suspended", resume: "active", pause: "paused" } as const;

/** The routes. */
export function teamChangeRoutes(management: Management): readonly ApiRoute[] {
  const { accounts, credits } = management;
  const found = { 200: { description: "The team.", schema: teamShape } };
  const shared = { access: "admin", params: named, replies: found } as const;
  return [
    route({
      ...{ ...shared, method: "PUT", path: "/api/teams/{team_id}", operationId: "saasUpdateTeam" },
      summary: "Changes a team; what is left out stays as it is",
      body: change,
      handle: async ({ actor, params, body }) => {
        const { id } = await accounts.get(actor, "team", params.team_id);
        const notes = await notesOnGroups(management, actor, body.access_groups ?? []);
        await accounts.update(actor, "team", id, {
          ...{ alias: body.team_alias, accessGroups: body.access_groups, budgetMode: body.budget_mode },
          ...{ status: body.status, metadata: body.metadata },
          orgId: body.organization_id && (await accounts.get(actor, "org", body.organization_id)).id,
        });
        if (body.credits_allocated !== undefined) await credits.allocate(actor, id, body.credits_allocated);
        return shownTeam(management, actor, id, notes);
      },
    }),
    route({
      ...{ ...shared, method: "PUT", path: "/api/teams/{team_id}/access-groups", operationId: "saasSetAccessGroups" },
      summary: "Replaces the team's access groups",
      body: z.strictObject({ access_groups: names }),
      handle: async ({ actor, params, body: { access_groups: accessGroups } }) => {
        const notes = await notesOnGroups(management, actor, accessGroups);
        const { id } = await accounts.update(actor, "team", params.team_id, { accessGroups });
        return shownTeam(management, actor, id, notes);
      },
    }),
    ...Object.entries(STATUSES).map(([verb, status]) =>
      route({
        ...{ ...shared, method: "PUT", path: `/api/teams/{team_id}/${verb}`, operationId: `saas${titled(verb)}Team` },
        summary: `The team's status becomes ${status}, from its next request on`,
        handle: async ({ actor, params }) => {
          const { id } = await accounts.update(actor, "team", params.team_id, { status });
          return shownTeam(management, actor, id);
        },
      }),
    ),
  ];
}

function titled(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
