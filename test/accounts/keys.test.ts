// Keys over their life: rotation with grace, expiry, raised budgets, audit, and changes that cross each other.
import t from "tap";
import type { Submitted } from "../../src/accounts/change.ts";
import { hashKey } from "../../src/key-secret.ts";
import { call, decideBy } from "../rules/samples.ts";
import { master, peopledWorld, pepper, refused, user } from "./fixture.ts";

const HOUR = 3_600_000;

t.test("a rotated key: both secrets work until the grace period ends, then the new one alone", async (t) => {
  const { keys, clock, find, accounts } = await peopledWorld(t);
  const made = await keys.create(user("ann"), { alias: "app" });
  const { key, secret } = await keys.regenerate(user("ann"), made.secret, HOUR);
  t.equal(key.id, made.key.id);
  t.not(secret, made.secret);
  t.equal(key.secret?.graceUntilMs, clock.nowMs() + HOUR);
  t.same([find(secret)?.expiresMs, find(made.secret)?.expiresMs], [null, clock.nowMs() + HOUR]);
  t.equal(find(made.secret)?.principal.key.id, key.id);
  t.equal(
    (await accounts.get(user("ann"), "key", await keys.idOf(made.secret))).id,
    key.id,
    "the old secret names it too",
  );
  clock.advance(HOUR);
  t.ok((find(made.secret)?.expiresMs ?? 0) <= clock.nowMs(), "the old secret has expired");
  t.equal((await accounts.get(master, "key", key.id)).secret?.graceUntilMs, null);
  await refused(t, "not_found", keys.idOf(made.secret), "There is no such key");
  const third = await keys.regenerate(master, key.id, 0);
  t.equal(find(secret), null, "without a grace period the old secret is unknown at once");
  t.ok(find(third.secret));
  t.equal(find(made.secret), null);
});

t.test("a rotation without grace ends the grace of earlier ones: it may be because a secret leaked", async (t) => {
  const { keys, find } = await peopledWorld(t);
  const { key, secret } = await keys.create(master, {});
  await keys.regenerate(master, key.id, HOUR);
  await keys.regenerate(master, key.id, HOUR);
  t.ok(find(secret), "two old secrets may work at once");
  await keys.regenerate(master, key.id);
  t.equal(find(secret), null);
});

t.test("a rotation may change fields in the same step, with the rights that they ask", async (t) => {
  const { keys } = await peopledWorld(t);
  const { key } = await keys.create(user("ann"), {});
  const rotated = await keys.regenerate(user("ann"), key.id, 0, { models: ["m"] });
  t.same(rotated.key.fields.models, ["m"]);
  await refused(t, "not_permitted", keys.regenerate(user("ann"), key.id, 0, { budgets: [{ limitUsd: 1 }] }));
  for (const graceMs of [-1, 31 * 24 * HOUR, 0.5]) {
    await refused(t, "invalid_field", keys.regenerate(user("ann"), key.id, graceMs), /grace_period/);
  }
});

t.test("nobody is given the secret of a user's key who has less rights than that user", async (t) => {
  const { keys, accounts } = await peopledWorld(t);
  const permitted = ["/key/regenerate"];
  await accounts.update(master, "team", "ml", { memberPermissions: permitted });
  const keyOf = async (userId: string) => (await keys.create(master, { userId, teamId: "ml" })).key.id;
  for (const userId of ["ada", "vic", "olga", "sam"]) {
    await refused(t, "not_permitted", keys.regenerate(user("tom"), await keyOf(userId)), /a user who may do more/);
  }
  await refused(t, "not_permitted", keys.regenerate(user("mia"), await keyOf("tom")), /a user who may do more/);
  const ofAnn = await keyOf("ann");
  for (const equal of ["mia", "tom", "olga", "ada"]) t.ok(await keys.regenerate(user(equal), ofAnn), equal);
  await accounts.setMember(master, "team", "spies", "ann", "user");
  await refused(t, "not_permitted", keys.regenerate(user("olga"), ofAnn), /a user who may do more/);
  t.ok(await keys.regenerate(user("ann"), ofAnn), "her own");
});

