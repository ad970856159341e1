// Serves declared routes: path → credential → shapes → handler, and errors in the dialect of the route's set.
import type { IncomingMessage } from "node:http";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { Logger } from "pino";
import { GatewayError, SetupError } from "../errors.ts";
import { readBody } from "../http/body.ts";
import type { ClientIp } from "../http/client-ip.ts";
import { apiPath } from "../http/request-target.ts";
import type { Handler } from "../http/server.ts";
import { newRequestId } from "../request-id.ts";
import type { Clock, RequestHead } from "../types.ts";
import type { Credentials, Plane } from "./credentials.ts";
import { checked, readJson, readQuery } from "./input.ts";
import { PROBLEM_JSON, problemHeaders, problemOf } from "./problem.ts";
import { type ApiReply, type ApiRoute, type ErrorDialect, patternOf, type RouteSet } from "./route.ts";

/** What an API is served with. */
export interface ApiOptions {
  readonly sets: readonly RouteSet[];
  /** On the data plane only the routes that ask for it are served. */
  readonly plane: Plane;
  readonly credentials: Credentials;
  readonly clientIp: ClientIp;
  readonly clock: Clock;
  readonly log: Logger;
  /** Bytes. */
  readonly bodyBytesMax: number;
}

/** A served API. */
export interface Api {
  readonly handler: Handler;
  /** True when one of the routes has this path, whatever its method. */
  serves(target: string | undefined): boolean;
}

/** A route, and what it is compared with. */
interface Mounted {
  readonly route: ApiRoute;
  readonly set: RouteSet;
  readonly pattern: RegExp;
}

type Env = { Bindings: HttpBindings };

/** Nothing that an API answers is for caches: secrets are shown once. */
const COMMON = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** @throws SetupError 78 when two routes have the same method and path, or the same operation id */
export function createApi(options: ApiOptions): Api {
  const mounted = mountable(options.sets, options.plane);
  const app = new Hono<Env>();
  for (const one of mounted) {
    app.on(one.route.method, one.route.path.replaceAll(/\{(\w+)\}/g, ":$1"), (c) => answer(one, c, options));
  }
  app.notFound((c) => failed(nowhere(c.req.path, mounted), newRequestId(options.clock.nowMs()), PROBLEM_JSON, options));
  const listen = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const { clock } = options;
  return {
    handler: (req, res) => {
      // The framework would read another path from a target that is not plain.
      if (apiPath(req.url) === null) req.url = "/-/no-such-path";
      req.headers.host ??= "localhost";
      return listen(req, res).catch((error: unknown) => {
        options.log.error({ err: error, request_id: newRequestId(clock.nowMs()) }, "an answer could not be sent");
        res.destroy();
      });
    },
    serves: (target) => {
      // What most requests of the data plane are for.
      if (target === undefined || target.startsWith("/v1/")) return false;
      const path = apiPath(target);
      return path !== null && mounted.some(({ pattern }) => pattern.test(path));
    },
  };
}

/** Plain paths before those with parameters. */
function mountable(sets: readonly RouteSet[], plane: Plane): readonly Mounted[] {
  const mounted = sets.flatMap((set) =>
    set.routes
      .filter((route) => plane === "admin" || route.dataPlane === true)
      .map((route) => ({ route, set, pattern: patternOf(route.path) })),
  );
  const taken = new Set<string>();
  for (const { route, set } of mounted) {
    for (const name of [`${route.method} ${route.path.replaceAll(/\{\w+\}/g, "{}")}`, route.operationId]) {
      if (taken.has(name)) throw new SetupError(`two routes are called \`${name}\`: the second is in \`${set.tag}\``);
      taken.add(name);
    }
  }
  return mounted.sort((a, b) => parametersOf(a.route) - parametersOf(b.route));
}

function parametersOf({ path }: ApiRoute): number {
  return path.split("{").length - 1;
}

function nowhere(path: string, mounted: readonly Mounted[]): GatewayError {
  const there = mounted.filter(({ pattern }) => pattern.test(path));
  if (there.length === 0) return new GatewayError("not_found");
  const allow = there.map(({ route }) => route.method).join(", ");
  return new GatewayError("method_not_allowed", `${path} takes ${allow}`, { headers: { allow } });
}

async function answer(mounted: Mounted, c: Context<Env>, options: ApiOptions): Promise<Response> {
  const { route, set } = mounted;
  const id = newRequestId(options.clock.nowMs());
  try {
    return responseOf(await handle(mounted, c, id, options), id);
  } catch (error) {
    return failed(error, id, set.errors ?? PROBLEM_JSON, options, route);
  }
}

async function handle({ route, set }: Mounted, c: Context<Env>, id: string, options: ApiOptions): Promise<ApiReply> {
  const req = c.env.incoming;
  const ip = options.clientIp(req.socket.remoteAddress, req.headers["x-forwarded-for"]);
  const head = headOf(req, c.req.path, { id, ip, receivedMs: options.clock.nowMs() });
  const asker = await options.credentials.of(req, head, route, set, options.plane);
  const params = checked(route.params, c.req.param(), "path");
  const query = checked(route.query, readQuery(searchOf(req.url)), "query");
  const body = route.body === undefined ? undefined : await bodyOf(req, route, options.bodyBytesMax);
  return route.handle({ ...asker, params, query, body, headers: req.headers, ip, id });
}

async function bodyOf(req: IncomingMessage, { body, bodyOptional }: ApiRoute, bytesMax: number): Promise<unknown> {
  const bytes = await readBody(req, bytesMax);
  return checked(body, readJson(bytes, req.headers["content-type"], bodyOptional === true), "body");
}

function headOf(req: IncomingMessage, path: string, at: Pick<RequestHead, "id" | "ip" | "receivedMs">): RequestHead {
  return { ...at, method: req.method ?? "", path, wire: "openai", endpoint: "admin", headers: req.headers };
}

function searchOf(target: string | undefined): string {
  const at = (target ?? "").indexOf("?");
  return at === -1 ? "" : (target ?? "").slice(at + 1);
}

function responseOf({ status, body, headers = {} }: ApiReply, id: string): Response {
  const all = { ...COMMON, "x-request-id": id };
  if (body === undefined) return new Response(null, { status, headers: { ...all, ...headers } });
  if (typeof body === "string") return new Response(body, { status, headers: { ...all, ...headers } });
  const type = { "content-type": "application/json; charset=utf-8" };
  return new Response(JSON.stringify(body), { status, headers: { ...all, ...type, ...headers } });
}

function failed(
  error: unknown,
  id: string,
  dialect: ErrorDialect,
  { log }: ApiOptions,
  route: ApiRoute | null = null,
): Response {
  const known = problemOf(error, id);
  if (known === null) log.error({ err: error, request_id: id, route: route?.operationId }, "a fault in a route");
  const problem = known ?? {
    status: 500,
    code: "internal_error",
    message: new GatewayError("internal_error").message,
    field: null,
    requestId: id,
  };
  const headers = {
    "content-type": dialect.contentType ?? "application/json; charset=utf-8",
    "x-tollgate-error-source": "gateway",
    ...problemHeaders(error),
  };
  return responseOf({ status: dialect.status?.(problem) ?? problem.status, body: dialect.body(problem), headers }, id);
}
