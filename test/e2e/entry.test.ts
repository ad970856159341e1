// The entry on machines that are not ready: an old Node, a clone without its dependencies.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";

const ENTRY = join(import.meta.dirname, "..", "..", "src", "tollgate.cjs");

/** A clone with the entry and a main that says that it ran. */
function clone(t: Test, withDependencies: boolean): string {
  const root = t.testdir({ src: { "main.ts": 'export function start(): void { console.log("main ran"); }\n' } });
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  copyFileSync(ENTRY, join(root, "src", "tollgate.cjs"));
  if (withDependencies) mkdirSync(join(root, "node_modules"));
  return join(root, "src", "tollgate.cjs");
}

function oldNode(): string | null {
  const node = "/usr/bin/node";
  if (!existsSync(node)) return null;
  const { stdout } = spawnSync(node, ["--version"], { encoding: "utf8" });
  const [major = 0, minor = 0] = stdout.slice(1).split(".").map(Number);
  return major < 22 || (major === 22 && minor < 18) ? node : null;
}

const OLD = oldNode();

t.test("an old Node is refused in one sentence with exit code 78", { skip: OLD === null }, async (t) => {
  const refusal =
    /^tollgate needs Node 22\.18 or newer and this is Node \d+\.\d+\.\d+: .*`npm ci`.*install a newer Node\n$/;
  for (const withDependencies of [false, true]) {
    const ran = spawnSync(String(OLD), [clone(t, withDependencies), "run"], { encoding: "utf8" });
    t.match(ran, { status: 78, stdout: "", stderr: refusal }, `node_modules: ${withDependencies}`);
  }
});

t.test("each line of the entry is old JavaScript, and it asks for the Node that package.json asks for", async (t) => {
  const text = readFileSync(ENTRY, "utf8");
  t.notMatch(text.replace(/^ *\/[/*].*$|"[^"]*"/gm, ""), /=>|`|\b(?:let|const|class|async|await)\b|\?\.|\?\?/);
  const { engines } = JSON.parse(readFileSync(join(ENTRY, "..", "..", "package.json"), "utf8"));
  const needed = /NEEDED = \[(\d+), (\d+)\]/.exec(text);
  t.equal(engines.node, `>=${needed?.[1]}.${needed?.[2]}`);
});

t.test("a clone without node_modules says to run npm ci; with them it runs", async (t) => {
  const bare = spawnSync(process.execPath, [clone(t, false), "run"], { encoding: "utf8" });
  t.match(bare, { status: 78, stdout: "", stderr: /^tollgate's dependencies are not installed: run `npm ci` in \// });
  const ready = clone(t, true);
  t.match(spawnSync(process.execPath, [ready, "run"], { encoding: "utf8" }), { status: 0, stdout: "main ran\n" });
  const link = join(ready, "..", "..", "link");
  symlinkSync(ready, link);
  t.match(spawnSync(process.execPath, [link], { encoding: "utf8" }), { status: 0, stdout: "main ran\n" }, "by a link");
});

t.test("half an installation says so", async (t) => {
  const entry = clone(t, true);
  writeFileSync(join(entry, "..", "main.ts"), 'import "no-such-package";\n');
  const ran = spawnSync(process.execPath, [entry, "run"], { encoding: "utf8" });
  t.match(ran, {
    status: 78,
    stderr: /^tollgate is not fully installed \(Cannot find package 'no-such-package'.*run `npm ci`\n$/,
  });
});
