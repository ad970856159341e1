// The request target: one parsed value that routing, rules and forwarding share, or nothing.

/** A path segment of the data plane needs no more than these; anything else has two readings somewhere. */
const PLAIN_PATH = /^(?:\/[A-Za-z0-9_.:@+~-]+)+$/;

/**
 * The path of an origin-form target, without its query, or null for any target that differs from its
 * normal form: dot segments, escapes, backslashes, empty segments, absolute form (RFC 9112 3.2, RFC 3986 6.2.2).
 */
export function plainPath(target: string | undefined): string | null {
  if (target === undefined) return null;
  const end = target.indexOf("?");
  const path = end === -1 ? target : target.slice(0, end);
  if (!PLAIN_PATH.test(path) || path.includes("/./") || path.includes("/../")) return null;
  return path.endsWith("/.") || path.endsWith("/..") ? null : path;
}

/** A segment of an API's path may hold escapes: ids and aliases are the users' own. */
const API_PATH = /^(?:\/(?:[A-Za-z0-9_.:@+~-]|%[0-9A-Fa-f]{2})+)+$/;

/** As `plainPath`, with escapes in the segments; null where they hide a dot segment or are no UTF-8. */
export function apiPath(target: string | undefined): string | null {
  const path = (target ?? "").split("?", 1)[0] ?? "";
  if (!API_PATH.test(path)) return null;
  try {
    return path.split("/").some((segment) => /^\.\.?$/.test(decodeURIComponent(segment))) ? null : path;
  } catch {
    return null;
  }
}
