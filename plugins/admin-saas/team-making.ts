// Routes that show a team's virtual key, once: making the team, rotating the key.
import { AccountError, type Actor, type ApiRoute, durationShape, type Management, route, z } from "../../src/plugin.ts";
import { credits as amount, budgetMode, metadata, named, names, teamJson, teamShape } from "./shapes.ts";
import { makeTeamKey, teamKeyOf } from "./team-keys.ts";
import { notesOnGroups } from "./team-view.ts";

const creation = z.strictObject({
  organization_id: z.string().min(1).describe("Made when it is not there"),
  team_id: z.string().min(1),
  team_alias: z.string().min(1).optional().describe("The team's id when left out"),
  access_groups: names.describe("Names of access groups; [] does not narrow what it may use"),
  credits_allocated: amount.default(0),
  budget_mode: budgetMode.default("job_based"),
  metadata: metadata.optional(),
});

/** The routes. */
export function teamMakingRoutes(management: Management): readonly ApiRoute[] {
  const { accounts, credits } = management;
  const found = { 200: { description: "The team.", schema: teamShape } };
  return [
    route({
      ...{ method: "POST", path: "/api/teams/create", operationId: "saasCreateTeam", access: "admin" },
      summary: "Makes a team with its virtual key and credits; the key is shown this once",
      body: creation,
      replies: found,
      handle: async ({ actor, body }) => {
        const orgNotes = await assureOrg(management, actor, body.organization_id);
        const notes = [...orgNotes, ...(await notesOnGroups(management, actor, body.access_groups))];
        const org = await accounts.get(actor, "org", body.organization_id);
        const { team_id: id, team_alias: alias = id, access_groups: accessGroups, budget_mode: mode } = body;
        const fields = { alias, orgId: org.id, accessGroups, budgetMode: mode, metadata: body.metadata };
        await accounts.create(actor, "team", { id, fields });
        const team = await credits.allocate(actor, id, body.credits_allocated, "the team was made");
        const key = await makeTeamKey(management, actor, id);
        return { status: 200, body: { ...teamJson(team, key), notes } };
      },
    }),
    route({
      ...{ method: "POST", path: "/api/teams/{team_id}/rotate-key", operationId: "saasRotateTeamKey", access: "admin" },
      summary: "Gives the team a new virtual key, shown this once",
      params: named,
      replies: found,
      body: z.strictObject({
        grace_period: durationShape.optional().describe("How long the old one works too; 30d at most"),
      }),
      bodyOptional: true,
      handle: async ({ actor, params, body }) => {
        const team = await credits.balance(actor, params.team_id);
        const { id } = team.team;
        const key = await teamKeyOf(management, actor, id);
        const secret =
          key === null
            ? await makeTeamKey(management, actor, id)
            : (await management.keys.regenerate(actor, key.id, body.grace_period ?? 0)).secret;
        return { status: 200, body: teamJson(team, secret) };
      },
    }),
  ];
}

/** Makes the organisation when it is not there, and says so: a typing error is to be seen. */
async function assureOrg({ accounts }: Management, actor: Actor, id: string): Promise<readonly string[]> {
  try {
    await accounts.get(actor, "org", id);
    return [];
  } catch (error) {
    if (!(error instanceof AccountError) || error.code !== "not_found") throw error;
    await accounts.create(actor, "org", { id, fields: {} });
    return [`The organisation ${id} was not there and has been made.`];
  }
}
