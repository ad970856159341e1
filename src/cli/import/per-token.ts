// USD per token, as LiteLLM writes prices, to USD per million tokens, without a float between.

/** A price of the config's kind, and whether it is what was written. */
export interface PerMillion {
  /** `$0.15/M`. */
  readonly text: string;
  /** False when more than six decimals were cut; what a float adds after its 15th digit is no difference. */
  readonly exact: boolean;
}

const DECIMAL = /^(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?$/i;
/** Decimals of a price per million tokens that the config takes. */
const DECIMALS = 6;
const WHOLE_DIGITS_MAX = 9;
/** What a double is sure of. */
const SURE_DIGITS = 15;

/** `1.5e-07`, `0.00000015`, 1.5e-7 → `$0.15/M`; null when it is not such a price. A price above 0 stays above 0. */
export function perMillion(usdPerToken: string | number): PerMillion | null {
  const [, whole, decimals = "", exponent = "0"] = DECIMAL.exec(String(usdPerToken).trim()) ?? [];
  if (whole === undefined || whole + decimals === "") return null;
  const digits = (whole + decimals).replace(/^0+/, "");
  const scale = decimals.length - Number(exponent) - 6;
  if (digits === "") return { text: "$0/M", exact: true };
  if (digits.length - scale > WHOLE_DIGITS_MAX) return null;
  const units = scale <= DECIMALS ? digits + "0".repeat(DECIMALS - scale) : rounded(digits, scale - DECIMALS);
  const isCut = scale > DECIMALS && /[1-9]/.test(digits.slice(0, SURE_DIGITS).slice(DECIMALS - scale + digits.length));
  return { text: `$${dollars(units)}/M`, exact: !isCut };
}

/** The digits without the last `cut`, half up, at least 1. */
function rounded(digits: string, cut: number): string {
  if (cut > digits.length) return "1";
  const kept = BigInt(digits.slice(0, digits.length - cut) || "0");
  const up = Number(digits[digits.length - cut]) >= 5 ? kept + 1n : kept;
  return String(up === 0n ? 1n : up);
}

function dollars(units: string): string {
  const padded = units.padStart(DECIMALS + 1, "0");
  const decimals = padded.slice(-DECIMALS).replace(/0+$/, "");
  return `${padded.slice(0, -DECIMALS)}${decimals === "" ? "" : `.${decimals}`}`;
}
