// Routes that show, list and delete teams; a team's own key sees its team.
import { AccountError, type ApiRoute, type Management, notOfTeam, type Principal, route, z } from "../../src/plugin.ts";
import { named, paging, teamShape } from "./shapes.ts";
import { shownTeam } from "./team-view.ts";

/** The routes. */
export function teamRoutes(management: Management): readonly ApiRoute[] {
  const { accounts } = management;
  const found = { 200: { description: "The team.", schema: teamShape } };
  return [
    route({
      ...{ method: "GET", path: "/api/teams", operationId: "saasListTeams", access: "admin" },
      summary: "Lists teams, oldest first",
      query: z.strictObject({ ...paging, organization_id: z.string().optional() }),
      replies: { 200: { description: "One page.", schema: z.object({ total: z.int(), teams: z.array(teamShape) }) } },
      handle: async ({ actor, query: { organization_id: org, limit, offset } }) => {
        const within = org === undefined ? undefined : { orgIds: [(await accounts.get(actor, "org", org)).id] };
        const { items } = await accounts.list(actor, "team", { within, limit, skip: offset });
        const teams = await Promise.all(items.map(async ({ id }) => (await shownTeam(management, actor, id)).body));
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
        return shownTeam(management, actor, id);
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
