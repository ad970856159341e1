// Routes of teams, for the admin key; a team's own key sees its team.
import {
  AccountError,
  type Actor,
  type ApiReply,
  type ApiRoute,
  durationShape,
  type Management,
  notOfTeam,
  type Principal,
  route,
  z,
} from "../../src/plugin.ts";
import { budgetMode, credits, masked, metadata, named, names, paging, teamJson, teamShape } from "./shapes.ts";
import { makeTeamKey, teamKeyOf } from "./team-keys.ts";

const MASKED_NOTE = "The virtual key is shown once, when it is made or rotated; here it is masked.";

const creation = z.strictObject({
  organization_id: z.string().min(1).describe("Made when it is not there"),
  team_id: z.string().min(1),
  team_alias: z.string().min(1).optional().describe("The team's id when left out"),
  access_groups: names.describe("Names of access groups; [] does not narrow what it may use"),
  credits_allocated: credits.default(0),
  budget_mode: budgetMode.default("job_based"),
  metadata: metadata.optional(),
});

const change = z.strictObject({
  team_alias: z.string().min(1).optional(),
  organization_id: z.string().min(1).optional(),
  access_groups: names.optional(),
  credits_allocated: credits.optional().describe("What it was given in all; what was used stays used"),
  budget_mode: budgetMode.optional().describe("For jobs that are opened from now on"),
  status: z.enum(["active", "suspended", "paused"]).optional(),
  metadata: metadata.optional(),
});

const STATUSES = { suspend: "suspended", resume: "active", pause: "paused" } as const;

/** The routes. */
export function teamRoutes(management: Management): readonly ApiRoute[] {
  const { accounts, credits } = management;
  const found = { 200: { description: "The team.", schema: teamShape } };
  const shared = { access: "admin", params: named, replies: found } as const;
  /** The team as the actor may see it, its key masked. */
  const shown = async (actor: Actor, teamId: string, notes: readonly string[] = []): Promise<ApiReply> => {
    const team = await credits.balance(actor, teamId);
    const key = actor.kind === "key" ? await accounts.get(actor, "key", actor.keyId) : null;
    const own = key ?? (await teamKeyOf(management, actor, team.team.id));
    const all = own === null ? notes : [...notes, MASKED_NOTE];
    return { status: 200, body: { ...teamJson(team, own === null ? null : masked(own)), notes: all } };
  };
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
      ...{ method: "GET", path: "/api/teams", operationId: "saasListTeams", access: "admin" },
      summary: "Lists teams, oldest first",
      query: z.strictObject({ ...paging, organization_id: z.string().optional() }),
      replies: { 200: { description: "One page.", schema: z.object({ total: z.int(), teams: z.array(teamShape) }) } },
      handle: async ({ actor, query: { organization_id: org, limit, offset } }) => {
        const within = org === undefined ? undefined : { orgIds: [(await accounts.get(actor, "org", org)).id] };
        const { items } = await accounts.list(actor, "team", { within, limit, skip: offset });
        const teams = await Promise.all(items.map(async ({ id }) => (await shown(actor, id)).body));
        return { status: 200, body: { total: await accounts.count(actor, "team", { within }), teams } };
      },
    }),
    route({
      ...{ method: "GET", path: "/api/teams/{team_id}", operationId: "saasGetTeam", access: "any", dataPlane: true },
      summary: "Shows one team; a team's own key shows it its own",
      params: named,
      replies: found,
      handle: async ({ actor, principal, params: { team_id: id } }) => {
        if (actor.kind === "key") assertOwn(principal, id);
        return shown(actor, id);
      },
    }),
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
        return shown(actor, id, notes);
      },
    }),
    route({
      ...{ method: "DELETE", path: "/api/teams/{team_id}", operationId: "saasDeleteTeam", access: "admin" },
      summary: "Deletes a team and revokes its keys; its bookings and jobs stay",
      params: named,
      replies: {
        200: { description: "It is deleted.", schema: z.object({ team_id: z.string(), deleted: z.literal(true) }) },
      },
      handle: async ({ actor, params }) => {
        const [team] = await accounts.remove(actor, "team", [params.team_id]);
        return { status: 200, body: { team_id: team?.id, deleted: true } };
      },
    }),
    route({
      ...{ ...shared, method: "PUT", path: "/api/teams/{team_id}/access-groups", operationId: "saasSetAccessGroups" },
      summary: "Replaces the team's access groups",
      body: z.strictObject({ access_groups: names }),
      handle: async ({ actor, params, body: { access_groups: accessGroups } }) => {
        const notes = await notesOnGroups(management, actor, accessGroups);
        const { id } = await accounts.update(actor, "team", params.team_id, { accessGroups });
        return shown(actor, id, notes);
      },
    }),
    ...Object.entries(STATUSES).map(([verb, status]) =>
      route({
        ...{ ...shared, method: "PUT", path: `/api/teams/{team_id}/${verb}`, operationId: `saas${titled(verb)}Team` },
        summary: `The team's status becomes ${status}, from its next request on`,
        handle: async ({ actor, params }) => {
          const { id } = await accounts.update(actor, "team", params.team_id, { status });
          return shown(actor, id);
        },
      }),
    ),
    route({
      ...{ ...shared, method: "POST", path: "/api/teams/{team_id}/rotate-key", operationId: "saasRotateTeamKey" },
      summary: "Gives the team a new virtual key, shown this once",
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
    route({
      ...{ method: "GET", path: "/api/teams/verify", operationId: "saasVerifyKey", access: "key", dataPlane: true },
      summary: "Tells whose the virtual key is",
      replies: {
        200: { description: "Its team.", schema: z.object({ team_id: z.string(), status: z.literal("active") }) },
      },
      handle: ({ principal }) => {
        if (principal?.team == null) throw new AccountError("not_permitted", "The API key belongs to no team");
        // A key whose team is not active does not get here.
        return { status: 200, body: { team_id: principal.team.id, status: "active" } };
      },
    }),
  ];
}

/** A team's key is told the same of another team and of one that is not there. @throws AccountError `not_permitted` */
export function assertOwn(principal: Principal | null, team: string): void {
  const own = principal?.team ?? null;
  if (own === null || (own.id !== team && own.alias !== team)) throw notOfTeam();
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

/** What is to be said of access groups that nobody has made: they let nothing through until somebody does. */
async function notesOnGroups(
  { accounts }: Management,
  actor: Actor,
  groups: readonly string[],
): Promise<readonly string[]> {
  const notes: string[] = [];
  for (const name of groups) {
    try {
      await accounts.get(actor, "group", name);
    } catch (error) {
      if (!(error instanceof AccountError) || error.code !== "not_found") throw error;
      notes.push(`The access group ${name} is not there: it lets no model through until it is made.`);
    }
  }
  return notes;
}

function titled(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
