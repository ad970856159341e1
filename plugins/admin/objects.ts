// Routes of one kind of account object: list, make, show, change, delete, forget what was spent.
import {
  type AccountKind,
  type AccountObject,
  type ApiReply,
  type ApiRoute,
  fieldsSchema,
  type Management,
  NOUNS,
  objectJson,
  objectSchema,
  readObjectFields,
  route,
  z,
} from "../../src/plugin.ts";
import { assertVersion, etagOf, pageOf, pageQuery } from "./pages.ts";

/** Kind → the segment of its paths. */
export const SEGMENTS: Readonly<Record<AccountKind, string>> = {
  org: "orgs",
  team: "teams",
  user: "users",
  group: "groups",
  key: "keys",
};

const named = z.strictObject({ id: z.string().describe("Its id or alias") });

/** What the routes of objects work with. */
export interface ObjectRoutesOptions {
  readonly kind: AccountKind;
  readonly management: Management;
}

/** The routes that all kinds have. Keys are made elsewhere: see keys.ts. */
export function objectRoutes({ kind, management: { accounts, keys } }: ObjectRoutesOptions): readonly ApiRoute[] {
  const [noun, Noun] = [NOUNS[kind], titled(kind)];
  const path = `/-/${SEGMENTS[kind]}`;
  const schema = objectSchema(kind);
  /** A key may be named by its secret as well. */
  const idOf = async (name: string): Promise<string> => (kind === "key" ? keys.idOf(name) : name);
  const shared = { access: "any", params: named } as const;
  const found = { 200: { description: `The ${noun}.`, schema } };
  const common: readonly ApiRoute[] = [
    route({
      ...{ method: "GET", path, operationId: `list${Noun}s`, access: "any" },
      summary: `Lists the ${noun}s that the caller may see, oldest first`,
      query: pageQuery(kind),
      replies: { 200: { description: "One page.", schema: pageOf(schema) } },
      handle: async ({ actor, query: { after, limit, search, prefix, status, org, team, user } }) => {
        // All that is asked must hold.
        const within = [
          ...(org === undefined ? [] : [{ orgIds: [org] }]),
          ...(team === undefined ? [] : [{ teamIds: [team] }]),
          ...(user === undefined ? [] : [{ userId: user }]),
        ];
        const wish = { after, limit, search, aliasPrefix: prefix, status, within };
        const { items, next } = await accounts.list(actor, kind, wish);
        return { status: 200, body: { items: items.map(objectJson), next } };
      },
    }),
    route({
      ...{ ...shared, method: "GET", path: `${path}/{id}`, operationId: `get${Noun}` },
      summary: `Shows one ${noun}`,
      replies: found,
      handle: async ({ actor, params }) => shown(await accounts.get(actor, kind, await idOf(params.id))),
    }),
    route({
      ...{ ...shared, method: "PATCH", path: `${path}/{id}`, operationId: `update${Noun}` },
      summary: `Changes fields of one ${noun}; those that are left out stay as they are`,
      description: "`if-match` with the `etag` of an earlier answer refuses the change when others were faster (412).",
      body: fieldsSchema(kind),
      replies: found,
      handle: async ({ actor, params, body, headers }) => {
        const id = await idOf(params.id);
        const version = await assertVersion(headers["if-match"], () => accounts.get(actor, kind, id));
        return shown(await accounts.update(actor, kind, id, readObjectFields(kind, body), { version }));
      },
    }),
    route({
      ...{ ...shared, method: "DELETE", path: `${path}/{id}`, operationId: `delete${Noun}` },
      summary: `Deletes one ${noun}; its rows stay, for usage and audit`,
      replies: { 204: { description: "It is deleted." } },
      handle: async ({ actor, params, headers }) => {
        const id = await idOf(params.id);
        await assertVersion(headers["if-match"], () => accounts.get(actor, kind, id));
        await accounts.remove(actor, kind, [id]);
        return { status: 204 };
      },
    }),
  ];
  if (kind === "group") return [...common, makeRoute(kind, accounts)];
  const reset = route({
    ...{ ...shared, method: "POST", path: `${path}/{id}/reset-spend`, operationId: `reset${Noun}Spend` },
    summary: `Forgets what was spent of the ${noun}'s budgets`,
    replies: { 204: { description: "Its budgets begin anew." } },
    handle: async ({ actor, params }) => {
      await accounts.resetSpend(actor, kind, await idOf(params.id));
      return { status: 204 };
    },
  });
  return kind === "key" ? [...common, reset] : [...common, makeRoute(kind, accounts), reset];
}

function makeRoute(kind: Exclude<AccountKind, "key">, accounts: Management["accounts"]): ApiRoute {
  const noun = NOUNS[kind];
  return route({
    ...{ method: "POST", path: `/-/${SEGMENTS[kind]}`, operationId: `create${titled(kind)}`, access: "any" },
    summary: `Makes ${/^[ao]/.test(noun) ? "an" : "a"} ${noun}`,
    body: fieldsSchema(kind).extend({ id: z.string().optional().describe("Made up when left out") }),
    replies: { 201: { description: `The ${noun}.`, schema: objectSchema(kind) } },
    handle: async ({ actor, body: { id, ...fields } }) => {
      const wish = { id: id as string | undefined, fields: readObjectFields(kind, fields) };
      return shown(await accounts.create(actor, kind, wish), 201);
    },
  });
}

/** `Org`, as operation ids have it. */
export function titled(kind: AccountKind): string {
  return kind.charAt(0).toUpperCase() + kind.slice(1);
}

/** An answer with the object and its version. */
export function shown(object: AccountObject, status = 200, more: object = {}): ApiReply {
  return { status, body: { ...objectJson(object), ...more }, headers: { etag: etagOf(object) } };
}
