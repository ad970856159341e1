// The real OpenAI and Anthropic clients through the gateway: what they send, get, throw, and what is charged for it.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import t, { type Test } from "tap";
import { tollgate } from "../support/cli.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import {
  type Answer,
  CHAT_ANSWER,
  chatEvents,
  json,
  MESSAGE_ANSWER,
  messageEvents,
  type ScriptedUpstream,
  startUpstream,
  stream,
} from "../support/upstream.ts";

const RULES = { "models.rules": "version 1\ndefault allow\n\ndeny model gpt-4 when price > 10\n" };
const SAY_HI = [{ role: "user" as const, content: "Hi" }];
const CHAT = { model: "gpt-4o-mini", messages: SAY_HI, max_tokens: 20 };
const MESSAGE = { model: "claude-haiku-4-5", messages: SAY_HI, max_tokens: 20 };

/** What 10 input and 5 output tokens cost: $0.15 and $0.60 a million, $1 and $5 a million. */
const CHAT_COST = "0.0000045";
const MESSAGE_COST = "0.000035";

interface Setting {
  readonly gateway: TestGateway;
  readonly upstream: ScriptedUpstream;
  readonly openai: OpenAI;
  readonly anthropic: Anthropic;
}

const openaiAt = (url: string, apiKey: string): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey });
const anthropicAt = (url: string, apiKey: string): Anthropic => new Anthropic({ baseURL: url, apiKey });

/** A gateway in front of a scripted provider of both wires. */
async function setUp(t: Test, answer: Answer = json(CHAT_ANSWER)): Promise<Setting> {
  const upstream = await startUpstream(answer);
  t.teardown(() => upstream.close());
  const providers = [
    { name: "openai", base_url: `${upstream.url}/v1`, wire: "openai", api_key: "sk-provider" },
    { name: "anthropic", base_url: upstream.url, wire: "anthropic", api_key: "sk-ant-provider" },
  ];
  const config = { models: { fast: { provider: "openai", model: "gpt-4o-mini" } } };
  const gateway = await startTestGateway(t, { providers, rules: RULES, config });
  const { url, key } = gateway;
  return { gateway, upstream, openai: openaiAt(url, key), anthropic: anthropicAt(url, key) };
}

async function setUpDemo(t: Test): Promise<Omit<Setting, "upstream">> {
  const providers = [{ name: "demo", base_url: "demo:", wire: ["openai", "anthropic"] }];
  const gateway = await startTestGateway(t, { providers, rules: RULES });
  const { url, key } = gateway;
  return { gateway, openai: openaiAt(url, key), anthropic: anthropicAt(url, key) };
}

/** The rows of `tollgate usage`. */
async function usage({ directory }: TestGateway, by = "key"): Promise<Record<string, unknown>[]> {
  const ran = await tollgate(directory, ["usage", "--by", by, "--json"]);
  return JSON.parse(ran.stdout).rows;
}

/** Nano-USD as decimal dollars, told in another way than the gateway's. */
const dollars = (nanoUsd: number): string => (nanoUsd / 1e9).toFixed(9).replace(/0+$/, "").replace(/\.$/, "");

/** What the promise is rejected with. */
async function thrown<E>(kind: new (...args: never[]) => E, promise: Promise<unknown>): Promise<E> {
  const error = await promise.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (error instanceof kind) return error;
  throw new Error(`expected ${kind.name}`, { cause: error });
}

/** The access lines so far. */
const accesses = ({ logged }: TestGateway): Record<string, unknown>[] => logged.filter(({ msg }) => msg === "request");

t.test("demo: the OpenAI client is answered, whole and streamed, and charged what the answer says", async (t) => {
  const { gateway, openai } = await setUpDemo(t);
  const { data, response } = await openai.chat.completions.create(CHAT).withResponse();
  t.match(data.choices[0]?.message.content, /demo provider/);
  t.match(response.headers.get("x-request-id"), /^req_/);
  t.equal(response.headers.get("x-tollgate-model"), "gpt-4o-mini");
  t.equal(response.headers.get("x-tollgate-provider"), "demo");
  let [requests, input, output] = [1, data.usage?.prompt_tokens ?? 0, data.usage?.completion_tokens ?? 0];
  t.equal(response.headers.get("x-tollgate-cost-usd"), dollars(input * 150 + output * 600));

  for (const include_usage of [true, false]) {
    const chunks = await openai.chat.completions.create({ ...CHAT, stream: true, stream_options: { include_usage } });
    let text = "";
    for await (const chunk of chunks) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (!include_usage) t.notOk(chunk.usage, "no usage that was not asked for");
      if (chunk.usage) {
        input += chunk.usage.prompt_tokens;
        output += chunk.usage.completion_tokens;
      }
    }
    t.equal(text, data.choices[0]?.message.content);
    requests += 1;
  }
  const [row] = await usage(gateway);
  t.match(row, { key: "tester", requests });
  // The stream that hid its usage is the one that nobody but the gateway saw: its figures are in its access line.
  const hidden = accesses(gateway).at(-1) as { input_tokens: number; output_tokens: number };
  input += hidden.input_tokens;
  output += hidden.output_tokens;
  t.equal(hidden.output_tokens, data.usage?.completion_tokens);
  t.match(row, { input_tokens: input, output_tokens: output, cost_usd: dollars(input * 150 + output * 600) });
});

