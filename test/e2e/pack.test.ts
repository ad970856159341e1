// The published package: packed, installed where no source and no development dependency is, and used.
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import t from "tap";

const ROOT = join(import.meta.dirname, "..", "..");
/** Outside the repo, so that nothing is found in it by accident. */
const AWAY = mkdtempSync(join(tmpdir(), "tollgate-pack-"));
t.teardown(() => rmSync(AWAY, { recursive: true, force: true }));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without tap's own loaders, which are not there for people who install the package. */
function run(cwd: string, command: string, ...args: string[]): Ran {
  return spawnSync("env", ["-u", "NODE_OPTIONS", command, ...args], { cwd, encoding: "utf8" });
}

/** Packs a copy of the tree, so that the tree's own dist is left alone. */
function pack(): string {
  const copy = join(AWAY, "copy");
  mkdirSync(copy);
  const names = ["src", "plugins", "rules", "package.json", "tsconfig.json", "README.md", "LICENSE"];
  for (const name of names.filter((one) => existsSync(join(ROOT, one)))) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const packed = run(copy, "npm", "pack", "--silent", "--pack-destination", AWAY);
  if (packed.status !== 0) throw new Error(packed.stdout + packed.stderr);
  return join(AWAY, packed.stdout.trim().split("\n").at(-1) ?? "");
}

/** As `npm install` would lay it out: the package, its dependencies beside it, its command in .bin. */
function install(tarball: string): string {
  const modules = join(AWAY, "app", "node_modules");
  const home = join(modules, "tollgate");
  mkdirSync(home, { recursive: true });
  const unpacked = run(home, "tar", "xzf", tarball, "--strip-components=1");
  if (unpacked.status !== 0) throw new Error(unpacked.stderr);
  const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
  mkdirSync(join(modules, ".bin"));
  symlinkSync(join(home, manifest.bin.tollgate), join(modules, ".bin", "tollgate"));
  return join(AWAY, "app");
}

const app = install(pack());
const home = join(app, "node_modules", "tollgate");
const empty = join(AWAY, "empty");
mkdirSync(empty);
const tollgate = (...args: string[]): Ran =>
  run(empty, process.execPath, join(app, "node_modules/.bin/tollgate"), ...args);

t.test("the package holds what was built, the shipped rules and the entry, and no source or test", async (t) => {
  const names = readdirSync(home).filter((name) => name !== "README.md");
  t.strictSame(names.sort(), ["LICENSE", "dist", "package.json", "rules", "src"]);
  t.strictSame(readdirSync(join(home, "src")), ["tollgate.cjs"]);
  t.strictSame(readdirSync(join(home, "dist")).sort(), ["plugins", "src"]);
});

t.test("the command runs in an empty folder: version, config, a key, the list", async (t) => {
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as { version: string };
  t.match(tollgate("--version"), { status: 0, stdout: `${version}\n`, stderr: "" });
  const config = tollgate("config", "--json");
  t.equal(config.status, 0, config.stderr);
  const rules = JSON.parse(config.stdout) as { rules: { directory: string }; rules_from: string };
  t.match(rules, { rules_from: "shipped", rules: { directory: /tollgate\/rules$/ } });
  t.ok(
    readdirSync(rules.rules.directory).some((name) => name.endsWith(".rules")),
    "the shipped rules are there",
  );
  const made = tollgate("keys", "create", "--alias", "first", "--json");
  t.equal(made.status, 0, made.stderr);
  t.match(JSON.parse(made.stdout), { alias: "first", key: /^sk-/ });
  t.match(tollgate("keys", "list").stdout, /first/);
  t.match(tollgate("usage", "--json").stdout, '{"rows":[]}');
  t.strictSame(readdirSync(empty).sort(), ["tollgate.db", "tollgate.db.pepper"]);
});

t.test("a typed plugin in another project gets this very package's contract", async (t) => {
  const plugin = join(app, "guard.ts");
  const lines = ['import { definePlugin, GatewayError } from "tollgate/plugin";', "export { GatewayError };"];
  writeFileSync(plugin, [...lines, 'export default definePlugin({ name: "guard", setup: () => ({}) });'].join("\n"));
  const code = `const { importPlugin } = await import(${JSON.stringify(join(home, "dist/src/plugin-import.js"))});
    const own = await import(${JSON.stringify(join(home, "dist/src/errors.js"))});
    const guard = await importPlugin(${JSON.stringify(plugin)}, "/");
    console.log(guard.default.name, guard.GatewayError === own.GatewayError);`;
  t.match(run(empty, process.execPath, "--input-type=module", "-e", code), { stdout: "guard true\n", stderr: "" });
});

