// A small world on a real SQLite file: two organisations, their teams, people in every role, their keys.
import { join } from "node:path";
import type { Test } from "tap";
import type { Actor } from "../../src/accounts/caller.ts";
import { AccountError } from "../../src/accounts/errors.ts";
import { Iam } from "../../src/accounts/iam.ts";
import { Keys } from "../../src/accounts/keys.ts";
import { Accounts } from "../../src/accounts/service.ts";
import { hashKey } from "../../src/key-secret.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import type { Store } from "../../src/store/store.ts";
import { FakeClock } from "../ledger/fake-clock.ts";

export const pepper = Buffer.alloc(32, 7);
export const master: Actor = { kind: "master" };
export const user = (userId: string): Actor => ({ kind: "user", userId });

export interface World {
  readonly store: Store;
  readonly accounts: Accounts;
  readonly keys: Keys;
  readonly iam: Iam;
  readonly clock: FakeClock;
  /** What the gateway would find for a secret. */
  find(secret: string): ReturnType<Store["accounts"]["findKey"]>;
}

/** An empty database and the services on it. */
export function emptyWorld(t: Test): World {
  const clock = new FakeClock();
  const store = openSqlite({ path: join(t.testdir({}), "tollgate.db"), clock });
  t.teardown(() => store.close());
  const accounts = new Accounts({ directory: store.directory, checkRules: () => undefined });
  const keys = new Keys({ accounts, pepper, nowMs: () => clock.nowMs() });
  const iam = new Iam({ accounts });
  return { store, accounts, keys, iam, clock, find: (secret) => store.accounts.findKey(hashKey(secret, pepper)) };
}

/** People of `acme` and its team `ml`, by role; `stranger` is of the other organisation. */
export const PEOPLE = {
  admin: "ada",
  viewer: "vic",
  org_admin: "olga",
  team_admin: "tom",
  owner: "ann",
  member: "mia",
  internal_viewer: "ivy",
  stranger: "sam",
} as const;

/** Organisations acme and rival, teams ml and spies, everybody of `PEOPLE`. */
export async function peopledWorld(t: Test): Promise<World> {
  const world = emptyWorld(t);
  const { accounts } = world;
  const roles: Record<string, string> = {
    ada: "proxy_admin",
    vic: "proxy_admin_viewer",
    ivy: "internal_user_viewer",
  };
  for (const id of Object.values(PEOPLE)) {
    await accounts.create(master, "user", { id, fields: { role: roles[id] ?? "internal_user" } });
  }
  await accounts.create(master, "org", { id: "acme", fields: {} });
  await accounts.create(master, "org", { id: "rival", fields: {} });
  await accounts.create(master, "team", { id: "ml", fields: { orgId: "acme" } });
  await accounts.create(master, "team", { id: "spies", fields: { orgId: "rival" } });
  await accounts.setMember(master, "org", "acme", "olga", "admin");
  await accounts.setMember(master, "team", "ml", "tom", "admin");
  for (const id of ["ann", "mia", "ivy"]) await accounts.setMember(master, "team", "ml", id, "user");
  await accounts.setMember(master, "org", "rival", "sam", "admin");
  await accounts.setMember(master, "team", "spies", "sam", "admin");
  return world;
}

/** Expects the work to be refused with that code, and with that message when one is given. */
export async function refused(
  t: Test,
  code: AccountError["code"],
  work: Promise<unknown>,
  message?: string | RegExp,
  name = String(message ?? code),
): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof AccountError)) throw error;
    t.equal(error.code, code, `${name}: ${error.message}`);
    if (typeof message === "string") t.equal(error.message, message, name);
    else if (message !== undefined) t.match(error.message, message, name);
    return;
  }
  t.fail(`${name}: ${code} expected`);
}
