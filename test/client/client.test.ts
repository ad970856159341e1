// The typed client, against a running gateway; and its transport against servers that misbehave.
import { readFileSync } from "node:fs";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import * as client from "../../src/client/index.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { CHAT_ANSWER, chatEvents, json, type ScriptedUpstream, startUpstream, stream } from "../support/upstream.ts";
import { liveDocument, operationsOf, TYPES_FILE, typesOf } from "./made.ts";

const ADMIN_KEY = "adm-of-this-test";
/** What an error is to have. */
type Expected = NonNullable<Exclude<Parameters<Test["match"]>[1], string>>;

const HELLO = { model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] };

interface Rig {
  readonly gateway: TestGateway;
  readonly upstream: ScriptedUpstream;
  readonly admin: client.TollgateAdmin;
}

async function setUp(t: Test): Promise<Rig> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const gateway = await startTestGateway(t, {
    providers: [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }],
    config: { admin: { listen: "127.0.0.1:0", key: ADMIN_KEY } },
  });
  return { gateway, upstream, admin: new client.TollgateAdmin({ baseUrl: gateway.adminUrl, adminKey: ADMIN_KEY }) };
}

/** A team with a key and credits, and its client on the data plane. */
async function team({ gateway }: Rig, credits: number): Promise<client.TollgateTeam> {
  const answer = await fetch(`${gateway.adminUrl}/api/teams/create`, {
    method: "POST",
    headers: { "x-admin-key": ADMIN_KEY, "content-type": "application/json" },
    body: JSON.stringify({
      ...{ organization_id: "acme", team_id: "acme-corp", access_groups: [], credits_allocated: credits },
    }),
  });
  const { virtual_key } = (await answer.json()) as { virtual_key: string };
  return new client.TollgateTeam({ baseUrl: gateway.url, teamId: "acme-corp", virtualKey: virtual_key });
}

