// The plugins' own paths that make calls to models: which of them a request is for.
import { type CallRoute, patternOf, type RouteSet } from "./api/route.ts";
import { plainPath } from "./http/request-target.ts";

/** Looked at only where a path is none of the gateway's own. */
export class CallRoutes {
  readonly #routes: readonly { readonly route: CallRoute; readonly pattern: RegExp }[];

  constructor(sets: readonly RouteSet[]) {
    this.#routes = sets.flatMap(({ calls = [] }) => calls.map((route) => ({ route, pattern: patternOf(route.path) })));
  }

  /** The route that has this plain path. */
  find(path: string): CallRoute | null {
    return this.#routes.find(({ pattern }) => pattern.test(path))?.route ?? null;
  }

  /** The route of a request target, whatever its method. */
  of(target: string | undefined): CallRoute | null {
    const path = this.#routes.length === 0 ? null : plainPath(target);
    return path === null ? null : this.find(path);
  }
}
