// Routes of credits: the balance, giving more, the bookings.
import { AccountError, type ApiRequest, type ApiRoute, type Management, route, z } from "../../src/plugin.ts";
import { credits as amount, balanceJson, balanceShape, paging, transactionJson, transactionShape } from "./shapes.ts";
import { assertOwn } from "./teams.ts";

const teamId = z.string().optional().describe("The key's own team when left out");

/** The routes. */
export function creditRoutes({ credits }: Management): readonly ApiRoute[] {
  const balance = { 200: { description: "The credits.", schema: balanceShape } };
  return [
    route({
      ...{ method: "GET", path: "/api/credits/balance", operationId: "saasGetBalance", access: "any", dataPlane: true },
      summary: "Shows a team's credits",
      query: z.strictObject({ team_id: teamId }),
      replies: balance,
      handle: async (request) => {
        const team = ownTeam(request, request.query.team_id);
        if (team === undefined) throw new AccountError("invalid_field", "`team_id` is missing", { field: "teamId" });
        return { status: 200, body: balanceJson(await credits.balance(request.actor, team)) };
      },
    }),
    route({
      ...{ method: "POST", path: "/api/credits/add", operationId: "saasAddCredits", access: "admin" },
      summary: "Gives a team more credits",
      body: z.strictObject({
        team_id: z.string(),
        credits: amount.optional(),
        credits_amount: amount.optional().describe("The same under SaaS LiteLLM's own name"),
        reason: z.string().max(1_000).optional(),
      }),
      replies: balance,
      handle: async ({ actor, body: { team_id: team, credits: given, credits_amount: sameGiven, reason } }) => {
        const more = given ?? sameGiven;
        if (more === undefined || (given !== undefined && sameGiven !== undefined)) {
          throw new AccountError("invalid_field", "Send `credits`, once", { field: "credits" });
        }
        return { status: 200, body: balanceJson(await credits.add(actor, team, more, reason ?? null)) };
      },
    }),
    route({
      ...{ method: "GET", path: "/api/credits/transactions", operationId: "saasListTransactions" },
      ...{ access: "any", dataPlane: true },
      summary: "Lists what was booked, newest first",
      query: z.strictObject({ ...paging, team_id: teamId }),
      replies: {
        200: {
          description: "One page.",
          schema: z.object({ total_transactions: z.int(), transactions: z.array(transactionShape) }),
        },
      },
      handle: async (request) => {
        const { limit, offset, team_id: name } = request.query;
        const team = ownTeam(request, name);
        const { items, total } = await credits.transactions(request.actor, { team, limit, skip: offset });
        return { status: 200, body: { total_transactions: total, transactions: items.map(transactionJson) } };
      },
    }),
  ];
}

/** The team that is asked for: a key may only ask for its own. @throws AccountError `not_permitted` */
export function ownTeam({ actor, principal }: ApiRequest, name: string | undefined): string | undefined {
  if (actor.kind !== "key") return name;
  const own = name ?? principal?.team?.id ?? "";
  assertOwn(principal, own);
  return own;
}
