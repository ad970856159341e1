// The way of a request, from its first byte to its record.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import type { CallRoutes } from "./call-routes.ts";
import { both, denied, refuseDenied, unruled } from "./decisions.ts";
import { GatewayError } from "./errors.ts";
import { readBody } from "./http/body.ts";
import type { ClientIp } from "./http/client-ip.ts";
import { ID_HEADERS } from "./http/headers.ts";
import { type ErrorFormat, errorBody, errorHeaders, sendJson } from "./http/reply.ts";
import { openRequest, wireOf } from "./intake.ts";
import { allowedModels, answerModels, type ModelAsk } from "./model-list.ts";
import { formatUsd } from "./money.ts";
import type { ParsedCall, Providers } from "./providers.ts";
import type { Implementing, Registry } from "./registry.ts";
import { newRequestId } from "./request-id.ts";
import type { Recorded, RuleService } from "./rules/service.ts";
import { StoreError } from "./store/store.ts";
import { accessRecord, Trip } from "./trip.ts";
import type { Call, Clock, Decision, Outcome, Principal, RequestHead, Target } from "./types.ts";

/** What the pipeline works with. */
export interface PipelineOptions {
  readonly registry: Registry;
  /** Wire formats, catalogue and upstreams. */
  readonly providers: Providers;
  readonly clock: Clock;
  readonly log: Logger;
  readonly clientIp: ClientIp;
  readonly limits: { readonly bodyBytesMax: number; readonly headersMax: number };
  readonly errorFormat: ErrorFormat;
  /** The plugins' own paths that make calls to models. */
  readonly calls: CallRoutes;
  /** What is kept of a decided request beside its record. */
  readonly rules: Pick<RuleService, "record">;
}

/** Serves data-plane requests. */
export class Pipeline {
  /** Set at shutdown: what comes now is answered 503. */
  draining = false;
  /** Requests that are under way. */
  active = 0;
  readonly #options: PipelineOptions;
  readonly #authenticators: readonly Implementing<"authenticate">[];
  readonly #authorizers: readonly Implementing<"authorize">[];
  readonly #inspectors: readonly Implementing<"inspect">[];
  readonly #reservers: readonly Implementing<"reserve" | "settle">[];
  readonly #recorders: readonly Implementing<"record">[];

  constructor(options: PipelineOptions) {
    const { registry } = options;
    this.#options = options;
    this.#authenticators = registry.having("authenticate");
    this.#authorizers = registry.having("authorize");
    this.#inspectors = registry.having("inspect");
    this.#reservers = registry.having("reserve") as readonly Implementing<"reserve" | "settle">[];
    this.#recorders = registry.having("record");
  }