t.test("the client, in another project, does against a running gateway what its README says", async (t) => {
  const folder = join(AWAY, "served");
  mkdirSync(folder);
  const listeners = { listen: "127.0.0.1:0", admin: { listen: "127.0.0.1:0", key: "adm-of-this-test" } };
  writeFileSync(join(folder, "tollgate.yaml"), JSON.stringify({ ...listeners, rules: "." }));
  writeFileSync(join(folder, "all.rules"), "version 1\ndefault allow\n");
  const words = ["-u", "NODE_OPTIONS", process.execPath, join(app, "node_modules/.bin/tollgate"), "run", "--json"];
  const gateway = spawn("env", words, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  t.teardown(() => gateway.kill("SIGKILL"));
  const [line] = (await once(gateway.stdout, "data")) as [Buffer];
  const { url, admin_url: adminUrl } = JSON.parse(line.toString()) as { url: string; admin_url: string };
  const [, code = ""] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, "src/client/README.md"), "utf8")) ?? [];
  const source = code.replace("http://127.0.0.1:4001", adminUrl).replace("http://127.0.0.1:4000", url);
  writeFileSync(join(app, "client.mjs"), source);
  const ran = promisify(execFile)("env", ["-u", "NODE_OPTIONS", process.execPath, "client.mjs"], {
    ...{ cwd: app, env: { ...process.env, TOLLGATE_ADMIN_KEY: "adm-of-this-test" } },
  });
  t.match(await ran, { stdout: "acme app active\nTeam suspended or insufficient credits\n", stderr: "" }, "no credits");
  const reference = readdirSync(join(home, "dist/src/client")).filter((name) => name.endsWith(".js"));
  const imports = reference.flatMap((name) =>
    [...readFileSync(join(home, "dist/src/client", name), "utf8").matchAll(/from "([^"]+)"/g)].map(([, from]) => from),
  );
  t.ok(imports.length > 3 && imports.every((from) => from?.startsWith("./")), "it stands alone");
});

t.test("a program that uses the client is type-checked against the package", async (t) => {
  const lines = [
    'import { TollgateAdmin, type Key } from "tollgate/client";',
    'const admin = new TollgateAdmin({ baseUrl: "http://127.0.0.1:4001", adminKey: "k" });',
    'const made: Promise<Key> = admin.keys.create({ alias: "a", rpm_limit: 5 });',
    "export const key = made.then(({ alias, budgets }) => [alias, budgets[0]?.limit_usd]);",
  ];
  const compilerOptions = { module: "nodenext", target: "es2024", lib: ["es2024", "dom"], strict: true, noEmit: true };
  writeFileSync(join(app, "package.json"), '{ "type": "module" }');
  writeFileSync(
    join(app, "tsconfig.json"),
    JSON.stringify({ compilerOptions: { ...compilerOptions, types: [] }, files: ["uses.ts"] }),
  );
  writeFileSync(join(app, "uses.ts"), lines.join("\n"));
  const tsc = (): Ran => run(app, join(ROOT, "node_modules", ".bin", "tsc"), "-p", ".");
  t.match(tsc(), { status: 0, stdout: "" });
  writeFileSync(join(app, "uses.ts"), lines.join("\n").replace("rpm_limit: 5", 'rpm_limit: "5"'));
  t.match(tsc().stdout, /'string' is not assignable to type 'number/, "for real");
});

t.test("a plugin in another project is type-checked against the package", async (t) => {
  const source = join(ROOT, "test", "support", "plugins", "forbidden-word.ts");
  cpSync(source, join(app, "forbidden-word.ts"));
  const compilerOptions = {
    module: "nodenext",
    target: "es2024",
    strict: true,
    noEmit: true,
    types: [],
    skipLibCheck: true,
  };
  writeFileSync(join(app, "package.json"), '{ "type": "module" }');
  writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["forbidden-word.ts"] }));
  const checked = run(app, join(ROOT, "node_modules", ".bin", "tsc"), "-p", ".");
  t.match(checked, { status: 0, stdout: "" });
  const broken = readFileSync(source, "utf8").replace("call.body", "call.boddy");
  writeFileSync(join(app, "forbidden-word.ts"), broken);
  t.match(run(app, join(ROOT, "node_modules", ".bin", "tsc"), "-p", ".").stdout, /'boddy' does not exist/, "for real");
});
