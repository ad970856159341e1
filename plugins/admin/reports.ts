// Routes that tell what was done and what was used: audit log and usage.
import {
  type ApiRoute,
  auditJson,
  formatUsd,
  type Host,
  route,
  sinceShape,
  type UsageRow,
  z,
} from "../../src/plugin.ts";
import { paging } from "./pages.ts";

const DAY_MS = 86_400_000;

const entry = z.object({
  seq: z.int(),
  at: z.iso.datetime(),
  ...{ actor: z.string(), action: z.string(), kind: z.string(), id: z.string(), alias: z.string() },
  field: z.string().nullable(),
  old: z.unknown(),
  new: z.unknown(),
});

const GROUPS = ["key", "team", "user", "model", "day"] as const;

/** `team,model` → each of them, once. */
const groups = z.string().transform((text, context) => {
  const read = z.array(z.enum(GROUPS)).safeParse(text.split(",").map((name) => name.trim()));
  if (read.success && new Set(read.data).size === read.data.length) return read.data;
  context.addIssue({ code: "custom", message: `write one of ${GROUPS.join(", ")}, or several with commas, each once` });
  return z.NEVER;
});

const usageRow = z.object({
  name: z.string().describe("The group's; of several groups the first one's"),
  names: z.array(z.string()).describe("All groups', in the order of `by`"),
  ...{ requests: z.int(), input_tokens: z.int(), output_tokens: z.int() },
  cost_usd: z.string().describe("Decimal"),
});

/** The routes. */
export function reportRoutes({ management: { accounts }, requests, clock }: Host): readonly ApiRoute[] {
  const from = sinceShape(() => clock.nowMs()).optional();
  return [
    route({
      ...{ method: "GET", path: "/-/audit", operationId: "listAudit", access: "any" },
      summary: "Who changed what, oldest first; secrets are masked",
      query: z.strictObject({
        limit: paging.limit,
        after: z.coerce.number().int().min(0).optional().describe("`next` of the page before"),
        since: from,
        object: z.string().optional().describe("Only what has this id, or had this alias"),
      }),
      replies: {
        200: { description: "One page.", schema: z.object({ items: z.array(entry), next: z.int().nullable() }) },
      },
      handle: async ({ actor, query: { limit, after, since: sinceMs, object } }) => {
        const entries = await accounts.audit(actor, { limit, sinceMs, object, afterSeq: after });
        const next = entries.length < limit ? null : (entries.at(-1)?.seq ?? null);
        return { status: 200, body: { items: entries.map(auditJson), next } };
      },
    }),
    route({
      ...{ method: "GET", path: "/-/usage", operationId: "usage", access: "admin" },
      summary: "What was used, dearest first (days in order, in UTC)",
      query: z.strictObject({
        by: groups.default(["key"]).describe("key, team, user, model or day, or several: `team,model`"),
        since: from.describe("A length back from now (7d) or a date; 30d when left out"),
        until: from.describe("The same; requests that arrived before it; now when left out"),
      }),
      replies: { 200: { description: "All rows.", schema: z.object({ rows: z.array(usageRow) }) } },
      handle: ({ query }) => {
        const rows = requests.usage(query.by, query.since ?? clock.nowMs() - 30 * DAY_MS, query.until);
        return { status: 200, body: { rows: rows.map(usageJson) } };
      },
    }),
  ];
}

function usageJson({ name, names, requests, inputTokens, outputTokens, costNanoUsd }: UsageRow): object {
  return {
    ...{ name, names, requests, input_tokens: inputTokens, output_tokens: outputTokens },
    cost_usd: formatUsd(costNanoUsd),
  };
}
