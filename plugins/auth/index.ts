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
    return { authenticate: (request: RequestHead): Principal => keys.authenticate(readCredential(request.headers)) };
  },
});

/**
 * Keys by their secret. Emptied whenever any account changes, in this process or another, so that a key that was
 * disabled, revoked or re-budgeted is never served from memory. Secrets are in memory for the requests anyway.
 */
class KeyCache {
  readonly #host: Host;
  readonly #found: LRUCache<string, KeyLookup>;
  #revision = Number.NaN;

  constructor(host: Host, options: z.output<typeof config>) {
    this.#host = host;
    const ttl = options.cache_seconds * 1_000;
    this.#found = new LRUCache({ max: options.cache_max, ttl, ttlResolution: 1_000 });
  }

  /**
   * The secret's principal, one object for as long as the key does not change.
   * @throws GatewayError `invalid_api_key`, `key_disabled`, `key_revoked`, `key_expired`, `store_unavailable`
   */
  authenticate(secret: string): Principal {
    const key = this.#lookUp(secret);
    if (key.status === "disabled") throw new GatewayError("key_disabled", undefined, { retry: false });
    if (key.status === "revoked") throw new GatewayError("key_revoked", undefined, { retry: false });
    if (key.expiresMs !== null && this.#host.clock.nowMs() >= key.expiresMs) {
      throw new GatewayError("key_expired", undefined, { retry: false });
    }
    return key.principal;
  }

  #lookUp(secret: string): KeyLookup {
    try {
      // Read before the look-up: a change in between is seen at the next request.
      const revision = this.#host.accounts.revision();
      if (revision !== this.#revision) {
        this.#found.clear();
        this.#revision = revision;
      }
      return this.#found.get(secret) ?? this.#find(secret);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      throw new GatewayError("store_unavailable", undefined, { cause: error, retryAfterSeconds: 1 });
    }
  }

  /** Unknown keys are not remembered: a caller who invents them must not push out those that are real. */
  #find(secret: string): KeyLookup {
    assertKey(secret);
    const key = this.#host.accounts.findKey(hashKey(secret, this.#host.pepper));
    if (key === null) throw refused("The virtual key is not known here");
    this.#found.set(secret, key);
    return key;
  }
}
