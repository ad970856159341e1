// Shapes that routes of several APIs take.
import { z } from "zod";
import { parseDuration } from "../config/units.ts";

/** A length of time, `24h`; milliseconds. */
export const durationShape = z
  .string()
  .transform((text, context) => {
    const read = parseDuration(text);
    if (read.ok) return read.value;
    context.addIssue({ code: "custom", message: "write a length: 30m, 24h, 7d" });
    return z.NEVER;
  })
  .describe("A length: 30m, 24h, 7d");

/** A length back from now, `7d`, or a date, `2027-01-31`; milliseconds since the epoch. */
export function sinceShape(nowMs: () => number) {
  return z
    .string()
    .transform((text, context) => {
      const length = parseDuration(text);
      if (length.ok) return nowMs() - length.value;
      const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
      if (!Number.isNaN(ms)) return ms;
      context.addIssue({ code: "custom", message: "write a length (7d) or a date (2027-01-31)" });
      return z.NEVER;
    })
    .describe("A length back from now (7d) or a date");
}
