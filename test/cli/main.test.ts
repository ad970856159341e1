// The process: which command runs, what is asked for help, what errors come to; `tollgate config`; the pepper.
import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { parse } from "yaml";
import { COMMANDS } from "../../src/cli/commands.ts";
import { loadPepper } from "../../src/store/open.ts";
import { tollgate } from "../support/cli.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const ENTRY = join(ROOT, "src", "tollgate.cjs");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };

t.test("--version, --help and help NAME answer on stdout", async (t) => {
  const cwd = t.testdir({});
  t.same(await tollgate(cwd, ["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
  const overview = await tollgate(cwd, ["--help"]);
  t.equal(overview.code, 0, overview.stderr);
  for (const { name, load } of COMMANDS) {
    const command = await load();
    t.equal(command.name, name, "the list has the command's own name");
    t.match(overview.stdout, new RegExp(`^  ${name} +${command.summary.slice(0, 10)}`, "m"));
    const help = await tollgate(cwd, [name, "--help"]);
    t.match(help, { code: 0, stderr: "" });
    t.match(help.stdout, /^\S.*[\s\S]*^Usage:\n {2}tollgate /m, `${name}: help`);
    t.same(await tollgate(cwd, ["help", name]), help);
  }
  t.match(await tollgate(cwd, []), { code: 64, stdout: "", stderr: /Usage: tollgate COMMAND/ });
});

t.test("an unknown command gets a suggestion and 64", async (t) => {
  const cwd = t.testdir({});
  const told = async (...argv: string[]): Promise<string> => {
    const { code, stderr, stdout } = await tollgate(cwd, argv);
    t.same([code, stdout], [64, ""]);
    return stderr;
  };
  t.equal(await told("kyes"), "tollgate: unknown command `kyes`: did you mean `keys`?\n");
  t.match(await told("frobnicate"), /^tollgate: unknown command `frobnicate`: the commands are run, check, keys/);
  t.match(await told("--config", "x"), "options come after the command");
});

t.test("config shows what is in force, as YAML, JSON, schema or a bare yes", async (t) => {
  const cwd = t.testdir({ "tollgate.yaml": "admin: { key: an-admin-key-of-length }\nlog: { level: debug }\n" });
  const env = { OPENAI_API_KEY: "sk-proj-very-secret-indeed-wxyz" };
  const yaml = await tollgate(cwd, ["config"], env);
  t.match(yaml.stdout, `# ${join(cwd, "tollgate.yaml")}\n`);
  t.match(yaml.stdout, "/rules # from: shipped\n");
  t.match(parse(yaml.stdout), { log: { level: "debug" }, providers: [{ name: "openai", api_key: "sk-…wxyz" }] });
  const json = await tollgate(cwd, ["config", "--json"], env);
  t.match(JSON.parse(json.stdout), {
    file: join(cwd, "tollgate.yaml"),
    rules_from: "shipped",
    listen: "127.0.0.1:4000",
  });
  t.notMatch(yaml.stdout + json.stdout, /very-secret|an-admin-key/);
  t.match(await tollgate(cwd, ["config", "--check"], env), {
    code: 0,
    stdout: "",
    stderr: /tollgate\.yaml is good\n$/,
  });
  t.match(JSON.parse((await tollgate(cwd, ["config", "--schema"])).stdout), { title: "tollgate.yaml", type: "object" });
  t.match(await tollgate(cwd, ["config", "--schema", "--check"]), { code: 64 });
  t.match(await tollgate(t.testdir({}), ["config"]), { stdout: /^# no config file: defaults\n/ });
});

t.test("config --check reads what a start would: the plugins and their config, and prices at odds", async (t) => {
  const plugin = (source: string): string => `import { definePlugin, z } from "tollgate/plugin";\n${source}`;
  const words = `export default definePlugin({ name: "words", config: z.strictObject({ words: z.array(z.string()) }),
    setup: () => { throw new Error("no check sets a plugin up"); } });`;
  const started = (config: string): string => `plugins: [auth, iam, ${config}]\n`;
  const price = (input: string): string =>
    `{ provider: demo, model: gpt-4o, price: { input: ${input}, output: $1/M } }`;
  const demo = "providers: [{ name: demo, base_url: 'demo:', wire: openai }]\n";
  const cases: [string, number, RegExp][] = [
    [started("{ use: ./words.ts, config: { words: [a] } }"), 0, /tollgate\.yaml is good\n$/],
    [
      started("{ use: ./words.ts, config: { wrods: [a] } }"),
      78,
      /unknown key `wrods`[\s\S]*--> tollgate\.yaml:1:\d+\n[\s\S]*did you mean `words`\?/,
    ],
    [started("{ use: ./words.ts, config: { words: 5 } }"), 78, /plugin `words`: expected a list .*words/],
    [started("{ use: budget, config: { x: 1 } }"), 78, /`budget` takes no config|unknown key `x`/],
    [started("./none.ts"), 78, /none\.ts`: the file does not exist/],
    [started("loging"), 78, /did you mean `logging`\?/],
    [`${demo}models: { a: ${price("$1/M")}, b: ${price("$1/M")} }\n`, 0, /is good/],
    [`${demo}models: { a: ${price("$1/M")}, b: ${price("$2/M")} }\n`, 78, /another entry gives `gpt-4o`/],
  ];
  for (const [text, code, stderr] of cases) {
    const cwd = t.testdir({ "tollgate.yaml": text, "words.ts": plugin(words) });
    t.match(await tollgate(cwd, ["config", "--check"]), { code, stdout: "", stderr }, text);
    t.strictSame(readdirSync(cwd).sort(), ["tollgate.yaml", "words.ts"], "nothing is opened");
  }
});

t.test("the pepper is made once, for its owner, and the same for all", async (t) => {
  const cwd = t.testdir({});
  const config = { database: `sqlite:${join(cwd, "x.db")}`, durability: "normal" } as const;
  const file = join(cwd, "x.db.pepper");
  const none = { hasKeys: () => false };
  const code = `import { loadPepper } from "./src/store/open.ts";
    process.stdout.write(loadPepper(${JSON.stringify(config)}, {}, { hasKeys: () => false }).toString("hex"));`;
  const runs = await Promise.all([1, 2, 3, 4].map(() => run(code)));
  t.equal(new Set(runs).size, 1, "processes that start together agree");
  t.equal(loadPepper(config, {}, none).toString("hex"), runs[0]);
  t.equal(statSync(file).mode & 0o777, 0o600);
  const given = Buffer.alloc(32, 9);
  t.strictSame(loadPepper(config, { TOLLGATE_PEPPER: given.toString("hex") }, none), given);
  t.strictSame(loadPepper(config, { TOLLGATE_PEPPER: given.toString("base64") }, none), given);
  t.throws(() => loadPepper(config, { TOLLGATE_PEPPER: "short" }, none), {
    message: /TOLLGATE_PEPPER does not hold 32 bytes/,
    exitCode: 78,
  });
  writeFileSync(file, "");
  t.throws(() => loadPepper(config, {}, none), { message: /x\.db\.pepper does not hold 32 bytes/, exitCode: 78 });
  writeFileSync(file, "x");
  chmodSync(file, 0o000);
  if (process.getuid?.() !== 0)
    t.throws(() => loadPepper(config, {}, none), { message: /cannot be used: EACCES/, exitCode: 78 });
});

async function run(code: string): Promise<string> {
  const { spawn } = await import("node:child_process");
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const chunk of child.stdout) text += String(chunk);
  return text;
}

t.test("the real command: exit code, streams, and a reader that leaves early", async (t) => {
  const cwd = t.testdir({});
  const version = spawnSync(process.execPath, [ENTRY, "--version"], { cwd, encoding: "utf8" });
  t.match(version, { status: 0, stderr: "" });
  t.match(spawnSync(process.execPath, [ENTRY, "nope"], { cwd, encoding: "utf8" }), { status: 64, stdout: "" });
  const piped = `"${process.execPath}" "${ENTRY}" config --schema | head -c 1`;
  t.match(spawnSync("sh", ["-c", piped], { cwd, encoding: "utf8" }), { status: 0, stdout: "{", stderr: "" });
});

t.test("an unexpected error is one line, and a stack only when asked for", async (t) => {
  const broken = { name: "broken", load: () => Promise.reject(new TypeError("a bug")) };
  (COMMANDS as (typeof broken)[]).push(broken);
  t.teardown(() => (COMMANDS as unknown[]).pop());
  const short = await tollgate("/", ["broken"]);
  t.same(short, { code: 1, stdout: "", stderr: "tollgate: unexpected error: a bug\n(TOLLGATE_DEBUG=1 shows where)\n" });
  t.match(
    (await tollgate("/", ["broken"], { TOLLGATE_DEBUG: "1" })).stderr,
    /unexpected error: TypeError: a bug\n +at /,
  );
});