t.test("the shapes are those of the OpenAPI document, and every operation has its method", async (t) => {
  const document = await liveDocument();
  t.equal(typesOf(document), readFileSync(TYPES_FILE, "utf8"), "`node test/client/write.ts` writes them anew");
  const called = new Set<string>();
  const record: typeof fetch = async (url, init) => {
    called.add(`${init?.method} ${new URL(String(url)).pathname.replace(/(?<=\/)X?\d(?=\/|$)/g, "{}")}`);
    const body = { job_id: "X1", status: "pending", items: [], next: null };
    return new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } });
  };
  const options = { baseUrl: "http://gateway", fetch: record };
  const admin = new client.TollgateAdmin({ ...options, adminKey: "k" });
  for (const kind of [admin.orgs, admin.teams, admin.users, admin.groups]) await kind.create({ alias: "a" });
  for (const kind of [admin.orgs, admin.teams, admin.users, admin.groups, admin.keys]) {
    await kind.list();
    await kind.get("X1");
    await kind.update("X1", {});
    await kind.delete("X1");
  }
  for (const kind of [admin.orgs, admin.teams, admin.users, admin.keys]) await kind.resetSpend("X1");
  for (const place of [admin.orgs, admin.teams]) {
    await place.members("X1");
    await place.setMember("X1", "X2");
    await place.removeMember("X1", "X2");
  }
  await Promise.all([admin.keys.create({}), admin.keys.rotate("X1"), admin.audit(), admin.usage()]);
  await Promise.all([admin.limits({}), admin.recovered(), admin.reverseAllRecovered()]);
  await admin.reverseRecovered(1);
  for (const kind of ["orgs", "teams", "keys"] as const) {
    await admin.iamRules(kind, "X1");
    await admin.addIamRule(kind, "X1", { rule_type: "deny_models", rule_value: { models: ["a"] } });
    await admin.updateIamRule(kind, "X1", "X2", { status: "inactive" });
    await admin.removeIamRule(kind, "X1", "X2");
  }
  await Promise.all([admin.credits("X1"), admin.addCredits("X1", { credits: 1 }), admin.creditTransactions()]);
  await Promise.all([admin.jobs(), admin.job("X1"), admin.checkRules({ scope: "key", alias: "ci", rules: "" })]);
  const team = new client.TollgateTeam({ ...options, teamId: "X1", virtualKey: "k" });
  await Promise.all([team.verify(), team.team(), team.balance(), team.transactions(), team.jobs(), team.job("X1")]);
  const job = await team.createJob("x");
  await Promise.all([job.refresh(), job.call(HELLO), job.complete(), job.fail()]);
  const documented = operationsOf(document).map(({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, "{}")}`);
  t.strictSame([...called].sort(), documented.sort());
});

t.test("objects are made, listed page by page, changed on a version, deleted", async (t) => {
  const { admin } = await setUp(t);
  const made = await admin.teams.create({ id: "ml", alias: "ML", budgets: [{ limit_usd: 5, window: "month" }] });
  t.match(made, { id: "ml", budgets: [{ limit_usd: "5", window: "month" }], status: "active" });
  for (let n = 0; n < 5; n += 1) await admin.keys.create({ alias: `app-${n}`, team_id: "ml" });
  const aliases: string[] = [];
  for await (const { alias } of admin.keys.all({ search: "APP-", limit: 2 })) aliases.push(alias);
  t.strictSame(aliases, ["app-0", "app-1", "app-2", "app-3", "app-4"]);
  t.equal((await admin.keys.list({ team: "ml", limit: 1 })).items.length, 1);
  const { object, etag } = await admin.teams.getVersioned("ML");
  t.strictSame(object, made);
  t.equal((await admin.teams.update("ml", { rpm_limit: 7 }, { ifMatch: etag })).rpm_limit, 7);
  await t.rejects(admin.teams.update("ml", { rpm_limit: 8 }, { ifMatch: etag }), {
    ...{ name: "ConflictError", status: 412, code: "outdated" },
  });
  t.equal((await admin.teams.update("ml", { rpm_limit: null })).rpm_limit, null);
  await admin.users.create({ id: "a/b?", alias: "odd" }).catch(() => undefined);
  await admin.users.create({ id: "ann", alias: "ann lee/QA?#%" });
  t.equal((await admin.users.get("ann lee/QA?#%")).id, "ann", "names go through as they are");
  t.match(await admin.teams.setMember("ml", "ann lee/QA?#%", { role: "admin" }), { user: "ann", role: "admin" });
  t.match(await admin.teams.members("ml"), { items: [{ user: "ann" }], next: null });
  await admin.teams.removeMember("ml", "ann");
  await admin.teams.resetSpend("ml");
  await admin.teams.delete("ml");
  await t.rejects(admin.teams.get("ml"), { name: "NotFoundError", status: 404, code: "not_found" });
  const actions: string[] = [];
  for await (const { action, field } of admin.auditAll({ object: "ml", limit: 2 })) actions.push(`${action} ${field}`);
  t.match(actions, ["create null", "update rpm_limit", "update rpm_limit", "add_member member ann"]);
});

t.test("a key works, is rotated, and its use is told", async (t) => {
  const { admin, gateway } = await setUp(t);
  const { key, id } = await admin.keys.create({ alias: "bot" });
  const ask = (secret: string): Promise<Response> => gateway.chat(HELLO, { authorization: `Bearer ${secret}` });
  t.equal((await ask(key)).status, 200);
  const rotated = await admin.keys.rotate(id, { grace_period: "1h" });
  t.not(rotated.key, key);
  t.equal((await ask(rotated.key)).status, 200);
  t.equal((await ask(key)).status, 200, "in its grace period");
  const { rows } = await admin.usage({ by: "key", since: "1h" });
  t.match(rows, [{ name: "bot", requests: 3, input_tokens: 30 }]);
});

t.test("what is refused is an error of its own class, with the field and the request's id", async (t) => {
  const { admin, gateway } = await setUp(t);
  await admin.keys.create({ alias: "bot" });
  const wrong = new client.TollgateAdmin({ baseUrl: gateway.adminUrl, adminKey: "adm-wrong" });
  const [own] = [await admin.users.create({ id: "ann", alias: "Ann" })];
  const { key } = await admin.keys.create({ user_id: own.id });
  const ann = new client.TollgateAdmin({ baseUrl: gateway.adminUrl, adminKey: key });
  const cases: [() => Promise<unknown>, Expected][] = [
    [() => wrong.keys.list(), { name: "AuthenticationError", status: 401, code: "invalid_api_key" }],
    [() => ann.teams.create({ alias: "mine" }), { name: "PermissionError", status: 403, code: "not_permitted" }],
    [() => admin.keys.get("nobody"), { name: "NotFoundError", status: 404 }],
    [() => admin.keys.create({ alias: "bot" }), { name: "ConflictError", status: 409, code: "taken", field: "alias" }],
    [
      () => admin.keys.create({ rpm_limt: 5 } as object),
      { name: "InvalidRequestError", field: "rpm_limt", message: /did you mean `rpm_limit`/ },
    ],
    [() => admin.keys.create({ rules: "deny modle x" }), { field: "rules", diagnostics: [{ code: "E103" }] }],
    [() => admin.keys.list({ limit: 5_000 }), { name: "InvalidRequestError", status: 400, field: "limit" }],
  ];
  for (const [call, expected] of cases) await t.rejects(call(), { requestId: /^.+$/, ...expected });
  const caught: unknown = await admin.keys.get("nobody").catch((error: unknown) => error);
  t.ok(caught instanceof client.ApiError && caught instanceof client.TollgateError);
  t.throws(() => new client.TollgateAdmin({ baseUrl: "http://u:p@h", adminKey: "k" }), /no credential/);
  t.throws(() => new client.TollgateAdmin({ baseUrl: "ftp://h", adminKey: "k" }), /http or https/);
  await t.rejects(admin.keys.get(".."), /cannot be/);
});

t.test("a team's client: its key, its credits, a job with its calls", async (t) => {
  const rig = await setUp(t);
  const own = await team(rig, 2);
  t.strictSame(await own.verify(), { team_id: "acme-corp", status: "active" });
  t.match(await own.team(), { team_id: "acme-corp", organization_id: "acme" });
  const job = await own.createJob("document_analysis", { metadata: { document: 7 } });
  t.match(job, { job_id: /^[0-9a-f-]{36}$/, status: "pending" });
  t.match(await own.balance(), { credits_allocated: 2, credits_reserved: 1, credits_remaining: 1 });
  t.equal((await job.call(HELLO)).choices[0]?.message.content, "Hello!");
  rig.upstream.answer = stream(chatEvents(["Hel", "lo ✓"]));
  const words: (string | null | undefined)[] = [];
  for await (const chunk of job.stream(HELLO)) words.push(chunk.choices[0]?.delta.content);
  t.same(words.filter(Boolean), ["Hel", "lo ✓"]);
  t.match(await job.refresh(), { status: "in_progress", costs: { total_calls: 2, total_tokens: 30 } });
  t.equal(job.status, "in_progress");
  t.match(await job.complete({ metadata: { pages: 3 } }), {
    status: "completed",
    credits_charged: 1,
    credits_remaining: 1,
  });
  t.equal(job.status, "completed");
  t.match(await (await own.createJob("x")).fail({ error_message: "no" }), { status: "failed", credits_remaining: 1 });
  t.equal((await (await own.job(job.job_id)).refresh()).credits_charged, 1);
  t.match(await own.jobs({ limit: 1 }), { total: 2, jobs: [{ status: "failed" }] });
  const { transactions } = await own.transactions();
  t.same(transactions.map(({ transaction_type }) => transaction_type).sort(), ["allocate", "job"]);
  await own.createJob("x");
  await t.rejects(own.createJob("x"), { name: "PermissionError", message: "Team suspended or insufficient credits" });
  await rig.admin.teams.update("acme-corp", { status: "suspended" });
  await t.rejects(own.verify(), { name: "PermissionError", message: "Team suspended or insufficient credits" });
  const stranger = new client.TollgateTeam({ baseUrl: rig.gateway.url, teamId: "acme-corp", virtualKey: "sk-no" });
  await t.rejects(stranger.verify(), { name: "AuthenticationError", message: "Invalid or missing API key" });
});

t.test("who stops reading a stream ends the call", async (t) => {
  const rig = await setUp(t);
  const own = await team(rig, 5);
  let ended = false;
  const endless = async (_req: IncomingMessage, res: ServerResponse): Promise<void> => {
    res.on("close", () => (ended = true));
    res.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of chatEvents(["a"])) if (!event.includes("[DONE]")) res.write(event);
  };
  rig.upstream.answer = endless;
  const job = await own.createJob("x");
  for await (const chunk of job.stream(HELLO)) {
    t.equal(chunk.choices[0]?.delta.content, "a");
    break;
  }
  while (!ended) await new Promise((resolve) => setTimeout(resolve, 5));
  const stop = new AbortController();
  const reading = (async () => {
    for await (const _chunk of job.stream(HELLO, { signal: stop.signal })) stop.abort(new Error("enough"));
  })();
  await t.rejects(reading, { message: "enough" });
});

/** A server that answers as it is told, one answer a request, and says what it was sent. */
async function server(t: Test, answers: ((req: IncomingMessage, res: ServerResponse) => void)[]) {
  const seen: string[] = [];
  const listening = http.createServer((req, res) => {
    seen.push(`${req.method} ${req.url}`);
    (answers[seen.length - 1] ?? answers.at(-1))?.(req, res);
  });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    listening.closeAllConnections();
    listening.close();
  });
  return { seen, baseUrl: `http://127.0.0.1:${(listening.address() as AddressInfo).port}` };
}

