// What goes wrong around the gateway: its config, its port, its database, its providers; and what guardrails do.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import { parse } from "yaml";
import { tollgate } from "../support/cli.ts";
import { newFolder } from "../support/folder.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { CHAT_ANSWER, chatEvents, json, type ScriptedUpstream, startUpstream, stream } from "../support/upstream.ts";

const HELLO = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 20 };
const PLUGINS = join(import.meta.dirname, "..", "support", "plugins");

interface Setting {
  readonly gateway: TestGateway;
  readonly upstream: ScriptedUpstream;
}

async function setUp(t: Test, config: object = {}, rules = "version 1\ndefault allow\n"): Promise<Setting> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }];
  const gateway = await startTestGateway(t, { providers, config, rules: { "all.rules": rules } });
  return { gateway, upstream };
}

/** A folder with a config and rules, for the command line. */
function folder(t: Test, config: object, rules = "version 1\ndefault allow\n"): string {
  const directory = newFolder(t);
  mkdirSync(join(directory, "rules"));
  writeFileSync(join(directory, "rules", "all.rules"), rules);
  const whole = { listen: "127.0.0.1:0", admin: { listen: "127.0.0.1:0" }, log: { level: "silent" }, ...config };
  writeFileSync(join(directory, "tollgate.yaml"), JSON.stringify(whole));
  return directory;
}

const status = async (url: string): Promise<number> => (await fetch(url)).status;

t.test("broken rules at start: exit code 78 and what is wrong, where", async (t) => {
  const ran = await tollgate(folder(t, {}, "version 1\ndefault allow\ndney model gpt-4\n"), ["run"]);
  t.equal(ran.code, 78);
  t.equal(ran.stdout, "");
  t.match(ran.stderr, /^tollgate: plugin `iam` could not start: the rules are broken\nerror\[E\d+\]: .*`dney`/);
  t.match(ran.stderr, /rules\/all\.rules:3:1/);
  t.match(ran.stderr, /did you mean `deny`\?\n$/);
});

t.test("a folder without rules, and a config that is no config: exit code 78", async (t) => {
  const empty = await tollgate(folder(t, {}, ""), ["run"]);
  t.match(empty, { code: 78, stderr: /default (allow|deny)/ });
  const typo = await tollgate(folder(t, { provider: [] }), ["run"]);
  t.match(typo, { code: 78, stdout: "", stderr: /did you mean `providers`\?/ });
});

t.test("a port in use: exit code 1 and one sentence", async (t) => {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const { host, port } = new URL(upstream.url);
  const sentence = `tollgate: port ${port} on 127.0.0.1 is in use: stop what listens there, or set another address in the config\n`;
  for (const config of [{ listen: host }, { admin: { listen: host } }]) {
    t.same(await tollgate(folder(t, config), ["run"]), { code: 1, stdout: "", stderr: sentence });
  }
});

t.test("a database that cannot be opened: exit code 78 and one sentence", async (t) => {
  const directory = folder(t, { database: "sqlite:missing/tollgate.db" });
  t.match(await tollgate(directory, ["run"]), { code: 78, stderr: /directory .*missing does not exist\n$/ });
  writeFileSync(join(directory, "tollgate.db"), "this is no database".repeat(100));
  const other = folder(t, { database: `sqlite:${join(directory, "tollgate.db")}` });
  t.match(await tollgate(other, ["run"]), { code: 78, stderr: /cannot be opened as a database/ });
});

