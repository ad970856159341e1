// `tollgate fmt`: lays rule files out in one way.
import { rename, stat, unlink, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { build, snapshotOf } from "../rules/build.ts";
import { isError } from "../rules/diagnostics.ts";
import { format } from "../rules/format.ts";
import { parseFile, StatementCache } from "../rules/parse.ts";
import { renderText } from "../rules/render.ts";
import type { Source } from "../rules/source.ts";
import type { Command, Io } from "./command.ts";
import { lineDiff } from "./line-diff.ts";
import { parseOptions, usage } from "./options.ts";
import { configSurroundings, counted, type FindSurroundings, partArguments, readRules } from "./rule-files.ts";

const HELP = `
Lays rule files out in one way: spaces and indentation. Line breaks, comments and meaning stay as they are.

Usage:
  tollgate fmt [DIR|FILE…]            default: the rules directory of the config

Files are rewritten in place, each at once. A file with a syntax error is left alone.

Options:
  --check             write nothing; list the files that would change, and exit 2 when there are any
  --diff              write nothing; show what would change, and exit 2 when something would
  --json              the names of the files as data
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Exit codes: 0 done, 2 something would change or cannot be read, 64 usage, 78 bad config.

Examples:
  tollgate fmt
  tollgate fmt --check rules/
`;

/** Makes the command for a way to find what surrounds the rules. */
export function createFmtCommand(findSurroundings: FindSurroundings): Command {
  return {
    name: "fmt",
    summary: "lay rule files out in one way",
    help: HELP.trimStart(),
    run: (argv, io) => run(argv, io, findSurroundings),
  };
}

/** The command with the config's directory. */
export const fmt: Command = createFmtCommand(configSurroundings);

async function run(argv: readonly string[], io: Io, findSurroundings: FindSurroundings): Promise<number> {
  const { paths, rest } = partArguments(argv);
  const options = { check: { type: "boolean" }, diff: { type: "boolean" } } as const;
  const { values } = parseOptions(rest, { command: "fmt", options });
  if (values.check && values.diff) throw usage("fmt", "take --check or --diff, not both");
  const { directory, catalogue } = await findSurroundings(values.config, io);
  const snapshot = await readRules("fmt", paths, { directory, cwd: io.cwd });
  if (snapshot.sources.length === 0 || snapshot.unreadable.length > 0) {
    io.stdout.write(
      renderText(build(snapshotOf([], snapshot.unreadable), catalogue, new StatementCache(), 0).diagnostics),
    );
    return 2;
  }
  const laidOut = snapshot.sources.map((source) => ({ source, text: format(source.text) }));
  const broken = laidOut.filter(({ text }) => text === null).map(({ source }) => source);
  const changed = laidOut.filter(
    (one): one is { source: Source; text: string } => one.text !== null && one.text !== one.source.text,
  );
  const dry = values.check === true || values.diff === true;
  for (const { source, text } of dry ? [] : changed) await replace(resolve(io.cwd, source.label), text);
  for (const source of broken)
    io.stderr.write(renderText(parseFile(source, new StatementCache()).errors.filter(isError)));
  const names = changed.map(({ source }) => source.label);
  if (values.json) io.stdout.write(`${JSON.stringify({ changed: names, broken: broken.map(({ label }) => label) })}\n`);
  else if (values.diff)
    io.stdout.write(changed.map(({ source, text }) => lineDiff(source.label, source.text, text)).join(""));
  else io.stdout.write(names.map((name) => `${name}\n`).join(""));
  io.stderr.write(
    `${counted(laidOut.length, "file")}: ${changed.length} ${dry ? "would change" : "changed"}${broken.length > 0 ? `, ${broken.length} with errors` : ""}\n`,
  );
  return broken.length > 0 || (dry && changed.length > 0) ? 2 : 0;
}

/** Atomic: a gateway that watches the directory sees the old file or the new one. */
async function replace(path: string, text: string): Promise<void> {
  const { mode } = await stat(path);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text, { mode });
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}
