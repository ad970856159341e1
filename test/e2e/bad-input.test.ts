// What callers get wrong: bodies, paths, credentials. Each is told in its own dialect, and nothing is forwarded.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import t, { type Test } from "tap";
import { systemClock } from "../../src/clock.ts";
import { newKeySecret } from "../../src/key-secret.ts";
import { tollgate } from "../support/cli.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { rawRequest, sendRaw } from "../support/raw.ts";
import { until } from "../support/until.ts";
import { type ScriptedUpstream, startUpstream } from "../support/upstream.ts";

const PROVIDER_KEYS = ["sk-provider-openai-secret", "sk-ant-provider-secret"] as const;
const ADMIN_KEY = "adm-the-admin-secret";
const CHAT_PATH = "/v1/chat/completions";
const MESSAGES_PATH = "/v1/messages";
const BODY_MAX = 64 * 1024;
const HELLO = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 20 };
const HELLO_TEXT = JSON.stringify(HELLO);

interface Setting {
  readonly gateway: TestGateway;
  readonly upstream: ScriptedUpstream;
  /** Sends it with the gateway's key; other headers replace that. */
  send(sent: Sent): Promise<Response>;
}

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

async function setUp(t: Test, config: object = {}, clock = systemClock): Promise<Setting> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [
    { name: "openai", base_url: `${upstream.url}/v1`, wire: "openai", api_key: PROVIDER_KEYS[0] },
    { name: "anthropic", base_url: upstream.url, wire: "anthropic", api_key: PROVIDER_KEYS[1] },
  ];
  const gateway = await startTestGateway(t, {
    providers,
    clock,
    config: { limits: { body: "64KiB" }, admin: { listen: "127.0.0.1:0", key: ADMIN_KEY }, ...config },
  });
  const send = ({ method = "POST", path = CHAT_PATH, headers = {}, body }: Sent): Promise<Response> =>
    fetch(`${gateway.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${gateway.key}`, ...headers },
      ...(method === "GET" ? {} : { body: body ?? HELLO_TEXT }),
    });
  return { gateway, upstream, send };
}

const deep = (levels: number): string =>
  `{"model":"gpt-4o-mini","messages":${"[".repeat(levels)}${"]".repeat(levels)}}`;

