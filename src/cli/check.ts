// `tollgate check`: says what is wrong with rule files, without starting anything.
import { build, type Snapshot, snapshotOf } from "../rules/build.ts";
import { CODES, type Diagnostic, isError, severityOf } from "../rules/diagnostics.ts";
import { StatementCache } from "../rules/parse.ts";
import { ALL_CODES, entryText, REFERENCE } from "../rules/reference.ts";
import { renderGithub, renderLsp, renderText } from "../rules/render.ts";
import type { Command, Io } from "./command.ts";
import { checkKeptRules } from "./kept-rules.ts";
import { oneOf, parseOptions, usage } from "./options.ts";
import { configSurroundings, counted, type FindSurroundings, partArguments, readRules } from "./rule-files.ts";
import { withStdin } from "./stdin-rules.ts";

const HELP = `
Checks rule files: syntax, names, types, what was most likely not meant, and whether their tests pass.

Usage:
  tollgate check [DIR|FILE…]          default: the rules directory of the config
  tollgate check --explain CODE       what a code means, with an example and its repair

What is named is checked as one rule set, so it needs one \`default\` line; \`-\` is standard input. The report is on
stdout. When nothing is named, the rules that are kept on organisations, teams and keys are checked as well, where
there is a database.

Options:
  --strict            warnings count as well; hints never do
  --json              language-server diagnostics; lines and characters count from 0
  --github            GitHub annotations
  --stdin-file FILE   take standard input for this file's text, as an editor's unsaved one
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Exit codes: 0 clean, 2 not clean, 64 usage, 78 bad config.

Examples:
  tollgate check
  tollgate check rules/ --strict
  tollgate check --github
  tollgate check --explain E102
`;

const OPTIONS = {
  strict: { type: "boolean" },
  github: { type: "boolean" },
  explain: { type: "string" },
  "stdin-file": { type: "string" },
} as const;

/** Makes the command for a way to find what surrounds the rules. */
export function createCheckCommand(findSurroundings: FindSurroundings): Command {
  return {
    name: "check",
    summary: "check rule files",
    help: HELP.trimStart(),
    run: (argv, io) => run(argv, io, findSurroundings),
  };
}

/** The command with the config's directory, providers and models. */
export const check: Command = createCheckCommand(configSurroundings);

async function run(argv: readonly string[], io: Io, findSurroundings: FindSurroundings): Promise<number> {
  const { paths, rest } = partArguments(argv, ["config", "explain", "stdin-file"]);
  const { values } = parseOptions(rest, { command: "check", options: OPTIONS });
  if (values.json && values.github) throw usage("check", "take --json or --github, not both");
  if (values.explain !== undefined) return explainCode(values.explain, paths, values.json === true, io);
  const { directory, catalogue } = await findSurroundings(values.config, io);
  const snapshot = await readAll(paths, values["stdin-file"], directory, io);
  const { set, diagnostics: ofFiles } = build(snapshot, catalogue, new StatementCache(), Date.now());
  const kept = paths.length > 0 ? null : await checkKeptRules(values.config, catalogue, io);
  const diagnostics = [...ofFiles, ...(kept?.diagnostics ?? [])];
  const errors = diagnostics.filter(isError).length;
  const warnings = diagnostics.filter(({ severity }) => severity === "warning").length;
  const ok = errors === 0 && !(values.strict && warnings > 0);
  const counts = {
    files: snapshot.sources.length,
    rules: set?.rules.length ?? 0,
    kept: kept?.accounts ?? 0,
    errors,
    warnings,
    hints: diagnostics.length - errors - warnings,
  };
  if (values.json)
    io.stdout.write(`${JSON.stringify({ ok, ...counts, diagnostics: renderLsp(diagnostics) }, null, 2)}\n`);
  else if (values.github) io.stdout.write(renderGithub(diagnostics));
  else io.stdout.write(renderText(diagnostics));
  io.stderr.write(summary(counts, diagnostics));
  return ok ? 0 : 2;
}

/** What is named, and standard input where it is asked for. */
async function readAll(
  paths: readonly string[],
  stdinFile: string | undefined,
  directory: string,
  io: Io,
): Promise<Snapshot> {
  const onDisk = paths.filter((path) => path !== "-");
  const isAlone = onDisk.length === 0 && paths.length > 0 && stdinFile === undefined;
  const snapshot = isAlone ? snapshotOf([]) : await readRules("check", onDisk, { directory, cwd: io.cwd });
  return onDisk.length < paths.length || stdinFile !== undefined ? withStdin(snapshot, stdinFile, io) : snapshot;
}

function explainCode(asked: string, paths: readonly string[], json: boolean, io: Io): number {
  if (paths.length > 0) throw usage("check", "--explain stands alone");
  const code = oneOf("check", "code", asked.toUpperCase(), ALL_CODES);
  const data = { code, severity: severityOf(code), meaning: CODES[code], ...REFERENCE[code] };
  io.stdout.write(json ? `${JSON.stringify(data, null, 2)}\n` : entryText(code));
  return 0;
}

interface Counts {
  readonly files: number;
  readonly rules: number;
  /** Organisations, teams and keys with rules of their own. */
  readonly kept: number;
  readonly errors: number;
  readonly warnings: number;
  readonly hints: number;
}

function summary({ files, rules, kept, errors, warnings, hints }: Counts, diagnostics: readonly Diagnostic[]): string {
  const ofFiles = errors > 0 ? counted(files, "file") : `${counted(files, "file")}, ${counted(rules, "rule")}`;
  const what = kept === 0 ? ofFiles : `${ofFiles}, rules kept on ${counted(kept, "account")}`;
  const told = [counted(errors, "error"), counted(warnings, "warning"), ...(hints > 0 ? [counted(hints, "hint")] : [])];
  const verdict = diagnostics.length === 0 ? "clean" : told.join(", ");
  return `${what}: ${verdict}\n`;
}
