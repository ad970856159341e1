// The routes of LiteLLM's shape, asked as its clients ask: what each answers and does.
import t from "tap";
import { until } from "../../support/until.ts";
import { type Json, startWorld, type World } from "./world.ts";

async function chat({ gateway }: World, key: unknown, model = "gpt-4o-mini"): Promise<number> {
  const body = { model, max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
  return (await gateway.chat(body, { authorization: `Bearer ${key}` })).status;
}

t.test("a key is made, shown, rotated with a grace period, blocked and deleted", async (t) => {
  const world = await startWorld(t);
  const { ask } = world;
  const made = (await ask("master", "POST", "/key/generate", { key_alias: "app", duration: "30d" })).json;
  t.match(made, { key: /^sk-\w{40}$/, token: /^[0-9a-f]{64}$/, token_id: /^key_/, key_alias: "app", spend: 0 });
  t.equal(made.key_name, `sk-...${String(made.key).slice(-4)}`);
  const endsInMs = Date.parse(String(made.expires)) - Date.parse(String(made.created_at));
  t.ok(Math.abs(endsInMs - 30 * 86_400_000) < 1_000);
  const secret = { secret: String(made.key) };
  t.match(await ask(secret, "GET", "/key/info"), {
    status: 200,
    json: { key: made.token, info: { key_alias: "app" } },
  });
  t.match(await ask("master", "GET", "/key/info"), { status: 400, json: { error: { param: "key" } } });
  t.equal(await chat(world, made.key), 200);
  t.match(await ask("master", "POST", "/key/generate", { key_alias: "app" }), {
    status: 400,
    json: { error: { message: "A key has this alias already", param: "key_alias", code: "400" } },
  });
  const rotated = (
    await ask("master", "POST", "/key/regenerate", { key: made.token, grace_period: "24h", models: ["gpt-4o*"] })
  ).json;
  t.match(rotated, { token_id: made.token_id, models: ["gpt-4o*"] });
  t.not(rotated.token, made.token);
  t.same([await chat(world, made.key), await chat(world, rotated.key)], [200, 200]);
  t.match(await ask("master", "GET", `/key/info?key=${made.key}`), { status: 200 }, "the old secret names it too");
  const again = (await ask("master", "POST", "/key/app/regenerate")).json;
  t.same([await chat(world, made.key), await chat(world, rotated.key), await chat(world, again.key)], [401, 401, 200]);
  for (const grace_period of ["31d", "soon"]) {
    const refused = await ask("master", "POST", "/key/regenerate", { key: "app", grace_period });
    t.match(refused, { status: 400, json: { error: { param: "grace_period" } } });
  }
  t.match(await ask("master", "POST", "/key/block", { key: again.key }), { status: 200, json: { blocked: true } });
  t.equal(await chat(world, again.key), 401);
  t.match(await ask("master", "POST", "/key/unblock", { key: "app" }), { status: 200, json: { blocked: false } });
  const renamed = await ask("master", "POST", "/key/update", { key: "app", key_alias: "app-2", duration: "-1" });
  t.match(renamed.json, { key: "app", key_alias: "app-2", expires: null });
  t.match(await ask("master", "POST", "/key/update", { key_alias: "app-2", tags: ["x"] }), { json: { tags: ["x"] } });
  const { key: other } = await world.newKey("master", { key_alias: "other" });
  const deleted = await ask("master", "POST", "/key/delete", { keys: [again.token], key_aliases: ["other"] });
  t.strictSame(deleted.json, { deleted_keys: [again.token, "other"] });
  t.same([await chat(world, again.key), await chat(world, other)], [401, 401]);
  t.equal((await ask("master", "GET", "/key/info?key=app-2")).status, 404);
  t.match(await ask("master", "POST", "/key/delete", {}), { status: 400, json: { error: { param: "keys" } } });
});

t.test("one key that may not be deleted fails the whole delete; many are changed each by itself", async (t) => {
  const { ask, newKey, info } = await startWorld(t);
  const mine = await newKey("ann", {});
  const theirs = await newKey("sam", {});
  const colleagues = await newKey("master", { user_id: "mia", team_id: "ml" });
  for (const [other, status] of [
    [theirs, 404],
    [colleagues, 403],
  ] as const) {
    t.equal((await ask("ann", "POST", "/key/delete", { keys: [mine.key, other.token] })).status, status);
  }
  t.match(await info("ann", mine.key), { blocked: false });
  const keys = [
    { key: mine.key, tags: ["x"] },
    { key: theirs.token, tags: ["x"] },
    { key: mine.token, max_budget: 1 },
  ];
  const bulk = await ask("ann", "POST", "/key/bulk_update", { keys });
  t.match(bulk.json, {
    total_requested: 3,
    successful_updates: [{ key: mine.key, key_info: { tags: ["x"] } }],
    failed_updates: [{ key: theirs.token, failed_reason: "There is no such key" }, { failed_reason: /max_budget/ }],
  });
});

t.test(
  "keys are listed in numbered pages, newest first, by user, team, organisation, hash and part of the alias",
  async (t) => {
    const { ask, newKey } = await startWorld(t);
    const made: Json[] = [];
    for (const [key_alias, more] of [
      ["ci-1", { user_id: "ann" }],
      ["ci-2", { user_id: "ann", team_id: "ml" }],
      ["nightly", { team_id: "ml", user_id: "mia" }],
      ["ci-3", { user_id: "sam", team_id: "spies" }],
    ] as const) {
      made.push(await newKey("master", { key_alias, ...more }));
    }
    const list = async (who: "master" | "tom" | "ann" | "olga" | "vic", query: string): Promise<Json> =>
      (await ask(who, "GET", `/key/list?return_full_object=true&${query}`)).json;
    const names = async (...asked: Parameters<typeof list>) =>
      ((await list(...asked)).keys as Json[]).map((key) => key.key_alias);
    t.same(await names("master", "key_alias=ci-"), ["ci-3", "ci-2", "ci-1"]);
    t.same(await names("master", "key_alias=ci-&sort_order=asc&size=2"), ["ci-1", "ci-2"]);
    t.match(await list("master", "key_alias=ci-&page=2&size=2"), {
      keys: [{ key_alias: "ci-1" }],
      ...{ total_count: 3, current_page: 2, total_pages: 2 },
    });
    t.same(await names("master", "key_alias=ci-&sort_by=key_alias"), ["ci-3", "ci-2", "ci-1"]);
    t.same(await names("master", "team_id=ml"), ["nightly", "ci-2"]);
    t.same(await names("master", "team_id=ml&user_id=ann"), ["ci-2"]);
    t.same(await names("master", "organization_id=rival"), ["ci-3"]);
    t.same(await names("master", `key_hash=${made[0]?.token}`), ["ci-1"]);
    t.same(await names("vic", "team_id=spies"), ["ci-3"], "a viewer sees all");
    t.same(await names("tom", "team_id=ml&user_id=mia"), ["nightly"], "a team's admin sees its members' keys");
    t.same(await names("olga", "key_alias=ci-"), ["ci-2"], "an organisation's admin those of its teams");
    t.same(await names("ann", "key_alias=ci-&include_team_keys=true"), ["ci-2", "ci-1"], "others their own");
    t.match((await list("ann", "key_alias=ci-1&expand=user&include_created_by_keys=true")).keys, [
      { key_alias: "ci-1", user: { user_id: "ann", user_alias: "ann", user_email: null } },
    ]);
    const { json } = await ask("master", "GET", "/key/list?size=1&key_alias=ci");
    t.strictSame(json, { keys: [made[3]?.token], total_count: 3, current_page: 1, total_pages: 3 });
    for (const query of ["size=101", "size=0", "page=0", "sort_by=spend", "pages=1"]) {
      t.equal((await ask("master", "GET", `/key/list?${query}`)).status, 400, query);
    }
  },
);

t.test("what was spent is shown, of the budget's window where there is one, and is forgotten by a reset", async (t) => {
  const world = await startWorld(t);
  const { ask, newKey, info } = world;
  await ask("master", "POST", "/team/update", { team_id: "ml", max_budget: 100, budget_duration: "1mo" });
  const bodies = [
    {},
    { max_budget: 5 },
    { max_budget: 5, budget_duration: "1mo" },
    { max_budget: 5, budget_duration: "30d", budget_limits: [{ budget_duration: "1mo", max_budget: 9 }] },
    { budget_limits: [{ budget_duration: "30d", max_budget: 9 }] },
  ];
  for (const body of bodies) {
    const name = JSON.stringify(body);
    const { key, token } = await newKey("master", { team_id: "ml", user_id: "ann", ...body });
    t.equal(await chat(world, key), 200, name);
    const spent = await info("ann", key);
    t.ok((spent.spend as number) > 0, name);
    for (const limit of spent.budget_limits as Json[]) {
      t.equal(limit.spend, spent.spend, `${name}: each of its windows`);
      t.match(limit.reset_at, /^20..-..-..T00:00:00.000Z$/);
    }
    t.equal(spent.budget_reset_at === null, !("budget_duration" in body), name);
    const reset = await ask("tom", "POST", `/key/${token}/reset_spend`, { reset_to: 0 });
    t.match(reset.json, { key: token, spend: 0, previous_spend: spent.spend });
    t.match((await info("ann", key)).spend, 0, name);
    t.equal(await chat(world, key), 200);
    t.equal((await info("ann", key)).spend, spent.spend, `${name}: it is counted anew`);
  }
  const { json } = await ask("tom", "GET", "/team/info?team_id=ml");
  const { spend } = (json.keys as Json[])[0] as { spend: number };
  const rounded = (usd: unknown): string => Number(usd).toFixed(9);
  t.equal(rounded((json.team_info as Json).spend), rounded(spend * 10), "a team's is that of all its keys");
  const user = (await ask("ann", "GET", "/user/info")).json.user_info as Json;
  t.equal(rounded(user.spend), rounded(spend * 10));
  const poor = await newKey("master", { max_budget: 0.000000001 });
  t.equal(await chat(world, poor.key), 429);
});

t.test("a raised budget counts until its end", async (t) => {
  const world = await startWorld(t);
  const { key } = await world.newKey("master", { max_budget: 0.000000001 });
  t.equal(await chat(world, key), 429);
  const raise = { temp_budget_increase: 1, temp_budget_expiry: "2099-01-01T00:00:00Z" };
  t.equal((await world.ask("master", "POST", "/key/update", { key, ...raise })).status, 200);
  t.equal(await chat(world, key), 200);
});

t.test("a team is made with members, changed, blocked, and its members permitted to make keys", async (t) => {
  const world = await startWorld(t);
  const { ask } = world;
  const members_with_roles = [{ user_id: "ann", role: "user" }];
  const body = { team_alias: "web", organization_id: "acme", models: ["gpt-4o-mini"], members_with_roles };
  const made = (await ask("olga", "POST", "/team/new", body)).json;
  const members = [
    { user_id: "ann", role: "user" },
    { user_id: "olga", role: "admin" },
  ];
  t.match(made, { team_alias: "web", organization_id: "acme", models: ["gpt-4o-mini"] });
  t.same(made.members_with_roles, members, "who makes a team is its admin");
  const { team_id } = made;
  t.match(await ask("ann", "POST", "/key/generate", { team_id }), {
    status: 403,
    message: /^Team member does not have permissions for endpoint: \/key\/generate/,
  });
  const permissions = ["/key/generate", "/key/info"];
  t.equal(
    (await ask("olga", "POST", "/team/permissions_update", { team_id, team_member_permissions: permissions })).status,
    200,
  );
  t.match((await ask("ann", "GET", `/team/permissions_list?team_id=${team_id}`)).json, {
    team_member_permissions: ["/key/info", "/key/generate"],
    all_available_permissions: ["/key/info", "/key/generate", "/key/update", "/key/delete", "/key/regenerate"],
  });
  const odd = await ask("olga", "POST", "/team/permissions_update", {
    team_id,
    team_member_permissions: ["/everything"],
  });
  t.match(odd, { status: 400, message: /^`team_member_permissions` must be some of/ });
  const { json: key } = await ask("ann", "POST", "/key/generate", { team_id });
  t.match(key, { team_alias: "web", organization_id: "acme", user_id: "ann" });
  t.same([await chat(world, key.key), await chat(world, key.key, "gpt-4o")], [200, 403]);
  t.equal((await ask("olga", "POST", "/team/block", { team_id })).status, 200);
  t.equal(await chat(world, key.key), 403);
  t.match((await ask("olga", "POST", "/team/unblock", { team_id })).json, { blocked: false });
  t.equal(await chat(world, key.key), 200);
  t.match((await ask("olga", "GET", `/team/info?team_id=${team_id}`)).json, {
    team_id,
    keys: [{ token: key.token }],
    team_memberships: [{ user_id: "ann", team_id }, { user_id: "olga" }],
  });
  t.match(
    await ask("olga", "POST", "/team/update", { team_id, members_with_roles: [] }),
    { status: 200 },
    "asks for nothing",
  );
  const sneaked = await ask("olga", "POST", "/team/update", {
    team_id,
    members_with_roles: [{ user_id: "tom", role: "admin" }],
  });
  t.match(sneaked, { status: 400, message: "`members_with_roles` cannot be set" });
  t.match((await ask("olga", "POST", "/team/member_update", { team_id, user_id: "ann", role: "admin" })).json, {
    role: "admin",
  });
  t.equal((await ask("olga", "POST", "/team/member_update", { team_id, user_id: "tom", role: "admin" })).status, 404);
  t.equal((await ask("olga", "POST", "/team/member_add", { team_id, member: [], max_budget_in_team: 5 })).status, 400);
  t.match((await ask("olga", "POST", "/team/member_delete", { team_id, user_id: "ann" })).json, {
    members_with_roles: [{ user_id: "olga" }],
  });
  t.equal((await ask("ann", "GET", `/team/info?team_id=${team_id}`)).status, 404, "who has left it sees it no more");
  t.strictSame((await ask("olga", "POST", "/team/delete", { team_ids: [team_id] })).json, { deleted_teams: [team_id] });
  t.equal(await chat(world, key.key), 401, "its keys went with it");
  const list = (await ask("tom", "GET", "/team/list")).json as unknown as Json[];
  t.same(
    list.map((team) => team.team_id),
    ["ml"],
  );
});

t.test("what cannot be made whole is not made", async (t) => {
  const { ask, newKey } = await startWorld(t);
  const user = { user_id: "zoe", key_alias: "first" };
  t.match(await ask("master", "POST", "/user/new", { ...user, teams: ["ml", "nowhere"] }), { status: 404 });
  await newKey("master", { key_alias: "first" });
  t.match(await ask("master", "POST", "/user/new", user), { status: 400, json: { error: { param: "key_alias" } } });
  t.match(await ask("master", "POST", "/user/new", { ...user, key_alias: "second", duration: "soon" }), {
    status: 400,
  });
  t.match(await ask("master", "POST", "/user/new", { ...user, key_alias: "second" }), {
    status: 200,
    json: { key: /^sk-/ },
  });
  const team = { team_id: "web", organization_id: "acme" };
  const members = ["zoe", "sam", "nobody"].map((user_id) => ({ user_id, role: "user" }));
  for (const member of members) {
    const refused = await ask("olga", "POST", "/team/new", { ...team, members_with_roles: [member] });
    t.match(refused, { status: 404, message: "There is no such user" }, "nobody learns who there is elsewhere");
  }
  t.equal((await ask("olga", "POST", "/team/new", team)).status, 200);
});

t.test("organisations and users are made, changed, listed and deleted", async (t) => {
  const { ask } = await startWorld(t);
  const budget = { max_budget: 10, budget_duration: "30d" };
  const org = (await ask("master", "POST", "/organization/new", { organization_alias: "new", ...budget })).json;
  const { organization_id } = org;
  t.match(org, { organization_alias: "new", max_budget: 10, litellm_budget_table: budget, members: [] });
  for (const method of ["POST", "PATCH"]) {
    const changed = await ask("master", method, "/organization/update", { organization_id, metadata: { by: method } });
    t.match(changed.json, { metadata: { by: method } });
  }
  const member = { user_id: "ann", role: "org_admin" };
  t.match((await ask("master", "POST", "/organization/member_add", { organization_id, member })).json, {
    members: [member],
    updated_organization_memberships: [{ user_id: "ann", organization_id }],
  });
  await ask("ann", "POST", "/team/new", { team_id: "inner", organization_id });
  t.match((await ask("ann", "GET", `/organization/info?organization_id=${organization_id}`)).json, {
    teams: [{ team_id: "inner" }],
  });
  const orgs = (await ask("ann", "GET", "/organization/list")).json as unknown as Json[];
  t.same(
    orgs.map((each) => each.organization_alias),
    ["new"],
  );
  await ask("master", "PATCH", "/organization/member_update", { ...member, organization_id, role: "internal_user" });
  t.equal((await ask("ann", "POST", "/team/new", { team_id: "more", organization_id })).status, 403);
  await ask("master", "DELETE", "/organization/member_delete", { organization_id, user_id: "ann" });
  t.equal((await ask("ann", "GET", `/organization/info?organization_id=${organization_id}`)).status, 404);
  const gone = await ask("master", "DELETE", "/organization/delete", { organization_ids: [organization_id] });
  t.strictSame(gone.json, { deleted_organizations: [organization_id] });
  t.equal((await ask("master", "GET", "/team/info?team_id=inner")).status, 404, "with its teams");

  const body = { user_email: "zoe@acme.example", teams: ["ml"], key_alias: "first", duration: "30d", max_budget: 3 };
  const zoe = (await ask("master", "POST", "/user/new", body)).json;
  t.match(zoe, {
    user_alias: "zoe@acme.example",
    user_role: "internal_user",
    teams: ["ml"],
    key: /^sk-/,
    max_budget: 3,
  });
  const as = { secret: String(zoe.key) };
  t.match((await ask(as, "GET", "/user/info")).json, {
    user_id: zoe.user_id,
    user_info: { user_email: "zoe@acme.example", teams: ["ml"] },
    keys: [{ key_alias: "first" }],
    teams: [{ team_id: "ml" }],
  });
  t.match((await ask(as, "POST", "/user/update", { user_id: zoe.user_id, metadata: { n: 1 } })).json, {
    user_id: zoe.user_id,
    data: { metadata: { n: 1 } },
  });
  t.equal((await ask(as, "POST", "/user/update", { user_id: zoe.user_id, max_budget: 9 })).status, 403);
  t.match((await ask(as, "GET", "/user/list")).json, {
    users: [{ user_id: zoe.user_id }],
    total: 1,
    page: 1,
    total_pages: 1,
  });
  t.match((await ask("master", "GET", "/user/list?page=2&page_size=4")).json, {
    total: 9,
    page: 2,
    page_size: 4,
    total_pages: 3,
  });
  const added = await ask("tom", "POST", "/team/member_add", {
    team_id: "ml",
    member: { user_email: "zoe@acme.example", role: "admin" },
  });
  t.equal(added.status, 200, "by the address");
  t.strictSame((await ask("master", "POST", "/user/delete", { user_ids: [zoe.user_id] })).json, {
    deleted_users: [zoe.user_id],
  });
  t.equal((await ask(as, "GET", "/key/info")).status, 401);
});

t.test("the models that the caller may use are told with their prices", async (t) => {
  const { ask, newKey } = await startWorld(t);
  const named = async (who: Parameters<typeof ask>[0], path = "/model/info"): Promise<readonly Json[]> =>
    (await ask(who, "GET", path)).json.data as Json[];
  const all = await named("master");
  const { key } = await newKey("master", { models: ["gpt-4o"], aliases: { best: "gpt-4o" } });
  const few = await named({ secret: String(key) }, "/v1/model/info");
  t.same(
    few.map((model) => model.model_name),
    ["best", "gpt-4o"],
  );
  t.match(few[1], {
    litellm_params: { model: "demo/gpt-4o" },
    model_info: { litellm_provider: "demo", input_cost_per_token: 2.5e-6, output_cost_per_token: 1e-5 },
  });
  t.ok(all.length > 10);
  const { id } = (few[1] as Json).model_info as { id: string };
  t.same(
    (await named("master", `/model/info?litellm_model_id=${id}`)).map((model) => model.model_name),
    ["gpt-4o"],
  );
});

t.test("requests are listed for those who may see them, by key, user, id and day", async (t) => {
  const world = await startWorld(t);
  const { ask, newKey } = world;
  const ann = await newKey("master", { user_id: "ann", team_id: "ml", key_alias: "anns" });
  const sam = await newKey("master", { user_id: "sam" });
  for (const { key } of [ann, ann, sam]) await chat(world, key);
  const logs = async (who: Parameters<typeof ask>[0], query = ""): Promise<readonly Json[]> =>
    (await ask(who, "GET", `/spend/logs?${query}`)).json as unknown as Json[];
  await until("the rows are written", async () => (await logs("master")).length === 3);
  const [row] = await logs("ann");
  t.match(row, {
    ...{
      request_id: String,
      api_key: ann.token,
      user: "ann",
      team_id: "ml",
      organization_id: "acme",
      status: "success",
    },
    ...{ call_type: "acompletion", model: "gpt-4o-mini", model_group: "gpt-4o-mini", custom_llm_provider: "demo" },
    ...{ spend: Number, startTime: /Z$/, endTime: /Z$/, metadata: { user_api_key_alias: "anns" } },
  });
  t.equal(row?.total_tokens, (row?.prompt_tokens as number) + (row?.completion_tokens as number));
  const counts = async (query: string): Promise<readonly number[]> =>
    Promise.all(
      (["master", "vic", "olga", "tom", "ann", "mia", "sam"] as const).map(
        async (who) => (await logs(who, query)).length,
      ),
    );
  t.same(await counts(""), [3, 3, 2, 2, 2, 0, 1]);
  t.same(await counts("user_id=ann"), [2, 2, 2, 2, 2, 0, 0]);
  t.same(await counts(`request_id=${row?.request_id}`), [1, 1, 1, 1, 1, 0, 0]);
  for (const name of [ann.key, ann.token, "anns"]) t.equal((await logs("tom", `api_key=${name}`)).length, 2);
  const today = String(row?.startTime).slice(0, 10);
  t.same(await counts(`start_date=${today}&end_date=${today}`), [3, 3, 2, 2, 2, 0, 1], "the end's day is in it");
  t.same(await counts("end_date=2026-01-01"), [0, 0, 0, 0, 0, 0, 0]);
  t.same((await logs("master", "page=2&page_size=2")).length, 1);
  for (const query of ["start_date=yesterday", "page_size=1001", "summarize=true"]) {
    t.equal((await ask("master", "GET", `/spend/logs?${query}`)).status, 400, query);
  }
});

t.test("errors are told as LiteLLM tells them, and a key with routes keeps to them", async (t) => {
  const { ask, newKey, gateway } = await startWorld(t);
  const narrow = await newKey("ann", { key_type: "llm_api" });
  const refused = await ask({ secret: String(narrow.key) }, "GET", "/key/list");
  t.strictSame(refused.json, {
    error: {
      message:
        "Virtual key is not allowed to call this route. Only allowed to call routes: ['llm_api_routes']. Tried to call route: /key/list",
      ...{ type: "auth_error", param: null, code: "403" },
    },
  });
  const readOnly = { secret: String((await newKey("ann", { key_type: "read_only" })).key) };
  t.equal((await ask(readOnly, "GET", "/key/list")).status, 200);
  t.equal((await ask(readOnly, "POST", "/key/generate", {})).status, 403);
  t.match(await ask({ secret: "sk-wrong" }, "GET", "/key/list"), {
    status: 401,
    json: { error: { type: "auth_error", code: "401" } },
  });
  t.match(await ask("ann", "POST", "/key/update", {}), { status: 400, json: { error: { param: "key" } } });
  const own = { authorization: `Bearer ${(await newKey("ann")).key}`, "content-type": "text/plain" };
  const form = await fetch(`${gateway.adminUrl}/key/generate`, { method: "POST", body: "a=1", headers: own });
  t.match(await form.json(), { error: { type: "bad_request_error", code: "415" } });
});
