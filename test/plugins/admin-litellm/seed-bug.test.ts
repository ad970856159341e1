// The report that all this began with, and its whole family, over HTTP: a key's object is sent back whole.
import t from "tap";
import { type Json, PEOPLE, startWorld } from "./world.ts";

const ROUTES =
  "Only proxy admins can set `allowed_routes` on a key. Use `key_type` to pick a preset route bucket instead.";
const NOT_LIFTED = "`allowed_routes` was restricted by an admin: it can be narrowed, not widened";

/** Every field that a key can have in LiteLLM's shape. */
const FULL = {
  ...{ key_alias: "full", user_id: "ann", team_id: "ml", models: ["gpt-4o", "claude-*"], aliases: { best: "gpt-4o" } },
  ...{ max_budget: 10.5, budget_duration: "30d", soft_budget: 9.25, duration: "1mo", tags: ["b", "a"] },
  budget_limits: [
    { budget_duration: "1d", max_budget: 1 },
    { budget_duration: "1mo", max_budget: 8 },
  ],
  model_max_budget: { "gpt-4o": { budget_limit: 2, time_period: "7d" }, "gpt-4o-mini": 3 },
  ...{ tpm_limit: 10_000, rpm_limit: 50, model_tpm_limit: { "gpt-4o": 9 }, model_rpm_limit: { "gpt-4o": 5 } },
  ...{ max_parallel_requests: 3, metadata: { cost_centre: { n: [1, null] } }, key_type: "llm_api", blocked: false },
  ...{ temp_budget_increase: 2.5, temp_budget_expiry: "2099-01-01T00:00:00Z" },
};

t.test(
  "a non-admin sends everything that /key/info or /key/list returned to /key/update, only models changed",
  async (t) => {
    const { ask, newKey, info } = await startWorld(t);
    const made = await newKey("master", FULL);
    const listed = async (): Promise<Json> => {
      const { json } = await ask("ann", "GET", "/key/list?return_full_object=true&key_alias=full");
      return (json.keys as Json[])[0] as Json;
    };
    const shown = await info("ann", made.key);
    t.strictSame(await listed(), shown);
    const { key: _secret, ...row } = made;
    t.same(Object.keys(row).sort(), Object.keys(shown).sort(), "as it was when it was made");
    for (const [from, models] of [
      ["info", ["gpt-4o"]],
      ["list", ["gpt-4o", "claude-3*"]],
    ] as const) {
      const fresh = from === "info" ? await info("ann", made.key) : await listed();
      const saved = await ask("ann", "POST", "/key/update", { ...fresh, key: made.key, models });
      t.equal(saved.status, 200, `${from}: ${saved.message}`);
      t.match(saved.json, { key: made.key, models, allowed_routes: ["llm_api_routes"], key_type: "llm_api" });
      const after = await info("master", made.key);
      const moved = new Set(["models", "updated_at", "updated_by", "last_active"]);
      for (const name of Object.keys(row).filter((each) => !moved.has(each))) {
        t.strictSame(after[name], shown[name], `${from}: ${name} is as it was`);
      }
    }
  },
);

t.test("the payload of the report: made by the user with key_type llm_api, models edited, saved", async (t) => {
  const { ask, newKey } = await startWorld(t);
  const { key, token } = await newKey("ann", { key_alias: "pi-fury", key_type: "llm_api", models: ["main"] });
  const models = ["main", "gemini/gemini-3-flash-preview", "cerebras/gpt-oss-120b", "cerebras/zai-glm-4.7"];
  const form = {
    ...{ key_alias: "pi-fury", models, allowed_routes: ["llm_api_routes"] },
    // What the dashboard's form sends beside it, as it was left.
    ...{ max_budget: null, budget_duration: null, tpm_limit: null, rpm_limit: null, max_parallel_requests: null },
    ...{ tpm_limit_type: "best_effort_throughput", rpm_limit_type: "best_effort_throughput", duration: "" },
    ...{ guardrails: [], policies: [], prompts: [], disable_global_guardrails: false, object_permission: {} },
    ...{ metadata: {}, tags: [], allowed_passthrough_routes: [], auto_rotate: false, rotation_interval: "" },
    ...{ model_tpm_limit: {}, model_rpm_limit: null, max_budget_in_team: undefined, team_id: null },
  };
  for (const name of [key, token]) {
    const saved = await ask("ann", "POST", "/key/update", { key: name, ...form });
    t.equal(saved.status, 200, saved.message);
    t.match(saved.json, { models, allowed_routes: ["llm_api_routes"] });
  }
});

