// Secrets as people may see them.

const SECRET_NAME = /(?:key|token|secret|password|passwd|credential)s?$/i;
const SHOWN = 4;
/** Shorter secrets show nothing: four of their characters would be too many. */
const SHOWN_FROM = 16;

/** `sk-…abcd`: at most the last four characters; only `…` of a short one. */
export function maskSecret(secret: string): string {
  const tail = secret.length >= SHOWN_FROM ? secret.slice(-SHOWN) : "";
  return `${secret.startsWith("sk-") ? "sk-" : ""}…${tail}`;
}

/** A URL with its password masked. */
export function maskUrl(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^/@:]*):[^@]*@/i, "$1:…@");
}

/**
 * A plugin's config as it may be shown: texts that came out of a `${…}`, or whose name says secret, are masked.
 * @param isInterpolated told a path within the config
 */
export function maskPluginConfig(
  value: unknown,
  isInterpolated: (path: readonly PropertyKey[]) => boolean,
  path: readonly PropertyKey[] = [],
): unknown {
  if (Array.isArray(value)) return value.map((item, index) => maskPluginConfig(item, isInterpolated, [...path, index]));
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([name, item]) => [
      name,
      maskPluginConfig(item, isInterpolated, [...path, name]),
    ]);
    return Object.fromEntries(entries);
  }
  const isSecret = isInterpolated(path) || path.some((step) => typeof step === "string" && SECRET_NAME.test(step));
  return isSecret && (typeof value === "string" || typeof value === "number") ? maskSecret(String(value)) : value;
}
