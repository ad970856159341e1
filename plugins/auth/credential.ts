// Finds the one credential that a request carries, and says what is wrong with one that is no key.
import { GatewayError, looksLikeKey, type RequestHead } from "../../src/plugin.ts";

/** How providers' own keys begin: sent here by mistake, they get their own message. */
const PROVIDER_KEYS = /^(?:sk-proj-|sk-svcacct-|sk-admin-|sk-ant-|sk-or-|AIza|gsk_|xai-|pplx-|hf_|r8_)/;

/**
 * The request's virtual key, its checksum verified. It may be sent as `authorization: Bearer`, `x-api-key` or
 * `x-goog-api-key`, in one of them or the same in several.
 * @throws GatewayError `invalid_api_key` when there is none, when there are two, or when it cannot be a key
 */
export function readCredential(headers: RequestHead["headers"]): string {
  const bearer = headers.authorization === undefined ? null : readBearer(headers.authorization);
  const anthropic = readPlain(headers["x-api-key"]);
  const google = readPlain(headers["x-goog-api-key"]);
  const secret = bearer ?? anthropic ?? google;
  if (secret === null) throw refused("No virtual key was sent: send one as `Authorization: Bearer sk-…`");
  if ((anthropic !== null && anthropic !== secret) || (google !== null && google !== secret)) {
    throw refused("Two different credentials were sent: send one virtual key");
  }
  return secret;
}

/** Throws unless the text is a key by its shape and checksum. A key that is known need not be looked at again. */
export function assertKey(secret: string): void {
  if (looksLikeKey(secret)) return;
  if (PROVIDER_KEYS.test(secret)) throw refused("This looks like a provider's key; send a Tollgate virtual key");
  if (/^sk-[0-9A-Za-z]{40}$/.test(secret)) throw refused("The virtual key is mistyped: its checksum does not hold");
  throw refused("This is not a virtual key: one is `sk-` and 40 letters and digits");
}

/** An unknown key, or one of the errors above. Never says what was sent. */
export function refused(message: string): GatewayError {
  return new GatewayError("invalid_api_key", message, { retry: false });
}

type Header = string | readonly string[];

function readBearer(header: Header): string | null {
  if (header === "") return null;
  if (typeof header === "string" && header.startsWith("Bearer ")) return header.slice(7).trim();
  const match = typeof header === "string" ? /^bearer +(\S+) *$/i.exec(header) : null;
  if (match === null) throw refused("The authorization header is not of the form `Bearer sk-…`");
  return match[1] ?? null;
}

function readPlain(header: Header | undefined): string | null {
  if (header === undefined || header === "") return null;
  if (typeof header === "string") return header;
  throw refused("The API key header was sent more than once");
}
