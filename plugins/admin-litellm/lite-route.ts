// How every route of LiteLLM's shape is declared: whose it is, and errors in LiteLLM's names of fields.
import { type ApiRoute, type RouteSpec, route, z } from "../../src/plugin.ts";
import { inTheirNames } from "./errors.ts";
import type { LiteKind } from "./fields.ts";

/** A row as the document describes it: clients of LiteLLM know its fields. */
export const rowSchema = z.record(z.string(), z.unknown());

/** A route for either credential, whose errors are about a kind. */
export function liteRoute<
  Params extends z.ZodType = z.ZodUndefined,
  Query extends z.ZodType = z.ZodUndefined,
  Body extends z.ZodType = z.ZodUndefined,
>(kind: LiteKind, { handle, ...spec }: Omit<RouteSpec<Params, Query, Body>, "access">): ApiRoute {
  const declared = {
    ...spec,
    access: "any",
    handle: (request: Parameters<typeof handle>[0]) => inTheirNames(kind, async () => handle(request)),
  } as const;
  return route<Params, Query, Body>(declared as RouteSpec<Params, Query, Body>);
}

/** One answer with a body. */
export function ok(schema: z.ZodType = rowSchema, description = "It is done.") {
  return { 200: { description, schema } };
}
