// What jobs and calls cost over HTTP: budget modes, calls outside of jobs, limits, bad input, jobs that are left open.
import t from "tap";
import { systemClock } from "../../../src/clock.ts";
import { tollgate } from "../../support/cli.ts";
import { until } from "../../support/until.ts";
import { CHAT_ANSWER, chatEvents, json } from "../../support/upstream.ts";
import { ACME, acme, bearer, HELLO, type Json, setUp } from "./rig.ts";

/** gpt-4o-mini: $0.15 and $0.60 per million tokens; CHAT_ANSWER uses 10 and 5. */
const COST_USD = 10 * 0.000_000_15 + 5 * 0.000_000_6;

t.test("jobs opened side by side never use more credits than there are", async (t) => {
  const rig = await setUp(t);
  const { as } = await acme(rig, { credits_allocated: 7 });
  const ask = () => rig.data("POST", "/api/jobs/create", { job_type: "x" }, as);
  const answers = await Promise.all(Array.from({ length: 25 }, ask));
  const made = answers.filter(({ status }) => status === 200);
  t.equal(made.length, 7);
  t.ok(answers.every(({ status }) => status === 200 || status === 403));
  await Promise.all(made.map(({ json }) => rig.data("POST", `/api/jobs/${json.job_id}/complete`, undefined, as)));
  t.match((await rig.data("GET", "/api/credits/balance", undefined, as)).json, {
    ...{ credits_used: 7, credits_reserved: 0, credits_remaining: 0 },
  });
});

t.test(
  "consumption_usd: a job costs its dollars at the stated rate, and its calls hold the most they can",
  async (t) => {
    const rig = await setUp(t, { saas: { credits_per_dollar: 100_000 } });
    const { admin, data } = rig;
    const { as } = await acme(rig, { credits_allocated: 3, budget_mode: "consumption_usd" });
    const job = await data("POST", "/api/jobs/create", { job_type: "x" }, as);
    const call = (more: object = {}) =>
      data("POST", `/api/jobs/${job.json.job_id}/llm-call`, { ...HELLO, ...more }, as);
    const used = COST_USD * 100_000;
    t.equal((await call()).status, 200);
    t.match((await data("GET", `/api/jobs/${job.json.job_id}`, undefined, as)).json, { credits_reserved: used });
    const dear = await call({ max_tokens: 16_000 });
    t.match(dear, { status: 403, json: { detail: "Team suspended or insufficient credits" } }, "it may cost too much");
    t.equal(rig.upstream.seen.length, 1, "and was not sent");
    rig.upstream.answer = json({ error: { message: "overloaded" } }, 500);
    t.equal((await call()).status, 500);
    const ended = await data("POST", `/api/jobs/${job.json.job_id}/fail`, undefined, as);
    t.match(ended.json, {
      ...{ status: "failed", credits_charged: used, credits_remaining: 3 - used },
      costs: { total_calls: 2, failed_calls: 1, total_cost_usd: "0.0000045" },
    });
    const { json: listed } = await admin("GET", "/api/credits/transactions?team_id=acme-corp&limit=1");
    t.match(listed.transactions, [{ transaction_type: "job", credits_amount: -used, balance_after: 3 - used }]);
  },
);

t.test(
  "consumption_usd: what comes out even is not rounded up, at the default rate of ten credits a dollar",
  async (t) => {
    const rig = await setUp(t);
    const { as } = await acme(rig, { credits_allocated: 1, budget_mode: "consumption_usd" });
    const job = await rig.data("POST", "/api/jobs/create", { job_type: "x" }, as);
    await rig.data("POST", `/api/jobs/${job.json.job_id}/llm-call`, HELLO, as);
    const ended = await rig.data("POST", `/api/jobs/${job.json.job_id}/complete`, undefined, as);
    t.match(ended.json, {
      credits_charged: 0.000045,
      credits_remaining: 0.999955,
      costs: { total_cost_usd: "0.0000045" },
    });
  },
);

t.test("consumption_tokens: a job costs its tokens at the stated rate", async (t) => {
  const rig = await setUp(t, { saas: { tokens_per_credit: 30 } });
  const { as } = await acme(rig, { credits_allocated: 50, budget_mode: "consumption_tokens" });
  const job = await rig.data("POST", "/api/jobs/create", { job_type: "x" }, as);
  await rig.data("POST", `/api/jobs/${job.json.job_id}/llm-call`, HELLO, as);
  const ended = await rig.data("POST", `/api/jobs/${job.json.job_id}/complete`, undefined, as);
  t.match(ended.json, { credits_charged: 0.5, credits_remaining: 49.5, costs: { total_tokens: 15 } });
});