/** Name, body, code, what the message says. */
const BAD_BODIES: readonly (readonly [string, string | Buffer, string, RegExp])[] = [
  ["an empty body", "", "invalid_json", /must be a JSON object/],
  ["no JSON", "Hi there", "invalid_json", /must be a JSON object/],
  ["half of a JSON", HELLO_TEXT.slice(0, -1), "invalid_json", /not valid JSON \(position \d+\)/],
  ["two documents", `${HELLO_TEXT}${HELLO_TEXT}`, "invalid_json", /not valid JSON \(position \d+\)/],
  ["an array", `[${HELLO_TEXT}]`, "invalid_json", /must be a JSON object/],
  ["bytes that are not UTF-8", Buffer.from(HELLO_TEXT.replace("Hi", "H\xff"), "latin1"), "invalid_json", /UTF-8/],
  ["a byte order mark", `\ufeff${HELLO_TEXT}`, "invalid_json", /byte order mark/],
  ["a model twice", HELLO_TEXT.replace("{", '{"model":"gpt-4",'), "ambiguous_request", /`model` stands twice/],
  ["a model in another case", HELLO_TEXT.replace("{", '{"Model":"gpt-4",'), "ambiguous_request", /`Model` is another/],
  ["an escaped model", HELLO_TEXT.replace("{", '{"m\\u006fdel":"gpt-4",'), "ambiguous_request", /another spelling/],
  ["no model", '{"messages":[],"max_tokens":1}', "missing_model", /model/],
  ["a model that is no text", '{"model":4,"messages":[],"max_tokens":1}', "invalid_request", /model/],
  ["an empty model", '{"model":"","messages":[],"max_tokens":1}', "missing_model", /model/],
  ["no messages", '{"model":"gpt-4o-mini","max_tokens":1}', "invalid_request", /messages/],
  ["a stream of maybe", HELLO_TEXT.replace("{", '{"stream":"maybe",'), "invalid_request", /stream/],
  ["a nesting of a thousand", deep(1_000), "invalid_request", /nests more than 100 deep/],
  ["an unknown model", HELLO_TEXT.replace("4o-mini", "4o-mimi"), "model_not_found", /`gpt-4o-mimi`: did you mean `gpt/],
];

t.test("a bad body is told in the caller's dialect and goes nowhere", async (t) => {
  const { gateway, upstream, send } = await setUp(t);
  for (const [name, body, code, message] of BAD_BODIES) {
    const status = code === "model_not_found" ? 404 : 400;
    const openai = await send({ body });
    t.equal(openai.status, status, name);
    const id = openai.headers.get("x-request-id");
    t.equal(openai.headers.get("x-tollgate-error-source"), "gateway");
    t.match(await openai.json(), { error: { code, message, type: "invalid_request_error" } }, name);

    const anthropic = await send({ path: MESSAGES_PATH, body });
    t.equal(anthropic.status, status, name);
    const shown = (await anthropic.json()) as { request_id: string; error: { type: string; message: string } };
    const type = status === 404 ? "not_found_error" : "invalid_request_error";
    t.match(shown, { type: "error", error: { type, message } }, name);
    t.equal(shown.request_id, anthropic.headers.get("x-request-id"));
    t.equal(shown.request_id, anthropic.headers.get("request-id"), "where Anthropic's client looks for it");
    t.equal(openai.headers.get("request-id"), null);
    t.not(shown.request_id, id);
  }
  t.same(upstream.seen, [], "nothing was forwarded");
  t.same(gateway.store.requests.usage("key", 0), [], "nothing was charged");
  t.equal((await send({})).status, 200, "and it goes on");
});

t.test("a model of the other wire, an unknown path and a wrong method say what would do", async (t) => {
  const { upstream, send } = await setUp(t);
  const claude = await send({ body: HELLO_TEXT.replace("gpt-4o-mini", "claude-haiku-4-5") });
  t.equal(claude.status, 404);
  t.match(await claude.json(), { error: { code: "model_not_found", message: /speaks the anthropic format/ } });
  const gpt = await send({ path: MESSAGES_PATH });
  t.match(await gpt.json(), { type: "error", error: { type: "not_found_error", message: /speaks the openai format/ } });
  const files = await send({ path: "/v1/files" });
  t.equal(files.status, 404);
  t.match(await files.json(), { error: { code: "not_found", message: /Served here: \/v1\/chat\/completions/ } });
  for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
    const wrong = await send({ method });
    t.equal(wrong.status, 405, method);
    t.equal(wrong.headers.get("allow"), "POST");
    t.match(await wrong.json(), { error: { code: "method_not_allowed", message: /takes POST/ } });
  }
  t.same(upstream.seen, []);
});

t.test("an oversized body is 413 while it is still being sent, and the connection ends", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const head = [`POST ${CHAT_PATH} HTTP/1.1`, `authorization: Bearer ${gateway.key}`];
  const framings: [string, string, string][] = [
    ["content-length", "content-length: 100000000", "x".repeat(16_384)],
    ["chunked", "transfer-encoding: chunked", `4000\r\n${"x".repeat(16_384)}\r\n`],
  ];
  for (const [name, line, piece] of framings) {
    const { answer, sent } = await keepSending(gateway.url, rawRequest([...head, line]), piece);
    t.match(answer, /^HTTP\/1\.1 413 .*"code":"request_too_large"/s, `${name}: the answer is read`);
    t.match(answer, /larger than 65536 bytes/);
    t.ok(sent < 100 * BODY_MAX, `${name}: after ${sent} bytes nobody listens any more`);
  }
  const whole = await fetch(`${gateway.url}${MESSAGES_PATH}`, {
    method: "POST",
    headers: { "x-api-key": gateway.key },
    body: "x".repeat(BODY_MAX + 1),
  });
  t.equal(whole.status, 413);
  t.match(await whole.json(), { type: "error", error: { type: "request_too_large" } });
  t.same(upstream.seen, []);
});

/** Sends pieces until the connection is closed; tells what came back. */
function keepSending(url: string, head: string, piece: string): Promise<{ answer: string; sent: number }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let [answer, sent] = ["", 0];
    const socket = connect(Number(port), hostname, () => {
      socket.write(head);
      more();
    });
    const more = (): void => {
      if (socket.destroyed || sent > 100 * BODY_MAX) return void socket.destroy();
      sent += piece.length;
      socket.write(piece, () => setImmediate(more));
    };
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    // Whoever goes on sending is cut off in the end: a reset is what that looks like.
    socket.on("error", () => undefined);
    socket.on("close", () => resolve({ answer, sent }));
  });
}

t.test("after a 413 that was sent to its end the same connection serves the next request", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const head = [`POST ${CHAT_PATH} HTTP/1.1`, `authorization: Bearer ${gateway.key}`];
  const big = rawRequest(head, "x".repeat(BODY_MAX + 1));
  const answers = await sendRaw(gateway.url, `${big}${rawRequest(head, HELLO_TEXT)}`);
  t.match(answers, /^HTTP\/1\.1 413 .*HTTP\/1\.1 200 OK/s);
  t.equal(upstream.seen.length, 1);
});

t.test("a compressed body and one that breaks off are refused", async (t) => {
  const { gateway, upstream, send } = await setUp(t);
  const coded = await send({ headers: { "content-encoding": "gzip" }, body: gzipSync(HELLO_TEXT) });
  t.equal(coded.status, 400);
  t.match(await coded.json(), { error: { code: "invalid_request", message: /must not be compressed/ } });
  const head = [`POST ${CHAT_PATH} HTTP/1.1`, `authorization: Bearer ${gateway.key}`, "content-length: 1000"];
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname, () => socket.end(rawRequest(head, '{"model"')));
  await new Promise((resolve) => socket.resume().once("close", resolve));
  await until("the broken body's line", () => gateway.logged.some(({ status }) => status === 499));
  t.match(
    gateway.logged.find(({ status }) => status === 499),
    { error: "invalid_request", outcome: "not_sent", key: "tester" },
    "its caller has left",
  );
  t.same(upstream.seen, []);
});

t.test("a credential that is none is told apart from one that is unknown", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const { key } = gateway;
  const other = gateway.makeKey({ alias: "other" });
  const mistyped = `${key.slice(0, 10)}${key[10] === "a" ? "b" : "a"}${key.slice(11)}`;
  const cases: [string, Record<string, string>, RegExp][] = [
    ["no key", {}, /^No virtual key was sent/],
    ["an empty key", { authorization: "" }, /^No virtual key was sent/],
    ["no bearer", { authorization: `Basic ${key}` }, /not of the form `Bearer sk-…`/],
    ["a word", { authorization: "Bearer hello" }, /^This is not a virtual key/],
    ["a short key", { authorization: `Bearer ${key.slice(0, -1)}` }, /^This is not a virtual key/],
    ["a mistyped key", { authorization: `Bearer ${mistyped}` }, /its checksum does not hold/],
    ["OpenAI's", { authorization: "Bearer sk-proj-abc123" }, /^This looks like a provider's key/],
    ["Anthropic's", { "x-api-key": "sk-ant-api03-abc" }, /^This looks like a provider's key/],
    ["two", { authorization: `Bearer ${key}`, "x-api-key": other }, /^Two different credentials/],
    ["a stranger's", { authorization: `Bearer ${newKeySecret()}` }, /^The virtual key is not known here/],
  ];
  for (const [name, headers, message] of cases) {
    const openai = await fetch(`${gateway.url}${CHAT_PATH}`, { method: "POST", headers, body: HELLO_TEXT });
    t.equal(openai.status, 401, name);
    t.equal(openai.headers.get("x-should-retry"), "false");
    const text = await openai.text();
    t.match(JSON.parse(text), { error: { code: "invalid_api_key", type: "authentication_error", message } }, name);
    for (const secret of Object.values(headers))
      t.notOk(secret.length > 8 && text.includes(secret), "it is not echoed");
    const anthropic = await fetch(`${gateway.url}${MESSAGES_PATH}`, { method: "POST", headers, body: HELLO_TEXT });
    t.match(await anthropic.json(), { type: "error", error: { type: "authentication_error", message } }, name);
  }
  t.same(upstream.seen, []);
  const same = { authorization: `Bearer ${key}`, "x-api-key": key };
  const twice = await fetch(`${gateway.url}${CHAT_PATH}`, { method: "POST", headers: same, body: HELLO_TEXT });
  t.equal(twice.status, 200, "the same key twice is one");
});

t.test("a key that another process switched is refused at the very next request", async (t) => {
  const { gateway, upstream, send } = await setUp(t);
  const { directory } = gateway;
  const code = async (): Promise<unknown> => {
    const answer = await send({});
    return answer.status === 200 ? 200 : ((await answer.json()) as { error: { code: string } }).error.code;
  };
  t.equal(await code(), 200);
  t.equal((await tollgate(directory, ["keys", "disable", "tester"])).code, 0);
  t.equal(await code(), "key_disabled");
  t.equal((await tollgate(directory, ["keys", "enable", "tester"])).code, 0);
  t.equal(await code(), 200);
  t.equal((await tollgate(directory, ["keys", "revoke", "tester"])).code, 0);
  t.equal(await code(), "key_revoked");
  t.equal((await tollgate(directory, ["keys", "enable", "tester"])).code, 1, "and that is final");
  t.equal(await code(), "key_revoked");
  t.equal(upstream.seen.length, 2);

  const made = await tollgate(directory, ["keys", "create", "--alias", "fresh", "--json"]);
  const fresh = JSON.parse(made.stdout).key;
  t.equal((await send({ headers: { authorization: `Bearer ${fresh}` } })).status, 200, "a new key serves at once");
});

t.test("a key serves until the moment at which it expires", async (t) => {
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const { gateway, upstream, send } = await setUp(t, {}, clock);
  const key = gateway.makeKey({ alias: "short", expiresMs: systemClock.nowMs() + 3_600_000 });
  const headers = { authorization: `Bearer ${key}` };
  t.equal((await send({ headers })).status, 200);
  aheadMs = 3_600_000;
  const late = await send({ headers });
  t.equal(late.status, 401);
  t.match(await late.json(), { error: { code: "key_expired" } });
  t.equal(upstream.seen.length, 1);
});

t.test("error_format shapes what OpenAI's callers get, and nothing else", async (t) => {
  const shapes: [string, (message: string) => object][] = [
    ["llmgateway", (message) => ({ error: true, status: 404, message })],
    ["detail", (message) => ({ detail: message })],
  ];
  for (const [error_format, shape] of shapes) {
    const { send } = await setUp(t, { error_format });
    const body = HELLO_TEXT.replace("gpt-4o-mini", "nothing-like-it");
    const message = "No provider here serves the model `nothing-like-it`";
    t.strictSame(await (await send({ body })).json(), shape(message), error_format);
    const anthropic = (await (await send({ path: MESSAGES_PATH, body })).json()) as { request_id: string };
    const { request_id } = anthropic;
    t.strictSame(anthropic, { type: "error", error: { type: "not_found_error", message }, request_id });
  }
});

t.test("no secret is in a log line, in an answer or in the database's files", async (t) => {
  const { gateway, upstream, send } = await setUp(t);
  const answers = [await send({}), await send({ path: "/v1/nothing" }), await send({ body: "{" })];
  upstream.answer = (_req, res) => res.destroy();
  answers.push(await send({}), await send({ headers: { authorization: "Bearer sk-proj-mistaken-secret" } }));
  await fetch(`${gateway.adminUrl}/-/reload`, { method: "POST", headers: { "x-admin-key": ADMIN_KEY } });
  await tollgate(gateway.directory, ["keys", "disable", "tester"]);
  answers.push(await send({}));
  t.same(
    answers.map(({ status }) => status),
    [200, 404, 400, 502, 401, 401],
  );
  const answered = await Promise.all(
    answers.map(async (answer) => [...answer.headers, await answer.text()].join("\n")),
  );
  const file = (name: string): string => readFileSync(join(gateway.directory, name), "latin1");
  const places = {
    answers: answered.join("\n"),
    log: JSON.stringify(gateway.logged),
    database: file("tollgate.db"),
    wal: file("tollgate.db-wal"),
  };
  t.match(places.log, /"key":"tester"/, "the log is what is looked through");
  t.match(places.wal, /tester/, "and so is the newest of the database");
  const secrets = [gateway.key, ...PROVIDER_KEYS, ADMIN_KEY, "sk-proj-mistaken-secret", gateway.pepper.toString("hex")];
  for (const [place, text] of Object.entries(places)) {
    for (const secret of secrets) t.notOk(text.includes(secret), `${secret.slice(0, 6)}… is not in the ${place}`);
    t.notOk(text.includes(gateway.pepper.toString("latin1")), `the pepper is not in the ${place}`);
  }
});