t.test("a locked database: 503 with retry-after, nothing forwarded, and it recovers", async (t) => {
  const { gateway, upstream } = await setUp(t);
  t.equal((await gateway.chat(HELLO)).status, 200);
  const other = new Database(join(gateway.directory, "tollgate.db"));
  t.teardown(() => other.close());
  other.exec("BEGIN IMMEDIATE");
  await until("it notices", async () => (await status(`${gateway.url}/readyz`)) === 503);
  const ready = await fetch(`${gateway.url}/readyz`);
  t.match(await ready.json(), { status: "unavailable", reason: "the database cannot be written" });
  t.equal(await status(`${gateway.url}/livez`), 200, "it is alive all the same");
  for (const body of [HELLO, { ...HELLO, stream: true }]) {
    const refused = await gateway.chat(body);
    t.equal(refused.status, 503);
    t.equal(refused.headers.get("retry-after"), "1");
    t.equal(refused.headers.get("x-should-retry"), null, "another try is worth while");
    t.match(await refused.json(), { error: { code: "store_unavailable", type: "api_error" } });
  }
  t.equal(upstream.seen.length, 1, "nothing was forwarded");
  other.exec("ROLLBACK");
  await until("it recovers", async () => (await status(`${gateway.url}/readyz`)) === 200);
  t.equal((await gateway.chat(HELLO)).status, 200);
  t.match(gateway.store.requests.usage("key", 0), [{ requests: 2, costNanoUsd: 9_000n }]);
});

t.test("a database that is locked while the provider answers: the answer waits, and its charge is kept", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const other = new Database(join(gateway.directory, "tollgate.db"));
  t.teardown(() => other.close());
  let unlockedAtMs = 0;
  const locked = (answer: typeof upstream.answer): typeof upstream.answer => {
    return (req, res, body) => {
      other.exec("BEGIN IMMEDIATE");
      setTimeout(() => {
        unlockedAtMs = performance.now();
        other.exec("ROLLBACK");
      }, 600);
      return answer(req, res, body);
    };
  };
  upstream.answer = locked(json(CHAT_ANSWER));
  const whole = await gateway.chat(HELLO);
  t.ok(unlockedAtMs > 0 && performance.now() >= unlockedAtMs, "not a byte before the charge is on disk");
  t.same(await whole.json(), CHAT_ANSWER);

  await until("it recovers", async () => (await status(`${gateway.url}/readyz`)) === 200);
  upstream.answer = locked(stream(chatEvents(["Hel", "lo!"])));
  unlockedAtMs = 0;
  const streamed = await gateway.chat({ ...HELLO, stream: true });
  const reader = streamed.body?.pipeThrough(new TextDecoderStream()).getReader();
  t.match(await reader?.read(), { value: /Hel/ }, "the words do not wait");
  t.equal(unlockedAtMs, 0);
  let end = "";
  for (let chunk = await reader?.read(); chunk?.done === false; chunk = await reader?.read()) end += chunk.value;
  t.ok(unlockedAtMs > 0, "the end does");
  t.match(end, /data: \[DONE\]\n\n$/);
  t.match(gateway.store.requests.usage("key", 0), [{ requests: 2, costNanoUsd: 9_000n }]);
});