t.test("changing allowed_routes without the right answers 403 with the words that people know", async (t) => {
  const { ask, newKey, info } = await startWorld(t);
  const { key } = await newKey("ann", { key_type: "llm_api" });
  for (const allowed_routes of [["info_routes"], ["llm_api_routes", "management_routes"], [], null, ["/v1/models"]]) {
    const refused = await ask("ann", "POST", "/key/update", { key, allowed_routes, models: ["m"] });
    t.equal(refused.status, 403);
    t.strictSame(refused.json, {
      error: { message: ROUTES, type: "auth_error", param: "allowed_routes", code: "403" },
    });
  }
  t.match(await info("ann", key), { models: [], allowed_routes: ["llm_api_routes"] }, "and nothing was changed");
  t.match(await ask("ann", "POST", "/key/generate", { allowed_routes: ["/v1/*"] }), { status: 403, message: ROUTES });
  const set = await ask("ada", "POST", "/key/update", {
    ...(await info("ada", key)),
    key,
    allowed_routes: ["/v1/models"],
  });
  t.match(
    set,
    { status: 200, json: { allowed_routes: ["/v1/models"], key_type: null } },
    "an admin, by the whole row too",
  );
});

t.test("[], null, absent and re-ordered values are unchanged when they normalise to the same", async (t) => {
  const { ask, newKey, info } = await startWorld(t);
  const { key } = await newKey("ann", {});
  const before = await info("ann", key);
  for (const same of [
    {},
    { allowed_routes: [] },
    { allowed_routes: null },
    { key_type: "default" },
    { key_type: null },
  ]) {
    t.equal((await ask("ann", "POST", "/key/update", { key, ...same })).status, 200, JSON.stringify(same));
  }
  t.equal((await info("ann", key)).updated_at, before.updated_at);
  const two = await newKey("master", {
    user_id: "ann",
    allowed_routes: ["/a/*", "/b/*"],
    tags: ["x", "y"],
    max_budget: 5,
  });
  const reordered = { allowed_routes: ["/b/*", "/a/*", "/b/*"], tags: ["y", "x"], metadata: {}, models: null };
  const spelled = { max_budget: "5.00", budget_duration: null, aliases: {}, temp_budget_increase: null };
  const saved = await ask("ann", "POST", "/key/update", { key: two.key, ...reordered, ...spelled });
  t.equal(saved.status, 200, saved.message);
  t.equal(saved.json.updated_at, two.updated_at);
});

t.test(
  "an update accepts key_type; a creator moves between presets, but not past an admin's, nor to management",
  async (t) => {
    const { ask, newKey, info } = await startWorld(t);
    const { key } = await newKey("ann", { key_type: "llm_api" });
    for (const [key_type, allowed_routes] of [
      ["read_only", ["info_routes"]],
      ["default", []],
      ["llm_api", ["llm_api_routes"]],
    ] as const) {
      t.match(await ask("ann", "POST", "/key/update", { key, key_type }), {
        status: 200,
        json: { allowed_routes, key_type },
      });
    }
    const refused = await ask("ann", "POST", "/key/update", { key, key_type: "management" });
    t.match(refused, { status: 403, json: { error: { param: "key_type" } } });
    t.match(await ask("ann", "POST", "/key/generate", { key_type: "management" }), { status: 403 });
    const odd = await ask("ann", "POST", "/key/update", { key, key_type: "read_only", allowed_routes: ["/x"] });
    t.match(odd, { status: 400, message: /contradict/ });
    await ask("ada", "POST", "/key/update", { key, key_type: "read_only" });
    for (const wish of [{ key_type: "default" }, { key_type: "llm_api" }]) {
      t.match(await ask("ann", "POST", "/key/update", { key, ...wish }), { status: 403, message: NOT_LIFTED });
    }
    const whole = { ...(await info("ann", key)), key, models: ["m"] };
    t.equal((await ask("ann", "POST", "/key/update", whole)).status, 200, "unchanged it is no widening");
  },
);

