// The demo upstream, asked by the providers' own clients and by hand.
import { connect } from "node:net";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import t from "tap";
import { startDemo } from "../../src/llm/demo.ts";

const demo = await startDemo();
t.teardown(() => demo.close());

const openai = new OpenAI({ apiKey: "none", baseURL: `${demo.url}/v1`, maxRetries: 0 });
const anthropic = new Anthropic({ apiKey: "none", baseURL: demo.url, maxRetries: 0 });
const messages = [{ role: "user" as const, content: "What is   a tollgate?" }];

async function post(path: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(demo.url + path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
}

t.test("openai: an answer in one piece", async (t) => {
  const answer = await openai.chat.completions.create({ model: "gpt-4o", messages });
  t.match(answer.id, /^chatcmpl-\w{29}$/);
  t.equal(answer.model, "gpt-4o");
  t.match(answer.choices[0]?.message.content, /Tollgate's demo provider.*"What is a tollgate\?"/);
  t.equal(answer.choices[0]?.finish_reason, "stop");
  const usage = answer.usage as OpenAI.CompletionUsage;
  t.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  t.ok(usage.prompt_tokens > 0 && usage.prompt_tokens <= JSON.stringify({ model: "gpt-4o", messages }).length);
});

t.test("openai: several choices, each within the output limit", async (t) => {
  const answer = await openai.chat.completions.create({ model: "gpt-4o", messages, n: 3, max_completion_tokens: 4 });
  t.same(
    answer.choices.map((choice) => [choice.index, choice.finish_reason]),
    [0, 1, 2].map((index) => [index, "length"]),
  );
  t.equal(answer.usage?.completion_tokens, 12);
});

t.test("openai: a stream says what the answer in one piece says, and its usage when asked", async (t) => {
  const whole = await openai.chat.completions.create({ model: "gpt-4o", messages });
  for (const include_usage of [true, false]) {
    const stream = await openai.chat.completions.create({
      model: "gpt-4o",
      messages,
      stream: true,
      stream_options: { include_usage },
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    t.equal(text, whole.choices[0]?.message.content);
    const last = chunks.at(-1);
    t.equal(last?.choices.length, include_usage ? 0 : 1);
    t.equal(last?.usage?.completion_tokens, include_usage ? whole.usage?.completion_tokens : undefined);
    t.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
  }
});

t.test("openai: a cut stream ends with finish_reason length", async (t) => {
  const stream = openai.chat.completions.stream({ model: "gpt-4o", messages, max_tokens: 3 });
  const completion = await stream.finalChatCompletion();
  t.equal(completion.choices[0]?.finish_reason, "length");
  t.equal(completion.choices[0]?.message.content, "Hello from Tollgate's");
});

t.test("anthropic: an answer in one piece", async (t) => {
  const answer = await anthropic.messages.create({ model: "claude-sonnet-4-5", max_tokens: 100, messages });
  t.match(answer.id, /^msg_01\w{22}$/);
  t.match(answer.content[0], { type: "text", text: /Tollgate's demo provider.*"What is a tollgate\?"/ });
  t.equal(answer.stop_reason, "end_turn");
  t.ok(answer.usage.output_tokens > 5 && answer.usage.output_tokens <= 100);
});

t.test("anthropic: a stream adds up to the answer in one piece", async (t) => {
  const body = { model: "claude-sonnet-4-5", max_tokens: 7, messages };
  const whole = await anthropic.messages.create(body);
  const stream = anthropic.messages.stream(body);
  const types: string[] = [];
  stream.on("streamEvent", (event) => types.push(event.type));
  const final = await stream.finalMessage();
  t.same(final.content, whole.content);
  t.equal(final.stop_reason, "max_tokens");
  t.equal(final.usage.output_tokens, 7);
  t.same(types.slice(0, 3), ["message_start", "content_block_start", "content_block_delta"]);
  t.same(types.slice(-3), ["content_block_stop", "message_delta", "message_stop"]);
});

t.test("a message in parts is echoed from its first text, and from its start only", async (t) => {
  const parts = [{ type: "text" as const, text: `${"🗼".repeat(200)}` }];
  const answer = await openai.chat.completions.create({
    model: "gpt-4o",
    messages: [{ role: "user", content: parts }],
  });
  t.match(answer.choices[0]?.message.content, /"(🗼){80}"/u);
  const none = await openai.chat.completions.create({ model: "gpt-4o", messages: [{ role: "system", content: "x" }] });
  t.notMatch(none.choices[0]?.message.content, /You said/);
});

t.test("bad requests are refused in the provider's error shape", async (t) => {
  const good = { model: "gpt-4o", messages, max_tokens: 5 };
  const bad = [
    { ...good, model: 5 },
    { ...good, messages: [] },
    { ...good, messages: ["hi"] },
    { ...good, max_tokens: 0 },
    { ...good, max_tokens: "5" },
    { ...good, stream: "yes" },
    [],
  ];
  for (const body of [...bad.map((each) => JSON.stringify(each)), "{"]) {
    const refused = await post("/v1/chat/completions", body);
    t.equal(refused.status, 400, body);
    t.match(await refused.json(), { error: { message: String, type: "invalid_request_error", code: null } });
    const other = await post("/v1/messages", body);
    t.equal(other.status, 400);
    t.match(await other.json(), { type: "error", error: { type: "invalid_request_error", message: String } });
  }
});

t.test("each provider's own rules hold", async (t) => {
  const good = { model: "gpt-4o", messages };
  for (const [param, value] of [
    ["n", 129],
    ["stream_options", { include_usage: true }],
    ["stream_options", 1],
  ] as const) {
    const refused = await post("/v1/chat/completions", JSON.stringify({ ...good, [param]: value }));
    t.equal(refused.status, 400);
    t.match(await refused.json(), { error: { param } });
  }
  const unlimited = await post("/v1/messages", JSON.stringify({ model: "claude-sonnet-4-5", messages }));
  t.match(await unlimited.json(), { error: { message: "max_tokens: Field required" } });
});

t.test("any other path is not found, in the provider's error shape", async (t) => {
  await t.rejects(openai.models.list(), { status: 404, code: "unknown_url" });
  const anthropicShape = { type: "error", error: { type: "not_found_error" } };
  t.match(await (await fetch(`${demo.url}/v1/messages`)).json(), anthropicShape);
  t.match(await (await post("/v1/models", "", { "anthropic-version": "2023-06-01" })).json(), anthropicShape);
});

t.test("a stream comes in many writes, and a reader that leaves does no harm", async (t) => {
  const answer = await post(
    "/v1/chat/completions",
    JSON.stringify({ model: "gpt-4o", messages, stream: true, n: 128 }),
  );
  t.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
  await answer.body?.cancel();
  const next = await openai.chat.completions.create({ model: "gpt-4o", messages });
  t.equal(next.choices.length, 1);
});

t.test("a reader that waits gets everything in the end", async (t) => {
  const body = JSON.stringify({ model: "gpt-4o", messages, stream: true, n: 128 });
  const answer = await post("/v1/chat/completions", body);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const text = await answer.text();
  t.ok(text.endsWith("data: [DONE]\n\n"));
  t.equal(text.match(/"finish_reason":"stop"/g)?.length, 128);
});

t.test("a body above the limit is refused", async (t) => {
  const answer = await post("/v1/messages", "x".repeat(33_554_433));
  t.equal(answer.status, 413);
  t.match(await answer.json(), { error: { type: "request_too_large" } });
});

t.test("close ends connections that are open", async (t) => {
  const other = await startDemo();
  const socket = connect(Number(new URL(other.url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("connect", resolve));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await other.close();
  await closed;
  t.pass("closed");
});
