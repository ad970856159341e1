// What the commands about rules share: where the rules are, which names exist, what the arguments name.
import { stat } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../clock.ts";
import { loadConfig } from "../config.ts";
import { SetupError } from "../errors.ts";
import { build, mergeSnapshots, type Snapshot } from "../rules/build.ts";
import type { RuleCatalogue } from "../rules/catalogue.ts";
import type { CheckedSet } from "../rules/checked.ts";
import { isError } from "../rules/diagnostics.ts";
import { readDirectory, readFiles } from "../rules/load.ts";
import { StatementCache } from "../rules/parse.ts";
import { renderText } from "../rules/render.ts";
import type { Io } from "./command.ts";
import { usage } from "./options.ts";

/** What surrounds the rules: where they are by default, and which names exist. */
export interface RuleSurroundings {
  readonly directory: string;
  readonly catalogue: RuleCatalogue;
}

/** Finds the surroundings. @param config `--config`, or undefined. @throws SetupError 78 */
export type FindSurroundings = (config: string | undefined, io: Io) => RuleSurroundings | Promise<RuleSurroundings>;

/**
 * The config's directory, providers and models, and the attributes of its plugins. The database is not opened: it may
 * be elsewhere.
 */
export const configSurroundings: FindSurroundings = async (path, io) => {
  const { createCatalogue } = await import("../llm/catalogue.ts");
  const { listedModels } = await import("../llm/listed-models.ts");
  const config = loadConfig({ path, cwd: io.cwd, env: io.env });
  const { attributesDeclaredBy } = await import("../gateway.ts");
  const nowMs = systemClock.nowMs();
  const catalogue = createCatalogue({ ...config, nowMs });
  const declared = await attributesDeclaredBy(config);
  const { directory, failingTests } = config.rules;
  const names = {
    models: () => catalogue.models(),
    providers: () => catalogue.providers(),
    listedModels: () => listedModels(nowMs),
    attributes: () => declared,
  };
  return { directory, catalogue: { ...names, failingTests } };
};

/** Paths may stand anywhere among the options. @param valued the options that take a value */
export function partArguments(
  argv: readonly string[],
  valued: readonly string[] = ["config"],
): { paths: string[]; rest: string[] } {
  const options = Object.fromEntries(valued.map((name) => [name, { type: "string" } as const]));
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const at = new Set(tokens.filter(({ kind }) => kind === "positional").map(({ index }) => index));
  return { paths: argv.filter((_, i) => at.has(i)), rest: argv.filter((arg, i) => !at.has(i) && arg !== "--") };
}

/**
 * What is named, as one rule set: directories give all their rule files; nothing named is the rules directory.
 * @throws SetupError 64 for a path that leads nowhere
 */
export async function readRules(
  command: string,
  paths: readonly string[],
  { directory, cwd }: { readonly directory: string; readonly cwd: string },
): Promise<Snapshot> {
  const label = labelIn(cwd);
  if (paths.length === 0) return readDirectory(directory, label);
  const snapshots: Snapshot[] = [];
  for (const path of paths.map((given) => resolve(cwd, given))) {
    const facts = await stat(path).catch(() => null);
    if (facts === null) throw usage(command, `no such file or directory: \`${label(path)}\``);
    snapshots.push(facts.isDirectory() ? await readDirectory(path, label) : await readFiles([path], label));
  }
  return mergeSnapshots(snapshots);
}

/** What is named, checked. @throws SetupError 2 with the report when the rules have an error; failing tests are none here */
export async function readSet(
  command: string,
  paths: readonly string[],
  config: string | undefined,
  io: Io,
  find: FindSurroundings,
): Promise<CheckedSet> {
  const { directory, catalogue } = await find(config, io);
  const snapshot = await readRules(command, paths, { directory, cwd: io.cwd });
  const { checked, diagnostics } = build(snapshot, catalogue, new StatementCache(), Date.now());
  if (checked !== null) return checked;
  throw new SetupError(`the rules have an error\n${renderText(diagnostics.filter(isError))}`, 2);
}

/** Reports name files relative to the working directory, unless that leads out of it. */
export function labelIn(cwd: string): (path: string) => string {
  return (path) => {
    const near = relative(cwd, path);
    return near === "" || near.startsWith("..") ? path : near;
  };
}

/** `1 file`, `2 files`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