t.test("who is permitted to replace secrets only cannot change fields with it", async (t) => {
  const { keys, accounts } = await peopledWorld(t);
  await accounts.update(master, "team", "ml", { memberPermissions: ["/key/regenerate"] });
  const { key } = await keys.create(master, { userId: "ann", teamId: "ml" });
  await refused(t, "not_permitted", keys.regenerate(user("mia"), key.id, 0, { tags: ["x"] }), /`tags`/);
  await accounts.update(master, "team", "ml", { memberPermissions: ["/key/regenerate", "/key/update"] });
  t.same((await keys.regenerate(user("mia"), key.id, 0, { tags: ["x"] })).key.fields.tags, ["x"]);
});

t.test("a deleted key is refused, not found, keeps its rows, and its alias is free", async (t) => {
  const { keys, accounts, store, find } = await peopledWorld(t);
  const { key, secret } = await keys.create(user("ann"), { alias: "app" });
  const old = await keys.regenerate(user("ann"), key.id, HOUR);
  await accounts.remove(user("ann"), "key", ["app"]);
  t.equal(find(old.secret)?.status, "revoked");
  t.equal(find(secret), null, "the one in its grace period is gone");
  await refused(t, "not_found", accounts.get(master, "key", key.id));
  t.equal((await keys.create(user("ann"), { alias: "app" })).key.fields.alias, "app");
  t.equal((await store.directory.audit({ object: key.id, limit: 9 })).at(-1)?.action, "delete");
  await refused(t, "taken", keys.create(user("ann"), { alias: "app" }), "A key has this alias already");
});

t.test("revoked is final", async (t) => {
  const { keys, accounts } = await peopledWorld(t);
  const { key } = await keys.create(master, { alias: "app" });
  await accounts.update(master, "key", "app", { status: "revoked" });
  await refused(t, "revoked", keys.setBlocked(master, key.id, false));
  await refused(t, "revoked", keys.regenerate(master, key.id));
});

t.test("deleting a team deletes its keys, deleting an organisation its teams", async (t) => {
  const { keys, accounts, find } = await peopledWorld(t);
  const { secret } = await keys.create(master, { teamId: "ml" });
  await accounts.remove(master, "org", ["acme"]);
  t.equal(find(secret)?.status, "revoked");
  await refused(t, "not_found", accounts.get(master, "team", "ml"));
  t.ok(await accounts.get(master, "team", "spies"));
});

t.test("a raised budget counts until it ends, and nobody needs to change anything for that", async (t) => {
  const { keys, clock, find } = await peopledWorld(t);
  const ends = clock.nowMs() + HOUR;
  const { secret } = await keys.create(master, {
    ...{ budgets: [{ limitUsd: "10", window: "month" }], tempBudgetIncreaseUsd: "5", tempBudgetExpiresMs: ends },
  });
  const limits = (): unknown => find(secret)?.principal.budgets.map(({ limitNanoUsd }) => limitNanoUsd);
  t.same([limits(), find(secret)?.staleMs], [[15_000_000_000n], ends]);
  clock.advance(HOUR);
  t.same([limits(), find(secret)?.staleMs], [[10_000_000_000n], null]);
});

