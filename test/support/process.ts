// A gateway as a process of its own: `tollgate run --json`, with signals and an end.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { tollgate } from "./cli.ts";
import { newFolder } from "./folder.ts";
import { until } from "./until.ts";

const ENTRY = join(import.meta.dirname, "..", "..", "src", "tollgate.cjs");
/** A start takes half a second of CPU; machines that run tests are busy. */
const START_MS = 20_000;

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A gateway that runs. */
export interface GatewayProcess {
  readonly url: string;
  readonly adminUrl: string;
  /** Made at the start. */
  readonly adminKey: string;
  readonly child: ChildProcess;
  /** Resolves when it has ended and all its output is there. */
  readonly ended: Promise<Ended>;
  /** Its log so far, one object a line. */
  logged(): Record<string, unknown>[];
}

/** Makes a folder with a config, rules that allow everything, and a key with a budget. */
export async function gatewayFolder(
  t: Test,
  config: object,
  budget = "$5 per month",
): Promise<{ directory: string; key: string }> {
  const directory = newFolder(t);
  mkdirSync(join(directory, "rules"));
  writeFileSync(join(directory, "rules", "all.rules"), "version 1\ndefault allow\n");
  const listeners = { listen: "127.0.0.1:0", admin: { listen: "127.0.0.1:0" } };
  writeFileSync(join(directory, "tollgate.yaml"), JSON.stringify({ ...listeners, ...config }));
  const made = await tollgate(directory, ["keys", "create", "--alias", "app", "--budget", budget, "--json"]);
  return { directory, key: JSON.parse(made.stdout).key };
}

/**
 * Starts it on a folder and resolves once it listens; it is killed when the test ends.
 * @param words more of the command line
 */
export async function spawnGateway(t: Test, directory: string, words: readonly string[] = []): Promise<GatewayProcess> {
  const run = [process.execPath, ENTRY, "run", "--config", join(directory, "tollgate.yaml"), "--json", ...words];
  // Without the loader that tap puts into the environment: it listens for signals too.
  const child = spawn("/usr/bin/env", ["-i", ...run], { stdio: ["ignore", "pipe", "pipe"] });
  t.teardown(() => child.kill("SIGKILL"));
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  let isOver = false;
  const ended = new Promise<Ended>((resolve) =>
    child.once("close", (code, signal) => {
      isOver = true;
      resolve({ code, signal });
    }),
  );
  await until("the gateway listens", () => stdout.endsWith("\n") || isOver, START_MS);
  if (isOver) throw new Error(`the gateway ended at its start: ${stderr}`);
  const { url, admin_url: adminUrl, admin_key: adminKey } = JSON.parse(stdout);
  const logged = (): Record<string, unknown>[] =>
    stderr
      .slice(0, stderr.lastIndexOf("\n") + 1)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  return { url, adminUrl, adminKey, child, ended, logged };
}
