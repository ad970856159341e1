// The first step of a request: what it asks for, told from its head alone, or the error that ends it.
import type { CallRoutes } from "./call-routes.ts";
import { GatewayError } from "./errors.ts";
import { hasBody } from "./http/body.ts";
import { plainPath } from "./http/request-target.ts";
import { ROUTES } from "./llm/wire.ts";
import type { Trip } from "./trip.ts";
import type { RequestHead, Wire } from "./types.ts";

const MODELS_PATH = "/v1/models";

/** What the data plane lets in. */
export interface Door {
  readonly limits: { readonly headersMax: number };
  /** The plugins' own paths. */
  readonly calls: CallRoutes;
  readonly draining: boolean;
}

/**
 * The head of a request that the data plane serves.
 * @throws GatewayError `not_found`, `method_not_allowed`, `headers_too_large`, `invalid_request`, `draining`
 */
export function openRequest(trip: Trip, { limits, calls, draining }: Door): RequestHead {
  const { req } = trip;
  if (draining)
    throw new GatewayError("draining", undefined, { retryAfterSeconds: 1, headers: { connection: "close" } });
  if (req.rawHeaders.length / 2 > limits.headersMax) {
    throw new GatewayError("headers_too_large", `The request has more than ${limits.headersMax} header fields`);
  }
  const { path, route } = routeOf(trip, calls);
  const method = req.method ?? "";
  if (method !== route.method) {
    throw new GatewayError("method_not_allowed", `${path} takes ${route.method}`, { headers: { allow: route.method } });
  }
  if (method === "GET" && hasBody(req)) throw new GatewayError("invalid_request", "A GET request must not have a body");
  const { id, ip, receivedMs } = trip;
  const { wire, endpoint } = route;
  return { id, method, path, wire, endpoint, headers: req.headers, ip, receivedMs };
}

/** The caller's dialect, also where its request could not be opened. */
export function wireOf(trip: Trip): Wire {
  if (trip.head !== null) return trip.head.wire;
  const { url = "", headers } = trip.req;
  if (url.startsWith("/v1beta/")) return "gemini";
  return url.startsWith("/v1/messages") || headers["anthropic-version"] !== undefined ? "anthropic" : "openai";
}

/**
 * The path of one model whose id came with its slashes or colons escaped, as the SDKs send them; answered here, never
 * forwarded. Unescaped it has to be plain like any other: no other escape, no dot segment.
 */
function modelPath(url: string | undefined): string | null {
  if (url === undefined || !url.startsWith(`${MODELS_PATH}/`)) return null;
  const path = url.split("?", 1)[0] ?? "";
  return plainPath(path.replace(/%2f/gi, "/").replace(/%3a/gi, ":"));
}

function routeOf(
  trip: Trip,
  calls: CallRoutes,
): { path: string; route: Pick<RequestHead, "wire" | "endpoint" | "method"> } {
  const path = plainPath(trip.req.url) ?? modelPath(trip.req.url);
  if (path !== null) {
    const route = ROUTES.get(path);
    if (route !== undefined) return { path, route };
    if (path === MODELS_PATH || path.startsWith(`${MODELS_PATH}/`)) {
      return { path, route: { wire: wireOf(trip), endpoint: "models", method: "GET" } };
    }
    const call = calls.find(path);
    if (call !== null) return { path, route: call };
  }
  throw new GatewayError("not_found", `No such path. Served here: ${[...ROUTES.keys(), MODELS_PATH].join(", ")}`);
}
