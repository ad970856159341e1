// A start with broken rule files: the last good rules, loudly, where there are some; no start where there are none.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type GatewayProcess, gatewayFolder, spawnGateway } from "../support/process.ts";
import { until } from "../support/until.ts";

const CONFIG = { providers: [{ name: "demo", base_url: "demo:", wire: ["openai"] }] };
const NO_MINI = "default allow\ndeny model gpt-4o-mini as no-mini\n";
const BROKEN = "default allow\ndney model gpt-4\n";

async function stop(gateway: GatewayProcess): Promise<void> {
  gateway.child.kill("SIGTERM");
  await gateway.ended;
}

function ask({ url }: GatewayProcess, key: string): Promise<Response> {
  const body = JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 9 });
  return fetch(`${url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${key}` }, body });
}

async function rulesOf({ url }: GatewayProcess): Promise<Record<string, unknown>> {
  const { rules } = (await (await fetch(`${url}/readyz?verbose`)).json()) as { rules: Record<string, unknown> };
  return rules;
}

/** A folder whose rules were in force once, and are broken now. */
async function brokenFolder(t: Test): Promise<{ directory: string; key: string; rules: string }> {
  const { directory, key } = await gatewayFolder(t, CONFIG);
  const rules = join(directory, "rules", "all.rules");
  writeFileSync(rules, NO_MINI);
  await stop(await spawnGateway(t, directory));
  writeFileSync(rules, BROKEN);
  return { directory, key, rules };
}

t.test("the last good rules are in force after a restart, and health and log say that they are old", async (t) => {
  const { directory, key, rules } = await brokenFolder(t);
  const gateway = await spawnGateway(t, directory);
  const denied = await ask(gateway, key);
  t.equal(denied.status, 403);
  t.equal(denied.headers.get("x-tollgate-rule"), "no-mini");
  const shout = await until("it is logged", () =>
    gateway.logged().find(({ msg }) => /^THE RULE FILES ARE BROKEN/.test(String(msg))),
  );
  t.match(shout, { level: "error", generation: 1, rules: 1, report: /E102.*`dney`/s });
  t.match(await rulesOf(gateway), {
    generation: 1,
    hash: /^[0-9a-f]{12}$/,
    files: 1,
    rules: 1,
    stale: true,
    kept: /^2.*Z$/,
    failed: /Z$/,
  });
  t.equal((await fetch(`${gateway.url}/readyz`)).status, 200, "it serves");
  writeFileSync(rules, "default allow\n");
  await until("the repair is in force", async () => (await ask(gateway, key)).status === 200);
  t.match(await rulesOf(gateway), { generation: 2, stale: false, kept: null, failed: null });
  await stop(gateway);
});

t.test("a first start ever, or `on_broken_start: refuse`, is refused with the report", async (t) => {
  const first = await gatewayFolder(t, CONFIG);
  writeFileSync(join(first.directory, "rules", "all.rules"), BROKEN);
  await t.rejects(spawnGateway(t, first.directory), /the rules are broken\nerror\[E102\]: unknown effect `dney`/);
  const { directory } = await brokenFolder(t);
  const strict = { ...CONFIG, rules: { on_broken_start: "refuse" } };
  const listeners = { listen: "127.0.0.1:0", admin: { listen: "127.0.0.1:0" } };
  writeFileSync(join(directory, "tollgate.yaml"), JSON.stringify({ ...listeners, ...strict }));
  await t.rejects(spawnGateway(t, directory), /the rules are broken\nerror\[E102\]/);
});
