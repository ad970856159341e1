// The wire formats: what of a request is read, what is refused, and what bytes go upstream.
import t, { type Test } from "tap";
import { GatewayError } from "../../src/errors.ts";
import { modelsAnswer } from "../../src/llm/models-answer.ts";
import { ROUTES, wireFormat } from "../../src/llm/wire.ts";
import type { Target, Wire } from "../../src/types.ts";
import { target } from "./samples.ts";

const openai = wireFormat("openai");
const anthropic = wireFormat("anthropic");
const CHAT = { model: "gpt-4o", messages: [{ role: "user", content: "hi" }] };
const MESSAGES = { ...CHAT, model: "claude-haiku-4-5", max_tokens: 10 };

const bytes = (value: unknown): Buffer => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

function refused(t: Test, wire: Wire, body: unknown, code: string, param?: string): void {
  try {
    wireFormat(wire).parse(bytes(body));
    t.fail(`taken: ${bytes(body)}`.slice(0, 100));
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    t.same([error.code, error.details.param], [code, param], `${bytes(body)}`.slice(0, 100));
  }
}

t.test("what policy needs is read from a chat completion", async (t) => {
  const full = { ...CHAT, stream: true, stream_options: { include_usage: true }, max_completion_tokens: 7, n: 3 };
  const { modelRequested, stream, streamUsage, maxTokens, n, injectsUsage } = openai.parse(bytes(full));
  t.same([modelRequested, stream, streamUsage, maxTokens, n, injectsUsage], ["gpt-4o", true, true, 7, 3, false]);
  const plain = openai.parse(bytes(CHAT));
  t.same(
    [plain.stream, plain.streamUsage, plain.maxTokens, plain.n, plain.injectsUsage],
    [false, false, null, 1, false],
  );
  const nulls = { ...CHAT, stream: null, stream_options: null, n: null, max_tokens: null, tools: null, user: null };
  t.same(openai.parse(bytes(nulls)).n, 1, "null is as left out");
  t.equal(openai.parse(bytes({ ...CHAT, max_tokens: 5, max_completion_tokens: 9 })).maxTokens, 9, "the cap that holds");
  t.same(openai.parse(bytes(CHAT)).json, CHAT);
});

t.test("what policy needs is read from a message", async (t) => {
  const { modelRequested, stream, streamUsage, maxTokens, n } = anthropic.parse(bytes({ ...MESSAGES, stream: true }));
  t.same([modelRequested, stream, streamUsage, maxTokens, n], ["claude-haiku-4-5", true, true, 10, 1]);
});

t.test("values that policy cannot read are refused, with the field's name", async (t) => {
  refused(t, "openai", { messages: [] }, "missing_model", "model");
  refused(t, "openai", { ...CHAT, model: "" }, "missing_model", "model");
  refused(t, "openai", { ...CHAT, model: null }, "missing_model", "model");
  for (const model of [1, ["gpt-4"], {}, true, "x".repeat(257)]) {
    refused(t, "openai", { ...CHAT, model }, "invalid_request", "model");
  }
  for (const stream of ["true", 1, 0, [], {}]) refused(t, "openai", { ...CHAT, stream }, "invalid_request", "stream");
  for (const n of [0, -1, 1.5, 129, "2", true, 1e300]) refused(t, "openai", { ...CHAT, n }, "invalid_request", "n");
  for (const name of ["max_tokens", "max_completion_tokens"]) {
    for (const value of [-1, 0.5, "5", true, 2 ** 53, []]) {
      refused(t, "openai", { ...CHAT, [name]: value }, "invalid_request", name);
    }
    refused(t, "openai", `{"model":"m","messages":[],"${name}":1e400}`, "invalid_request", name);
  }
  for (const messages of [undefined, null, "hi", {}]) {
    refused(t, "openai", { ...CHAT, messages }, "invalid_request", "messages");
    refused(t, "anthropic", { ...MESSAGES, messages }, "invalid_request", "messages");
  }
  const wrong = { stream_options: [], tools: {}, metadata: "x", user: 1, temperature: "0", reasoning_effort: 1 };
  for (const [name, value] of Object.entries(wrong)) {
    refused(t, "openai", { ...CHAT, [name]: value }, "invalid_request", name);
  }
  const usage = { ...CHAT, stream_options: { include_usage: "yes" } };
  refused(t, "openai", usage, "invalid_request", "stream_options.include_usage");
  refused(t, "anthropic", { ...MESSAGES, max_tokens: undefined }, "invalid_request", "max_tokens");
  refused(t, "anthropic", { ...MESSAGES, max_tokens: null }, "invalid_request", "max_tokens");
  refused(t, "anthropic", { ...MESSAGES, system: 1 }, "invalid_request", "system");
  refused(t, "openai", '{"model":"a","Model":"b"}', "ambiguous_request", "model");
  refused(t, "anthropic", '{"model":"a","\\u006dax_tokens":1}', "ambiguous_request", "max_tokens");
});

t.test("what need not change goes upstream as the very same Buffer", async (t) => {
  const chat = openai.parse(bytes(CHAT));
  t.equal(openai.upstreamBody(chat, target({ upstreamModel: "gpt-4o" })), chat.body);
  const asking = openai.parse(bytes({ ...CHAT, stream: true, stream_options: { include_usage: true } }));
  t.equal(openai.upstreamBody(asking, target({ upstreamModel: "gpt-4o" })), asking.body);
  const quiet = openai.parse(bytes({ ...CHAT, stream_options: { include_usage: false } }));
  t.equal(openai.upstreamBody(quiet, target({ upstreamModel: "gpt-4o" })), quiet.body, "only streams are asked");
  const message = anthropic.parse(bytes({ ...MESSAGES, stream: true }));
  t.equal(anthropic.upstreamBody(message, target({ upstreamModel: "claude-haiku-4-5" })), message.body);
});

