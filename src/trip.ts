// A request's context on its way through the pipeline: each phase writes one field, once.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { GatewayError } from "./errors.ts";
import type { Forwarded } from "./http/exchange.ts";
import type { ParsedCall } from "./providers.ts";
import type { Implementing } from "./registry.ts";
import type { Recorded } from "./rules/service.ts";
import type {
  AccessRecord,
  Decision,
  Outcome,
  Principal,
  RequestHead,
  Reservation,
  RuleQuota,
  Target,
} from "./types.ts";

/** A reservation and the plugin that is owed its settlement. */
export interface Held {
  readonly plugin: Implementing<"settle">;
  readonly reservation: Reservation;
}

/** One request. */
export class Trip {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly id: string;
  /** Monotonic clock at arrival, milliseconds. */
  readonly startedMs: number;
  /** Wall clock at arrival, milliseconds since the epoch. */
  readonly receivedMs: number;
  readonly ip: string;
  head: RequestHead | null = null;
  principal: Principal | null = null;
  call: ParsedCall | null = null;
  decision: Decision | null = null;
  readonly held: Held[] = [];
  /** The target that is dialled. */
  target: Target | null = null;
  forwarded: Forwarded | null = null;
  /** Nano-USD; what the request is charged. */
  costNanoUsd = 0;
  /** A document of the gateway's own that answers the request. */
  document: object | null = null;
  error: GatewayError | null = null;

  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    at: { readonly id: string; readonly startedMs: number; readonly receivedMs: number; readonly ip: string },
  ) {
    this.req = req;
    this.res = res;
    this.id = at.id;
    this.startedMs = at.startedMs;
    this.receivedMs = at.receivedMs;
    this.ip = at.ip;
  }
}

/** The trip's line in the access log. */
export function accessRecord(
  trip: Trip,
  outcome: Outcome,
  recorded: Recorded | null,
  nowMonotonicMs: number,
): AccessRecord {
  const { req, head, principal, call, decision, forwarded, error, target } = trip;
  return {
    id: trip.id,
    receivedMs: trip.receivedMs,
    method: req.method ?? "",
    path: head?.path ?? "",
    endpoint: head?.endpoint ?? null,
    ip: trip.ip,
    keyId: principal?.key.id ?? null,
    keyAlias: principal?.key.alias ?? null,
    teamId: principal?.team?.id ?? null,
    teamAlias: principal?.team?.alias ?? null,
    userId: principal?.user?.id ?? null,
    orgId: principal?.org?.id ?? null,
    modelRequested: call?.modelRequested ?? null,
    model: target?.model ?? call?.targets[0]?.model ?? null,
    provider: target?.provider ?? null,
    stream: call?.stream ?? false,
    status: forwarded?.status ?? error?.status ?? 200,
    error: error?.code ?? null,
    decision: decision?.effect ?? null,
    ruleIds: decision?.ruleIds ?? [],
    shadowIds: decision?.shadowIds ?? [],
    warningIds: decision?.warnings ?? [],
    ...(decision?.quotas === undefined ? NOT_COUNTED : countedBy(decision.quotas, trip)),
    unknown: decision?.unknown ?? [],
    generation: decision?.generation ?? 0,
    rulesHash: recorded?.rulesHash ?? null,
    facts: recorded?.facts ?? null,
    usage: outcome.usage,
    reservedNanoUsd: trip.held.reduce((sum, { reservation }) => sum + reservation.amountNanoUsd, 0),
    costNanoUsd: outcome.costNanoUsd,
    outcome: outcome.kind,
    requestBytes: call?.body.length ?? 0,
    responseBytes: forwarded?.responseBytes ?? 0,
    firstByteMs: forwarded?.firstByteAtMs == null ? null : forwarded.firstByteAtMs - trip.startedMs,
    totalMs: nowMonotonicMs - trip.startedMs,
  };
}

type Counted = Pick<AccessRecord, "countedIds" | "refusedById">;

const NOT_COUNTED: Counted = Object.freeze({});

/** Lists of counters are made once for each model and key, and so are those of their rules. */
const ruleIds = new WeakMap<readonly RuleQuota[], readonly string[]>();

/** The `limit` and `budget` statements that the request was charged to, or the one that refused it. */
function countedBy(quotas: NonNullable<Decision["quotas"]>, { target, error }: Trip): Counted {
  const refusedById = target === null ? error?.details.ruleId : undefined;
  if (refusedById !== undefined) return { refusedById };
  const applying = target === null ? undefined : quotas.get(target);
  return applying === undefined ? NOT_COUNTED : { countedIds: idsOf(applying) };
}

function idsOf(applying: readonly RuleQuota[]): readonly string[] {
  let ids = ruleIds.get(applying);
  if (ids === undefined) {
    ids = [...new Set(applying.map(({ ruleId }) => ruleId))];
    ruleIds.set(applying, ids);
  }
  return ids;
}