const problem =
  (status: number, headers: Record<string, string> = {}) =>
  (_req: IncomingMessage, res: ServerResponse): void =>
    void res.writeHead(status, headers).end(JSON.stringify({ detail: "not now", code: "x" }));
const good = (_req: IncomingMessage, res: ServerResponse): void => void res.end('{"items":[],"next":null}');
const never = (): void => undefined;

t.test("what may be repeated is tried again when the gateway asks for it, the rest never", async (t) => {
  const cases: [
    string,
    Parameters<typeof server>[1],
    (admin: client.TollgateAdmin) => Promise<unknown>,
    number,
    Expected | null,
  ][] = [
    ["503, then good", [problem(503), good], (a) => a.keys.list(), 2, null],
    ["429 with retry-after", [problem(429, { "retry-after": "0" }), good], (a) => a.keys.list(), 2, null],
    ["429 without", [problem(429), good], (a) => a.keys.list(), 1, { name: "RateLimitError", retryAfterSeconds: null }],
    ["too long to wait", [problem(503, { "retry-after": "60" })], (a) => a.keys.list(), 1, { retryAfterSeconds: 60 }],
    ["503 again and again", [problem(503)], (a) => a.keys.list(), 3, { name: "ServerError", status: 503 }],
    ["a broken connection", [(req) => req.socket.destroy(), good], (a) => a.keys.list(), 2, null],
    [
      "a broken answer",
      [(_q, s) => s.writeHead(200, { "content-length": "99" }).write("{", () => s.destroy()), good],
      (a) => a.keys.list(),
      2,
      null,
    ],
    ["POST", [problem(503)], (a) => a.keys.create({}), 1, { name: "ServerError" }],
    ["DELETE", [problem(503)], (a) => a.keys.delete("x"), 1, { name: "ServerError" }],
    ["a change that is the same twice", [problem(503), good], (a) => a.keys.update("x", {}), 2, null],
    ["a change of one version", [problem(503)], (a) => a.keys.update("x", {}, { ifMatch: '"1"' }), 1, {}],
    ["404", [problem(404)], (a) => a.keys.get("x"), 1, { name: "NotFoundError" }],
  ];
  for (const [what, answers, call, tries, error] of cases) {
    const { seen, baseUrl } = await server(t, answers);
    const admin = new client.TollgateAdmin({ baseUrl, adminKey: "k" });
    if (error === null) await t.resolves(call(admin), what);
    else await t.rejects(call(admin), error, what);
    t.equal(seen.length, tries, what);
  }
});