t.test("a call outside of a job is a job of its own: credits cannot be gone round", async (t) => {
  const rig = await setUp(t);
  const { admin, data, upstream, gateway } = rig;
  const { as } = await acme(rig, { credits_allocated: 2 });
  const call = (body: object = HELLO) => data("POST", "/v1/chat/completions", body, as);
  const credits = async () => (await data("GET", "/api/credits/balance", undefined, as)).json;
  t.equal((await call()).status, 200);
  t.match(await credits(), { credits_used: 1, credits_reserved: 0 });
  upstream.answer = json({ error: { message: "no" } }, 500);
  t.equal((await call()).status, 500);
  t.match(await credits(), { credits_used: 1, credits_reserved: 0 }, "an error of the provider costs none");
  upstream.answer = (_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(chatEvents(["one"])[0]);
  };
  const headers = { ...as, "content-type": "application/json" };
  const leaver = new AbortController();
  const stream = await fetch(`${gateway.url}/v1/chat/completions`, {
    ...{ method: "POST", headers, body: JSON.stringify({ ...HELLO, stream: true }), signal: leaver.signal },
  });
  await stream.body?.getReader().read();
  leaver.abort();
  await until("the stream is settled", async () => (await credits()).credits_used === 2);
  upstream.answer = json(CHAT_ANSWER);
  const refused = await call();
  t.match(refused, { status: 403, json: { error: { code: "credits_exhausted", type: "insufficient_quota" } } });
  t.equal(refused.headers.get("x-should-retry"), "false");
  const { json: listed } = await data("GET", "/api/jobs", undefined, as);
  t.match(listed, { total: 3, jobs: [{ status: "completed" }, { status: "failed" }, { job_type: "direct" }] });
  await admin("POST", "/-/teams", { id: "free", alias: "free" });
  const free = bearer((await admin("POST", "/-/keys", { alias: "free-1", team_id: "free" })).json.key);
  t.equal((await data("POST", "/v1/chat/completions", HELLO, free)).status, 200, "a team without a budget mode");
  t.match(await data("POST", "/api/jobs/create", { job_type: "x" }, free), { status: 403 }, "has no use for credits");
  await admin("PATCH", "/-/teams/free", { budget_mode: "job_based" });
  t.equal((await data("POST", "/v1/chat/completions", HELLO, free)).status, 403, "and pays once it has one");
});

t.test("rules, budgets and limits hold for calls in jobs, and each is on record under the job's path", async (t) => {
  const rig = await setUp(t);
  const { admin, data, gateway } = rig;
  const { as } = await acme(rig);
  const job = await data("POST", "/api/jobs/create", { job_type: "x" }, as);
  const path = `/api/jobs/${job.json.job_id}/llm-call`;
  const call = (body: unknown = HELLO) => data("POST", path, body, as);
  t.equal((await call()).status, 200);
  await admin("PATCH", "/-/teams/acme-corp", { rpm_limit: 1 });
  t.match(await call(), { status: 200 }, "the first that the limit counts");
  t.match(await call(), { status: 429, json: { detail: /Rate limit has been reached!/ } });
  await admin("PATCH", "/-/teams/acme-corp", { rpm_limit: null, budgets: [{ limit_usd: "0", window: "day" }] });
  t.match(await call(), { status: 429, json: { detail: /Budget has been exceeded!/ } });
  await admin("PATCH", "/-/teams/acme-corp", {
    budgets: null,
    rules: 'deny model gpt-4o-mini because "not today"\n',
  });
  t.match(await call(), { status: 403, json: { detail: /not today/ } }, "a rule's own words");
  t.match(await call({ ...HELLO, messages: 5 }), { status: 400, json: { detail: /`messages` must be/ } });
  t.match(await call({ ...HELLO, model: "nothing-like-it" }), { status: 404, json: { detail: /nothing-like-it/ } });
  t.match(await data("GET", path, undefined, as), { status: 405, json: { detail: /takes POST/ } });
  const lines = gateway.logged.filter(({ path: logged }) => logged === path);
  t.equal(lines.length, 7);
  const requestId = String(lines[0]?.request_id);
  const explained = await tollgate(gateway.directory, ["explain", requestId]);
  t.match(explained, { code: 0, stdout: /allow/i });
  const { json: shown } = await data("GET", `/api/jobs/${job.json.job_id}`, undefined, as);
  t.match(shown.costs, { total_calls: 2 }, "what was refused was no call");
  await gateway.close();
});

