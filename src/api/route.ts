// What a route of the HTTP API is: declared with its shapes, so that it is checked, documented and served in one way.
import type { IncomingHttpHeaders } from "node:http";
import type { z } from "zod";
import type { Actor } from "../accounts/caller.ts";
import type { Endpoint, Principal, Wire } from "../types.ts";

/**
 * Whose credential opens a route. `open`: none is asked. `admin`: the admin key. `key`: a virtual key. `any`: either.
 * The admin key is not taken on the data plane.
 */
export type Access = "open" | "admin" | "key" | "any";

/** A request as a route's handler sees it: its credential and shapes have been checked. */
export interface ApiRequest<Params = unknown, Query = unknown, Body = unknown> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Who asks: the master for the admin key, else the virtual key. The master too on `open` routes: ask nothing of it. */
  readonly actor: Actor;
  /** Whose virtual key it is; null for the admin key. */
  readonly principal: Principal | null;
  /** Names in lower case. Holds the credential: never log it whole. */
  readonly headers: IncomingHttpHeaders;
  /** The client's address, after the trusted-proxy list. */
  readonly ip: string;
  /** `x-request-id` of the answer. */
  readonly id: string;
}

/** What a handler answers. */
export interface ApiReply {
  readonly status: number;
  /** Sent as JSON; a text is sent as it is, with the `content-type` of `headers`; left out for an empty answer. */
  readonly body?: unknown;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One answer of a route, for the document. */
export interface ReplySpec {
  readonly description: string;
  /** Left out where the answer is no JSON. */
  readonly schema?: z.ZodType;
}

/** A route, before its types are forgotten. */
export interface RouteSpec<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType>
  extends Omit<ApiRoute, "params" | "query" | "body" | "handle"> {
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  handle(request: ApiRequest<z.output<Params>, z.output<Query>, z.output<Body>>): ApiReply | Promise<ApiReply>;
}

/** A route. */
export interface ApiRoute {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As OpenAPI writes it: `/key/{key}/reset_spend`. A plain segment wins over a parameter. */
  readonly path: string;
  /** Unique among all routes, camel case: the method's name in generated clients. */
  readonly operationId: string;
  /** One line, for the document. */
  readonly summary: string;
  readonly description?: string;
  readonly access: Access;
  /** Served on the data plane as well. */
  readonly dataPlane?: boolean;
  /** Of the path's parameters, decoded. */
  readonly params?: z.ZodType;
  /** Of the query: texts. A parameter that is there several times is refused. */
  readonly query?: z.ZodType;
  /** Of the JSON body. Unknown fields of a `z.strictObject` are refused with a suggestion. */
  readonly body?: z.ZodType;
  /** True: a request without a body is taken for `{}`. */
  readonly bodyOptional?: boolean;
  /** By status; errors are documented by the dialect. */
  readonly replies: Readonly<Record<number, ReplySpec>>;
  /** May throw what the tables of errors know; anything else is a fault, logged and answered with 500. */
  handle(request: ApiRequest): ApiReply | Promise<ApiReply>;
}

/**
 * A path that makes calls to models, on both listeners. It goes the way of every call: credential, rules, budgets, provider,
 * record; plugins tell it by the call's `path`. A virtual key opens it, never the admin key.
 */
export interface CallRoute extends Omit<ApiRoute, "handle" | "method"> {
  readonly method: "POST";
  readonly access: "key";
  readonly wire: Wire;
  readonly endpoint: Endpoint;
  /** How its errors are told, whatever `error_format` says. */
  readonly errorFormat: "openai" | "llmgateway" | "detail";
}

/** What went wrong, for a dialect to shape. */
export interface ApiProblem {
  readonly status: number;
  /** A name from the tables of errors, `invalid_field` and so on. */
  readonly code: string;
  /** Safe to show. */
  readonly message: string;
  /** The field at fault, as the caller wrote it; null where there is none. */
  readonly field: string | null;
  /** Of rules that have an error: what is wrong with them, in the language server's shape. */
  readonly diagnostics?: readonly object[];
  /** `x-request-id` of the answer. */
  readonly requestId: string;
}

/** How an API tells errors. */
export interface ErrorDialect {
  /** Of the body, for the document. */
  readonly schema: z.ZodType;
  /** `application/json` when left out. */
  readonly contentType?: string;
  /** The body. */
  body(problem: ApiProblem): unknown;
  /** Another status than the problem's own, where the dialect has its own. */
  status?(problem: ApiProblem): number;
}

/** The routes of one API. */
export interface RouteSet {
  /** Its name in the document: `litellm`. */
  readonly tag: string;
  /** What it is, one sentence. */
  readonly description: string;
  /** RFC 9457 when left out. */
  readonly errors?: ErrorDialect;
  /** True: the admin key is taken in `X-Admin-Key` only, never as a bearer. */
  readonly adminKeyInOwnHeaderOnly?: boolean;
  readonly routes: readonly ApiRoute[];
  /** Paths of its own that make calls to models. */
  readonly calls?: readonly CallRoute[];
}

/** The pattern of a path's plain form: a parameter is one segment. */
export function patternOf(path: string): RegExp {
  const parts = path.split(/(\{\w+\})/).map((part) => (part.startsWith("{") ? "[^/]+" : part.replaceAll(".", "\\.")));
  return new RegExp(`^${parts.join("")}$`);
}

/** Declares a route: the handler's request has the types of the shapes. */
export function route<
  Params extends z.ZodType = z.ZodUndefined,
  Query extends z.ZodType = z.ZodUndefined,
  Body extends z.ZodType = z.ZodUndefined,
>(spec: RouteSpec<Params, Query, Body>): ApiRoute {
  return Object.freeze(spec) as ApiRoute;
}