t.test("spend, budget_limits and temp_budget_increase are budget fields: the owner changes none of them", async (t) => {
  const { gateway, ask, newKey, info } = await startWorld(t);
  const made = await newKey("master", { user_id: "ann", max_budget: 5, budget_duration: "30d" });
  const { key } = made;
  const wishes = {
    max_budget: [{ max_budget: 6 }, { max_budget: null }, { budget_duration: "1d" }],
    budget_limits: [{ budget_limits: [{ budget_duration: "1d", max_budget: 1 }] }],
    temp_budget_increase: [{ temp_budget_increase: 1, temp_budget_expiry: "2099-01-01T00:00:00Z" }],
    soft_budget: [{ soft_budget: 1 }],
    model_max_budget: [{ model_max_budget: { "gpt-4o": 1 } }],
  };
  for (const [name, all] of Object.entries(wishes)) {
    for (const wish of all) {
      const refused = await ask("ann", "POST", "/key/update", { key, ...wish });
      t.equal(refused.status, 403, `${name}: ${refused.message}`);
      t.match(refused.message, /^Only proxy admins, org admins and team admins can change `\w+` on a key$/);
      t.ok(String((refused.json.error as Json).param) in wishes, "in LiteLLM's names");
    }
  }
  const half = await ask("ada", "POST", "/key/update", { key, temp_budget_increase: 1 });
  t.match(half, { status: 400, message: "`temp_budget_increase` and `temp_budget_expiry` go together" });
  const body = { model: "gpt-4o", max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
  t.equal((await gateway.chat(body, { authorization: `Bearer ${key}` })).status, 200);
  const spent = await info("ann", key);
  t.ok((spent.spend as number) > 0);
  t.equal(
    (await ask("ann", "POST", "/key/update", { ...made, key, models: ["m"] })).status,
    200,
    "an old reading is no wish",
  );
  t.equal((await info("ann", key)).spend, spent.spend, "and resets nothing");
  t.match(await ask("ann", "POST", "/key/update", { key, spend: 0 }), { status: 403, message: /reset the spend/ });
  t.match(await ask("ada", "POST", "/key/update", { key, spend: 3 }), {
    status: 400,
    message: /^`spend` is what requests/,
  });
  t.match(await ask("ada", "POST", "/key/update", { key, spend: 0 }), { status: 200, json: { spend: 0 } });
});

t.test("a user may not create or re-own a key for another user, and a viewer creates nothing", async (t) => {
  const { ask, newKey } = await startWorld(t);
  const other = await ask("ann", "POST", "/key/generate", { user_id: "mia" });
  const message = "User can only create keys for themselves. Got user_id=mia, Your ID=ann";
  t.match(other, { status: 403, message, json: { error: { param: "user_id" } } });
  const { key, user_id } = await newKey("ann");
  t.equal(user_id, "ann");
  for (const user_id of ["mia", null]) {
    t.match(await ask("ann", "POST", "/key/update", { key, user_id }), {
      status: 403,
      message: /^Only proxy admins can/,
    });
  }
  for (const viewer of ["vic", "ivy"] as const) {
    t.match(await ask(viewer, "POST", "/key/generate", {}), { status: 403, message: "A viewer cannot create keys" });
    t.match(await ask(viewer, "POST", "/team/new", { team_alias: "x" }), { status: 403 });
  }
});

t.test(
  "a key changed takes effect at the next request, and a request in flight writes no stale object back",
  async (t) => {
    const { gateway, ask, newKey, info } = await startWorld(t);
    const { key } = await newKey("ann", { models: ["gpt-4o"] });
    const chat = async (model: string): Promise<number> => {
      const body = { model, max_tokens: 5, messages: [{ role: "user", content: "hi" }], stream: true };
      const answer = await gateway.chat(body, { authorization: `Bearer ${key}` });
      await answer.text();
      return answer.status;
    };
    t.same([await chat("gpt-4o"), await chat("gpt-4o-mini")], [200, 403]);
    // As many as the cache would have time to write something back for.
    const inFlight = Array.from({ length: 10 }, () => chat("gpt-4o"));
    await ask("ann", "POST", "/key/update", { key, models: ["gpt-4o-mini"] });
    await Promise.all(inFlight);
    t.same([await chat("gpt-4o"), await chat("gpt-4o-mini")], [403, 200]);
    t.same((await info("ann", key)).models, ["gpt-4o-mini"]);
    t.equal((await ask("tom", "POST", "/key/block", { key })).status, 404, "it is no key of the team's");
    await ask("ada", "POST", "/key/block", { key });
    t.equal(await chat("gpt-4o-mini"), 401);
    await ask("ada", "POST", "/key/unblock", { key });
    t.equal(await chat("gpt-4o-mini"), 200);
  },
);

t.test("a row that was shown before another's change is refused, and so nothing of that is undone", async (t) => {
  const { ask, newKey, info } = await startWorld(t);
  const { key } = await newKey("ann", { models: ["gpt-4o"] });
  const old = await info("ann", key);
  await new Promise((resolve) => setTimeout(resolve, 2));
  await ask("ada", "POST", "/key/update", { key, rpm_limit: 5 });
  const late = await ask("ann", "POST", "/key/update", { ...old, key, models: ["m"] });
  t.match(late, { status: 409, json: { error: { param: "updated_at" } } });
  t.match(await info("ann", key), { models: ["gpt-4o"], rpm_limit: 5 });
  const both = await Promise.all([
    ask("ann", "POST", "/key/update", { key, metadata: { n: 1 } }),
    ask("ann", "POST", "/key/update", { key, tags: ["x"] }),
    ask("ann", "POST", "/key/update", { key, models: ["m"] }),
  ]);
  t.same(
    both.map(({ status }) => status),
    [200, 200, 200],
  );
  t.match(await info("ann", key), { metadata: { n: 1 }, tags: ["x"], models: ["m"], rpm_limit: 5 });
});

t.test("what can be read can be sent back whole: every kind, every role", async (t) => {
  const { ask, newKey } = await startWorld(t);
  const { token } = await newKey("master", FULL);
  const kinds = [
    ["/key/info?key=", token, "info", "/key/update", "key"],
    ["/team/info?team_id=", "ml", "team_info", "/team/update", "team_id"],
    ["/user/info?user_id=", "ann", "user_info", "/user/update", "user_id"],
    ["/organization/info?organization_id=", "acme", null, "/organization/update", "organization_id"],
  ] as const;
  for (const who of Object.values(PEOPLE)) {
    for (const [info, id, at, update, name] of kinds) {
      const shown = await ask(who, "GET", `${info}${id}`);
      if (shown.status === 404) continue;
      const { teams: _teams, ...row } = (at === null ? shown.json : shown.json[at]) as Json;
      const sent = await ask(who, "POST", update, { ...row, [name]: id });
      // Whoever may not update at all is told so; nobody is told that a field may not be changed.
      t.ok(sent.status === 200 || / update /.test(sent.message), `${who} ${update}: ${sent.status} ${sent.message}`);
    }
  }
});
