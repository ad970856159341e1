// README.md says what is true: its made parts are current, its commands run, its examples load and work.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { parse } from "yaml";
import { loadConfig } from "../../src/config.ts";
import { ERRORS } from "../../src/errors.ts";
import { createCatalogue } from "../../src/llm/catalogue.ts";
import { ROUTES } from "../../src/llm/wire.ts";
import { startTestGateway } from "../support/gateway.ts";
import { madeParts, README_FILE, ROOT, withParts } from "./made.ts";
import { atPorts, runBlocks, startIn, steady } from "./story.ts";

const README = readFileSync(README_FILE, "utf8");

/** The fenced blocks, in order. */
const BLOCKS = [...README.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({
  language,
  text,
}));

const blocks = (language: string): string[] =>
  BLOCKS.filter((one) => one.language === language).map(({ text }) => text);

function section(heading: string): string {
  const [, after] = README.split(new RegExp(`^#+ ${heading}\n`, "m"));
  if (after === undefined) throw new Error(`no section ${heading}`);
  return after.split(/^#+ /m)[0] ?? "";
}

t.test("the made parts are what the code gives; `node test/docs/write.ts` writes them", async (t) => {
  t.equal(README, withParts(README, await madeParts()));
});

t.test("the README is not too long, and its links lead somewhere", async (t) => {
  t.ok(README.split("\n").length < 480);
  const anchors = [...README.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => title.toLowerCase().replaceAll(" ", "-"));
  for (const [, link = ""] of README.matchAll(/\]\(([^)]+)\)/g)) {
    if (link.startsWith("#")) t.ok(anchors.includes(link.slice(1)), link);
    else t.ok(existsSync(join(ROOT, link.replace(/#.*$/, ""))), link);
  }
  for (const [, path = ""] of README.matchAll(/`((?:src|test|plugins|rules|bench|\.ci)\/[\w./-]+)`/g)) {
    if (path !== "test/FILE.test.ts") t.ok(existsSync(join(ROOT, path)), path);
  }
});

t.test("the staircase names every error code, and the plugin hooks in their order", async (t) => {
  const staircase = section("The way of a request");
  const missing = Object.keys(ERRORS).filter((code) => !new RegExp(`\\b${code}\\b`).test(staircase));
  t.same(missing, []);
  const statuses = [...staircase.matchAll(/(\d{3}) ((?:[a-z_]+(?:, )?)+)/g)];
  t.ok(statuses.length > 10);
  for (const [, status, codes = ""] of statuses) {
    for (const code of codes.split(", ").filter((one) => Object.hasOwn(ERRORS, one))) {
      const expected = code === "policy_error" ? 403 : Number(status);
      t.equal(ERRORS[code as keyof typeof ERRORS].status, expected, code);
    }
  }
  const contract = readFileSync(join(ROOT, "src/plugin.ts"), "utf8").split("export interface PluginHooks {")[1] ?? "";
  const hooks = [...(contract.split("\n}")[0] ?? "").matchAll(/^ {2}(?:readonly )?(\w+)\?/gm)].map(([, name]) => name);
  const listed = [...section("Writing a plugin").matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  t.same(listed.toSorted(), hooks.toSorted());
  const phases = [...staircase.matchAll(/^ {2}├ (\w+)/gm)].map(([, name]) => name);
  t.same(
    phases,
    listed.filter((name) => !["start", "stop", "metrics", "routes", "readAttributes"].includes(String(name))),
  );
});

t.test("the paths that it says are served are those that are", async (t) => {
  const limits = section("What this version does not do");
  for (const path of [...ROUTES.keys(), "/v1/models"]) t.ok(limits.includes(path), path);
  const named = [...limits.matchAll(/(?:GET|POST) (\/v1\/[\w/]+)/g)].map(([, path]) => path);
  t.same(named.toSorted(), [...ROUTES.keys(), "/v1/models"].toSorted());
});

t.test("the example config loads, and says what the README says it does", async (t) => {
  const cwd = t.testdir({ secrets: { "anthropic-key": "sk-ant-example\n" } });
  const [example = ""] = blocks("yaml");
  writeFileSync(join(cwd, "tollgate.yaml"), example.replaceAll("/run/secrets", join(cwd, "secrets")));
  const config = loadConfig({ cwd, env: { OPENAI_API_KEY: "sk-a", TOLLGATE_ADMIN_KEY: "adm-b" } });
  t.match(config, { admin: { key: "adm-b" }, durability: "full", providers: [{}, { apiKey: "sk-ant-example" }, {}] });
  const catalogue = createCatalogue({ ...config, nowMs: Date.now() });
  t.match(catalogue.resolve("fast", "openai"), [{ provider: "openai", model: "gpt-4o-mini" }]);
  t.match(catalogue.resolve("house", "openai"), [{ provider: "vllm", price: { inputPicoUsd: 100_000 } }]);
  t.match(catalogue.resolve("claude-haiku-4-5", "anthropic"), [{ provider: "anthropic" }]);
  t.throws(() => loadConfig({ cwd, env: {} }), { message: /TOLLGATE_ADMIN_KEY` is not set/ }, "it reads the variables");
});

t.test("the plugin works as the example config sets it up, and fails closed", async (t) => {
  const [example = ""] = blocks("yaml");
  const { plugins } = parse(example) as { plugins: (string | { use: string; config: { words: string[] } })[] };
  const own = plugins.find((one) => typeof one !== "string");
  const word = own?.config.words[0] ?? "";
  const source = BLOCKS.find(({ language, text }) => language === "ts" && text.includes("definePlugin"))?.text ?? "";
  // Not in `t.testdir`, which the gateway makes anew.
  const directory = mkdtempSync(join(tmpdir(), "tollgate-plugin-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const at = join(directory, "forbidden-word.ts");
  writeFileSync(at, source);
  const gateway = await startTestGateway(t, {
    providers: [{ name: "demo", base_url: "demo:", wire: ["openai"] }],
    config: { plugins: plugins.map((one) => (typeof one === "string" ? one : { ...one, use: at })) },
  });
  const ask = (content: string): Promise<Response> =>
    gateway.chat({ model: "gpt-4o-mini", messages: [{ role: "user", content }], max_tokens: 20 });
  t.equal((await ask("Hello")).status, 200);
  const refused = await ask(`Tell me about ${word}`);
  t.equal(refused.status, 403);
  t.match(await refused.json(), { error: { code: "content_denied", message: "The prompt holds a forbidden word" } });
});

t.test("the commands run and print what the README shows; the SDKs' code works", async (t) => {
  const directory = t.testdir({});
  const gateway = await startIn(directory);
  const ended = new Promise((resolve) => gateway.process.once("exit", resolve));
  t.teardown(() => gateway.process.kill("SIGKILL"));
  const printed = runBlocks(blocks("sh"), directory, gateway);
  const shells = BLOCKS.flatMap((one, i) => (one.language === "sh" ? [BLOCKS[i + 1]] : []));
  let compared = 0;
  for (const [i, next] of shells.entries()) {
    if (next?.language !== "text" || !SHOWN.test(next.text)) continue;
    t.equal(steady(printed[i] ?? ""), steady(next.text));
    compared += 1;
  }
  t.equal(compared, 3);
  for (const code of blocks("js")) {
    writeFileSync(join(directory, "sdk.mjs"), atPorts(code, gateway));
    const ran = spawnSync(process.execPath, ["sdk.mjs"], { cwd: directory, env: gateway.env, encoding: "utf8" });
    t.match(ran, { status: 0, stdout: /^Hello from Tollgate's demo provider!/ }, ran.stderr);
  }
  gateway.process.kill("SIGTERM");
  t.equal(await ended, 0, "it drains");
});

/** How the texts begin that show what the commands above them print. */
const SHOWN = /^(?:ID|KEY|\{"error")/;
