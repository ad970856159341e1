// Which routes a key may call: exact paths, prefixes `/x/*`, and names of groups of routes.

/** The presets that `key_type` stands for. `default` stores nothing: the owner's role decides. */
export const KEY_TYPES = Object.freeze({
  default: [],
  llm_api: ["llm_api_routes"],
  management: ["management_routes"],
  read_only: ["info_routes"],
} as const satisfies Record<string, readonly string[]>);

/** A preset's name. */
export type KeyType = keyof typeof KEY_TYPES;

/** Groups of routes. */
export const ROUTE_GROUPS: Readonly<Record<string, readonly string[]>> = Object.freeze({
  llm_api_routes: ["/v1/*", "/v1beta/*", "/api/jobs/*", "/-/limits"],
  info_routes: [
    ...["/v1/models", "/key/info", "/key/list", "/team/info", "/team/list", "/user/info", "/organization/info"],
    ...["/model/info", "/spend/logs", "/api/teams/verify", "/api/credits/balance", "/-/limits"],
  ],
  management_routes: [
    "/key/*",
    "/team/*",
    "/user/*",
    "/organization/*",
    "/model/info",
    "/spend/logs",
    "/keys/*",
    "/projects/*",
    "/orgs/*",
    "/-/*",
  ],
});

/** The preset whose routes these are; null when no preset has them. */
export function keyTypeOf(routes: readonly string[]): KeyType | null {
  const types = Object.keys(KEY_TYPES) as KeyType[];
  return types.find((type) => sameRoutes(KEY_TYPES[type], routes)) ?? null;
}

/** True when a key with these routes may call the path. No routes: it may call all that its owner may. */
export function routeIsAllowed(routes: readonly string[], path: string): boolean {
  return routes.length === 0 || routes.some((route) => matches(route, path));
}

/** What a caller is told whose key may not call the path. */
export function routeRefusal(routes: readonly string[], path: string): string {
  const list = `[${routes.map((route) => `'${route}'`).join(", ")}]`;
  return `Virtual key is not allowed to call this route. Only allowed to call routes: ${list}. Tried to call route: ${path}`;
}

/** True when all that `routes` lets through, `bound` lets through too. */
export function routesAreWithin(routes: readonly string[], bound: readonly string[]): boolean {
  if (bound.length === 0) return true;
  if (routes.length === 0) return false;
  const outer = bound.flatMap(expand);
  return routes.flatMap(expand).every((route) => outer.some((one) => covers(one, route)));
}

function matches(route: string, path: string): boolean {
  const group = Object.hasOwn(ROUTE_GROUPS, route) ? ROUTE_GROUPS[route] : undefined;
  if (group !== undefined) return group.some((one) => covers(one, path));
  return covers(route, path);
}

function expand(route: string): readonly string[] {
  return Object.hasOwn(ROUTE_GROUPS, route) ? (ROUTE_GROUPS[route] ?? []) : [route];
}

/** `/x/*` covers `/x` and all below; a path covers itself and, as a prefix, what is below it. */
function covers(route: string, path: string): boolean {
  const base = route.endsWith("/*") ? route.slice(0, -2) : route;
  return path === route || path === base || path.startsWith(`${base}/`);
}

function sameRoutes(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((route) => b.includes(route));
}
