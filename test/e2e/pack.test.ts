// The published package: packed, installed where no source and no development dependency is, and used.
import { spawnSync } from "node:child_process";
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
