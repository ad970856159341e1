// The auth plugin on a real SQLite file: who is let in, who is refused and how, and how soon a change counts.
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import t, { type Test } from "tap";
import auth from "../../../plugins/auth/index.ts";
import { displayParts, hashKey, newKeySecret } from "../../../src/key-secret.ts";
import { GatewayError, type Principal, type RequestHead, StoreError } from "../../../src/plugin.ts";
import { openSqlite } from "../../../src/store/sqlite/open.ts";
import type { AccountStore, NewKey, Store } from "../../../src/store/store.ts";
import { fakeHost } from "../../support/host.ts";
import { until } from "../../support/until.ts";

type Headers = RequestHead["headers"];
const pepper = Buffer.alloc(32, 7);
const clock = { now: 1_800_000_000_000, nowMs: () => clock.now, monotonicMs: () => 0 };

interface Fixture {
  readonly store: Store;
  /** Another connection to the same file, as the command line has. */
  readonly other: Store;
  /** How often the store was asked for a key. */
  lookUps(): number;
  make(alias: string, more?: Partial<NewKey>): string;
  /** The principal, or the error. */
  ask(headers: Headers, path?: string): Principal | GatewayError;
}

function fixture(t: Test, accounts?: Partial<AccountStore>): Fixture {
  const path = join(t.testdir({}), "tollgate.db");
  const [store, other] = [openSqlite({ path, clock }), openSqlite({ path, clock })];
  t.teardown(() => Promise.all([store.close(), other.close()]));
  let count = 0;
  const counted = {
    revision: () => store.accounts.revision(),
    changesSince: (revision: number) => store.accounts.changesSince(revision),
    markUsed: (keyId: string, atMs: number) => store.accounts.markUsed(keyId, atMs),
    findKey: (hash: Buffer) => {
      count += 1;
      return store.accounts.findKey(hash);
    },
    ...accounts,
  } as AccountStore;
  const config = auth.config?.parse({});
  if (config === undefined) throw new Error("auth has a config");
  const hooks = auth.setup(fakeHost({ accounts: counted, pepper, clock }), config);
  return {
    store,
    other,
    lookUps: () => count,
    make: (alias, more) => {
      const secret = newKeySecret();
      store.accounts.createKey({ alias, hash: hashKey(secret, pepper), ...displayParts(secret), ...more });
      return secret;
    },
    ask: (headers, path = "/v1/chat/completions") => {
      try {
        return hooks.authenticate?.({ headers, path, receivedMs: clock.now } as RequestHead) as Principal;
      } catch (error) {
        if (error instanceof GatewayError) return error;
        throw error;
      }
    },
  };
}

const bearer = (secret: string): Headers => ({ authorization: `Bearer ${secret}` });
const aliasOf = (answer: Principal | GatewayError): string => ("key" in answer ? answer.key.alias : answer.code);

t.test("a key is taken from any of the three headers, or the same from several", async (t) => {
  const { make, ask } = fixture(t);
  const key = make("app");
  t.equal(aliasOf(ask(bearer(key))), "app");
  t.equal(aliasOf(ask({ authorization: `bearer   ${key} ` })), "app");
  t.equal(aliasOf(ask({ "x-api-key": key })), "app");
  t.equal(aliasOf(ask({ "x-goog-api-key": key })), "app");
  t.equal(aliasOf(ask({ ...bearer(key), "x-api-key": key, "x-goog-api-key": "" })), "app");
});

