// The auth plugin: a virtual key in the request's headers → whose it is.
import { LRUCache } from "lru-cache";
import {
  definePlugin,
  GatewayError,
  type Host,
  hashKey,
  type KeyLookup,
  type Principal,
  type RequestHead,
  routeIsAllowed,
  routeRefusal,
  StoreError,
  z,
} from "../../src/plugin.ts";
import { assertKey, readCredential, refused } from "./credential.ts";

const config = z.strictObject({
  cache_max: z.int().min(1).default(10_000).describe("Most keys held in memory; the least recently used goes first."),
  cache_seconds: z.int().min(1).default(300).describe("How long a key that nobody changes is held without a look-up."),
});

export default definePlugin({
  name: "auth",
  config,
  setup: (host, options) => {
    const keys = new KeyCache(host, options);
    return {
      authenticate: (request: RequestHead): Principal => {
        const key = keys.authenticate(readCredential(request.headers));
        if (!routeIsAllowed(key.allowedRoutes, request.path)) {
          throw new GatewayError("route_not_allowed", routeRefusal(key.allowedRoutes, request.path), { retry: false });
        }
        host.accounts.markUsed(key.principal.key.id, request.receivedMs);
        return key.principal;
      },
    };
  },
});

/**
 * Keys by their secret. What changes, in this process or another, is dropped before the next request is looked at, so
 * that a key that was disabled, revoked or re-budgeted is never served from memory; the others stay. Nothing is written
 * back from here. Secrets are in memory for the requests anyway.
 */
class KeyCache {
  readonly #host: Host;
  readonly #found: LRUCache<string, KeyLookup>;
  /** Key id → the secrets that it was found by: two while one is in its grace period. */
  readonly #secrets = new Map<string, Set<string>>();
  #revision = Number.NaN;

  constructor(host: Host, options: z.output<typeof config>) {
    this.#host = host;
    const ttl = options.cache_seconds * 1_000;
    const dispose = (key: KeyLookup, secret: string): void => this.#forget(key.principal.key.id, secret);
    this.#found = new LRUCache({ max: options.cache_max, ttl, ttlResolution: 1_000, dispose });
  }

  /**
   * The secret's key, with one principal for as long as nothing that it depends on changes.
   * @throws GatewayError `invalid_api_key`, `key_disabled`, `key_revoked`, `key_expired`, `account_suspended`,
   *   `store_unavailable`
   */
  authenticate(secret: string): KeyLookup {
    const key = this.#lookUp(secret);
    if (key.status === "disabled") throw new GatewayError("key_disabled", undefined, { retry: false });
    if (key.status === "revoked") throw new GatewayError("key_revoked", undefined, { retry: false });
    if (key.expiresMs !== null && this.#host.clock.nowMs() >= key.expiresMs) {
      throw new GatewayError("key_expired", undefined, { retry: false });
    }
    if (key.blockedBy !== null) throw suspended(key.blockedBy);
    return key;
  }

  #lookUp(secret: string): KeyLookup {
    try {
      // Read before the look-up: a change in between is seen at the next request.
      const revision = this.#host.accounts.revision();
      if (revision !== this.#revision) this.#dropChanged(revision);
      const known = this.#found.get(secret);
      const isFresh = known !== undefined && (known.staleMs === null || this.#host.clock.nowMs() < known.staleMs);
      return isFresh ? known : this.#find(secret);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      throw new GatewayError("store_unavailable", undefined, { cause: error, retryAfterSeconds: 1 });
    }
  }

  /** A change of one key drops that key; one of what keys belong to, the keys in it; one of an access group, all. */
  #dropChanged(revision: number): void {
    const changes = this.#found.size === 0 ? [] : this.#host.accounts.changesSince(this.#revision);
    if (changes === null || changes.some(({ kind }) => kind === "group")) this.#found.clear();
    else {
      const owners = new Set<string>();
      for (const { kind, objectId } of changes) {
        if (kind !== "key") owners.add(objectId);
        else for (const secret of [...(this.#secrets.get(objectId) ?? [])]) this.#found.delete(secret);
      }
      if (owners.size > 0) this.#dropKeysOf(owners);
    }
    this.#revision = revision;
  }

  #dropKeysOf(owners: ReadonlySet<string>): void {
    for (const [secret, { principal }] of [...this.#found.entries()]) {
      const { team, user, org } = principal;
      if ([team, user, org].some((owner) => owner !== null && owners.has(owner.id))) this.#found.delete(secret);
    }
  }

  /** Unknown keys are not remembered: a caller who invents them must not push out those that are real. */
  #find(secret: string): KeyLookup {
    assertKey(secret);
    const key = this.#host.accounts.findKey(hashKey(secret, this.#host.pepper));
    if (key === null) {
      this.#found.delete(secret);
      throw refused("The virtual key is not known here");
    }
    this.#found.set(secret, key);
    const { id } = key.principal.key;
    const secrets = this.#secrets.get(id);
    if (secrets === undefined) this.#secrets.set(id, new Set([secret]));
    else secrets.add(secret);
    return key;
  }

  #forget(keyId: string, secret: string): void {
    const secrets = this.#secrets.get(keyId);
    secrets?.delete(secret);
    if (secrets?.size === 0) this.#secrets.delete(keyId);
  }
}

/** `account_suspended`, and what is. */
function suspended({ kind, status }: NonNullable<KeyLookup["blockedBy"]>): GatewayError {
  const noun = kind === "org" ? "organisation" : kind;
  return new GatewayError("account_suspended", `The virtual key's ${noun} is ${status}`, { retry: false });
}
