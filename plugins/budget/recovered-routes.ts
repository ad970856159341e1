// Routes of what was charged because a gateway died: shown, and taken back.
import {
  type ApiRoute,
  GatewayError,
  type Host,
  recoveryJson,
  reversalJson,
  route,
  sinceShape,
  z,
} from "../../src/plugin.ts";

const SINCE_MS = 30 * 86_400_000;
/** Who reverses, in the audit log: these routes take the admin key alone. */
const MASTER = "master";

const unit = z.enum(["usd", "tokens", "requests"]);
const counted = { id: z.int(), quota: z.string(), window: z.string(), unit };
const amount = z.string().describe("Decimal text in `unit`");
const reversed = z.object({ at: z.iso.datetime(), by: z.string(), reason: z.string().nullable() }).nullable();
const recovery = z.object({
  ...counted,
  ...{ at: z.iso.datetime(), process: z.string(), pid: z.int(), amount },
  open: amount.describe("Of `amount`: what is still charged"),
  in_flight: z.array(z.string()).describe("Requests that were in flight up to a second before, as far as known"),
  reversed,
});
const reversal = z.object({
  ...counted,
  taken_off: amount,
  reversed: reversed.describe("Who had reversed it before; null for nobody"),
});

/** The routes. */
export function recoveredRoutes({ ledger, clock }: Host): readonly ApiRoute[] {
  const body = z.strictObject({ reason: z.string().max(500).optional().describe("Why, for the audit log") });
  const reverse = (which: number | "all", reason: string | undefined) =>
    ledger.reverse(which, { actor: MASTER, reason: reason ?? null });
  return [
    route({
      ...{ method: "GET", path: "/-/ledger/recovered", operationId: "listRecovered", access: "admin" },
      summary: "What was charged as unaccounted because a gateway died, newest first",
      query: z.strictObject({
        since: sinceShape(() => clock.nowMs())
          .optional()
          .describe("A length back from now (7d) or a date; 30d when left out"),
      }),
      replies: { 200: { description: "All rows.", schema: z.object({ rows: z.array(recovery) }) } },
      handle: ({ query }) => {
        const rows = ledger.recoveries(query.since ?? clock.nowMs() - SINCE_MS);
        return { status: 200, body: { rows: rows.map(recoveryJson) } };
      },
    }),
    route({
      ...{ method: "POST", path: "/-/ledger/recovered/{id}/reverse", operationId: "reverseRecovered", access: "admin" },
      summary: "Takes off what is still charged of one, once, however often it is asked",
      ...{ params: z.strictObject({ id: z.coerce.number().int().min(1) }), body, bodyOptional: true },
      replies: { 200: { description: "What was taken off.", schema: reversal } },
      handle: ({ params, body: { reason } }) => {
        const done = reverse(params.id, reason)?.[0];
        if (done === undefined) throw new GatewayError("not_found", `Nothing with the id ${params.id} was recovered`);
        return { status: 200, body: reversalJson(done) };
      },
    }),
    route({
      ...{ method: "POST", path: "/-/ledger/recovered/reverse", operationId: "reverseAllRecovered", access: "admin" },
      summary: "Takes off all that is still charged for gateways that died",
      ...{ body, bodyOptional: true },
      replies: { 200: { description: "What was taken off.", schema: z.object({ rows: z.array(reversal) }) } },
      handle: ({ body: { reason } }) => ({
        status: 200,
        body: { rows: (reverse("all", reason) ?? []).map(reversalJson) },
      }),
    }),
  ];
}