t.test("everything else is refused with a sentence that helps and never repeats what was sent", async (t) => {
  const { make, ask, lookUps } = fixture(t);
  const key = make("app");
  const other = make("other");
  const typo = `${key.slice(0, 10)}${key[10] === "x" ? "y" : "x"}${key.slice(11)}`;
  const cases: [Headers, RegExp][] = [
    [{}, /^No virtual key was sent/],
    [{ authorization: "" }, /^No virtual key was sent/],
    [bearer(""), /not of the form|not a virtual key/],
    [{ authorization: `Basic ${key}` }, /not of the form `Bearer sk-…`/],
    [{ authorization: key }, /not of the form/],
    [{ ...bearer(key), "x-api-key": other }, /^Two different credentials/],
    [{ "x-api-key": key, "x-goog-api-key": other }, /^Two different credentials/],
    [{ "x-api-key": [key, key] }, /more than once/],
    [{ "x-api-key": `${key}, ${key}` }, /not a virtual key/],
    [bearer(typo), /mistyped: its checksum/],
    [bearer(key.slice(0, -1)), /not a virtual key/],
    [bearer("sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"), /provider's key; send a Tollgate virtual key/],
    [{ "x-api-key": "sk-ant-api03-abcdefghijklmnop" }, /provider's key/],
    [{ "x-goog-api-key": "AIzaSyabcdefghijklmnopqrstuvwxyz" }, /provider's key/],
    [bearer("eyJhbGciOi.J9.x"), /not a virtual key/],
  ];
  for (const [headers, message] of cases) {
    const answer = ask(headers);
    t.match(answer, { code: "invalid_api_key", status: 401, message, details: { retry: false } }, String(message));
    const sent = Object.values(headers).flatMap((value) => String(value).match(/[\w-]{12,}/g) ?? []);
    t.notOk(
      sent.some((secret) => (answer as GatewayError).message.includes(secret)),
      "nothing is echoed",
    );
  }
  t.equal(lookUps(), 0, "none of them cost a look-up");
  t.match(ask(bearer(newKeySecret())), { code: "invalid_api_key", message: /not known here/ });
});

t.test("no header, whatever is in it, gets in or brings the plugin down", async (t) => {
  const { ask, make } = fixture(t);
  make("app");
  const header = fc.oneof(fc.string(), fc.constant(undefined), fc.array(fc.string(), { maxLength: 3 }));
  fc.assert(
    fc.property(header, header, header, (authorization, x, google) => {
      const answer = ask({ authorization: authorization as string, "x-api-key": x, "x-goog-api-key": google });
      return answer instanceof GatewayError && answer.code === "invalid_api_key";
    }),
  );
});

t.test("a known key costs one look-up and keeps its principal; an unknown one is not remembered", async (t) => {
  const { make, ask, lookUps } = fixture(t);
  const key = make("app");
  const first = ask(bearer(key));
  t.equal(ask(bearer(key)), first, "the same object, for memoising");
  t.equal(lookUps(), 1);
  const stranger = newKeySecret();
  ask(bearer(stranger));
  ask(bearer(stranger));
  t.equal(lookUps(), 3);
});

t.test("what another process changes counts at the very next request", async (t) => {
  const { make, ask, other, lookUps } = fixture(t);
  const key = make("app");
  t.equal(aliasOf(ask(bearer(key))), "app");
  other.accounts.setKeyStatus("app", "disabled");
  await nextTurn();
  t.match(ask(bearer(key)), { code: "key_disabled", status: 401 });
  other.accounts.setKeyStatus("app", "active");
  await nextTurn();
  t.equal(aliasOf(ask(bearer(key))), "app");
  other.accounts.setBudget("key", "app", { limitNanoUsd: 5n, window: "month" });
  await nextTurn();
  t.match(ask(bearer(key)), { budgets: [{ limitNanoUsd: 5n, window: "month" }] }, "a new budget too");
  other.accounts.setKeyStatus("app", "revoked");
  await nextTurn();
  t.match(ask(bearer(key)), { code: "key_revoked", status: 401 });
  const before = lookUps();
  t.match(ask(bearer(key)), { code: "key_revoked" });
  t.equal(lookUps(), before, "a refused key is held in memory as well");
});

t.test("a change drops what it concerns from memory, and nothing else", async (t) => {
  const { make, ask, other, lookUps } = fixture(t);
  other.accounts.createTeam("ml");
  other.accounts.createTeam("ops");
  const [own, inMl, inOps] = [
    make("own", { userAlias: "ann" }),
    make("in-ml", { teamAlias: "ml" }),
    make("in-ops", { teamAlias: "ops" }),
  ];
  const keys = [own, inMl, inOps].map(bearer);
  const askAll = async (): Promise<number[]> => {
    await nextTurn();
    return keys.map((key) => {
      const before = lookUps();
      ask(key);
      return lookUps() - before;
    });
  };
  t.same(await askAll(), [1, 1, 1]);
  t.same(await askAll(), [0, 0, 0]);
  other.accounts.setBudget("key", "own", { limitNanoUsd: 1n, window: "day" });
  t.same(await askAll(), [1, 0, 0], "a key");
  other.accounts.setBudget("team", "ml", { limitNanoUsd: 1n, window: "day" });
  t.same(await askAll(), [0, 1, 0], "a team");
  const ann = await other.directory.get("user", "ann");
  const change = { kind: "user", id: "ann", version: ann?.version ?? 0, bounds: {} } as const;
  await other.directory.update({ ...change, fields: { status: "paused" } }, { actor: "test" });
  t.same(await askAll(), [1, 0, 0], "a user");
  make("new");
  t.same(await askAll(), [0, 0, 0], "a key that was made");
  await other.directory.insert(
    { kind: "group", fields: { alias: "fast", models: ["m"] }, bounds: {} },
    { actor: "test" },
  );
  t.same(await askAll(), [1, 1, 1], "an access group");
});

t.test("a key whose team, user or organisation is suspended is refused, and what is suspended is said", async (t) => {
  const { make, ask, store } = fixture(t);
  store.accounts.createOrg("acme");
  store.accounts.createTeam("ml", undefined, { orgAlias: "acme" });
  const key = bearer(make("app", { teamAlias: "ml", userAlias: "ann" }));
  for (const [kind, alias, noun] of [
    ["team", "ml", "team"],
    ["user", "ann", "user"],
    ["org", "acme", "organisation"],
  ] as const) {
    const set = async (status: string): Promise<void> => {
      const { id = "", version = 0 } = (await store.directory.find(kind, alias)) ?? {};
      await store.directory.update({ kind, id, version, bounds: {}, fields: { status } }, { actor: "test" });
    };
    await set("suspended");
    const message = `The virtual key's ${noun} is suspended`;
    t.match(ask(key), { code: "account_suspended", status: 403, message });
    await set("active");
    t.equal(aliasOf(ask(key)), "app");
  }
});

t.test("a key with allowed routes calls those alone", async (t) => {
  const { make, ask, store } = fixture(t);
  const key = bearer(make("app"));
  const { id = "", version = 0 } = (await store.directory.find("key", "app")) ?? {};
  const fields = { allowedRoutes: ["info_routes", "/v1/embeddings"] };
  await store.directory.update({ kind: "key", id, version, bounds: {}, fields }, { actor: "test" });
  t.equal(aliasOf(ask(key, "/v1/models")), "app");
  t.equal(aliasOf(ask(key, "/v1/embeddings")), "app");
  const message =
    "Virtual key is not allowed to call this route. Only allowed to call routes: ['info_routes', '/v1/embeddings']. " +
    "Tried to call route: /v1/chat/completions";
  t.match(ask(key), { code: "route_not_allowed", status: 403, message });
});

t.test("when a key was last used is kept to the minute, and written off the way of a request", async (t) => {
  const { make, ask, store, other } = fixture(t);
  const key = bearer(make("app"));
  const lastUsed = async () => (await other.directory.find("key", "app"))?.secret?.lastUsedMs;
  ask(key);
  const first = clock.now;
  t.equal(await lastUsed(), null, "not yet");
  const revision = store.accounts.revision();
  t.equal(await until("it is written", lastUsed), first);
  clock.now += 59_999;
  ask(key);
  clock.now += 1;
  ask(key);
  await store.close();
  t.equal(await lastUsed(), first + 60_000, "at most once a minute, and at the end");
  t.equal(other.accounts.revision(), revision, "nobody's memory is dropped for it");
});

t.test("a key expires by the clock, also while it is held in memory", async (t) => {
  const { make, ask } = fixture(t);
  const key = make("app", { expiresMs: clock.now + 1_000 });
  t.equal(aliasOf(ask(bearer(key))), "app");
  clock.now += 999;
  t.equal(aliasOf(ask(bearer(key))), "app");
  clock.now += 1;
  t.match(ask(bearer(key)), { code: "key_expired", status: 401 });
});

t.test("a database that cannot be read refuses with 503, and other faults are not hidden", async (t) => {
  const cause = new StoreError("unavailable", "locked");
  const broken = fixture(t, {
    revision: () => {
      throw cause;
    },
  });
  t.match(broken.ask(bearer(broken.make("app"))), {
    code: "store_unavailable",
    status: 503,
    details: { cause, retryAfterSeconds: 1 },
  });
  const bug = fixture(t, {
    findKey: () => {
      throw new TypeError("a bug");
    },
  });
  t.throws(() => bug.ask(bearer(bug.make("app2"))), new TypeError("a bug"));
});

t.test("the config is checked and has defaults", async (t) => {
  t.strictSame(auth.config?.parse({}), { cache_max: 10_000, cache_seconds: 300 });
  t.throws(() => auth.config?.parse({ cache_max: 0 }));
  t.throws(() => auth.config?.parse({ cache: 5 }));
});
