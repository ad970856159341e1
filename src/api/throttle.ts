// Slows down whoever guesses credentials, by address.
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";

/** So many wrong ones from an address within the window, and then none but known good ones are looked at. */
const WRONG_MAX = 20;
const WINDOW_MS = 60_000;
/** Addresses and good credentials that are remembered. */
const REMEMBERED_MAX = 10_000;

/** Wrong credentials by address. A credential that was good lately is let through: a neighbour's guesses lock nobody out. */
export class Throttle {
  readonly #monotonicMs: () => number;
  readonly #wrong = new LRUCache<string, { count: number; readonly sinceMs: number }>({ max: REMEMBERED_MAX });
  readonly #good = new LRUCache<string, true>({ max: REMEMBERED_MAX });

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** @throws GatewayError `rate_limit_exceeded` when the credential is not to be looked at now */
  assertMayTry(ip: string, credential: string): void {
    const wrong = this.#wrong.get(ip);
    if (wrong === undefined || wrong.count < WRONG_MAX) return;
    const leftMs = wrong.sinceMs + WINDOW_MS - this.#monotonicMs();
    if (leftMs <= 0) this.#wrong.delete(ip);
    else if (!this.#good.has(markOf(ip, credential))) {
      throw new GatewayError("rate_limit_exceeded", "Too many wrong credentials came from this address", {
        retryAfterSeconds: leftMs / 1_000,
      });
    }
  }

  good(ip: string, credential: string): void {
    this.#good.set(markOf(ip, credential), true);
  }

  wrong(ip: string, credential: string): void {
    this.#good.delete(markOf(ip, credential));
    const nowMs = this.#monotonicMs();
    const before = this.#wrong.get(ip);
    if (before === undefined || nowMs >= before.sinceMs + WINDOW_MS) this.#wrong.set(ip, { count: 1, sinceMs: nowMs });
    else before.count += 1;
  }
}

/** Credentials are not kept, only what tells them apart. */
function markOf(ip: string, credential: string): string {
  return createHash("sha256").update(`${ip}\n${credential}`).digest("base64");
}
