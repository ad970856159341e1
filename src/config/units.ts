// Texts with units in the config, read into plain numbers: durations, bytes, prices, addresses.
import { isIP } from "node:net";
import { picoUsdPerToken } from "../money.ts";

/** A text that was read, or what is wrong with it and what to write instead. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly help: string };

/** Where to listen. */
export interface Address {
  /** An IP address or a host name; IPv6 without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 takes a free port. */
  readonly port: number;
}

const MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

const ok = <T>(value: T): Parsed<T> => ({ ok: true, value });
const bad = (message: string, help: string): { ok: false; message: string; help: string } => ({
  ok: false,
  message,
  help,
});

/** `500ms`, `30s`, `5m`, `1.5h`, `30d`, `2w` → whole milliseconds. */
export function parseDuration(text: string): Parsed<number> {
  const help = "write a number and a unit: ms, s, m, h, d or w, for example 30s";
  const match = /^(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]*)$/i.exec(text.trim());
  if (match === null) return bad("not a duration", help);
  if (match[2] === "") return bad("a duration without its unit", help);
  const unit = MS[match[2]?.toLowerCase() ?? ""];
  return unit === undefined ? bad("a duration with an unknown unit", help) : ok(Math.round(Number(match[1]) * unit));
}

/** `200`, `10MB`, `512 KiB` → bytes; kB, MB, GB are powers of 1000 and KiB, MiB, GiB of 1024. */
export function parseBytes(text: string): Parsed<number> {
  const help = "write a number and a unit: B, kB, MB, GB, KiB, MiB or GiB, for example 10MB";
  const match = /^(\d{1,12}(?:\.\d{1,3})?)\s*([a-z]*)$/i.exec(text.trim());
  if (match === null) return bad("not a size", help);
  if (match[2] === "") return bad("a size without its unit", help);
  const unit = BYTES[match[2]?.toLowerCase() ?? ""];
  return unit === undefined ? bad("a size with an unknown unit", help) : ok(Math.round(Number(match[1]) * unit));
}

/** `$0.10/M`, `$0.0001/k` (USD per million or per thousand tokens) → whole pico-USD per token. */
export function parsePrice(text: string): Parsed<number> {
  const help = "write USD and a unit: $0.10/M (per million tokens) or $0.0001/k (per thousand)";
  const match = /^\$?\s*(\d{1,9})(?:\.(\d{1,12}))?\s*(?:\/\s*(\S+))?$/.exec(text.trim());
  if (match === null) return bad("not a price", help);
  const [, whole = "", decimals = "", unit] = match;
  if (unit === undefined) return bad("a price without its unit", help);
  if (unit !== "M" && unit !== "k" && unit !== "K") return bad("a price with an unknown unit", help);
  const perMillion = unit === "M" ? `${whole}.${decimals}` : thousandTimes(whole, decimals);
  const price = picoUsdPerToken(trimZeros(perMillion));
  return price === null ? bad("a price finer than $0.000001/M, or above $999999999/M", help) : ok(price);
}

/** Moves the decimal point three places to the right. */
function thousandTimes(whole: string, decimals: string): string {
  const padded = decimals.padEnd(3, "0");
  return `${(whole + padded.slice(0, 3)).replace(/^0+(?=\d)/, "")}.${padded.slice(3)}`;
}

function trimZeros(decimal: string): string {
  return decimal.replace(/\.?0*$/, "");
}

/** `127.0.0.1:4000`, `[::1]:4000`, `localhost:0`, `:4000` (every address) → host and port. */
export function parseAddress(text: string): Parsed<Address> {
  const help = "write host:port, for example 127.0.0.1:4000, [::1]:4000 or 0.0.0.0:4000";
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]*)):(\d{1,5})$/i.exec(text.trim());
  const host = match?.[1] ?? (match?.[2] || "0.0.0.0");
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return bad("not an address to listen on", help);
  if (match[1] !== undefined && isIP(match[1]) !== 6) return bad("not an IPv6 address", help);
  return ok({ host, port });
}

/** True when only this machine can connect to it. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}

/** An IP address or a CIDR range, as it was written. */
export function parseCidr(text: string): Parsed<string> {
  const help = "write an address or a range, for example 10.0.0.0/8 or 2001:db8::1";
  const [address = "", bits, ...more] = text.trim().split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0) return bad("neither an IP address nor a CIDR range", help);
  const most = family === 4 ? 32 : 128;
  if (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= most)) {
    return bad(`a prefix length that is not 0 to ${most}`, help);
  }
  return ok(text.trim());
}