t.test("bad input is told by field, and nothing is made of it", async (t) => {
  const rig = await setUp(t);
  const { admin, data } = rig;
  const { as } = await acme(rig);
  const refuse = async (status: number, detail: RegExp, ...ask: Parameters<typeof admin>): Promise<void> => {
    const answer = await (ask[3] === as ? data : admin)(...ask);
    t.match(answer, { status, json: { detail } }, `${ask[0]} ${ask[1]} ${JSON.stringify(ask[2])}`);
    t.same(Object.keys(answer.json), ["detail"]);
  };
  const team = { ...ACME, team_id: "other", team_alias: "Other" };
  await refuse(400, /unknown field `credits_alocated`: did you mean `credits_allocated`/, "POST", "/api/teams/create", {
    ...team,
    credits_alocated: 1,
  });
  await refuse(400, /`access_groups` is missing/, "POST", "/api/teams/create", { organization_id: "o", team_id: "x" });
  await refuse(400, /credits_allocated/, "POST", "/api/teams/create", { ...team, credits_allocated: -1 });
  await refuse(400, /credits_allocated/, "POST", "/api/teams/create", { ...team, credits_allocated: 0.000_000_1 });
  await refuse(400, /budget_mode/, "POST", "/api/teams/create", { ...team, budget_mode: "free" });
  await refuse(400, /An id has up to 128/, "POST", "/api/teams/create", { ...team, team_id: "no blanks" });
  await refuse(409, /has this alias already/, "POST", "/api/teams/create", ACME);
  await refuse(409, /This id is taken/, "POST", "/api/teams/create", { ...ACME, team_alias: "Other" });
  await refuse(409, /alias/, "POST", "/api/teams/create", { ...ACME, team_id: "another" });
  await refuse(404, /no such team/, "GET", "/api/teams/nothing");
  await refuse(404, /no such team/, "POST", "/api/credits/add", { team_id: "nothing", credits: 1 });
  await refuse(400, /more than 0/, "POST", "/api/credits/add", { team_id: "acme-corp", credits: 0 });
  await refuse(400, /Send `credits`, once/, "POST", "/api/credits/add", {
    team_id: "acme-corp",
    credits: 1,
    credits_amount: 1,
  });
  await refuse(400, /between 0 and 1000000000/, "POST", "/api/credits/add", {
    team_id: "acme-corp",
    credits: 1_000_000_000,
  });
  await refuse(400, /`team_id` is missing/, "GET", "/api/credits/balance");
  await refuse(400, /grace_period/, "POST", "/api/teams/acme-corp/rotate-key", { grace_period: "soon" });
  await refuse(400, /`job_type` is missing/, "POST", "/api/jobs/create", { team_id: "acme-corp" }, as);
  await refuse(400, /job_type/, "POST", "/api/jobs/create", { job_type: "" }, as);
  await refuse(400, /64 KiB/, "POST", "/api/jobs/create", { job_type: "x", metadata: { a: "x".repeat(70_000) } }, as);
  await refuse(400, /limit/, "GET", "/api/jobs?limit=0", undefined, as);
  await refuse(404, /no such job/, "GET", "/api/jobs/nothing", undefined, as);
  await refuse(404, /no such job/, "POST", "/api/jobs/nothing/llm-call", HELLO, as);
  const job = await data("POST", "/api/jobs/create", { job_type: "x" }, as);
  const loose = bearer((await admin("POST", "/-/keys", { alias: "loose" })).json.key);
  for (const [method, path, body] of [
    ["POST", "/api/jobs/create", { job_type: "x" }],
    ["GET", "/api/teams/verify", undefined],
    ["POST", `/api/jobs/${job.json.job_id}/llm-call`, HELLO],
  ] as const) {
    t.match(
      await data(method, path, body, loose),
      { status: 403, json: { detail: /belongs? to no team|this team/ } },
      path,
    );
  }
  t.match((await admin("GET", "/api/teams")).json, { total: 1, teams: [{ team_id: "acme-corp" }] });
  t.match((await admin("GET", "/api/organizations")).json, {
    total: 1,
    organizations: [{ organization_id: "org_acme" }],
  });
});