t.test("a budget whose window stays keeps its id, and so what was spent; a reset gives it a new one", async (t) => {
  const { keys, accounts, find } = await peopledWorld(t);
  const { key, secret } = await keys.create(master, {
    budgets: [
      { limitUsd: 10, window: "month" },
      { limitUsd: 1, window: "day" },
    ],
  });
  const ids = (): readonly string[] => find(secret)?.principal.budgets.map(({ id }) => id) ?? [];
  const [month, day] = ids();
  await accounts.update(master, "key", key.id, { budgets: [{ limitUsd: 20, window: "month" }] });
  t.same(ids(), [month]);
  await accounts.update(master, "key", key.id, {
    budgets: [
      { limitUsd: 1, window: "day" },
      { limitUsd: 20, window: "month" },
    ],
  });
  t.ok(ids().includes(month ?? "") && !ids().includes(day ?? ""));
  const before = ids();
  await accounts.resetSpend(user("ada"), "key", key.id);
  t.equal(ids().filter((id) => before.includes(id)).length, 0);
});

t.test("budgets of the key, its team, its user and its organisation all apply", async (t) => {
  const { keys, accounts, find } = await peopledWorld(t);
  const budgets = [{ limitUsd: 1, window: "month" }];
  for (const [kind, id] of [
    ["team", "ml"],
    ["user", "ann"],
    ["org", "acme"],
  ] as const) {
    await accounts.update(master, kind, id, { budgets });
  }
  const { secret } = await keys.create(master, { userId: "ann", teamId: "ml", budgets });
  t.same(
    find(secret)?.principal.budgets.map(({ scope, subject }) => [
      scope,
      subject.id === scope ? "" : subject.alias !== "",
    ]),
    [
      ["key", true],
      ["team", true],
      ["user", true],
      ["org", true],
    ],
  );
});

t.test("every change is in the audit log: who, when, what, from what to what; secrets are masked", async (t) => {
  const { keys, accounts, clock } = await peopledWorld(t);
  clock.advance(1_000);
  const sinceMs = clock.nowMs();
  const metadata = { owner: "ann", api_key: "sk-live-123", nested: [{ password: "hunter2" }] };
  const { key, secret } = await keys.create(user("tom"), { alias: "app", teamId: "ml", metadata });
  clock.advance(5);
  await accounts.update(user("ada"), "key", key.id, { models: ["gpt-4"], rpmLimit: 5, alias: "app" });
  const rotated = await keys.regenerate({ kind: "key", keyId: key.id }, key.id);
  await accounts.setMember(user("olga"), "team", "ml", "mia", "admin");
  await accounts.removeMember(user("olga"), "team", "ml", "mia");
  const entries = await accounts.audit(user("vic"), { sinceMs, limit: 100 });
  const shown = (text: string): string => `${text.slice(0, 7)}…${text.slice(-4)}`;
  t.same(
    entries.map(({ actor, atMs, action, objectAlias, field, old, new: now }) => [
      actor,
      atMs - sinceMs,
      action,
      objectAlias,
      field,
      old,
      now,
    ]),
    [
      [
        ...["user:tom", 0, "create", "app", null, null],
        {
          alias: "app",
          userId: "tom",
          teamId: "ml",
          metadata: { owner: "ann", api_key: "***", nested: [{ password: "***" }] },
        },
      ],
      ["user:ada", 5, "update", "app", "models", null, ["gpt-4"]],
      ["user:ada", 5, "update", "app", "rpmLimit", null, 5],
      [`key:${key.id}`, 5, "rotate", "app", "secret", shown(secret), shown(rotated.secret)],
      ["user:olga", 5, "change_member", "ml", "member mia", "user", "admin"],
      ["user:olga", 5, "remove_member", "ml", "member mia", "admin", null],
    ],
  );
  const all = JSON.stringify(entries);
  for (const leak of [secret, rotated.secret, "hunter2", "sk-live-123", hashKey(secret, pepper).toString("hex")]) {
    t.notOk(all.includes(leak));
  }
  t.equal((await accounts.audit(master, { object: "app", limit: 2 })).length, 2, "by alias, in pages");
});