t.test("time-outs, signals and strangers", async (t) => {
  const silent = await server(t, [never]);
  const patient = new client.TollgateAdmin({ baseUrl: silent.baseUrl, adminKey: "k", timeoutMs: 50, retriesMax: 0 });
  await t.rejects(patient.keys.list(), { name: "TimeoutError", message: /did not answer within 50 ms/ });
  await t.rejects(patient.keys.list({}, { timeoutMs: 20 }), { message: /within 20 ms/ });
  const stalled = await server(t, [(_req, res) => void res.writeHead(200).write("{")]);
  const reader = new client.TollgateAdmin({ baseUrl: stalled.baseUrl, adminKey: "k", timeoutMs: 50, retriesMax: 0 });
  await t.rejects(reader.keys.list(), { name: "TimeoutError" }, "a body that does not end");
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("changed my mind")), 20);
  await t.rejects(patient.keys.list({}, { signal: stop.signal, timeoutMs: 9_999 }), { message: "changed my mind" });
  await t.rejects(patient.keys.list({}, { signal: stop.signal }), { message: "changed my mind" }, "before it is sent");
  const busy = await server(t, [problem(503, { "retry-after": "9" })]);
  const waiting = new client.TollgateAdmin({ baseUrl: busy.baseUrl, adminKey: "k" });
  const signal = AbortSignal.timeout(50);
  await t.rejects(waiting.keys.list({}, { signal }), { name: "TimeoutError" }, "while it waits for its next try");
  t.equal(busy.seen.length, 1);
  const page = await server(t, [(_req, res) => void res.end("<html>")]);
  const lost = new client.TollgateAdmin({ baseUrl: `${page.baseUrl}/behind/a/proxy/`, adminKey: "k" });
  await t.rejects(lost.keys.list(), { name: "UnexpectedAnswerError", message: /no Tollgate API: status 200/ });
  t.strictSame(page.seen, ["GET /behind/a/proxy/-/keys"]);
  const away = await server(t, [(_req, res) => void res.writeHead(302, { location: page.baseUrl }).end()]);
  const moved = new client.TollgateAdmin({ baseUrl: away.baseUrl, adminKey: "k" });
  await t.rejects(moved.keys.list(), { name: "UnexpectedAnswerError" }, "the key goes nowhere else");
  t.equal(page.seen.length, 1);
});