t.test("demo: the Anthropic client is answered, whole and streamed, and charged what the answer says", async (t) => {
  const { gateway, anthropic } = await setUpDemo(t);
  const { data, response } = await anthropic.messages.create(MESSAGE).withResponse();
  t.match(data.content, [{ type: "text", text: /demo provider/ }]);
  t.match(response.headers.get("x-request-id"), /^req_/);
  const shown = (data as { _request_id?: string | null })._request_id;
  t.equal(shown, response.headers.get("x-request-id"), "the client shows the gateway's id as its own");
  t.equal(response.headers.get("x-tollgate-model"), "claude-haiku-4-5");
  const once = data.usage;
  t.equal(response.headers.get("x-tollgate-cost-usd"), dollars(once.input_tokens * 1_000 + once.output_tokens * 5_000));
  const streamed = await anthropic.messages.stream(MESSAGE).finalMessage();
  t.same(streamed.content, data.content);
  const input = once.input_tokens + streamed.usage.input_tokens;
  const output = once.output_tokens + streamed.usage.output_tokens;
  t.same(await usage(gateway, "model"), [
    {
      model: "claude-haiku-4-5",
      requests: 2,
      input_tokens: input,
      output_tokens: output,
      cost_usd: dollars(input * 1_000 + output * 5_000),
    },
  ]);
});

t.test("models.list() has the names that are served: aliases too, each judged by its own name", async (t) => {
  const upstream = await startUpstream(json(CHAT_ANSWER));
  t.teardown(() => upstream.close());
  const own = (model: string): object => ({ provider: "own", model, price: { input: "$1/M", output: "$2/M" } });
  const gateway = await startTestGateway(t, {
    providers: [{ name: "own", base_url: `${upstream.url}/v1`, wire: "openai", models: ["listed"] }],
    config: { models: { "meta/llama": own("llama-3"), "for-search": own("llama-3"), listed: own("other") } },
    rules: { "a.rules": "version 1\ndefault allow\ndeny when model.requested = for-search unless team search\n" },
  });
  const openai = openaiAt(gateway.url, gateway.key);
  const ids: string[] = [];
  for await (const { id } of openai.models.list()) ids.push(id);
  t.same(ids, ["meta/llama", "listed"], "not `llama-3`, which no caller can ask for");
  t.match(await openai.models.retrieve("meta/llama"), { id: "meta/llama" }, "the SDK escapes the slash");
  for (const model of ids) await openai.chat.completions.create({ ...CHAT, model });
  for (const model of ["llama-3", "other", "for-search"]) {
    await thrown(OpenAI.NotFoundError, openai.models.retrieve(model));
    await thrown(OpenAI.APIError, openai.chat.completions.create({ ...CHAT, model }));
  }
});

t.test("models.list() and models.retrieve() know what the key may use and nothing else", async (t) => {
  const { gateway, openai, anthropic } = await setUpDemo(t);
  const clients: [OpenAI.Models | Anthropic.Models, new (...args: never[]) => Error][] = [
    [openai.models, OpenAI.NotFoundError],
    [anthropic.models, Anthropic.NotFoundError],
  ];
  for (const [models, missing] of clients) {
    const ids: string[] = [];
    for await (const { id } of models.list()) ids.push(id);
    t.ok(ids.includes("gpt-4o-mini") && ids.includes("claude-haiku-4-5"), ids.join(" "));
    t.notOk(ids.includes("gpt-4"), "what a rule denies is absent");
    t.equal(new Set(ids).size, ids.length, "each once");
    t.match(await models.retrieve("gpt-4o-mini"), { id: "gpt-4o-mini" });
    await thrown(missing, models.retrieve("gpt-4"));
    await thrown(missing, models.retrieve("no-such-model"));
  }
  await thrown(OpenAI.AuthenticationError, openaiAt(gateway.url, "sk-no").models.list());
  t.same(await usage(gateway), [], "looking costs nothing and counts as no request");
});

