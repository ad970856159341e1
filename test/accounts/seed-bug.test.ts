// "The seed's bug, as a contract": a key's object sent back whole, and what else went wrong around it upstream.
import t from "tap";
import { keyTypeOf } from "../../src/accounts/routes.ts";
import type { AccountObject } from "../../src/store/directory.ts";
import { master, peopledWorld, refused, user, type World } from "./fixture.ts";

const ROUTES =
  "Only proxy admins can set `allowed_routes` on a key. Use `key_type` to pick a preset route bucket instead.";
const ann = user("ann");

/** The key of the report: made by a plain user with `key_type` "LLM API". */
async function piFury({ keys }: World): Promise<AccountObject> {
  const { key } = await keys.create(ann, { alias: "pi-fury", keyType: "llm_api", models: ["main"], teamId: null });
  return key;
}

t.test(
  "a non-admin sends a key's whole object back with allowed_routes unchanged and only models edited",
  async (t) => {
    const world = await peopledWorld(t);
    const key = await piFury(world);
    t.same(key.fields.allowedRoutes, ["llm_api_routes"]);
    const models = ["main", "gemini/gemini-3-flash-preview", "cerebras/gpt-oss-120b", "cerebras/zai-glm-4.7"];
    const whole = { ...key.fields, keyType: keyTypeOf(key.fields.allowedRoutes as string[]), models };
    const saved = await world.accounts.update(ann, "key", key.id, whole);
    t.same(saved.fields.models, models);
    t.same(saved.fields.allowedRoutes, ["llm_api_routes"]);
    const changed = await world.store.directory.audit({ object: key.id, limit: 10 });
    t.same(
      changed.map(({ action, field }) => [action, field]),
      [
        ["create", null],
        ["update", "models"],
      ],
      "and only models was changed",
    );
  },
);

t.test("every field of every kind of object can be sent back as it was read, by whoever may read it", async (t) => {
  const world = await peopledWorld(t);
  const { key } = await world.keys.create(master, {
    ...{
      alias: "full",
      userId: "ann",
      teamId: "ml",
      models: ["gpt-4", "claude-*"],
      tags: ["b", "a"],
      keyType: "read_only",
    },
    ...{
      budgets: [
        { limitUsd: "5", window: "30d" },
        { limitUsd: 1, window: "day" },
      ],
      softBudgetUsd: "4.50",
      roles: ["dev"],
    },
    ...{
      modelBudgets: { "gpt-4": { limitUsd: "2", window: "month" } },
      tpmLimit: 10,
      rpmLimit: 5,
      maxParallelRequests: 1,
    },
    ...{
      modelRpmLimits: { "gpt-4": 1 },
      ipRanges: ["10.0.0.0/8"],
      metadata: { a: { b: 1 } },
      expiresMs: 9e15,
      rules: "deny\n",
    },
    ...{ tempBudgetIncreaseUsd: 1, tempBudgetExpiresMs: 8e15 },
  });
  const before = key.version;
  for (const who of ["ann", "tom", "olga", "ada"]) {
    const after = await world.accounts.update(user(who), "key", key.id, key.fields);
    t.equal(after.version, before, `${who} changes nothing`);
  }
  const team = await world.accounts.get(master, "team", "ml");
  t.equal((await world.accounts.update(user("tom"), "team", "ml", team.fields)).version, team.version);
  const own = await world.accounts.get(ann, "user", "ann");
  t.equal((await world.accounts.update(ann, "user", "ann", own.fields)).version, own.version);
});

t.test("changing allowed_routes without the right is refused with the words that people know", async (t) => {
  const world = await peopledWorld(t);
  const { id } = await piFury(world);
  for (const who of ["ann"]) {
    for (const allowedRoutes of [["info_routes"], ["llm_api_routes", "management_routes"], [], null, ["/v1/models"]]) {
      await refused(t, "not_permitted", world.accounts.update(user(who), "key", id, { allowedRoutes }), ROUTES);
    }
  }
  await refused(t, "not_permitted", world.keys.create(ann, { allowedRoutes: ["/v1/*"] }), ROUTES);
  const saved = await world.accounts.update(user("ada"), "key", id, { allowedRoutes: ["/v1/models"] });
  t.same(saved.fields.allowedRoutes, ["/v1/models"], "a proxy admin may");
});