t.test("a changed body is the caller's but for the spliced values", async (t) => {
  const bodies = [
    '{"model":"fast","messages":[],"seed":12345678901234567890}',
    ' {\n\t"messages" : [ "日本 \\u00e9 \ud83d\ude00" ] ,\r\n "model" : "fast" , "x": 1e2 }\n',
    '{"é":"ü","messages":[{"content":"\\"model\\":\\"x\\""}],"model":"f\\u0061st"}',
  ];
  for (const body of bodies) {
    const parsed = openai.parse(bytes(body));
    const sent = openai.upstreamBody(parsed, target({ upstreamModel: 'we"ird/é' })).toString();
    const expected = body.replace(/"model"(\s*:\s*)"f(?:a|\\u0061)st"/, (_, colon) => `"model"${colon}"we\\"ird/é"`);
    t.equal(sent, expected);
  }
});

t.test("usage is asked for in every stream whose caller did not", async (t) => {
  const cases: [given: string, sent: string][] = [
    ["", '{"stream_options":{"include_usage":true},"model":"fast","messages":["é"],"stream":true}'],
    [
      ',"stream_options":null',
      '{"model":"fast","messages":["é"],"stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      ',"stream_options":{ }',
      '{"model":"fast","messages":["é"],"stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      ',"stream_options":{"include_usage":false,"include_obfuscation":false}',
      '{"model":"fast","messages":["é"],"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}',
    ],
  ];
  for (const [given, sent] of cases) {
    const parsed = openai.parse(bytes(`{"model":"fast","messages":["é"],"stream":true${given}}`));
    t.equal(parsed.injectsUsage, true);
    t.equal(openai.upstreamBody(parsed, target({ upstreamModel: "fast" })).toString(), sent);
    const renamed = JSON.parse(openai.upstreamBody(parsed, target({ upstreamModel: "gpt" })).toString());
    t.same(renamed, { ...JSON.parse(sent), model: "gpt" }, "both at once");
  }
});

t.test("paths are put below an SDK's base URL", async (t) => {
  t.equal(openai.upstreamPath("/v1", "chat"), "/v1/chat/completions");
  t.equal(openai.upstreamPath("/v1/", "chat"), "/v1/chat/completions");
  t.equal(openai.upstreamPath("/", "chat"), "/chat/completions");
  t.equal(openai.upstreamPath("/api/paas/v4", "chat"), "/api/paas/v4/chat/completions");
  t.equal(anthropic.upstreamPath("/", "messages"), "/v1/messages");
  t.equal(anthropic.upstreamPath("", "messages"), "/v1/messages");
  t.equal(anthropic.upstreamPath("/v1/", "messages"), "/v1/messages", "a base URL with /v1 is not doubled");
  t.equal(anthropic.upstreamPath("/anthropic", "messages"), "/anthropic/v1/messages");
});

t.test("headers: the provider's key goes up, the caller's credentials and choices of payer do not", async (t) => {
  t.same(openai.authHeaders("sk-1"), { authorization: "Bearer sk-1" });
  t.same(anthropic.authHeaders("sk-2"), { "x-api-key": "sk-2" });
  t.same([openai.authHeaders(null), anthropic.authHeaders(null)], [{}, {}]);
  t.same(anthropic.defaultHeaders, { "anthropic-version": "2023-06-01" });
  for (const { requestHeaders } of [openai, anthropic]) {
    for (const name of ["authorization", "x-api-key", "cookie", "host", "connection", "content-length", "expect"]) {
      t.notOk(requestHeaders.has(name), name);
    }
    for (const name of ["openai-organization", "openai-project", "idempotency-key", "x-forwarded-for", "te"]) {
      t.notOk(requestHeaders.has(name), name);
    }
  }
  t.ok(anthropic.requestHeaders.has("anthropic-beta"));
});

t.test("the routes are exact", async (t) => {
  t.same(ROUTES.get("/v1/chat/completions"), { wire: "openai", endpoint: "chat", method: "POST" });
  t.same(ROUTES.get("/v1/messages"), { wire: "anthropic", endpoint: "messages", method: "POST" });
  t.equal(ROUTES.get("__proto__"), undefined);
  t.equal(ROUTES.get("/v1/messages/"), undefined);
  t.throws(() => wireFormat("gemini"), /no wire format/);
});

t.test("the list of models is told in each format", async (t) => {
  const mini = target({ model: "gpt-4o-mini" });
  const named = (...names: readonly string[]) => new Map<string, Target>(names.map((name) => [name, mini]));
  const list = modelsAnswer(named("fast", "gpt-4o-mini"), "openai");
  t.same(list, {
    object: "list",
    data: [
      { id: "fast", object: "model", created: 0, owned_by: "openai" },
      { id: "gpt-4o-mini", object: "model", created: 0, owned_by: "openai" },
    ],
  });
  const messages = modelsAnswer(named("gpt-4o-mini"), "anthropic");
  t.match(messages, { has_more: false, first_id: "gpt-4o-mini", last_id: "gpt-4o-mini" });
  t.match(messages.data, [{ type: "model", id: "gpt-4o-mini", created_at: "1970-01-01T00:00:00.000Z" }]);
  t.same(modelsAnswer(named(), "anthropic"), { data: [], has_more: false, first_id: null, last_id: null });
});
