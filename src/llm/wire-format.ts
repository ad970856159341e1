// What a wire format has to offer: parsing a request, and what is sent upstream for it. Shared readers of fields.
import { GatewayError } from "../errors.ts";
import type { Endpoint, JsonObject, Target, Wire } from "../types.ts";
import type { JsonBody } from "./json-body.ts";
import type { ParseLimits } from "./json-scan.ts";

/** A request body that has been checked. `json` holds the very values that the provider will read from `body`. */
export interface ParsedBody {
  readonly wire: Wire;
  /** The bytes as received. */
  readonly body: Buffer;
  readonly json: JsonObject;
  /** `model` as the caller wrote it; never empty. */
  readonly modelRequested: string;
  readonly stream: boolean;
  /** The caller asked for usage in the stream, or the format always has it. */
  readonly streamUsage: boolean;
  /** The most output tokens per answer that the caller asked for; null when left out. */
  readonly maxTokens: number | null;
  /** How many answers are asked for, 1 to 128; 1 when left out. */
  readonly n: number;
  /** `upstreamBody` asks for usage in the caller's stead: the tap is to hide it. */
  readonly injectsUsage: boolean;
  /** Where to change the body. */
  readonly spans: JsonBody["spans"];
  readonly inside: number;
}

/** One provider API's requests. */
export interface WireFormat {
  readonly wire: Wire;
  /**
   * Checks a body and reads what policy needs.
   * @throws GatewayError `invalid_json`, `ambiguous_request`, `missing_model`, `invalid_request` (with its param)
   */
  parse(body: Buffer, limits?: ParseLimits): ParsedBody;
  /** The bytes to send: the same Buffer, unless the target's model is called otherwise or usage has to be asked for. */
  upstreamBody(parsed: ParsedBody, target: Target): Buffer;
  /** The path to dial for an endpoint, below the path of the provider's base URL (`/v1` of `https://api.openai.com/v1`). */
  upstreamPath(basePath: string, endpoint: Endpoint): string;
  /** The header that carries the provider's key; none without a key. */
  authHeaders(apiKey: string | null): Readonly<Record<string, string>>;
  /** What the provider needs where the caller sent no header of that name. */
  readonly defaultHeaders: Readonly<Record<string, string>>;
  /** The caller's headers that may go upstream, in lower case. All else stays here. */
  readonly requestHeaders: ReadonlySet<string>;
}

/** The provider's own ceiling for `n`. */
const ANSWERS_MAX = 128;
const MODEL_LENGTH_MAX = 256;

/** Reads `model`. */
export function readModel({ model }: JsonObject): string {
  if (model === undefined || model === null || model === "") {
    throw new GatewayError("missing_model", "`model` is missing: name the model to use", { param: "model" });
  }
  if (typeof model !== "string") throw wrongType("model", "a string");
  if (model.length > MODEL_LENGTH_MAX) throw wrongType("model", `at most ${MODEL_LENGTH_MAX} characters long`);
  return model;
}

/** Reads a boolean; false when left out or null. */
export function readBoolean(json: JsonObject, name: string): boolean {
  const value = json[name] ?? false;
  if (typeof value !== "boolean") throw wrongType(name, "true or false");
  return value;
}

/** Reads a number of tokens; null when left out or null. */
export function readTokens(json: JsonObject, name: string): number | null {
  const value = json[name] ?? null;
  if (value !== null && !(Number.isSafeInteger(value) && (value as number) >= 0)) {
    throw wrongType(name, "a whole number of tokens, 0 or more");
  }
  return value as number | null;
}

/** Reads how many answers are asked for; 1 when left out or null. */
export function readAnswers(json: JsonObject, name: string): number {
  const value = json[name] ?? 1;
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > ANSWERS_MAX) {
    throw wrongType(name, `a whole number from 1 to ${ANSWERS_MAX}`);
  }
  return value as number;
}

/** Refuses a member that must be there as an array and is not. */
export function requireArray(json: JsonObject, name: string): void {
  if (!Array.isArray(json[name])) throw wrongType(name, "an array");
}

/** Names of members and the type that each must have where it is there and not null. */
export type FieldTypes = readonly (readonly [name: string, type: FieldType])[];

/** The types that `FieldTypes` knows. */
export type FieldType = "array" | "number" | "object" | "string" | "text";

/** Refuses members of another type than policy reads. */
export function checkTypes(json: JsonObject, types: FieldTypes): void {
  for (const [name, type] of types) {
    const value = json[name];
    if (value !== undefined && value !== null && !isA[type](value)) throw wrongType(name, ARTICLE[type]);
  }
}

const isA: Readonly<Record<FieldType, (value: unknown) => boolean>> = {
  array: Array.isArray,
  number: (value) => Number.isFinite(value),
  object: isObject,
  string: (value) => typeof value === "string",
  text: (value) => typeof value === "string" || Array.isArray(value),
};

const ARTICLE: Readonly<Record<FieldType, string>> = {
  array: "an array",
  number: "a number",
  object: "an object",
  string: "a string",
  text: "a string or an array",
};

/** A JSON object that is no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The error for a field whose value cannot be used. */
export function wrongType(name: string, wanted: string): GatewayError {
  return new GatewayError("invalid_request", `\`${name}\` must be ${wanted}`, { param: name });
}

/** A change to a body: the bytes from `start` to `end` give way to `text`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Applies edits that do not overlap; the same Buffer when there are none. */
export function applyEdits(body: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return body;
  const parts: Buffer[] = [];
  let from = 0;
  for (const { start, end, text } of edits.toSorted((a, b) => a.start - b.start)) {
    parts.push(body.subarray(from, start), Buffer.from(text));
    from = end;
  }
  parts.push(body.subarray(from));
  return Buffer.concat(parts);
}

/** The edit that puts the target's name for the model in place of the caller's; none when they are the same. */
export function modelEdits(parsed: ParsedBody, target: Target): readonly Edit[] {
  const span = parsed.spans.get("model");
  if (span === undefined || target.upstreamModel === parsed.modelRequested) return [];
  return [{ ...span, text: JSON.stringify(target.upstreamModel) }];
}
