// `GET /-/limits`: every budget and limit that applies to a key or an account, and what is left of each.
import {
  type Actor,
  type ApiRoute,
  GatewayError,
  type Host,
  type LimitedKind,
  limitsOf,
  route,
  z,
} from "../../src/plugin.ts";

const KINDS = ["key", "team", "user", "org"] as const satisfies readonly LimitedKind[];

const amount = z.string().nullable().describe("Decimal text in `unit`; null where there is none");
const name = z.string().optional();
const kind = z.enum(KINDS);

const limit = z.object({
  kind: z.enum(["budget", "limit"]).describe("`budget`: of money"),
  label: z.string(),
  ...{ scope: kind.nullable(), id: z.string().nullable(), alias: z.string().nullable() },
  rule: z.string().nullable().describe("Id of the rule; null for an account's budget"),
  text: z.string().nullable().describe("The rule"),
  models: z.array(z.string()).nullable().describe("The models that it is for; null for all"),
  sometimes: z.boolean().describe("Whether request or time decide if it counts"),
  counted_by: z.array(z.string()).describe("What of the request it counts apart: then there is not one figure"),
  unit: z.enum(["usd", "tokens", "requests", "concurrent"]),
  ...{ limit: amount, spent: amount, reserved: amount, remaining: amount },
  window: z.string().nullable(),
  resets_at: z.iso.datetime().nullable(),
  soft_limit: amount,
  raise: z.object({ amount: z.string(), until: z.iso.datetime().nullable() }).nullable(),
});

/** The route. A key is told its own; whoever may see an object may see its limits. */
export function limitsRoute(host: Host): ApiRoute {
  return route({
    ...{ method: "GET", path: "/-/limits", operationId: "getLimits", access: "any", dataPlane: true },
    summary: "Every budget and limit that applies to a key, and what is left of each",
    description: "The calling key's own, or those of the one object that the query names, by id or alias.",
    query: z.strictObject({ key: name, team: name, user: name, org: name }),
    replies: {
      200: {
        description: "Accounts' budgets, then the rules' statements.",
        schema: z.object({ kind, id: z.string(), alias: z.string(), limits: z.array(limit) }),
      },
    },
    handle: async ({ actor, query }) => {
      const [asked, idOrAlias] = askedFor(actor, query);
      const { id } = await host.management.accounts.get(actor, asked, idOrAlias);
      const { accounts, ledger, rules } = host;
      const statements = rules.statements.bind(rules);
      return { status: 200, body: limitsOf(asked, id, { accounts, ledger, statements }) };
    },
  });
}

function askedFor(actor: Actor, query: { readonly [Kind in LimitedKind]?: string | undefined }): [LimitedKind, string] {
  const named = KINDS.flatMap((each) => (query[each] === undefined ? [] : [[each, query[each]] as const]));
  const [first, ...more] = named;
  if (more.length > 0) throw new GatewayError("invalid_request", "Name one of key, team, user and org");
  if (first !== undefined) return [...first];
  if (actor.kind === "key") return ["key", actor.keyId];
  throw new GatewayError("invalid_request", "Name a key, a team, a user or an organisation: `?team=ml`");
}
