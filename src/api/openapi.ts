// The OpenAPI document of declared routes.
import { z } from "zod";
import { PROBLEM_JSON } from "./problem.ts";
import type { Access, ApiRoute, ReplySpec, RouteSet } from "./route.ts";
import { hoistSchemas } from "./shared-schemas.ts";

/** An OpenAPI 3.1 document, as JSON. */
export type OpenApiDocument = {
  readonly openapi: "3.1.0";
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly [member: string]: unknown;
};

/** One operation of the document. */
export interface OpenApiOperation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security: readonly object[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly description?: string;
    readonly schema: object;
  }[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: object }>>;
}

const SCHEMES = {
  adminKey: { type: "apiKey", in: "header", name: "X-Admin-Key", description: "The admin key. Admin listener only." },
  adminBearer: { type: "http", scheme: "bearer", description: "The admin key. Admin listener only." },
  virtualKey: { type: "http", scheme: "bearer", description: "A virtual key, `sk-…`; it has its owner's rights." },
} as const;

/** The document. @param version the gateway's own */
export function openApiDocument(sets: readonly RouteSet[], version: string): OpenApiDocument {
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  for (const set of sets) {
    for (const route of [...set.routes, ...(set.calls ?? [])]) {
      paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route, set) };
    }
  }
  const { part, schemas } = hoistSchemas(paths);
  return {
    openapi: "3.1.0",
    info: {
      title: "Tollgate",
      version,
      license: { name: "MIT", identifier: "MIT" },
      description: "The HTTP API of the admin listener. Routes marked so are on the data plane as well.",
    },
    servers: [{ url: "/" }],
    tags: sets.map(({ tag, description }) => ({ name: tag, description })),
    components: { securitySchemes: SCHEMES, schemas },
    paths: part,
  };
}

function operationOf(route: Documented, set: RouteSet): OpenApiOperation {
  const { operationId, summary, description, access, dataPlane, body, bodyOptional } = route;
  const notes = [description, dataPlane ? "On the data plane as well." : undefined].filter(Boolean).join(" ");
  const content = body === undefined ? null : { "application/json": { schema: jsonSchema(body, "input") } };
  return {
    operationId,
    summary,
    ...(notes === "" ? {} : { description: notes }),
    tags: [set.tag],
    security: securityOf(access, set),
    parameters: [...parametersOf(route, "path"), ...parametersOf(route, "query")],
    ...(content === null ? {} : { requestBody: { required: bodyOptional !== true, content } }),
    responses: { ...responsesOf(route.replies), default: errorOf(set) },
  };
}

function securityOf(access: Access, { adminKeyInOwnHeaderOnly }: RouteSet): readonly object[] {
  const admin = [{ adminKey: [] }, ...(adminKeyInOwnHeaderOnly ? [] : [{ adminBearer: [] }])];
  const key = [{ virtualKey: [] }];
  return { open: [], admin, key, any: [...admin, ...key] }[access];
}

/** What the document says of a route. */
type Documented = Omit<ApiRoute, "handle">;

type Parameter = OpenApiOperation["parameters"][number];

function parametersOf(route: Documented, place: "path" | "query"): readonly Parameter[] {
  const schema = place === "path" ? route.params : route.query;
  const names = place === "path" ? [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name) : null;
  if (schema === undefined) {
    return (names ?? []).map((name) => ({ name, in: place, required: true, schema: { type: "string" } }));
  }
  const { properties = {}, required = [] } = jsonSchema(schema, "input") as {
    properties?: Record<string, { description?: string }>;
    required?: string[];
  };
  // What can hold nothing is a parameter of other routes that share the shape.
  const possible = Object.entries(properties).filter(([, schema]) => Object.keys(schema).length > 0);
  return possible.map(([name, { description, ...rest }]) => ({
    ...{ name, in: place, required: required.includes(name) },
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function responsesOf(replies: Readonly<Record<number, ReplySpec>>): OpenApiOperation["responses"] {
  return Object.fromEntries(
    Object.entries(replies).map(([status, { description, schema }]) => [
      status,
      {
        description,
        ...(schema === undefined ? {} : { content: { "application/json": { schema: jsonSchema(schema, "output") } } }),
      },
    ]),
  );
}

function errorOf({ errors = PROBLEM_JSON }: RouteSet): OpenApiOperation["responses"][string] {
  const type = errors.contentType ?? "application/json";
  return { description: "What went wrong.", content: { [type]: { schema: jsonSchema(errors.schema, "output") } } };
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