  /** Serves one request. Never rejects. */
  async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { limits, calls } = this.#options;
    const trip = this.#begin(req, res);
    try {
      trip.head = openRequest(trip, { limits, calls, draining: this.draining });
      trip.principal = await this.authenticate(trip.head);
      if (trip.head.endpoint === "models") {
        trip.document = await this.#listModels(trip.head, trip.principal);
        return;
      }
      const body = await readBody(req, limits.bodyBytesMax);
      trip.call = this.#options.providers.parse(trip.head, body, trip.principal.modelAliases);
      trip.decision = await this.#authorize(trip.call, trip.principal);
      await this.#inspect(trip, trip.principal);
      await this.#reserve(trip, trip.principal);
      await this.#forward(trip);
    } catch (error) {
      trip.error = this.#expected(error, trip);
    } finally {
      await this.#settle(trip);
      this.#answer(trip);
      this.active -= 1;
    }
  }

  #begin(req: IncomingMessage, res: ServerResponse): Trip {
    const { clock, clientIp } = this.#options;
    this.active += 1;
    const receivedMs = clock.nowMs();
    const ip = clientIp(req.socket.remoteAddress, req.headers["x-forwarded-for"]);
    return new Trip(req, res, { id: newRequestId(receivedMs), startedMs: clock.monotonicMs(), receivedMs, ip });
  }

  /**
   * The first plugin whose kind of credential it is says whose it is.
   * @throws GatewayError `invalid_api_key` and what the plugin ends with
   */
  async authenticate(head: RequestHead): Promise<Principal> {
    for (const { hooks } of this.#authenticators) {
      const principal = await hooks.authenticate(head);
      if (principal !== null) return principal;
    }
    throw new GatewayError("invalid_api_key");
  }

  /** Every plugin must allow; what is left are the targets that all allow. Without such a plugin nothing is forbidden. */
  async #authorize(call: Call, principal: Principal): Promise<Decision> {
    let decision = unruled(call);
    for (const { hooks } of this.#authorizers) {
      const next = await hooks.authorize(call, principal);
      decision = this.#authorizers.length === 1 ? next : both(decision, next);
    }
    return decision;
  }

  #listModels(head: RequestHead, principal: Principal): Promise<object> {
    return answerModels(this.#modelAsk(head, principal));
  }

  /** The models that the principal may use, by name; all where there is none: for the admin key. */
  models(head: RequestHead, principal: Principal | null): Promise<ReadonlyMap<string, Target>> {
    const { catalogue } = this.#options.providers;
    return allowedModels(
      principal === null ? { head, catalogue, authorize: unruled } : this.#modelAsk(head, principal),
    );
  }

  #modelAsk(head: RequestHead, principal: Principal): ModelAsk {
    const authorize = (call: Call) => this.#authorize(call, principal);
    const own = principal.modelAliases ?? {};
    return { head, catalogue: this.#options.providers.catalogue, authorize, own };
  }

  /** Guardrails see the allowed call. A rewritten one is parsed, checked and authorised like a new one. */
  async #inspect(trip: Trip, principal: Principal): Promise<void> {
    refuseDenied(trip.decision);
    for (const { hooks } of this.#inspectors) {
      const result = await hooks.inspect(trip.call as Call, principal);
      if (result === undefined || result === null) continue;
      if ("message" in result) throw denied(result, "content_denied");
      trip.call = this.#options.providers.parse(trip.head as RequestHead, result.body, principal.modelAliases);
      trip.decision = await this.#authorize(trip.call, principal);
      refuseDenied(trip.decision);
    }
  }

  /** All hold what they need, or the request ends and what is held is settled as not sent. */
  async #reserve(trip: Trip, principal: Principal): Promise<void> {
    for (const plugin of this.#reservers) {
      const reservation = await plugin.hooks.reserve(trip.call as Call, principal, trip.decision as Decision);
      if (reservation !== null) trip.held.push({ plugin, reservation });
    }
  }

  async #forward(trip: Trip): Promise<void> {
    trip.target = trip.decision?.targets[0] ?? null;
    if (trip.target === null)
      throw new GatewayError("internal_error", undefined, { cause: "allowed without a target" });
    const headers = trip.held.flatMap(({ reservation }) => reservation.headers ?? []);
    trip.forwarded = await this.#options.providers.send(trip.call as ParsedCall, trip.target, trip.res, headers);
    trip.error = trip.forwarded.error;
    if (trip.error?.details.cause !== undefined) this.#logFault(trip, "the provider's answer was lost", trip.error);
  }

  /** Settles what is held, records, and waits until the settlement is on disk. */
  async #settle(trip: Trip): Promise<void> {
    const outcome = this.#outcome(trip);
    trip.costNanoUsd = outcome.costNanoUsd;
    const pending: (void | Promise<void>)[] = [];
    for (const { plugin, reservation } of trip.held) {
      try {
        pending.push(plugin.hooks.settle(reservation, outcome));
      } catch (error) {
        this.#logFault(trip, `plugin ${plugin.name} could not settle`, error);
      }
    }
    this.#record(trip, outcome);
    try {
      for (const settled of pending) await settled;
    } catch (error) {
      trip.error = this.#expected(error, trip);
    }
  }

  #outcome(trip: Trip): Outcome {
    const { target, forwarded } = trip;
    const usage = forwarded?.usage ?? null;
    const costNanoUsd = target === null || usage === null ? 0 : this.#options.providers.cost(target, usage);
    return { kind: forwarded?.kind ?? "not_sent", target, usage, costNanoUsd };
  }

  #record(trip: Trip, outcome: Outcome): void {
    if (this.#recorders.length === 0) return;
    const record = accessRecord(trip, outcome, this.#recorded(trip), this.#options.clock.monotonicMs());
    for (const { name, hooks } of this.#recorders) {
      try {
        hooks.record(record);
      } catch (error) {
        this.#logFault(trip, `plugin ${name} could not record`, error);
      }
    }
  }

  /** A fault in it is logged, and the request recorded without. */
  #recorded(trip: Trip): Recorded | null {
    const { call, principal, decision, target } = trip;
    if (call === null || principal === null || decision === null) return null;
    try {
      return this.#options.rules.record(call, principal, { generation: decision.generation, sent: target !== null });
    } catch (error) {
      this.#logFault(trip, "what the rules could read was not recorded", error);
      return null;
    }
  }

  /** Sends the end of the answer, or the error instead. */
  #answer(trip: Trip): void {
    const { res, error, forwarded } = trip;
    if (res.destroyed) return;
    if (res.headersSent) {
      // A stream that has begun: its own end, or a visible break when it could not be settled.
      if (forwarded !== null && error === forwarded.error) forwarded.finish([]);
      else res.destroy();
    } else if (error !== null) {
      const format = this.#options.calls.of(trip.req.url)?.errorFormat ?? this.#options.errorFormat;
      const body = errorBody(error, wireOf(trip), format, trip.id);
      sendJson(res, error.status, body, { ...idHeaders(trip), ...errorHeaders(error) });
    } else if (forwarded !== null) {
      forwarded.finish(["x-tollgate-cost-usd", formatUsd(trip.costNanoUsd)]);
    } else {
      sendJson(res, 200, trip.document, idHeaders(trip));
    }
  }

  /** Turns whatever was thrown into an error that may be shown; what is nobody's fault but ours is logged. */
  #expected(error: unknown, trip: Trip): GatewayError {
    if (error instanceof GatewayError) return error;
    if (error instanceof StoreError && error.code === "unavailable") {
      return new GatewayError("store_unavailable", undefined, { cause: error, retryAfterSeconds: 1 });
    }
    this.#logFault(trip, "a fault in the gateway", error);
    return new GatewayError("internal_error", undefined, { cause: error });
  }

  #logFault(trip: Trip, message: string, error: unknown): void {
    this.#options.log.error({ err: error, request_id: trip.id }, message);
  }
}

/** The headers that tell a caller its request's id. */
function idHeaders(trip: Trip): Readonly<Record<string, string>> {
  return Object.fromEntries(ID_HEADERS[wireOf(trip)].map((name) => [name, trip.id]));
}