t.test("tools, tool calls and their results pass byte for byte", async (t) => {
  const { upstream, openai, anthropic } = await setUp(t);
  const call = {
    id: "call_1",
    type: "function" as const,
    function: { name: "weather", arguments: '{"city": "Wörgl"}' },
  };
  const message = { role: "assistant", content: null, tool_calls: [call], refusal: null };
  const answer = { ...CHAT_ANSWER, choices: [{ index: 0, message, finish_reason: "tool_calls", logprobs: null }] };
  upstream.answer = json(answer);
  const chat = {
    ...CHAT,
    messages: [
      ...SAY_HI,
      { role: "assistant" as const, tool_calls: [call] },
      { role: "tool" as const, tool_call_id: "call_1", content: "☀ 21°" },
    ],
    tools: [
      { type: "function" as const, function: { name: "weather", parameters: { type: "object", properties: {} } } },
    ],
  };
  t.same(await openai.chat.completions.create(chat), answer);
  t.equal(upstream.seen[0]?.body, JSON.stringify(chat));

  const use = { type: "tool_use" as const, id: "toolu_1", name: "weather", input: { city: "Wörgl" } };
  const said = { ...MESSAGE_ANSWER, content: [use], stop_reason: "tool_use" };
  upstream.answer = json(said);
  const result = { type: "tool_result" as const, tool_use_id: "toolu_1", content: "☀ 21°" };
  const asked = {
    ...MESSAGE,
    messages: [...SAY_HI, { role: "assistant" as const, content: [use] }, { role: "user" as const, content: [result] }],
    tools: [{ name: "weather", input_schema: { type: "object" as const } }],
  };
  t.same(await anthropic.messages.create(asked), said);
  t.equal(upstream.seen[1]?.body, JSON.stringify(asked));
  t.match(upstream.seen[1], { url: "/v1/messages", headers: { "x-api-key": "sk-ant-provider" } });
});

t.test("usage and cost are exact on both wires, whole and streamed, asked for or not", async (t) => {
  const { gateway, upstream, openai, anthropic } = await setUp(t);
  const chat = await openai.chat.completions.create(CHAT).withResponse();
  t.equal(chat.response.headers.get("x-tollgate-cost-usd"), CHAT_COST);
  const alias = await openai.chat.completions.create({ ...CHAT, model: "fast" }).withResponse();
  t.equal(alias.response.headers.get("x-tollgate-model"), "gpt-4o-mini", "an alias is charged as what it stands for");
  upstream.answer = json(MESSAGE_ANSWER);
  const message = await anthropic.messages.create(MESSAGE).withResponse();
  t.equal(message.response.headers.get("x-tollgate-cost-usd"), MESSAGE_COST);
  upstream.answer = stream(messageEvents(["Hel", "lo!"]));
  t.match(await anthropic.messages.stream(MESSAGE).finalMessage(), { usage: { input_tokens: 10, output_tokens: 5 } });
  upstream.answer = stream(chatEvents(["Hel", "lo!"]));
  for (const include_usage of [true, false]) {
    const usages: unknown[] = [];
    const chunks = await openai.chat.completions.create({ ...CHAT, stream: true, stream_options: { include_usage } });
    for await (const chunk of chunks) if (chunk.usage) usages.push(chunk.usage);
    t.same(usages, include_usage ? [CHAT_ANSWER.usage] : []);
  }
  t.same(await usage(gateway, "model"), [
    { model: "claude-haiku-4-5", requests: 2, input_tokens: 20, output_tokens: 10, cost_usd: "0.00007" },
    { model: "gpt-4o-mini", requests: 4, input_tokens: 40, output_tokens: 20, cost_usd: "0.000018" },
  ]);
  const [row] = gateway.store.requests.usage("key", 0);
  t.match(row, { name: "tester", requests: 6, costNanoUsd: 88_000n });
});