t.test("a provider that cannot be reached is 502, and one that is silent is 504", async (t) => {
  const { gateway, upstream } = await setUp(t, { limits: { upstream_timeout: "200ms", idle_timeout: "200ms" } });
  upstream.answer = () => undefined;
  const silent = await gateway.chat(HELLO);
  t.equal(silent.status, 504);
  t.match(await silent.json(), { error: { code: "upstream_timeout", type: "api_error" } });

  const [first = ""] = chatEvents(["one"]);
  upstream.answer = (_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(first);
  };
  const stuck = await gateway.chat({ ...HELLO, stream: true });
  let text = "";
  await t.rejects(async () => {
    for await (const chunk of stuck.body ?? []) text += Buffer.from(chunk).toString();
  });
  t.ok(text.startsWith(first));
  t.match(
    text.slice(first.length),
    /^data: \{"error":\{.*"code":"upstream_timeout"/,
    "a stream that falls silent says so",
  );
  await until("its connections are closed", () => upstream.sockets.size === 0);

  await upstream.close();
  const gone = await gateway.chat(HELLO);
  t.equal(gone.status, 502);
  t.equal(gone.headers.get("retry-after"), "1");
  t.equal(gone.headers.get("x-tollgate-error-source"), "gateway");
  t.match(await gone.json(), { error: { code: "upstream_unreachable", message: "The provider could not be reached" } });
  const charges = gateway.logged.filter(({ msg }) => msg === "request").map(({ outcome, error }) => [outcome, error]);
  t.same(charges, [
    ["timeout", "upstream_timeout"],
    ["timeout", "upstream_timeout"],
    ["upstream_error", "upstream_unreachable"],
  ]);
});

t.test("a model without a price is refused, and the refusal holds the config that prices it", async (t) => {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [{ name: "vllm", base_url: `${upstream.url}/v1`, wire: "openai", models: ["house-1"] }];
  const wanted = { ...HELLO, model: "house-1" };
  const unpriced = await startTestGateway(t, { providers });
  const refused = await unpriced.chat(wanted);
  t.equal(refused.status, 403);
  t.equal(refused.headers.get("x-should-retry"), "false");
  const { error } = (await refused.json()) as { error: { code: string; message: string } };
  t.equal(error.code, "model_unpriced");
  t.same(upstream.seen, []);

  const advice = error.message.slice(error.message.indexOf("models: {")).replaceAll("…", "1.50");
  const priced = await startTestGateway(t, { providers, config: parse(advice) });
  const served = await priced.chat(wanted);
  t.equal(served.status, 200, advice);
  t.equal(served.headers.get("x-tollgate-cost-usd"), "0.0000225", "15 tokens at $1.50 a million");
});

t.test("a guardrail named by its path denies", async (t) => {
  const guardrail = { use: join(PLUGINS, "forbidden-word.ts"), config: { words: ["Voldemort"] } };
  const { gateway, upstream } = await setUp(t, { plugins: ["auth", "iam", guardrail, "budget", "logging"] });
  const refused = await gateway.chat({ ...HELLO, messages: [{ role: "user", content: "Who is Voldemort?" }] });
  t.equal(refused.status, 403);
  t.equal(refused.headers.get("x-should-retry"), "false");
  t.match(await refused.json(), { error: { code: "content_denied", message: "The prompt holds a forbidden word" } });
  t.same(upstream.seen, []);
  t.equal((await gateway.chat(HELLO)).status, 200);
  const bad = { use: join(PLUGINS, "forbidden-word.ts"), config: { words: [] } };
  const ran = await tollgate(folder(t, { plugins: ["auth", bad] }), ["run"]);
  t.match(ran, { code: 78, stderr: /plugin `forbidden-word`.*words/s }, "its config is checked at start");
});

t.test("a guardrail that rewrites: the new body is forwarded, and judged like one that was sent so", async (t) => {
  const redact = (word: string, by: string): object => ({ use: join(PLUGINS, "redact-word.ts"), config: { word, by } });
  const plugins = (guardrail: object): object => ({ plugins: ["auth", "iam", guardrail, "budget", "logging"] });
  const { gateway, upstream } = await setUp(t, plugins(redact("4111 1111", "XXXX XXXX")));
  const answer = await gateway.chat({ ...HELLO, messages: [{ role: "user", content: "My card is 4111 1111" }] });
  t.equal(answer.status, 200);
  t.match(JSON.parse(upstream.seen[0]?.body ?? ""), { messages: [{ content: "My card is XXXX XXXX" }] });

  const swap = await setUp(t, plugins(redact("gpt-4o-mini", "gpt-4")), "version 1\ndefault allow\ndeny model gpt-4\n");
  const denied = await swap.gateway.chat(HELLO);
  t.equal(denied.status, 403, "a rewrite cannot reach a model that the rules deny");
  t.match(await denied.json(), { error: { code: "permission_denied" } });
  const broken = await setUp(t, plugins(redact('"messages"', '"mess')));
  t.equal((await broken.gateway.chat(HELLO)).status, 400, "nor send what is no request");
  t.same([...swap.upstream.seen, ...broken.upstream.seen], []);
});
