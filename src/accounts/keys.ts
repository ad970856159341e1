// Virtual keys: making them, replacing their secrets, blocking them, finding them by their secret.
import { displayParts, hashKey, looksLikeKey, newKeySecret } from "../key-secret.ts";
import type { AccountObject, Fields, SecretParts } from "../store/directory.ts";
import { type Actor, type Caller, covers, isViewer, placesOf, standingsTo } from "./caller.ts";
import type { Submitted } from "./change.ts";
import { AccountError } from "./errors.ts";
import { complete, readField } from "./fields.ts";
import { mayDo } from "./rights.ts";
import { type Accounts, notFound, type Seen } from "./service.ts";
import { storeErrors } from "./store-errors.ts";

/** A key and its secret, which is shown this once. */
export interface MadeKey {
  readonly key: AccountObject;
  readonly secret: string;
}

/** What the keys work with. */
export interface KeysOptions {
  readonly accounts: Accounts;
  /** HMAC key of all secrets' hashes. */
  readonly pepper: Buffer;
  /** Wall clock, milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/** Longest grace period: 30 days. */
const GRACE_MS_MAX = 30 * 86_400_000;

/** Operations on keys that know of secrets. A key is named by its id, its alias, its secret or the secret's hash. */
export class Keys {
  readonly #accounts: Accounts;
  readonly #pepper: Buffer;
  readonly #nowMs: () => number;

  constructor({ accounts, pepper, nowMs }: KeysOptions) {
    this.#accounts = accounts;
    this.#pepper = pepper;
    this.#nowMs = nowMs;
  }

  /**
   * Makes a key. A user's key is the user's own; one for a team needs the right there.
   * @throws AccountError `not_permitted`, `not_found`, `invalid_field`, `taken`
   */
  async create(actor: Actor, submitted: Submitted): Promise<MadeKey> {
    const caller = await this.#accounts.caller(actor);
    const fields = await this.#owned(caller, submitted);
    const place = { kind: "key", id: null, fields } as const;
    const permission = fields.serviceAccount === true ? "/key/service-account/generate" : "/key/generate";
    const standings = await standingsTo(this.#accounts.directory, caller, place, permission);
    if (fields.teamId !== null) this.#assertMayInTeam(caller, standings, fields.teamId as string, permission);
    this.#accounts.assertMay(caller, "key", "create", standings);
    const secret = newKeySecret();
    const parts = this.#parts(secret);
    const { userId, teamId, serviceAccount } = fields;
    const alias = readField("key", "alias", submitted.alias) ?? `${parts.prefix}…${parts.lastFour}`;
    const wish = { ...submitted, userId, teamId, serviceAccount, alias };
    const by = { standings, isOwn: standings.has("owner"), isNew: true };
    const planned = this.#accounts.plan("key", { fields: {}, bounds: {} }, wish, by);
    const key = await storeErrors("key", () =>
      this.#accounts.directory.insert({ kind: "key", ...planned, secret: parts }, { actor: caller.label }),
    );
    return { key: { ...key, fields: complete("key", key.fields) }, secret };
  }

  /**
   * Replaces the secret, and changes fields in the same step.
   * @param graceMs how long the old secret works beside the new one; 0: no longer
   */
  async regenerate(actor: Actor, name: string, graceMs = 0, submitted: Submitted = {}): Promise<MadeKey> {
    if (!Number.isSafeInteger(graceMs) || graceMs < 0 || graceMs > GRACE_MS_MAX) {
      throw new AccountError("invalid_field", "`grace_period` must be between 0 and 30 days", { field: "gracePeriod" });
    }
    const caller = await this.#accounts.caller(actor);
    return this.#accounts.retrying("key", async () => {
      const id = await this.idOf(name);
      const seen = await this.#accounts.see(caller, "key", id, "regenerate", "/key/regenerate");
      if (seen.object.fields.status === "revoked")
        throw new AccountError("revoked", "A revoked key gets no new secret");
      await this.#assertMayActFor(caller, seen);
      // A permission to replace secrets is none to change fields.
      const forFields = await this.#accounts.see(caller, "key", id, "read", "/key/update");
      const secret = newKeySecret();
      const graceUntilMs = graceMs === 0 ? null : this.#nowMs() + graceMs;
      const rotation = { secret: this.#parts(secret), graceUntilMs };
      const key = await this.#accounts.write(caller, { ...seen, standings: forFields.standings }, submitted, rotation);
      return { key, secret };
    });
  }

  /** Refuses the key until it is unblocked, or lets it through again. */
  async setBlocked(actor: Actor, name: string, isBlocked: boolean): Promise<AccountObject> {
    const caller = await this.#accounts.caller(actor);
    return this.#accounts.retrying("key", async () => {
      const seen = await this.#accounts.see(caller, "key", await this.idOf(name), "block");
      return this.#accounts.write(caller, seen, { status: isBlocked ? "disabled" : "active" });
    });
  }

  /** The id of the key that has this secret or its hash, current or in its grace period; any other text as it is. */
  async idOf(name: string): Promise<string> {
    if (/^[0-9a-f]{64}$/.test(name)) {
      return (await this.#accounts.directory.findBySecret(Buffer.from(name, "hex")))?.id ?? name;
    }
    if (!looksLikeKey(name)) return name;
    const key = await this.#accounts.directory.findBySecret(hashKey(name, this.#pepper));
    if (key === null) throw notFound("key");
    return key.id;
  }

  /** Whose the new key is to be. */
  async #owned(caller: Caller, submitted: Submitted): Promise<Fields> {
    if (isViewer(caller)) throw new AccountError("not_permitted", "A viewer cannot create keys");
    const wanted = readField("key", "userId", submitted.userId);
    const serviceAccount = readField("key", "serviceAccount", submitted.serviceAccount);
    const teamId = readField("key", "teamId", submitted.teamId);
    if (caller.role !== "admin" && wanted !== null && wanted !== caller.userId) {
      const message = `User can only create keys for themselves. Got user_id=${wanted}, Your ID=${caller.userId}`;
      throw new AccountError("not_permitted", message, { field: "userId" });
    }
    await this.#accounts.assertThere(caller, "team", teamId);
    await this.#accounts.assertThere(caller, "user", wanted);
    const userId = caller.role === "admin" || serviceAccount === true ? wanted : caller.userId;
    return { userId, serviceAccount, teamId };
  }

  /** Who is given a user's secret acts as that user from then on: nobody gets rights by it. */
  async #assertMayActFor(caller: Caller, { object, standings }: Seen): Promise<void> {
    const { userId = null } = object.fields;
    if (userId === null || standings.has("admin") || standings.has("owner")) return;
    const user = await this.#accounts.directory.get("user", String(userId));
    if (user === null || (await covers(this.#accounts.directory, caller, user))) return;
    const message =
      "The key acts for a user who may do more than you: only the user and proxy admins can regenerate it";
    throw new AccountError("not_permitted", message);
  }

  #assertMayInTeam(caller: Caller, standings: Parameters<typeof mayDo>[2], teamId: string, permission: string): void {
    // Owning the key is no right in the team.
    const inTeam = new Set([...standings].filter((standing) => standing !== "owner"));
    if (mayDo("key", "create", inTeam)) return;
    if (!placesOf(caller, "team").includes(teamId)) throw notFound("team");
    const message = `Team member does not have permissions for endpoint: ${permission}. Ask an admin of team ${teamId}`;
    throw new AccountError("not_permitted", message, { field: "teamId" });
  }

  #parts(secret: string): SecretParts {
    return { hash: hashKey(secret, this.#pepper), ...displayParts(secret) };
  }
}