t.test("a change that fails half-way leaves neither itself nor a line in the audit log", async (t) => {
  const { keys, accounts, store } = await peopledWorld(t);
  await keys.create(master, { alias: "taken" });
  const { key } = await keys.create(master, { alias: "app" });
  const before = (await store.directory.audit({ limit: 1_000 })).length;
  const revision = store.accounts.revision();
  await refused(t, "taken", accounts.update(master, "key", key.id, { models: ["m"], alias: "taken" }));
  await refused(
    t,
    "invalid_field",
    accounts.update(master, "key", key.id, { budgets: [{ limitUsd: "99999999999" }] }),
    /between/,
  );
  t.equal((await store.directory.audit({ limit: 1_000 })).length, before);
  t.equal(store.accounts.revision(), revision);
  t.same((await accounts.get(master, "key", key.id)).fields.models, []);
});

t.test("changes that cross are worked out anew on what is there: no stale object is written back", async (t) => {
  const { keys, accounts, store } = await peopledWorld(t);
  const { key } = await keys.create(user("ann"), { alias: "app", models: ["a"] });
  const whole = { ...key.fields, models: ["a", "b"] };
  await Promise.all([
    accounts.update(user("ann"), "key", key.id, { metadata: { n: 1 } }),
    accounts.update(user("ann"), "key", key.id, { rpmLimit: 5 }),
    accounts.update(user("ann"), "key", key.id, { tags: ["x"] }),
  ]);
  const after = await accounts.get(master, "key", key.id);
  t.match(after.fields, { metadata: { n: 1 }, rpmLimit: 5, tags: ["x"] });
  t.equal(after.version, 4);
  const late = accounts.update(user("ann"), "key", key.id, whole, { version: key.version });
  await refused(t, "conflict", late, "The key has changed in the meantime: look at it again");
  const stale = { kind: "key", id: key.id, version: key.version, fields: { models: ["z"] }, bounds: {} } as const;
  await t.rejects(store.directory.update(stale, { actor: "x" }), { code: "stale" });
});

t.test("a right that is lost while a change waits is asked for anew", async (t) => {
  const { keys, accounts } = await peopledWorld(t);
  const { key } = await keys.create(user("ann"), { alias: "app", models: ["a"] });
  const outcomes = await Promise.allSettled([
    accounts.update(user("ada"), "key", key.id, { models: ["b"] }),
    accounts.update(user("ann"), "key", key.id, { models: ["a", "c"] }),
  ]);
  t.same(
    outcomes.map(({ status }) => status),
    ["fulfilled", "rejected"],
  );
  t.same((await accounts.get(master, "key", key.id)).fields.models, ["b"]);
});

t.test("an actor that is suspended, gone or blocked does nothing", async (t) => {
  const { keys, accounts } = await peopledWorld(t);
  const { key } = await keys.create(user("ann"), {});
  await keys.setBlocked(master, key.id, true);
  await refused(t, "not_permitted", keys.create({ kind: "key", keyId: key.id }, {}), "The key that asks is not active");
  await accounts.update(master, "user", "ann", { status: "suspended" });
  await refused(t, "not_permitted", keys.create(user("ann"), {}), "The user that asks is not active");
  await refused(t, "not_permitted", keys.create(user("nobody"), {}), "The user that asks is not active");
});

t.test("a key without a user reads itself and its team, and changes nothing", async (t) => {
  const { keys, accounts } = await peopledWorld(t);
  const { key } = await keys.create(master, { teamId: "ml", serviceAccount: true });
  const self = { kind: "key", keyId: key.id } as const;
  t.equal((await accounts.get(self, "key", key.id)).id, key.id);
  t.equal((await accounts.get(self, "team", "ml")).id, "ml");
  t.same(
    (await accounts.list(self, "key")).items.map(({ id }) => id),
    [key.id],
  );
  await refused(t, "not_permitted", accounts.update(self, "key", key.id, { models: ["m"] }));
  await refused(t, "not_permitted", keys.create(self, {}));
  await refused(t, "not_found", accounts.get(self, "user", "ann"));
});

