// Routes that tell what was done and what was used: audit log and usage.
import {
  type ApiRoute,
  auditJson,
  formatUsd,
  type Host,
  parseDuration,
  route,
  type UsageRow,
  z,
} from "../../src/plugin.ts";
import { paging } from "./pages.ts";

const DAY_MS = 86_400_000;

/** `30d` before now, or a moment. */
function since(nowMs: () => number) {
  return z
    .string()
    .transform((text, context) => {
      const length = parseDuration(text);
      if (length.ok) return nowMs() - length.value;
      const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
      if (!Number.isNaN(ms)) return ms;
      context.addIssue({ code: "custom", message: "write a length (7d) or a date (2027-01-31)" });
      return z.NEVER;
    })
    .optional()
    .describe("A length back from now (7d) or a date");
}

const entry = z.object({
  seq: z.int(),
  at: z.iso.datetime(),
  ...{ actor: z.string(), action: z.string(), kind: z.string(), id: z.string(), alias: z.string() },
  field: z.string().nullable(),
  old: z.unknown(),
  new: z.unknown(),
});

const usageRow = z.object({
  name: z.string(),
  ...{ requests: z.int(), input_tokens: z.int(), output_tokens: z.int() },
  cost_usd: z.string().describe("Decimal"),
});

/** The routes. */
export function reportRoutes({ management: { accounts }, requests, clock }: Host): readonly ApiRoute[] {
  const from = since(() => clock.nowMs());
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
        by: z.enum(["key", "team", "user", "model", "day"]).default("key"),
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

function usageJson({ name, requests, inputTokens, outputTokens, costNanoUsd }: UsageRow): object {
  return {
    ...{ name, requests, input_tokens: inputTokens, output_tokens: outputTokens },
    cost_usd: formatUsd(costNanoUsd),
  };
}
