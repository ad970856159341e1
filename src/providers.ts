// The LLM side of the pipeline: wire formats, the catalogue and the upstreams, put together.
import type { ServerResponse } from "node:http";
import { GatewayError } from "./errors.ts";
import type { Deadlines } from "./http/deadlines.ts";
import { type ExchangeContext, type ExchangeLimits, type Forwarded, forward } from "./http/exchange.ts";
import { copyRequestHeaders, type HeaderList, ID_HEADERS } from "./http/headers.ts";
import type { ErrorFormat } from "./http/reply.ts";
import { Upstream } from "./http/upstream.ts";
import type { Catalogue } from "./llm/catalogue.ts";
import { costBound, costNanoUsd } from "./llm/cost.ts";
import { promptBytes } from "./llm/prompt-size.ts";
import { createTap, meterJson } from "./llm/usage-tap.ts";
import { type ParsedBody, wireFormat } from "./llm/wire.ts";
import type { Call, CostBound, Endpoint, Principal, RequestHead, Target, Usage, Wire } from "./types.ts";

/** A provider that can be dialled. */
export interface ProviderAddress {
  readonly name: string;
  /** As an SDK's base URL. */
  readonly baseUrl: string;
  readonly apiKey: string | null;
}

/** What `Providers` works with. */
export interface ProvidersOptions {
  readonly catalogue: Catalogue;
  readonly providers: readonly ProviderAddress[];
  readonly limits: ExchangeLimits;
  readonly deadlines: Deadlines;
  readonly monotonicMs: () => number;
  readonly errorFormat: ErrorFormat;
}

/** A call and the parsed body that it was made from, which is needed again to write the upstream's. */
export interface ParsedCall extends Call {
  readonly parsed: ParsedBody;
}

interface Dialled {
  readonly baseUrl: string;
  readonly apiKey: string | null;
  readonly context: ExchangeContext;
  /** By endpoint. */
  readonly doors: Map<Endpoint, Door>;
}

/** How a provider is asked: fixed by the endpoint, which has one wire. */
interface Door {
  readonly path: string;
  /** Sent whatever the caller's headers say. */
  readonly headers: HeaderList;
  /** Names of the caller's headers that are sent on. */
  readonly passed: readonly string[];
  /** Sent where the caller's own headers have nothing of that name. */
  readonly defaults: Readonly<Record<string, string>>;
}

/** Parses calls, prices them, sends them. */
export class Providers {
  readonly catalogue: Catalogue;
  readonly #dialled = new Map<string, Dialled>();

  constructor(options: ProvidersOptions) {
    this.catalogue = options.catalogue;
    const { limits, deadlines, monotonicMs, errorFormat } = options;
    for (const { name, baseUrl, apiKey } of options.providers) {
      const upstream = new Upstream(new URL(baseUrl));
      this.#dialled.set(name, {
        baseUrl,
        apiKey,
        context: { upstream, deadlines, limits, monotonicMs, errorFormat },
        doors: new Map(),
      });
    }
  }

  /**
   * The call that a body makes.
   * @param aliases the principal's own: what a model's name stands for, one step
   * @throws GatewayError what the wire format says of the body; `model_not_found`
   */
  parse(head: RequestHead, body: Buffer, aliases: Principal["modelAliases"]): ParsedCall {
    const parsed = wireFormat(head.wire).parse(body);
    const modelRequested = standsFor(parsed.modelRequested, aliases);
    const targets = this.catalogue.resolve(modelRequested, head.wire);
    if (targets.length === 0) throw this.#unknownModel(modelRequested, head);
    const { json, stream, streamUsage, maxTokens, n } = parsed;
    return { ...head, modelRequested, targets, body, json, stream, streamUsage, maxTokens, n, parsed };
  }

  #unknownModel(model: string, head: RequestHead): GatewayError {
    const elsewhere = OTHER_WIRES[head.wire].find((wire) => this.catalogue.resolve(model, wire).length > 0);
    const near = this.catalogue.suggest(model);
    const shown = model.length > 100 ? `${model.slice(0, 100)}…` : model;
    const help =
      elsewhere !== undefined
        ? ` on ${head.path}: its provider speaks the ${elsewhere} format`
        : near !== null && near !== model
          ? `: did you mean \`${near}\`?`
          : "";
    return new GatewayError("model_not_found", `No provider here serves the model \`${shown}\`${help}`, {
      param: "model",
      retry: false,
    });
  }

  /** An upper bound on what the call costs at the target. */
  bound(call: Call, target: Target): CostBound {
    return costBound(call, target);
  }

  /** What the usage costs at the target: nano-USD, 0 where it is unpriced. */
  cost(target: Target, usage: Usage): number {
    return target.price === null ? 0 : costNanoUsd(target.price, usage);
  }

  /**
   * Sends the call to the target; resolves, never rejects, when the outcome is known and the end is held back.
   * @param more headers for the answer, flat
   */
  send(call: ParsedCall, target: Target, res: ServerResponse, more: readonly string[]): Promise<Forwarded> {
    const dialled = this.#dialled.get(target.provider);
    if (dialled === undefined) throw new Error(`provider ${target.provider} has a target and no upstream`);
    const format = wireFormat(target.wire);
    const door = doorOf(dialled, target.wire, call.endpoint);
    const body = format.upstreamBody(call.parsed, target);
    const headers = [...door.headers, "content-length", String(body.length)];
    copyRequestHeaders(call.headers, door.passed, door.defaults, headers);
    const { wire, id } = call;
    const meter = {
      tap: () => createTap({ wire, hideUsage: call.parsed.injectsUsage, requestBytes: promptBytes(call) }),
      whole: (answer: Buffer) => meterJson(answer, wire, promptBytes(call)),
    };
    const answerHeaders = [
      ...ID_HEADERS[wire].flatMap((name) => [name, id]),
      "x-tollgate-model",
      target.model,
      "x-tollgate-provider",
      target.provider,
      ...more,
    ];
    return forward(dialled.context, { id, wire, path: door.path, headers, body, meter, answerHeaders }, res);
  }

  /** Closes all connections to providers. */
  close(): void {
    for (const { context } of this.#dialled.values()) context.upstream.close();
  }
}

/** What the name means for whoever has these aliases. */
export function standsFor(name: string, aliases: Principal["modelAliases"]): string {
  return aliases !== undefined && Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name;
}

const OTHER_WIRES: Readonly<Record<Wire, readonly Wire[]>> = {
  openai: ["anthropic", "gemini"],
  anthropic: ["openai", "gemini"],
  gemini: ["openai", "anthropic"],
};

function doorOf({ baseUrl, apiKey, context, doors }: Dialled, wire: Wire, endpoint: Endpoint): Door {
  const known = doors.get(endpoint);
  if (known !== undefined) return known;
  const format = wireFormat(wire);
  const headers = ["host", context.upstream.origin.host, "content-type", "application/json"];
  headers.push("accept-encoding", "identity", ...Object.entries(format.authHeaders(apiKey)).flat());
  const defaults = { "user-agent": "tollgate", ...format.defaultHeaders };
  const names = new Set([...format.requestHeaders, ...Object.keys(defaults)]);
  const passed = [...names].filter((name) => !headers.includes(name));
  const door = { path: format.upstreamPath(new URL(baseUrl).pathname, endpoint), headers, passed, defaults };
  doors.set(endpoint, door);
  return door;
}
