// `tollgate check`: says what is wrong with rule files, without starting anything.
import { stat } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../clock.ts";
import { loadConfig } from "../config.ts";
import { build, mergeSnapshots, type Snapshot } from "../rules/build.ts";
import type { RuleCatalogue } from "../rules/catalogue.ts";
import { type Diagnostic, isError } from "../rules/diagnostics.ts";
import { readDirectory, readFiles } from "../rules/load.ts";
import { StatementCache } from "../rules/parse.ts";
import { renderGithub, renderLsp, renderText } from "../rules/render.ts";
import type { Command, Io } from "./command.ts";
import { parseOptions, usage } from "./options.ts";

const HELP = `
Checks rule files: syntax, names, types, and what was most likely not meant.

Usage:
  tollgate check [DIR|FILE…]          default: the rules directory of the config

What is named is checked as one rule set, so it needs one \`default\` line. The report is on stdout.

Options:
  --strict            warnings count as well
  --json              language-server diagnostics; lines and characters count from 0
  --github            GitHub annotations
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Exit codes: 0 clean, 2 not clean, 64 usage, 78 bad config.

Examples:
  tollgate check
  tollgate check rules/ --strict
  tollgate check --github
`;

/** What surrounds the rules: where they are by default, and which names exist. */
export interface RuleSurroundings {
  readonly directory: string;
  readonly catalogue: RuleCatalogue;
}

/** Finds the surroundings. @param config `--config`, or undefined. @throws SetupError 78 */
export type FindSurroundings = (config: string | undefined, io: Io) => RuleSurroundings | Promise<RuleSurroundings>;

/** Makes the command for a way to find what surrounds the rules. */
export function createCheckCommand(findSurroundings: FindSurroundings): Command {
  return {
    name: "check",
    summary: "check rule files",
    help: HELP.trimStart(),
    run: (argv, io) => run(argv, io, findSurroundings),
  };
}

/** The command with the config's directory, providers and models. The database is not opened: it may be elsewhere. */
export const check: Command = createCheckCommand(async (path, io) => {
  const { createCatalogue } = await import("../llm/catalogue.ts");
  const config = loadConfig({ path, cwd: io.cwd, env: io.env });
  const catalogue = createCatalogue({ ...config, nowMs: systemClock.nowMs() });
  return { directory: config.rules.directory, catalogue };
});

async function run(argv: readonly string[], io: Io, findSurroundings: FindSurroundings): Promise<number> {
  const { paths, rest } = partArguments(argv);
  const options = { strict: { type: "boolean" }, github: { type: "boolean" } } as const;
  const { values } = parseOptions(rest, { command: "check", options });
  if (values.json && values.github) throw usage("check", "take --json or --github, not both");
  const { directory, catalogue } = await findSurroundings(values.config, io);
  const snapshot = paths.length > 0 ? await readAll(paths, io.cwd) : await readDirectory(directory, labelIn(io.cwd));
  const { set, diagnostics } = build(snapshot, catalogue, new StatementCache(), Date.now());
  const errors = diagnostics.filter(isError).length;
  const ok = errors === 0 && !(values.strict && diagnostics.length > 0);
  const counts = {
    files: snapshot.sources.length,
    rules: set?.rules.length ?? 0,
    errors,
    warnings: diagnostics.length - errors,
  };
  if (values.json)
    io.stdout.write(`${JSON.stringify({ ok, ...counts, diagnostics: renderLsp(diagnostics) }, null, 2)}\n`);
  else if (values.github) io.stdout.write(renderGithub(diagnostics));
  else io.stdout.write(renderText(diagnostics));
  io.stderr.write(summary(counts, diagnostics));
  return ok ? 0 : 2;
}

/** Paths may stand anywhere among the options. */
function partArguments(argv: readonly string[]): { paths: string[]; rest: string[] } {
  const options = { config: { type: "string" } } as const;
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const at = new Set(tokens.filter(({ kind }) => kind === "positional").map(({ index }) => index));
  return { paths: argv.filter((_, i) => at.has(i)), rest: argv.filter((arg, i) => !at.has(i) && arg !== "--") };
}

/** Directories give all their rule files. @throws SetupError 64 for a path that leads nowhere */
async function readAll(paths: readonly string[], cwd: string): Promise<Snapshot> {
  const label = labelIn(cwd);
  const snapshots: Snapshot[] = [];
  for (const path of paths.map((given) => resolve(cwd, given))) {
    const facts = await stat(path).catch(() => null);
    if (facts === null) throw usage("check", `no such file or directory: \`${label(path)}\``);
    snapshots.push(facts.isDirectory() ? await readDirectory(path, label) : await readFiles([path], label));
  }
  return mergeSnapshots(snapshots);
}

/** Reports name files relative to the working directory, unless that leads out of it. */
function labelIn(cwd: string): (path: string) => string {
  return (path) => {
    const near = relative(cwd, path);
    return near === "" || near.startsWith("..") ? path : near;
  };
}

interface Counts {
  readonly files: number;
  readonly rules: number;
  readonly errors: number;
  readonly warnings: number;
}

function summary({ files, rules, errors, warnings }: Counts, diagnostics: readonly Diagnostic[]): string {
  const what = errors > 0 ? counted(files, "file") : `${counted(files, "file")}, ${counted(rules, "rule")}`;
  const verdict = diagnostics.length === 0 ? "clean" : `${counted(errors, "error")}, ${counted(warnings, "warning")}`;
  return `${what}: ${verdict}\n`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
