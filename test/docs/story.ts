// Runs a document's `sh` blocks as one story, beside a real gateway in a fresh folder.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./made.ts";

/** A gateway as `tollgate run --json` started it. */
export interface Started {
  readonly process: ChildProcess;
  readonly url: string;
  readonly adminUrl: string;
  readonly env: NodeJS.ProcessEnv;
}

/** A command of its own for whatever the blocks call that must not, or need not, happen for real. */
const STUBS: Readonly<Record<string, string>> = {
  tollgate: `exec "${process.execPath}" "${join(ROOT, "src/tollgate.cjs")}" "$@"`,
  npx: `shift; exec tollgate "$@"`,
  npm: `case "$1" in
  exec) shift 3; exec tollgate "$@" ;;
  ci | cit | start | test) ;;
  run) "${process.execPath}" -e 'process.exit(process.argv[2] in require(process.argv[1]).scripts ? 0 : 1)' "${join(ROOT, "package.json")}" "$2" ;;
  *) exit 1 ;;
esac`,
};

/** Starts it on free ports, with the shipped rules. */
export async function startIn(directory: string): Promise<Started> {
  const bin = join(directory, "bin");
  mkdirSync(bin);
  for (const [name, script] of Object.entries(STUBS)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  cpSync(join(ROOT, "rules"), join(directory, "rules"), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  writeFileSync(join(directory, "tollgate.yaml"), 'listen: 127.0.0.1:0\nadmin: { listen: "127.0.0.1:0" }\n');
  // Without tap's own loaders, and without keys that would make real providers.
  const { NODE_OPTIONS: _loaders, OPENAI_API_KEY: _openai, ANTHROPIC_API_KEY: _anthropic, ...rest } = process.env;
  const env = { ...rest, PATH: `${bin}:${process.env.PATH}` };
  const child = spawn("tollgate", ["run", "--json"], { cwd: directory, env, stdio: ["ignore", "pipe", "ignore"] });
  const { url, admin_url, admin_key, key } = await firstLine(child);
  const keys = { TOLLGATE_KEY: String(key), TOLLGATE_ADMIN_KEY: String(admin_key) };
  return { process: child, url: String(url), adminUrl: String(admin_url), env: { ...env, ...keys } };
}

function firstLine(child: ChildProcess): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}`)));
    child.stdout?.on("data", (chunk) => {
      text += String(chunk);
      if (text.includes("\n")) resolve(JSON.parse(text.split("\n", 1)[0] ?? ""));
    });
  });
}

/** What the blocks print, one text a block. @throws Error when one fails */
export function runBlocks(blocks: readonly string[], directory: string, gateway: Started): string[] {
  const ruler = "@@ block @@";
  const script = blocks.join(`\necho "${ruler}"\n`);
  const ran = spawnSync("bash", ["-e", "-c", atPorts(script, gateway)], {
    cwd: directory,
    env: gateway.env,
    encoding: "utf8",
  });
  if (ran.status !== 0) throw new Error(`exit ${ran.status} after\n${ran.stdout}\n${ran.stderr}`);
  return ran.stdout.split(`${ruler}\n`);
}

/** The addresses of the document as those of the gateway. */
export function atPorts(text: string, { url, adminUrl }: Started): string {
  return text.replaceAll("http://127.0.0.1:4000", url).replaceAll("http://127.0.0.1:4001", adminUrl);
}

/** A text without what differs from run to run: ids, secrets, dates, the width of columns. */
export function steady(text: string): string {
  return text
    .replace(/\b(key|team|bud|req)_\w+/g, "$1_ID")
    .replace(/sk-\w{4}…\w{4}/g, "sk-ID")
    .replace(/\b\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?/g, "DATE")
    .replace(/\r/g, "")
    .replace(/ +/g, " ")
    .trim();
}
