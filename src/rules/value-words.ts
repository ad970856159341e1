// What messages call types and dimensions, and how to write a value of each.
import type { Value } from "./ast.ts";
import type { Attribute, ValueType } from "./attributes.ts";
import type { Dimension } from "./literal.ts";
import { WEEKDAYS } from "./local-time.ts";

/** An attribute's type in plain words. */
export const PLAIN: Record<ValueType, string> = {
  name: "a name",
  bool: "true or false",
  number: "a number",
  money: "an amount of money",
  price: "a price",
  percent: "a percentage",
  tokens: "a number of tokens",
  bytes: "a number of bytes",
  duration: "a duration",
  ip: "an address",
  time: "a time of day",
  date: "a date",
  weekday: "a weekday",
};

/** How to write a value of the type. */
export const EXAMPLE: Partial<Record<ValueType, string>> = {
  money: "write it as `$10`",
  percent: "write it as `10%`",
  price: "write it as `$10/M`, or as `10` for USD per million tokens",
  tokens: "write it as `8k` or `8000`",
  bytes: "write it as `2MB`",
  duration: "write it as `30s`, `5m`, `1h` or `7d`",
  ip: "write it as `10.0.0.0/8`",
  time: "write it as `22:00`",
  date: "write it as `2027-01-31`",
  weekday: `the weekdays are ${WEEKDAYS.join(", ")}`,
  bool: "write `true` or `false`",
};

/** A literal's dimension in plain words. */
export const PLAIN_DIMENSION: Record<Dimension | "ip", string> = {
  number: "a number",
  money: "an amount of money",
  price: "a price",
  tokens: "a number of tokens",
  bytes: "a number of bytes",
  duration: "a duration",
  percent: "a percentage",
  time: "a time of day",
  date: "a date",
  ip: "an address",
};

/** Says how to write the value, in its own digits where only the unit is wrong. */
export function unitHelp({ type, share }: Attribute, value: Value): string | null {
  if (share !== undefined) return "write it as `$10` or `10%`";
  if (type === "price" && value.kind === "literal" && value.literal.dimension === "money") {
    return `a price is per tokens: write \`${value.text}/M\` or \`${value.text}/k\``;
  }
  if (type === "tokens" && /^\d+m$/.test(value.text)) return `\`m\` is minutes: write \`${value.text.slice(0, -1)}M\``;
  return EXAMPLE[type] ?? null;
}
