// A request's path parameters, query and JSON body, checked against the route's shapes.
import type { z } from "zod";
import { GatewayError } from "../errors.ts";
import { suggest } from "../suggest.ts";
import { knownKeys } from "../zod-keys.ts";

/** How deep a body's arrays and objects may nest; the body itself is 1 deep. Deeper ones overflow a walker's stack. */
const DEPTH_MAX = 100;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/**
 * The value as the shape gives it.
 * @param what `query`, `path` or `body`, for the message
 * @throws GatewayError `invalid_request` that names the field, and the one that may be meant
 */
export function checked(schema: z.ZodType | undefined, value: unknown, what: string): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue === undefined) throw new GatewayError("invalid_request");
  const param = fieldOf(issue);
  throw new GatewayError("invalid_request", messageOf(issue, schema, what), param === "" ? {} : { param });
}

/** The query's parameters. @throws GatewayError `invalid_request` for one that is there twice */
export function readQuery(search: string): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(search)) {
    if (Object.hasOwn(query, name)) {
      throw new GatewayError("invalid_request", `The query has \`${name}\` twice`, { param: name });
    }
    Object.defineProperty(query, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return query;
}

/**
 * The JSON that the bytes are.
 * @throws GatewayError `invalid_json`; `invalid_request` for no body where one is needed, and for one that nests too deep
 */
export function readJson(bytes: Buffer, contentType: string | undefined, isOptional: boolean): unknown {
  if (bytes.length === 0) {
    if (isOptional) return {};
    throw new GatewayError("invalid_request", "The request needs a JSON body");
  }
  // Browsers may send other types across origins without asking first.
  if (contentType === undefined || !/^application\/(?:[\w.-]+\+)?json\b/i.test(contentType)) {
    throw new GatewayError("invalid_request", "The body must be sent as `content-type: application/json`", {
      status: 415,
    });
  }
  const value = parsed(bytes);
  assertShallow(value);
  return value;
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    throw new GatewayError("invalid_json");
  }
}

function assertShallow(value: unknown): void {
  const isContainer = (one: unknown): one is object => typeof one === "object" && one !== null;
  let containers = [value].filter(isContainer);
  for (let depth = 1; containers.length > 0; depth += 1) {
    if (depth > DEPTH_MAX) throw new GatewayError("invalid_request", `The body nests more than ${DEPTH_MAX} deep`);
    containers = containers.flatMap((one) => Object.values(one).filter(isContainer));
  }
}

function fieldOf(issue: z.core.$ZodIssue): string {
  const path = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path;
  return path.map(String).join(".");
}

function messageOf(issue: z.core.$ZodIssue, schema: z.ZodType, what: string): string {
  const field = fieldOf(issue);
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(schema, issue.path);
    const near = suggest(issue.keys[0] ?? "", known);
    const help = near === null ? `known here: ${known.join(", ") || "none"}` : `did you mean \`${near}\`?`;
    return `The ${what} has an unknown field \`${field}\`: ${help}`;
  }
  if (field === "") return `The ${what} is not as it should be: ${issue.message}`;
  if (issue.code === "invalid_value") return `\`${field}\` must be one of ${issue.values.map(String).join(", ")}`;
  const isMissing = issue.code === "invalid_type" && issue.input === undefined;
  return isMissing && /received undefined/.test(issue.message)
    ? `\`${field}\` is missing`
    : `\`${field}\` is not as it should be: ${issue.message}`;
}
