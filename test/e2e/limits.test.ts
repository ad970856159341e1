// Limits under fire: a crowd at once, slots, and what SDKs are told of what is left.
import { Agent, request } from "node:http";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import t, { type Test } from "tap";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { CHAT_ANSWER, json, MESSAGE_ANSWER, type ScriptedUpstream, startUpstream } from "../support/upstream.ts";

const PLUGIN = join(import.meta.dirname, "..", "support", "plugins", "quotas.ts");
const CHAT = { model: "gpt-4o-mini", messages: [{ role: "user" as const, content: "Hi" }], max_tokens: 20 };
const MESSAGE = { model: "claude-haiku-4-5", messages: [{ role: "user" as const, content: "Hi" }], max_tokens: 20 };
const BODY = JSON.stringify(CHAT);
const HOUR_MS = 3_600_000;

interface Setting {
  readonly gateway: TestGateway;
  readonly upstream: ScriptedUpstream;
}

async function setUp(t: Test, ...quotas: readonly object[]): Promise<Setting> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [
    { name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" },
    { name: "anthropic", base_url: upstream.url, wire: "anthropic" },
  ];
  const plugins = ["auth", { use: PLUGIN, config: { quotas } }, "budget", "logging"];
  return { gateway: await startTestGateway(t, { providers, config: { plugins } }), upstream };
}

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function post(url: string, key: string, agent: Agent): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, "content-length": BODY.length };
    const req = request(`${url}/v1/chat/completions`, { method: "POST", headers, agent }, (res) => {
      let body = "";
      res.setEncoding("utf8").on("data", (text: string) => (body += text));
      res.once("end", () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body }));
    });
    req.once("error", reject);
    req.end(BODY);
  });
}

async function crowd({ gateway }: Setting, requests: number): Promise<readonly Answered[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 500 });
  const answers = await Promise.all(Array.from({ length: requests }, () => post(gateway.url, gateway.key, agent)));
  agent.destroy();
  return answers;
}

t.test("three thousand at once against a limit of a hundred requests an hour: a hundred are served", async (t) => {
  const setting = await setUp(t, { unit: "requests", limit: 100, slidingMs: HOUR_MS });
  const answers = await crowd(setting, 3_000);
  const served = answers.filter(({ status }) => status === 200);
  t.equal(served.length, 100);
  t.equal(setting.upstream.seen.length, 100, "what was refused was not forwarded");
  const left = served.map(({ headers }) => Number(headers["x-ratelimit-remaining-requests"])).sort((a, b) => a - b);
  t.same(
    left,
    Array.from({ length: 100 }, (_, i) => i),
    "each is told a different rest",
  );
  const refused = answers.filter(({ status }) => status === 429);
  t.equal(refused.length, 2_900);
  t.match(refused[0]?.body, /"code":"rate_limit_exceeded"/);
  t.match(refused[0]?.headers, {
    "x-ratelimit-limit-requests": "100",
    "x-ratelimit-remaining-requests": "0",
    "x-tollgate-rule": "quotas:1",
    "x-should-retry": undefined,
  });
  const wait = Number(refused[0]?.headers["retry-after"]);
  t.ok(wait >= HOUR_MS / 1_000 && wait <= HOUR_MS / 1_000 + 60, `retry-after ${wait}`);
});

t.test("tokens: what is reserved is the most it can use, what is charged is what it used", async (t) => {
  const setting = await setUp(t, { unit: "tokens", limit: 10_000, slidingMs: HOUR_MS });
  const answers = await crowd(setting, 1_000);
  const served = answers.filter(({ status }) => status === 200).length;
  t.equal(setting.upstream.seen.length, served);
  const used = CHAT_ANSWER.usage.total_tokens;
  const counter = { quota: "tokens/key=tester", window: "" };
  const span = { from: "", to: "~" };
  const { spent } = setting.gateway.store.ledger.counter(counter, span);
  t.equal(spent, BigInt(served * used));
  t.ok(spent <= 10_000n, "over the limit: none");
});

t.test("slots: no more than two are ever in flight, and all are given back", async (t) => {
  const setting = await setUp(t, { unit: "concurrent", limit: 2 });
  let [inFlight, most] = [0, 0];
  setting.upstream.answer = async (req, res, body) => {
    inFlight += 1;
    most = Math.max(most, inFlight);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inFlight -= 1;
    json(CHAT_ANSWER)(req, res, body);
  };
  const answers = await crowd(setting, 200);
  t.equal(most, 2);
  const [refused] = answers.filter(({ status }) => status === 429);
  t.match(refused?.body, /limit 2 concurrent for key tester: 2 in flight; try again when a request has ended/);
  t.equal(refused?.headers["retry-after"], "1");
  const { store } = setting.gateway;
  await until(
    "all slots are free",
    () => store.ledger.uses("concurrent/key=tester", { from: "", to: "~" }).length === 0,
  );
});

t.test("clients of both formats read what is left, and wait as long as they are told", async (t) => {
  const { gateway, upstream } = await setUp(t, { unit: "requests", limit: 2, slidingMs: HOUR_MS });
  const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
  const { response } = await openai.chat.completions.create(CHAT).withResponse();
  t.equal(response.headers.get("x-ratelimit-limit-requests"), "2");
  t.equal(response.headers.get("x-ratelimit-remaining-requests"), "1");
  t.match(response.headers.get("x-ratelimit-reset-requests"), /^1h[01]m\d+s$/);
  upstream.answer = json(MESSAGE_ANSWER);
  const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: gateway.key, maxRetries: 0 });
  const message = await anthropic.messages.create(MESSAGE).withResponse();
  t.equal(message.response.headers.get("anthropic-ratelimit-requests-remaining"), "0");
  t.ok(Date.parse(message.response.headers.get("anthropic-ratelimit-requests-reset") ?? "") > Date.now());
  await t.rejects(openai.chat.completions.create(CHAT), { status: 429, code: "rate_limit_exceeded" });
  const refused = await anthropic.messages.create(MESSAGE).catch((error: unknown) => error);
  t.ok(refused instanceof Anthropic.RateLimitError);
  t.match(refused, { error: { error: { type: "rate_limit_error" } } });
  t.equal(
    (refused as InstanceType<typeof Anthropic.RateLimitError>).headers?.get("anthropic-ratelimit-requests-limit"),
    "2",
  );
});
