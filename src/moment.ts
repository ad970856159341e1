// Moments as JSON. Imports nothing.

/** ISO 8601 in UTC, or null. */
export function momentJson(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
