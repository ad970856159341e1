// The wire formats by name, and the data-plane paths that speak them.
import type { Endpoint, Wire } from "../types.ts";
import { anthropic } from "./anthropic.ts";
import { openai } from "./openai.ts";
import type { WireFormat } from "./wire-format.ts";

export { PARSE_LIMITS, type ParseLimits } from "./json-scan.ts";
export type { ParsedBody, WireFormat } from "./wire-format.ts";

/** What a path of the data plane takes. */
export interface Route {
  readonly wire: Wire;
  readonly endpoint: Endpoint;
  readonly method: "POST";
}

/** Path → what it takes. Paths that are not here never reach a provider. */
export const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["/v1/chat/completions", Object.freeze({ wire: "openai", endpoint: "chat", method: "POST" })],
  ["/v1/messages", Object.freeze({ wire: "anthropic", endpoint: "messages", method: "POST" })],
]);

const FORMATS: ReadonlyMap<Wire, WireFormat> = new Map([
  ["openai", openai],
  ["anthropic", anthropic],
]);

/**
 * The format of a wire.
 * @throws Error for a wire that no route speaks
 */
export function wireFormat(wire: Wire): WireFormat {
  const format = FORMATS.get(wire);
  if (format === undefined) throw new Error(`no wire format \`${wire}\``);
  return format;
}
