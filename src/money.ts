// Money as whole nano-USD and prices as whole pico-USD a token, to and from decimal text. No floats.

/** Nano-USD in a dollar. */
export const NANO_PER_USD = 1_000_000_000n;

const AMOUNT = /^\$?(\d{1,12})(?:\.(\d{1,9}))?$/;

/** `$5`, `5`, `0.25` → nano-USD; null when it is not such an amount (at most nine decimals). */
export function parseUsd(text: string): bigint | null {
  const match = AMOUNT.exec(text.trim());
  if (match === null) return null;
  return BigInt(match[1] ?? "0") * NANO_PER_USD + BigInt((match[2] ?? "").padEnd(9, "0"));
}

/** Whole nano-USD (a number up to 2^53) → decimal dollars without trailing zeros: `4500` → `0.0000045`, `5000000000n` → `5`. */
export function formatUsd(nanoUsd: bigint | number): string {
  const sign = nanoUsd < 0 ? "-" : "";
  const whole = String(nanoUsd < 0 ? -nanoUsd : nanoUsd).padStart(10, "0");
  const decimals = whole.slice(-9).replace(/0+$/, "");
  return `${sign}${whole.slice(0, -9)}${decimals === "" ? "" : `.${decimals}`}`;
}

/** Decimal USD per million tokens (`10`, `0.0375`, at most six decimals) → pico-USD per token; null when it is not one. */
export function picoUsdPerToken(usdPerMillion: string): number | null {
  const match = /^(\d{1,9})(?:\.(\d{1,6}))?$/.exec(usdPerMillion.trim());
  if (match === null) return null;
  return Number(match[1]) * 1_000_000 + Number((match[2] ?? "").padEnd(6, "0"));
}

/** Pico-USD per token → decimal USD per million tokens: `30000000` → `30`. */
export function formatPerMillion(picoUsd: number): string {
  const digits = String(picoUsd).padStart(7, "0");
  const decimals = digits.slice(-6).replace(/0+$/, "");
  return `${digits.slice(0, -6)}${decimals === "" ? "" : `.${decimals}`}`;
}