t.test("[], null, absent and re-ordered values count as unchanged when they normalise to the same", async (t) => {
  const world = await peopledWorld(t);
  const { key } = await world.keys.create(ann, { alias: "plain" });
  const same = [
    {},
    { allowedRoutes: [] },
    { allowedRoutes: null },
    { allowedRoutes: undefined },
    { keyType: "default" },
  ];
  for (const submitted of same) {
    t.equal((await world.accounts.update(ann, "key", key.id, submitted)).version, 1, JSON.stringify(submitted));
  }
  const two = await world.keys.create(master, {
    alias: "two",
    userId: "ann",
    allowedRoutes: ["/a/*", "/b/*"],
    tags: ["x", "y"],
  });
  const reordered = { allowedRoutes: ["/b/*", "/a/*", "/b/*"], tags: ["y", "x"], metadata: {}, models: null };
  t.equal((await world.accounts.update(ann, "key", two.key.id, reordered)).version, 1);
});

t.test(
  "an update accepts key_type, since the message tells people to use it; a creator may move between presets",
  async (t) => {
    const world = await peopledWorld(t);
    const { id } = await piFury(world);
    for (const [keyType, routes] of [
      ["read_only", ["info_routes"]],
      ["default", []],
      ["llm_api", ["llm_api_routes"]],
    ] as const) {
      t.same((await world.accounts.update(ann, "key", id, { keyType })).fields.allowedRoutes, routes, keyType);
    }
    const both = { keyType: "read_only", allowedRoutes: ["info_routes"] };
    t.same(
      (await world.accounts.update(ann, "key", id, both)).fields.allowedRoutes,
      ["info_routes"],
      "both that agree",
    );
    const contradiction = { keyType: "llm_api", allowedRoutes: ["/x"] };
    await refused(t, "invalid_field", world.accounts.update(ann, "key", id, contradiction), /contradict/);
    await refused(
      t,
      "invalid_field",
      world.accounts.update(ann, "key", id, { keyType: "all" }),
      /key_type. must be one of/,
    );
  },
);

t.test("a creator may not widen a key that an admin made read_only", async (t) => {
  const world = await peopledWorld(t);
  const { id } = await piFury(world);
  await world.accounts.update(user("ada"), "key", id, { keyType: "read_only" });
  for (const keyType of ["default", "llm_api"]) {
    const lifted = world.accounts.update(ann, "key", id, { keyType });
    await refused(
      t,
      "not_permitted",
      lifted,
      "`allowed_routes` was restricted by an admin: it can be narrowed, not widened",
    );
  }
  t.equal((await world.accounts.update(ann, "key", id, { keyType: "read_only", models: ["m"] })).version, 3);
  await world.accounts.update(user("ada"), "key", id, { keyType: "default" });
  t.ok(await world.accounts.update(ann, "key", id, { keyType: "llm_api" }), "what the admin lifted is lifted");
});

t.test("management by a plain user is refused", async (t) => {
  const world = await peopledWorld(t);
  const { id } = await piFury(world);
  const message = "Only proxy admins can set `key_type` to management on a key.";
  await refused(t, "not_permitted", world.accounts.update(ann, "key", id, { keyType: "management" }), message);
  await refused(t, "not_permitted", world.keys.create(ann, { keyType: "management" }), message);
  t.ok(await world.keys.create(user("ada"), { keyType: "management", userId: "ann" }));
});