t.test("refusals are the clients' own error classes", async (t) => {
  const { gateway, upstream, openai, anthropic } = await setUp(t);
  const unknownKey = "sk-0000000000000000000000000000000000000000";
  const badOpenai = openaiAt(gateway.url, unknownKey).chat.completions.create(CHAT);
  t.match(await thrown(OpenAI.AuthenticationError, badOpenai), {
    code: "invalid_api_key",
    type: "authentication_error",
  });
  const badAnthropic = anthropicAt(gateway.url, unknownKey).messages.create(MESSAGE);
  t.match(await thrown(Anthropic.AuthenticationError, badAnthropic), {
    error: { type: "error", error: { type: "authentication_error" } },
  });

  const denied = await thrown(
    OpenAI.PermissionDeniedError,
    openai.chat.completions.create({ ...CHAT, model: "gpt-4" }),
  );
  t.match(denied, { code: "permission_denied", type: "permission_error" });
  t.match(denied.message, /model gpt-4 \(price \$60\/M\) is denied by rules\/models\.rules:4/);
  t.equal(denied.headers?.get("x-tollgate-rule"), "rules/models.rules:4");
  t.equal(denied.headers?.get("x-tollgate-error-source"), "gateway");
  t.match(denied.requestID, /^req_/);

  const missing = openai.chat.completions.create({ ...CHAT, model: "gpt-4o-mimi" });
  t.match(await thrown(OpenAI.NotFoundError, missing), {
    code: "model_not_found",
    message: /did you mean `gpt-4o-mini`/,
  });
  const elsewhere = anthropic.messages.create({ ...MESSAGE, model: "gpt-4o-mini" });
  t.match(await thrown(Anthropic.NotFoundError, elsewhere), { message: /its provider speaks the openai format/ });
  const bad = openai.chat.completions.create({ ...CHAT, max_tokens: "many" as never });
  t.match(await thrown(OpenAI.BadRequestError, bad), { code: "invalid_request", param: "max_tokens" });
  t.same(upstream.seen, [], "none of it was forwarded");
  t.equal(accesses(gateway).length, 6, "and none was sent twice");
});

t.test("an exhausted budget is a RateLimitError that the clients do not retry", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const key = gateway.makeKey({ alias: "poor", budget: { limitNanoUsd: 1n, window: "month" } });
  const refused = await thrown(OpenAI.RateLimitError, openaiAt(gateway.url, key).chat.completions.create(CHAT));
  t.match(refused, { code: "budget_exceeded", type: "insufficient_quota" });
  t.match(refused.message, /key poor's monthly budget of \$0\.000000001/);
  t.equal(refused.headers?.get("x-should-retry"), "false");
  t.match(refused.headers?.get("retry-after"), /^[1-9][0-9]*$/);
  t.match(refused.headers?.get("x-tollgate-budget"), /^bud_/);
  await thrown(Anthropic.RateLimitError, anthropicAt(gateway.url, key).messages.create(MESSAGE));
  t.equal(accesses(gateway).length, 2, "each was sent once");
  t.same(upstream.seen, []);
});

t.test("an upstream's error comes byte for byte, and its advice to retry is taken", async (t) => {
  const { gateway, upstream, openai, anthropic } = await setUp(t);
  const text = '{ "error": {"message":"slow  down", "type":"tokens","param":null,"code":"rate_limit_exceeded"}}\n';
  const fails =
    (status: number, headers: Record<string, string>): Answer =>
    (_req, res) => {
      res.writeHead(status, { "content-type": "application/json", "x-request-id": "req_theirs", ...headers });
      res.end(text);
    };
  upstream.answer = fails(429, { "retry-after": "7" });
  const raw = await gateway.chat(CHAT);
  t.equal(raw.status, 429);
  t.equal(await raw.text(), text);
  t.match(Object.fromEntries(raw.headers), {
    "retry-after": "7",
    "x-tollgate-error-source": "upstream",
    "x-upstream-request-id": "req_theirs",
    "x-tollgate-cost-usd": "0",
  });
  upstream.answer = fails(429, { "retry-after-ms": "1" });
  const limited = await thrown(OpenAI.RateLimitError, openai.chat.completions.create(CHAT));
  t.match(limited, { code: "rate_limit_exceeded", type: "tokens" });
  t.equal(upstream.seen.length, 4, "once by hand, and once with two retries by the client");
  upstream.answer = fails(400, {});
  t.match(await thrown(OpenAI.BadRequestError, openai.chat.completions.create({ ...CHAT, stream: true })), {
    type: "tokens",
  });
  await thrown(Anthropic.BadRequestError, anthropic.messages.create(MESSAGE));
  const [row] = await usage(gateway);
  t.match(row, { requests: 6, input_tokens: 0, output_tokens: 0, cost_usd: "0" });
});