t.test("values that cannot be used are refused by the field's name", async (t) => {
  const { keys } = await peopledWorld(t);
  const cases: readonly [object, RegExp | string][] = [
    [{ modles: [] }, "A key has no field `modles`"],
    [{ models: "gpt-4" }, "`models` must be a list"],
    [{ models: ["a\nb"] }, /^`models` must name models/],
    [{ models: ['a"] or model in ["*'] }, /^`models` must name models/],
    [{ modelRpmLimits: { __proto__: null, "a b": 1 } }, /^`model_rpm_limits` must name models/],
    [{ rpmLimit: -1 }, "`rpm_limit` must be a whole number, 0 or more"],
    [{ rpmLimit: 1.5 }, "`rpm_limit` must be a whole number, 0 or more"],
    [{ rpmLimit: "5" }, "`rpm_limit` must be a whole number, 0 or more"],
    [{ softBudgetUsd: -1 }, /^`soft_budget_usd` must be an amount in USD/],
    [{ softBudgetUsd: Number.NaN }, /^`soft_budget_usd` must be an amount in USD/],
    [{ softBudgetUsd: 1e-10 }, /at most nine decimals$/],
    [{ budgets: [{ limitUsd: 1, window: "fortnight" }] }, /^`budgets` must have a window/],
    [{ budgets: [{ limitUsd: 1 }, { limitUsd: 2, window: "total" }] }, "`budgets` has a window twice"],
    [{ budgets: [{ limitUsd: 1, per: "day" }] }, "`budgets` has an unknown part `per`"],
    [{ ipRanges: ["10.0.0.0/33"] }, /^`ip_ranges` must be addresses or ranges/],
    [{ ipRanges: ["10.0.0.256"] }, /^`ip_ranges`/],
    [{ ipRanges: ["::1/129"] }, /^`ip_ranges`/],
    [{ ipRanges: ["1] or ip in [::/0"] }, /^`ip_ranges`/],
    [{ allowedRoutes: ["v1"] }, /^`allowed_routes` must be routes/],
    [{ metadata: [] }, "`metadata` must be an object"],
    [{ metadata: { a: "x".repeat(70_000) } }, /64 KiB/],
    [{ tags: [""] }, "`tags` must be a list of texts"],
    [{ tags: [" a"] }, /^`tags` must be up to 256 printable/],
    [{ status: "blocked" }, "`status` must be one of active, disabled, revoked"],
    [{ serviceAccount: "yes" }, "`service_account` must be true or false"],
  ];
  for (const [wish, message] of cases) {
    await refused(t, "invalid_field", keys.create(master, { ...wish }), message, JSON.stringify(wish));
  }
});

t.test("limits and budgets of nothing refuse every request with 429, each by its name", async (t) => {
  const { keys, accounts, find } = await peopledWorld(t);
  const { key, secret } = await keys.create(master, {});
  const none = { limitUsd: "0", window: "1h" };
  const cases: readonly [Submitted, string][] = [
    [{ rpmLimit: 0 }, "A limit of 0 requests per 1m leaves nothing to use"],
    [{ tpmLimit: 0 }, "A limit of 0 tokens per 1m leaves nothing to use"],
    [{ maxParallelRequests: 0 }, "A limit of 0 concurrent leaves nothing to use"],
    [{ modelRpmLimits: { "gpt-4": 0 } }, "A limit of 0 requests per 1m leaves nothing to use"],
    [{ modelBudgets: { "gpt-4": none } }, "A budget of $0 per 1h leaves nothing to use"],
  ];
  for (const [fields, message] of cases) {
    await accounts.update(master, "key", key.id, fields);
    const by = find(secret)?.principal;
    if (by === undefined) throw new Error("the key is there");
    t.match(decideBy("default allow\n")(call(), by).denial, { message, status: 429 });
    await accounts.update(master, "key", key.id, Object.fromEntries(Object.keys(fields).map((name) => [name, null])));
  }
});