t.test("temp_budget_increase, spend and budget_limits are budget fields too", async (t) => {
  const world = await peopledWorld(t);
  const { id } = await piFury(world);
  const raise = { tempBudgetIncreaseUsd: "5", tempBudgetExpiresMs: 9e15 };
  const wishes = [
    { budgets: [{ limitUsd: "5", window: "month" }] },
    {
      budgets: [
        { limitUsd: "5", window: "month" },
        { limitUsd: "1", window: "day" },
      ],
    },
    raise,
    { softBudgetUsd: 5 },
    { modelBudgets: { m: { limitUsd: 5, window: "day" } } },
  ];
  for (const wish of wishes) {
    const message = /^Only proxy admins, org admins and team admins can change `\w+` on a key$/;
    await refused(t, "not_permitted", world.accounts.update(ann, "key", id, wish), message);
  }
  await refused(t, "not_permitted", world.accounts.resetSpend(ann, "key", id), /can reset the spend of this key$/);
  await refused(t, "not_permitted", world.keys.create(ann, raise), /can change `temp_budget_increase/);
  t.ok(
    await world.keys.create(ann, { budgets: [{ limitUsd: 5 }] }),
    "a new key may be given a budget: it only narrows",
  );
  await refused(
    t,
    "invalid_field",
    world.accounts.update(master, "key", id, { tempBudgetIncreaseUsd: 1 }),
    /go together/,
  );
});

t.test("a user may not create or re-own a key for another user", async (t) => {
  const world = await peopledWorld(t);
  const message = "User can only create keys for themselves. Got user_id=mia, Your ID=ann";
  await refused(t, "not_permitted", world.keys.create(ann, { userId: "mia" }), message);
  await refused(t, "not_permitted", world.keys.create(user("tom"), { userId: "mia", teamId: "ml" }), /Your ID=tom$/);
  const { id } = await piFury(world);
  await refused(t, "not_permitted", world.accounts.update(ann, "key", id, { userId: "mia" }), /Only proxy admins/);
  await refused(t, "not_permitted", world.accounts.update(ann, "key", id, { userId: null }), /Only proxy admins/);
  t.equal((await world.keys.create(ann, {})).key.fields.userId, "ann", "a key without a user becomes the caller's");
  t.equal((await world.keys.create(user("ada"), { userId: "mia" })).key.fields.userId, "mia", "an admin may");
});

t.test("a viewer creates nothing", async (t) => {
  const world = await peopledWorld(t);
  for (const who of ["vic", "ivy"]) {
    await refused(t, "not_permitted", world.keys.create(user(who), {}), "A viewer cannot create keys");
    await refused(t, "not_permitted", world.accounts.create(user(who), "team", { fields: { alias: "x" } }), /viewer/);
  }
});

t.test("a key for a team is made by members with the team's /key/generate permission only", async (t) => {
  const world = await peopledWorld(t);
  const make = (): Promise<unknown> => world.keys.create(ann, { teamId: "ml" });
  await refused(t, "not_permitted", make(), /^Team member does not have permissions for endpoint: \/key\/generate/);
  await refused(t, "not_found", world.keys.create(ann, { teamId: "spies" }), "There is no such team");
  await refused(t, "not_found", world.keys.create(ann, { teamId: "nowhere" }), "There is no such team");
  await world.accounts.update(user("tom"), "team", "ml", { memberPermissions: ["/key/generate"] });
  t.ok(await make());
  await refused(t, "not_permitted", world.keys.create(ann, { teamId: "ml", serviceAccount: true }), /service-account/);
  const { key } = await world.keys.create(user("tom"), { teamId: "ml", serviceAccount: true });
  t.match(key.fields, { teamId: "ml", userId: null, serviceAccount: true });
  await refused(t, "invalid_field", world.keys.create(master, { serviceAccount: true }), /needs a `team_id`/);
});

t.test("one unauthorised key fails the whole delete", async (t) => {
  const world = await peopledWorld(t);
  const own = (await piFury(world)).id;
  const other = (await world.keys.create(user("sam"), { alias: "theirs" })).key.id;
  const colleague = (await world.keys.create(user("mia"), { alias: "hers", teamId: null })).key.id;
  await refused(t, "not_found", world.accounts.remove(ann, "key", [own, other]));
  await refused(t, "not_found", world.accounts.remove(ann, "key", [own, colleague]));
  t.equal((await world.accounts.get(ann, "key", own)).fields.status, "active", "and nothing was deleted");
  t.equal((await world.accounts.remove(ann, "key", [own, "pi-fury"])).length, 1, "named twice it is deleted once");
  await refused(t, "not_found", world.accounts.get(master, "key", own));
});
