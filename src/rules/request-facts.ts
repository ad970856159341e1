// Reads from request bodies, per wire format. A field left out has its declared value; a malformed one is unknown.
import type { Call, JsonObject, Target } from "../types.ts";
import { type Ip, parseIp } from "./ip.ts";

/** How deep the search for images goes. */
const DEPTH_MAX = 12;

/** The effective output cap in tokens: what was asked, else the model's output limit, else unknown. */
export function maxTokensOf(call: Call, target: Target): number | undefined {
  return call.maxTokens ?? target.outputTokensMax ?? undefined;
}

/** 1 when left out. */
export function temperatureOf(call: Call): number | undefined {
  const holder = call.wire === "gemini" ? generationConfig(call) : call.json;
  const value = holder.temperature ?? 1;
  return typeof value === "number" ? value : undefined;
}

/** `default` when left out. */
export function reasoningEffortOf(call: Call): string | undefined {
  const value = effortField(call) ?? "default";
  return typeof value === "string" ? value.toLowerCase() : undefined;
}

/** Addresses last read, so that several rules and requests parse one once. */
const addresses = new Map<string, Ip | undefined>();
/** When so many are kept, all are dropped. */
const ADDRESSES_MAX = 1_000;

/** The client's address; unknown when it cannot be read. */
export function ipOf({ ip }: Call): Ip | undefined {
  const known = addresses.get(ip);
  if (known !== undefined || addresses.has(ip)) return known;
  if (addresses.size >= ADDRESSES_MAX) addresses.clear();
  const parsed = parseIp(ip) ?? undefined;
  addresses.set(ip, parsed);
  return parsed;
}

/** How many tools the model is offered; 0 when left out. */
export function toolCountOf(call: Call): number | undefined {
  const tools = call.json.tools ?? call.json.functions ?? [];
  if (!Array.isArray(tools)) return undefined;
  if (call.wire !== "gemini") return tools.length;
  return tools.reduce<number>((count, tool) => count + declarationsIn(tool), 0);
}

/** Messages of a conversation; a plain text input counts as one, none as 0. */
export function messageCountOf(call: Call): number | undefined {
  const messages = messagesOf(call);
  if (Array.isArray(messages)) return messages.length;
  if (messages === undefined || messages === null) return 0;
  return typeof messages === "string" ? 1 : undefined;
}

/** Whether a message holds an image. */
export function visionOf(call: Call): boolean {
  return holdsImage(messagesOf(call), DEPTH_MAX);
}

/** A header's values (name in lower case), or null when it was not sent. */
export function headerOf(call: Call, name: string): string | readonly string[] | null {
  const value = call.headers[name];
  // What every object has, as `constructor`, is no header.
  return value !== undefined && Object.hasOwn(call.headers, name) ? value : null;
}

/** `metadata.<key>` of the body as text; null when left out, unknown when it is a structure. */
export function metadataOf(call: Call, key: string): string | null | undefined {
  const metadata = call.json.metadata ?? null;
  if (metadata === null) return null;
  if (!isObject(metadata)) return undefined;
  const value = Object.hasOwn(metadata, key) ? (metadata[key] ?? null) : null;
  return value === null ? null : typeof value === "object" ? undefined : String(value);
}

function messagesOf(call: Call): unknown {
  const { json } = call;
  if (call.wire === "gemini") return json.contents;
  return call.endpoint === "responses" || call.endpoint === "moderations" ? json.input : (json.messages ?? json.prompt);
}

function effortField(call: Call): unknown {
  const { json } = call;
  if (call.wire === "anthropic") return field(json.output_config, "effort");
  if (call.wire === "gemini") return field(generationConfig(call).thinkingConfig, "thinkingLevel");
  return json.reasoning_effort ?? field(json.reasoning, "effort");
}

function generationConfig(call: Call): JsonObject {
  const config = call.json.generationConfig;
  return isObject(config) ? config : {};
}

function field(holder: unknown, name: string): unknown {
  return isObject(holder) ? holder[name] : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function declarationsIn(tool: unknown): number {
  const declared = field(tool, "functionDeclarations") ?? field(tool, "function_declarations");
  return Array.isArray(declared) ? declared.length : 1;
}

const IMAGE_TYPES = new Set<unknown>(["image_url", "input_image", "image"]);
const IMAGE_FIELDS = ["inlineData", "inline_data", "fileData", "file_data"];

function holdsImage(value: unknown, depth: number): boolean {
  if (depth === 0 || typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some((item) => holdsImage(item, depth - 1));
  const part = value as JsonObject;
  if (IMAGE_TYPES.has(part.type)) return true;
  if (IMAGE_FIELDS.some((name) => isObject(part[name]))) return true;
  return holdsImage(part.content, depth - 1) || holdsImage(part.parts, depth - 1) || holdsImage(part.output, depth - 1);
}
