// From a body's bytes to checked JSON: strict UTF-8, bounded, unambiguous, an object.
import { isAscii, isUtf8 } from "node:buffer";
import { GatewayError } from "../errors.ts";
import type { JsonObject } from "../types.ts";
import { type Members, type ParseLimits, type PolicyFields, policyFields, type Span, scanObject } from "./json-scan.ts";

/** A body as JSON, with what is needed to change parts of it and leave the rest as it is. */
export interface JsonBody {
  readonly json: JsonObject;
  /** Byte offset behind the opening brace: where a member can be put. */
  readonly inside: number;
  /** Where the values of the members that were asked for stand, in bytes. */
  readonly spans: ReadonlyMap<string, Span>;
}

/** Members whose own members policy reads. */
const NESTED: ReadonlyMap<string, PolicyFields> = new Map([
  ["stream_options", policyFields(["include_usage"])],
  ["metadata", policyFields(["user_id"])],
  ["reasoning", policyFields(["effort"])],
  ["thinking", policyFields(["type", "budget_tokens"])],
  ["output_config", policyFields(["effort"])],
]);

const BOM = 0xfeff;
const OPEN_BRACE = 0x7b;

/**
 * Reads a request body.
 * @param wanted the members to give the spans of
 * @throws GatewayError `invalid_json` for what is not strict UTF-8 JSON or no object, `ambiguous_request` for names
 *   that readers disagree on, `invalid_request` beyond the limits
 */
export function readJsonBody(
  body: Buffer,
  fields: PolicyFields,
  wanted: readonly string[],
  limits: ParseLimits,
): JsonBody {
  const text = decodeText(body);
  const members = scanObject(text, fields, limits);
  for (const [name, { start }] of members) {
    if (text.charCodeAt(start) !== OPEN_BRACE) continue;
    const nested = NESTED.get(name);
    if (nested !== undefined) scanObject(text, nested, limits, start);
  }
  const json = parseText(text);
  return { json, inside: text.indexOf("{") + 1, spans: byteSpans(text, members, wanted, body.length) };
}

function decodeText(body: Buffer): string {
  if (isAscii(body)) return body.toString("latin1");
  if (!isUtf8(body)) throw new GatewayError("invalid_json", "The body is not valid UTF-8");
  const text = body.toString("utf8");
  if (text.charCodeAt(0) === BOM) throw new GatewayError("invalid_json", "The body begins with a byte order mark");
  return text;
}

function parseText(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject;
  } catch (error) {
    const position = /position (\d+)/.exec(String(error))?.[1];
    const where = position === undefined ? "" : ` (position ${position})`;
    throw new GatewayError("invalid_json", `The body is not valid JSON${where}`);
  }
}

function byteSpans(text: string, members: Members, wanted: readonly string[], bytes: number): Map<string, Span> {
  const spans = new Map<string, Span>();
  for (const name of wanted) {
    const span = members.get(name);
    if (span !== undefined) spans.set(name, text.length === bytes ? span : toBytes(text, span));
  }
  return spans;
}

function toBytes(text: string, { start, end }: Span): Span {
  const startByte = Buffer.byteLength(text.slice(0, start));
  return { start: startByte, end: startByte + Buffer.byteLength(text.slice(start, end)) };
}
