// Attributes that plugins register, from the rule file to the answer: through a running gateway, and for the commands.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { check } from "../../src/cli/check.ts";
import { explain } from "../../src/cli/explain.ts";
import { test as testCommand } from "../../src/cli/test.ts";
import { runIn } from "../support/cli.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { CHAT_ANSWER, json, type ScriptedUpstream, startUpstream } from "../support/upstream.ts";

const PLUGIN = join(import.meta.dirname, "..", "support", "plugins", "prompt-words.ts");
const PLUGINS = ["auth", "iam", "budget", "logging", PLUGIN];
const MODEL = "gpt-4o-mini";

async function setUp(t: Test, rules: string): Promise<{ gateway: TestGateway; upstream: ScriptedUpstream }> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }];
  const options = { providers, config: { plugins: PLUGINS }, rules: { "a.rules": `default allow\n${rules}\n` } };
  return { gateway: await startTestGateway(t, options), upstream };
}

const saying = (content: unknown): object => ({ model: MODEL, max_tokens: 20, messages: [{ role: "user", content }] });

async function answer(response: Response): Promise<{ status: number; message: string }> {
  const body = (await response.json()) as { error?: { message: string } };
  return { status: response.status, message: body.error?.message ?? "" };
}

t.test("a rule compares what a third-party plugin reads of the request", async (t) => {
  const { gateway } = await setUp(
    t,
    'deny when prompt.words > 5 as short\nlimit 100 requests per 1m by key\ntest "long" {\n  given prompt.words 6\n  expect deny by short\n}',
  );
  t.equal((await gateway.chat(saying("five words and no more"))).status, 200);
  t.same(await answer(await gateway.chat(saying("six words are more than five"))), {
    status: 403,
    message: `Access denied: model ${MODEL} (prompt.words 6) is denied by short (prompt.words > 5)`,
  });
  const unknown = await answer(await gateway.chat(saying([{ type: "text", text: "hi" }])));
  t.match(unknown, { status: 403, message: "(prompt.words unknown)" }, "unknown never helps the caller");
});

t.test("rules compare estimates, what is left of a budget, and how busy a key is", async (t) => {
  const { gateway, upstream } = await setUp(
    t,
    `deny when tokens.input > 2k as long
deny when cost.estimate > $0.01 as dear
deny when budget.remaining < 50% as poor
deny for key solo when concurrency >= 1 as one-at-once
deny for key slow when requests.rate >= 2 as slow`,
  );
  const by = (key: string, body = saying("hi")): Promise<Response> =>
    gateway.chat(body, { authorization: `Bearer ${key}` });
  t.match(await answer(await gateway.chat(saying("x".repeat(3_000)))), { status: 403, message: "is denied by long" });
  const dear = { ...saying("hi"), max_tokens: 16_000, n: 8 };
  t.match(await answer(await gateway.chat(dear)), {
    status: 403,
    message: /\(cost\.estimate \$0\.0\d+\) is denied by dear/,
  });

  const rich = gateway.makeKey({ alias: "rich", budget: { limitNanoUsd: 1_000_000_000n, window: "month" } });
  t.equal((await by(rich)).status, 200);
  // Each of these costs 4,500 nano-USD, and holds at most 30,000.
  const poor = gateway.makeKey({ alias: "poor", budget: { limitNanoUsd: 60_000n, window: "month" } });
  for (let i = 0; i < 7; i += 1) t.equal((await by(poor)).status, 200);
  t.match(await answer(await by(poor)), { status: 403, message: "(budget.remaining 47.5%) is denied by poor" });

  const slow = gateway.makeKey({ alias: "slow" });
  for (let i = 0; i < 2; i += 1) t.equal((await by(slow)).status, 200);
  t.match(await answer(await by(slow)), { status: 403, message: "(requests.rate 2) is denied by slow" });

  const solo = gateway.makeKey({ alias: "solo" });
  let release = (): unknown => undefined;
  upstream.answer = (...request) => {
    release = () => json(CHAT_ANSWER)(...request);
  };
  const sent = upstream.seen.length;
  const first = by(solo);
  await until("the first is under way", () => upstream.seen.length > sent);
  t.match(await answer(await by(solo)), { status: 403, message: "(concurrency 1) is denied by one-at-once" });
  release();
  t.equal((await first).status, 200);
  upstream.answer = json(CHAT_ANSWER);
  t.equal((await by(solo)).status, 200);
});

t.test("the commands know what plugins declare, without setting them up", async (t) => {
  const cwd = t.testdir({
    rules: {
      "a.rules":
        'default allow\ndeny when prompt.words > 5 as short\ndeny when budget.remaining < 10% as poor\ntest "x" {\n  given prompt.words 3, budget.remaining 50%\n  expect allow\n}\ntest "y" {\n  given prompt.words 6, budget.remaining 5%\n  expect deny by short, poor\n}\n',
    },
    "tollgate.yaml": JSON.stringify({ plugins: PLUGINS }),
    "bad.yaml": JSON.stringify({ plugins: ["auth", "./nowhere.mjs"] }),
    "bare.yaml": JSON.stringify({ plugins: ["auth", "iam"] }),
    "noisy.yaml": JSON.stringify({ plugins: ["./noisy.mjs"] }),
    "noisy.mjs":
      "export default { name: 'noisy', attributes: [{ name: 'noise', type: 'number', note: 'n', fixedBy: 'now' }], setup() { throw new Error('set up'); } };",
  });
  t.match(await runIn(cwd, check.run, []), { code: 0, stdout: "" });
  t.match(await runIn(cwd, testCommand.run, []), { code: 0, stderr: "2 tests: 2 passed, 0 failed\n" });
  t.match(await runIn(cwd, explain.run, [`model=${MODEL}`, "prompt.words=9", "budget.remaining=$3"]), {
    code: 0,
    stdout: /deny: .*\(prompt\.words 9\) is denied by short/,
  });
  t.match(await runIn(cwd, check.run, ["--config", "bare.yaml"]), {
    code: 2,
    stdout: /E201.*`prompt\.words`.*plugin/s,
  });
  await t.rejects(runIn(cwd, check.run, ["--config", "bad.yaml"]), {
    exitCode: 78,
    message: /nowhere\.mjs.*does not exist/s,
  });
  writeFileSync(join(cwd, "rules", "a.rules"), "default allow\ndeny when noise > 5\n");
  t.match(await runIn(cwd, check.run, ["--config", "noisy.yaml"]), { code: 0 }, "nothing was set up");
});
