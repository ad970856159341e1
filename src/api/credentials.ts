// Who asks: the admin key or a virtual key, told apart, and neither taken for the other.
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { assertAddress } from "../accounts/address.ts";
import type { Actor } from "../accounts/caller.ts";
import { GatewayError } from "../errors.ts";
import { looksLikeKey } from "../key-secret.ts";
import type { Directory } from "../store/directory.ts";
import type { Principal, RequestHead } from "../types.ts";
import type { ApiRoute, RouteSet } from "./route.ts";
import type { Throttle } from "./throttle.ts";

/** Which listener a request came to. */
export type Plane = "admin" | "data";

/** Who asks. */
export interface Asker {
  readonly actor: Actor;
  readonly principal: Principal | null;
}

/** What credentials are checked with. */
export interface CredentialsOptions {
  readonly adminKey: string;
  /** The plugins' `authenticate` phase. */
  readonly authenticate: (head: RequestHead) => Promise<Principal>;
  readonly directory: Directory;
  readonly throttle: Throttle;
}

/** Who may not be asked about: an actor that no account is, for routes that are open. */
const NOBODY: Asker = Object.freeze({ actor: Object.freeze({ kind: "user", userId: "" }), principal: null });
const MASTER: Asker = Object.freeze({ actor: Object.freeze({ kind: "master" }), principal: null });

/** Checks credentials, and slows down whoever guesses them. */
export class Credentials {
  readonly #options: CredentialsOptions;
  readonly #expected: Buffer;

  constructor(options: CredentialsOptions) {
    this.#options = options;
    this.#expected = digest(options.adminKey);
  }

  /**
   * Who asks for the route.
   * @throws GatewayError `invalid_api_key` and whatever else `authenticate` ends with; `rate_limit_exceeded`;
   *   AccountError `not_permitted` for an address that the key may not be used from
   */
  async of(req: IncomingMessage, head: RequestHead, to: ApiRoute, set: RouteSet, plane: Plane): Promise<Asker> {
    if (to.access === "open") return NOBODY;
    const sent = sentBy(req);
    const { throttle } = this.#options;
    throttle.assertMayTry(head.ip, sent.any);
    try {
      const asker = await this.#check(sent, head, to, set, plane);
      throttle.good(head.ip, sent.any);
      return asker;
    } catch (error) {
      const isWrong = error instanceof GatewayError && error.status === 401 && sent.any !== "";
      if (isWrong && !isMisplaced(sent, to)) throttle.wrong(head.ip, sent.any);
      throw error;
    }
  }

  async #check(sent: Sent, head: RequestHead, to: ApiRoute, set: RouteSet, plane: Plane): Promise<Asker> {
    const takesAdmin = plane === "admin" && to.access !== "key";
    const takesKey = to.access !== "admin";
    if (takesAdmin && sent.adminKey !== null) {
      if (this.#isAdminKey(sent.adminKey)) return MASTER;
      throw wrongAdminKey();
    }
    const asBearer = sent.bearer !== null && set.adminKeyInOwnHeaderOnly !== true;
    if (takesAdmin && asBearer && this.#isAdminKey(sent.bearer)) return MASTER;
    if (!takesKey) throw wrongAdminKey();
    const principal = await this.#options.authenticate(head);
    await assertAddress(this.#options.directory, principal.key.id, head.ip);
    return { actor: { kind: "key", keyId: principal.key.id }, principal };
  }

  #isAdminKey(text: string): boolean {
    return timingSafeEqual(digest(text), this.#expected);
  }
}

/** What of a request may be a credential. */
interface Sent {
  readonly adminKey: string | null;
  readonly bearer: string | null;
  /** All of it together, to tell askers apart; empty when there is none. */
  readonly any: string;
}

function sentBy({ headers }: IncomingMessage): Sent {
  const own = headers["x-admin-key"];
  const adminKey = typeof own === "string" ? own : null;
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1] ?? null;
  const parts = [adminKey, headers.authorization, headers["x-api-key"], headers["x-goog-api-key"]];
  return { adminKey, bearer, any: parts.filter(Boolean).join("\n") };
}

/** A virtual key sent where only the admin key opens: a mistake, and no guess at either. */
function isMisplaced({ adminKey, bearer }: Sent, { access }: ApiRoute): boolean {
  return access === "admin" && adminKey === null && bearer !== null && looksLikeKey(bearer);
}

function wrongAdminKey(): GatewayError {
  return new GatewayError("invalid_api_key", "The admin key is missing or wrong", { retry: false });
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