t.test("a stream that breaks off, fails or is none ends with an error", async (t) => {
  const event = (data: string): string => `data: ${data}\n\n`;
  const cases: [string, string[], Expected, object[]][] = [
    ["no end", [event('{"a":1}')], { name: "ConnectionError" }, [{ a: 1 }]],
    [
      "an error within",
      [event('{"error":{"message":"no","code":"upstream"}}')],
      { name: "ServerError", message: "no", code: "upstream" },
      [],
    ],
    ["no JSON", [event("nonsense")], { name: "UnexpectedAnswerError" }, []],
    [
      "cut anywhere",
      ['data: {"a"', ":1}\r", "\n\r\nda", "ta:[1]\n\n: note\n\ndata: [DO", "NE]\n\n"],
      {},
      [{ a: 1 }, [1]],
    ],
  ];
  for (const [what, parts, error, expected] of cases) {
    const answer = async (_req: IncomingMessage, res: ServerResponse): Promise<void> => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      for (const part of parts) {
        res.write(part);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      res.end();
    };
    const first = (_req: IncomingMessage, res: ServerResponse): void =>
      void res.end('{"job_id":"j","status":"pending","created_at":""}');
    const { baseUrl } = await server(t, [first, (req, res) => void answer(req, res)]);
    const job = await new client.TollgateTeam({ baseUrl, teamId: "t", virtualKey: "k" }).createJob("x");
    const got: object[] = [];
    const read = async (): Promise<void> => {
      for await (const chunk of job.stream(HELLO)) got.push(chunk);
    };
    if (Object.keys(error).length === 0) await read();
    else await t.rejects(read(), error, what);
    t.strictSame(got, expected, what);
  }
});

t.test("an answer that is one of OpenAI's errors is read too", async (t) => {
  const { gateway } = await setUp(t);
  const data = new client.TollgateAdmin({ baseUrl: gateway.url, adminKey: ADMIN_KEY });
  await t.rejects(data.keys.list(), { name: "NotFoundError", status: 404 });
  t.equal(json(CHAT_ANSWER).length, 2);
});
