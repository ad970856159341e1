// `tollgate import`: another gateway's config as ours.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { systemClock } from "../clock.ts";
import { CONFIG_FILE } from "../config.ts";
import { SetupError } from "../errors.ts";
import type { Command, Io } from "./command.ts";
import { type Finding, renderFindings } from "./import/findings.ts";
import { type Imported, importLitellm } from "./import/litellm.ts";
import { proveLoads } from "./import/stage.ts";
import { parseOptions, usage } from "./options.ts";
import { counted } from "./rule-files.ts";
import { runSubcommand } from "./subcommands.ts";

const RULE_FILE = "litellm.rules";

const HELP = `
Makes a config and a rule file from another gateway's config. What cannot be carried over is listed, line by line.

Usage:
  tollgate import litellm CONFIG.yaml [options]

A key that stands in CONFIG.yaml is not copied: the new config reads a variable, and the report says which.

Options:
  --out FILE          the config to write (default: ${CONFIG_FILE})
  --rules DIR         the folder to write ${RULE_FILE} to (default: rules, beside the config)
  --dry-run           write nothing; show both files on stdout
  --force             overwrite the two files
  --json              the report as data

Exit codes: 0 all was carried over, 2 something was not, 1 a file is there already, 64 usage, 78 not a LiteLLM config.

Examples:
  tollgate import litellm litellm.yaml --dry-run
  tollgate import litellm litellm.yaml --out tollgate.yaml --rules rules
`;

export const importCommand: Command = {
  name: "import",
  summary: "make a config from another gateway's",
  help: HELP.trimStart(),
  run: async (argv, io) => runSubcommand("import", { litellm }, argv, io),
};

/** Where the result goes. */
interface Destination {
  readonly config: string;
  readonly rules: string;
  /** The config's `rules`. */
  readonly rulesKey: string;
}

async function litellm(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(argv, {
    command: "import litellm",
    options: {
      out: { type: "string" },
      rules: { type: "string" },
      "dry-run": { type: "boolean" },
      force: { type: "boolean" },
    },
    positionals: ["CONFIG.yaml"],
  });
  if (values.config !== undefined) throw usage("import litellm", "--config is not taken: --out says what to write");
  const from = resolve(io.cwd, positionals[0] ?? "");
  const to = destination(io.cwd, values.out ?? CONFIG_FILE, values.rules);
  const nowMs = systemClock.nowMs();
  const name = basename(from).replace(/\p{Cc}/gu, "�");
  const imported = importLitellm({ name, text: read(from), rules: to.rulesKey, nowMs });
  const isGood = imported.config !== null;
  if (isGood) proveLoads(imported, nowMs);
  const isWritten = isGood && values["dry-run"] !== true;
  const others = isGood ? otherRules(to) : [];
  if (isWritten) write(imported, to, values.force === true);
  const shown: Shown = { imported, to, isWritten, others };
  if (values.json) io.stdout.write(`${JSON.stringify(report(shown, io), null, 2)}\n`);
  else show(shown, name, io);
  return isGood && !imported.findings.some(({ kind }) => kind === "unmapped") ? 0 : 2;
}

function destination(cwd: string, out: string, rules: string | undefined): Destination {
  const config = resolve(cwd, out);
  const folder = rules === undefined ? join(dirname(config), "rules") : resolve(cwd, rules);
  const near = relative(dirname(config), folder);
  const rulesKey = near.startsWith("..") || isAbsolute(near) ? folder : `./${near}`;
  return { config, rules: join(folder, RULE_FILE), rulesKey };
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : `cannot be read (${code})`;
    throw usage("import litellm", `the file ${file} ${why}`);
  }
}

/** Rule files that are there already: they hold beside the new one. */
function otherRules({ rules }: Destination): readonly string[] {
  const folder = dirname(rules);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => name.endsWith(".rules") && name !== RULE_FILE);
}

/** Both, or neither where one is there already. @throws SetupError 1 */
function write({ config, rules }: Imported, to: Destination, force: boolean): void {
  const there = [to.config, to.rules].filter((file) => existsSync(file));
  if (there.length > 0 && !force) {
    const verb = there.length > 1 ? "exist" : "exists";
    throw new SetupError(`${there.join(" and ")} ${verb} already: take another --out and --rules, or --force`, 1);
  }
  mkdirSync(dirname(to.config), { recursive: true });
  mkdirSync(dirname(to.rules), { recursive: true });
  writeFileSync(to.rules, rules);
  writeFileSync(to.config, config ?? "");
}

/** What is told of an import. */
interface Shown {
  readonly imported: Imported;
  readonly to: Destination;
  readonly isWritten: boolean;
  /** Rule files that hold beside the new one. */
  readonly others: readonly string[];
}

function report({ imported, to, isWritten, others }: Shown, io: Io): object {
  const { config, rules, models, providers, variables, findings } = imported;
  return {
    ok: config !== null && !findings.some(({ kind }) => kind === "unmapped"),
    written: isWritten ? [relative(io.cwd, to.config), relative(io.cwd, to.rules)] : [],
    models,
    providers,
    variables: variables.map(({ name, purpose, isNew }) => ({ name, purpose, new: isNew })),
    other_rules: others,
    findings,
    ...(isWritten ? {} : { config, rules }),
  };
}

function show({ imported, to, isWritten, others }: Shown, from: string, io: Io): void {
  const { config, rules, findings } = imported;
  if (isWritten) io.stdout.write(`${relative(io.cwd, to.config)}\n${relative(io.cwd, to.rules)}\n`);
  else if (config !== null) io.stdout.write(`# ${CONFIG_FILE}\n${config}\n# rules/${RULE_FILE}\n${rules}`);
  io.stderr.write(renderFindings(from, findings));
  io.stderr.write(summary(imported, findings));
  if (others.length > 0) {
    io.stderr.write(`Also in force, since they are in ${dirname(to.rules)}: ${others.join(", ")}\n`);
  }
  const names = imported.variables.map(({ name }) => name);
  if (names.length > 0) io.stderr.write(`Read from the environment: ${names.join(", ")}\n`);
  if (isWritten) io.stderr.write(`Next: tollgate config --check --config ${relative(io.cwd, to.config)}\n`);
}

function summary({ config, models, providers }: Imported, findings: readonly Finding[]): string {
  if (config === null) return "no model could be carried over: nothing is written\n";
  const missing = findings.filter(({ kind }) => kind === "unmapped").length;
  const rest = missing === 0 ? "all was carried over" : `${counted(missing, "thing")} not carried over`;
  return `${counted(models, "model")}, ${counted(providers, "provider")}: ${rest}\n`;
}