t.test("a team is changed, listed by organisation and deleted; what it was charged stays", async (t) => {
  const rig = await setUp(t);
  const { admin, data } = rig;
  const { key, as } = await acme(rig);
  t.match(await admin("POST", "/api/organizations/create", { organization_id: "org_b", name: "B" }), {
    json: { name: "B" },
  });
  await admin("POST", "/api/teams/create", { ...ACME, organization_id: "org_b", team_id: "b", team_alias: "B" });
  const job = await data("POST", "/api/jobs/create", { job_type: "x" }, as);
  await data("POST", `/api/jobs/${job.json.job_id}/complete`, undefined, as);
  const change = {
    team_alias: "ACME",
    credits_allocated: 10,
    budget_mode: "consumption_tokens",
    metadata: { tier: "gold" },
  };
  const { json: changed } = await admin("PUT", "/api/teams/acme-corp", { ...change, organization_id: "org_b" });
  t.match(changed, { ...change, organization_id: "org_b", credits_used: 1, credits_remaining: 9, status: "active" });
  t.match((await admin("GET", "/api/teams?organization_id=org_acme")).json, { total: 0, teams: [] });
  const page = await admin("GET", "/api/teams?organization_id=org_b&limit=1&offset=1");
  t.match(page.json, { total: 2, teams: [{ team_id: "b", virtual_key: /^sk-\w{4}…\w{4}$/ }] });
  t.match((await admin("GET", "/api/organizations/org_b")).json, {
    organization_id: "org_b",
    name: "B",
    status: "active",
  });
  t.match((await admin("GET", "/api/access-groups")).json, { access_groups: [{ group_name: "gpt-models" }] });
  t.strictSame((await admin("DELETE", "/api/teams/acme-corp")).json, { team_id: "acme-corp", deleted: true });
  t.equal((await data("GET", "/api/teams/verify", undefined, bearer(key))).status, 401);
  t.equal((await admin("GET", "/api/teams/acme-corp")).status, 404);
  t.match((await admin("GET", "/api/credits/transactions")).json, { total_transactions: 4 });
});

t.test("a team whose key is gone gets a new one by rotation", async (t) => {
  const rig = await setUp(t);
  const { admin, data } = rig;
  await acme(rig);
  const { json } = await admin("GET", "/-/keys?search=acme-corp");
  t.match(json.items, [{ alias: "acme-corp (team key)", service_account: true }]);
  await admin("DELETE", `/-/keys/${(json.items as Json[])[0]?.id}`);
  t.match((await admin("GET", "/api/teams/acme-corp")).json, { virtual_key: null, notes: [] });
  const made = (await admin("POST", "/api/teams/acme-corp/rotate-key")).json.virtual_key;
  t.equal((await data("GET", "/api/teams/verify", undefined, bearer(made))).status, 200);
});

t.test("jobs that are left open fail by themselves, and their credits open others", async (t) => {
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const rig = await setUp(t, { clock, saas: { job_expiry: "1h" } });
  const { data } = rig;
  const { as } = await acme(rig, { credits_allocated: 1 });
  const open = () => data("POST", "/api/jobs/create", { job_type: "x" }, as);
  const first = await open();
  aheadMs += 3_599_000;
  t.equal((await data("POST", `/api/jobs/${first.json.job_id}/llm-call`, HELLO, as)).status, 200, "it is still in use");
  aheadMs += 3_599_000;
  t.equal((await open()).status, 403);
  aheadMs += 3_600_000;
  const second = await open();
  t.equal(second.status, 200);
  t.match((await data("GET", `/api/jobs/${first.json.job_id}`, undefined, as)).json, {
    ...{ status: "failed", error_message: "expired", credits_charged: 0 },
  });
  t.match(await data("POST", `/api/jobs/${first.json.job_id}/llm-call`, HELLO, as), {
    ...{ status: 409, json: { detail: "The job is failed already (expired)" } },
  });
});

t.test("the document has every route, the calls in jobs too", async (t) => {
  const { admin } = await setUp(t);
  const { json } = await admin("GET", "/openapi.json");
  const paths = json.paths as Record<string, Record<string, { operationId: string; security: object[] }>>;
  t.match(paths["/api/jobs/{job_id}/llm-call"]?.post, { operationId: "saasCallInJob", security: [{ virtualKey: [] }] });
  t.strictSame(paths["/api/teams/create"]?.post?.security, [{ adminKey: [] }], "the admin key is no bearer here");
  t.strictSame(paths["/api/teams/{team_id}"]?.get?.security, [{ adminKey: [] }, { virtualKey: [] }]);
});
