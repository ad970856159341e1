// Literals with their dimension: `$10/M`, `8k`, `2MiB`, `5m`, `10%`, `22:00`, `2027-01-31`, `10.0.0.0/8`.
import { type Net, parseNet } from "./ip.ts";
import { parseDate } from "./local-time.ts";

/** What a literal measures. */
export type Dimension = "number" | "money" | "price" | "tokens" | "bytes" | "duration" | "percent" | "time" | "date";

/**
 * A literal's value by dimension: money in nano-USD, price in pico-USD per token, tokens, bytes, duration in
 * milliseconds, percent and number as they are, time in minutes since midnight (24:00 allowed), date in days
 * since 1970-01-01.
 */
export type Literal =
  | { readonly dimension: Dimension; readonly value: number }
  | { readonly dimension: "ip"; readonly net: Net };

const TOKENS = new Map([
  ["k", 1e3],
  ["M", 1e6],
]);
const BYTES = new Map([
  ["b", 1],
  ["kb", 1e3],
  ["mb", 1e6],
  ["gb", 1e9],
  ["kib", 2 ** 10],
  ["mib", 2 ** 20],
  ["gib", 2 ** 30],
]);
const DURATIONS = new Map([
  ["ms", 1],
  ["s", 1e3],
  ["m", 6e4],
  ["h", 3.6e6],
  ["d", 8.64e7],
]);
/** Decimals that a bare `$10/M` and a bare `$10` are shifted by. */
const PICO_PER_MILLION_DIGITS = 6;
const NANO_DIGITS = 9;

/** Reads a literal; null when it has no dimension that the language knows. */
export function readLiteral(text: string): Literal | null {
  if (text.startsWith("$")) return readMoney(text.slice(1));
  const quantity = /^(\d+(?:\.\d+)?)([A-Za-z]*|%)$/.exec(text);
  if (quantity !== null) return readQuantity(quantity[1] ?? "", quantity[2] ?? "");
  const minutes = readTime(text);
  if (minutes !== null) return { dimension: "time", value: minutes };
  const day = parseDate(text);
  if (day !== null) return { dimension: "date", value: day };
  const net = parseNet(text);
  return net === null ? null : { dimension: "ip", net };
}

/** Decimal USD per million tokens as written bare (`10`) → a price; null with more than six decimals. */
export function barePrice(text: string): number | null {
  return shifted(text, PICO_PER_MILLION_DIGITS);
}

function readMoney(text: string): Literal | null {
  const match = /^(\d+(?:\.\d+)?)(\/M|\/k)?$/.exec(text);
  if (match === null) return null;
  const unit = match[2];
  const digits = unit === "/M" ? PICO_PER_MILLION_DIGITS : NANO_DIGITS;
  const value = shifted(match[1] ?? "", digits);
  return value === null ? null : { dimension: unit === undefined ? "money" : "price", value };
}

function readQuantity(digits: string, unit: string): Literal | null {
  if (unit === "") return sized("number", Number(digits));
  if (unit === "%") return sized("percent", Number(digits));
  const tokens = TOKENS.get(unit);
  if (tokens !== undefined) return sized("tokens", Number(digits) * tokens);
  const duration = DURATIONS.get(unit);
  if (duration !== undefined) return sized("duration", Number(digits) * duration);
  const bytes = BYTES.get(unit.toLowerCase());
  return bytes === undefined ? null : sized("bytes", Number(digits) * bytes);
}

function sized(dimension: Dimension, value: number): Literal | null {
  return value <= Number.MAX_SAFE_INTEGER ? { dimension, value } : null;
}

function readTime(text: string): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text);
  if (match === null) return null;
  const minutes = Number(match[1]) * 60 + Number(match[2]);
  return Number(match[2]) < 60 && minutes <= 1440 ? minutes : null;
}

/** A decimal times ten to the `digits`, exactly; null when that is no safe integer. */
function shifted(text: string, digits: number): number | null {
  const [whole = "", decimals = ""] = text.split(".");
  const kept = decimals.replace(/0+$/, "");
  if (kept.length > digits) return null;
  const value = Number(whole + kept.padEnd(digits, "0"));
  return Number.isSafeInteger(value) ? value : null;
}
