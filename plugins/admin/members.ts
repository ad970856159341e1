// Routes of the members of teams and organisations.
import { type ApiRoute, type Management, type Membership, momentJson, NOUNS, route, z } from "../../src/plugin.ts";
import { SEGMENTS, titled } from "./objects.ts";
import { pageOf, paging } from "./pages.ts";

const role = z.enum(["admin", "user"]);
const member = z.object({ user: z.string(), role, since: z.iso.datetime() });

/** The routes of one kind. */
export function memberRoutes(kind: Membership["kind"], { accounts }: Management): readonly ApiRoute[] {
  const noun = NOUNS[kind];
  const path = `/-/${SEGMENTS[kind]}/{id}/members`;
  const place = z.strictObject({ id: z.string().describe("Its id or alias") });
  const params = place.extend({ user: z.string().describe("The user's id or alias") });
  return [
    route({
      ...{ method: "GET", path, operationId: `list${titled(kind)}Members`, access: "any" },
      summary: `Lists the members of one ${noun}, by user id`,
      params: place,
      query: z.strictObject(paging),
      replies: { 200: { description: "One page.", schema: pageOf(member) } },
      handle: async ({ actor, params: { id }, query: { after = "", limit } }) => {
        const { items, next } = await accounts.members(actor, kind, id, { after, limit });
        return { status: 200, body: { items: items.map(memberJson), next } };
      },
    }),
    route({
      ...{ method: "PUT", path: `${path}/{user}`, operationId: `set${titled(kind)}Member`, access: "any" },
      summary: `Adds a user to one ${noun}, or changes the user's role there`,
      params,
      body: z.strictObject({ role: role.default("user") }),
      bodyOptional: true,
      replies: { 200: { description: "The member.", schema: member } },
      handle: async ({ actor, params: { id, user }, body }) => {
        return { status: 200, body: memberJson(await accounts.setMember(actor, kind, id, user, body.role)) };
      },
    }),
    route({
      ...{ method: "DELETE", path: `${path}/{user}`, operationId: `remove${titled(kind)}Member`, access: "any" },
      summary: `Removes a user from one ${noun}`,
      params,
      replies: { 204: { description: "It is no member any more." } },
      handle: async ({ actor, params: { id, user } }) => {
        await accounts.removeMember(actor, kind, id, user);
        return { status: 204 };
      },
    }),
  ];
}

function memberJson({ userId, role, createdMs }: Membership): object {
  return { user: userId, role, since: momentJson(createdMs) };
}
