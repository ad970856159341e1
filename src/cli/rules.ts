// `tollgate rules`: what the rules are, what a pattern means today, and what an edit changes for whom.

import { SetupError } from "../errors.ts";
import { formatPerMillion } from "../money.ts";
import { type AccessDiff, accessDiff, type ModelChange } from "../rules/access-diff.ts";
import { build } from "../rules/build.ts";
import { type CheckedRule, type CheckedSet, isCounting } from "../rules/checked.ts";
import { isError } from "../rules/diagnostics.ts";
import { ruleText } from "../rules/explain.ts";
import { globMatches } from "../rules/glob.ts";
import { boundRules, InlineRulesError } from "../rules/inline-bind.ts";
import { formatDate } from "../rules/local-time.ts";
import { StatementCache } from "../rules/parse.ts";
import { renderText } from "../rules/render.ts";
import { whereOf } from "../rules/source.ts";
import type { Command, Io } from "./command.ts";
import { listKeptRules } from "./kept-rules.ts";
import { parseOptions } from "./options.ts";
import { configSurroundings, counted, type FindSurroundings, partArguments, readRules } from "./rule-files.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";

const HELP = `
Shows what the rules are and what they come to.

Usage:
  tollgate rules list [DIR|FILE…]     every rule; default: the rules directory of the config
  tollgate rules list --inline        and those that are kept on organisations, teams and keys
  tollgate rules expand PATTERN…      the models of the catalogue that a pattern means today
  tollgate rules diff OLD NEW         who gains or loses which models between two rule directories or files

\`diff\` tries every class of principals that either rule set can tell apart (the keys, teams, roles … that they name,
and others) with every model of the catalogue and every kind of request that the rules can tell apart. Limits and
budgets give and take no access: it leaves them out.

Options:
  --json              the same as data
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Exit codes: 0 done (diff: nothing changes), 2 diff: something changes, or the rules have an error, 64 usage, 78 bad config.

Examples:
  tollgate rules list
  tollgate rules expand 'gpt-4*'
  git worktree add ../main main && tollgate rules diff ../main/rules rules
`;

/** Makes the command for a way to find what surrounds the rules. */
export function createRulesCommand(findSurroundings: FindSurroundings): Command {
  return {
    name: "rules",
    summary: "list rules, expand patterns, compare rule sets",
    help: HELP.trimStart(),
    run: (argv, io) =>
      runSubcommand(
        "rules",
        {
          list: (rest) => list(rest, io, findSurroundings),
          expand: (rest) => expand(rest, io, findSurroundings),
          diff: (rest) => diff(rest, io, findSurroundings),
        },
        argv,
        io,
      ),
  };
}

/** The command with the config's directory, providers and models. */
export const rules: Command = createRulesCommand(configSurroundings);

async function list(argv: readonly string[], io: Io, find: FindSurroundings): Promise<number> {
  const { paths, rest } = partArguments(argv);
  const { values } = parseOptions(rest, { command: "rules list", options: { inline: { type: "boolean" } } });
  const { rules: ofFiles } = await read(paths, values.config, io, find);
  const all = values.inline ? [...ofFiles, ...(await readKept(values.config, io, find))] : ofFiles;
  if (values.json) {
    const rows = all.map((rule) => ({
      where: whereOf(rule),
      id: rule.id,
      mode: rule.mode,
      effect: rule.effect,
      owner: rule.owner,
      until: rule.untilDay === null ? null : formatDate(rule.untilDay),
      text: ruleText(rule),
    }));
    io.stdout.write(`${JSON.stringify({ rules: rows }, null, 2)}\n`);
    return 0;
  }
  const left = (title: string) => ({ title, align: "left" as const });
  const rows = all.map((rule) => [
    whereOf(rule),
    rule.id === whereOf(rule) ? "" : rule.id,
    rule.owner ?? "",
    ruleText(rule),
  ]);
  if (rows.length > 0) io.stdout.write(renderTable(["WHERE", "ID", "OWNER", "RULE"].map(left), rows));
  io.stderr.write(`${counted(rows.length, "rule")}\n`);
  return 0;
}

async function expand(argv: readonly string[], io: Io, find: FindSurroundings): Promise<number> {
  const { paths: patterns, rest } = partArguments(argv);
  const { values } = parseOptions(rest, { command: "rules expand", options: {} });
  const { catalogue } = await find(values.config, io);
  const matches = (model: string): boolean => patterns.some((pattern) => globMatches(pattern, model));
  const found = new Map<string, { provider: string; model: string; price: string }>();
  for (const { provider, model, price } of catalogue.models()) {
    const dearest = price === null ? "" : `$${formatPerMillion(Math.max(price.inputPicoUsd, price.outputPicoUsd))}/M`;
    if (matches(model)) found.set(`${model} ${provider}`, { provider, model, price: dearest });
  }
  const rows = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  const left = (title: string) => ({ title, align: "left" as const });
  if (values.json) io.stdout.write(`${JSON.stringify({ models: rows }, null, 2)}\n`);
  else if (rows.length > 0) {
    const columns = [left("MODEL"), left("PROVIDER"), { title: "PRICE", align: "right" as const }];
    io.stdout.write(
      renderTable(
        columns,
        rows.map(({ model, provider, price }) => [model, provider, price]),
      ),
    );
  }
  io.stderr.write(`${counted(rows.length, "model")}\n`);
  return 0;
}

async function diff(argv: readonly string[], io: Io, find: FindSurroundings): Promise<number> {
  const { values, positionals } = parseOptions(argv, {
    command: "rules diff",
    options: {},
    positionals: ["OLD", "NEW"],
  });
  const [before, after] = await Promise.all(positionals.map((path) => read([path], values.config, io, find)));
  if (before === undefined || after === undefined) throw new Error("two arguments are required");
  const { catalogue } = await find(values.config, io);
  const found = accessDiff(before, after, [...catalogue.models()], Date.now());
  io.stdout.write(values.json ? `${JSON.stringify(found, null, 2)}\n` : diffText(found));
  const counts = [...before.rules, ...after.rules].some(isCounting) ? "; limits and budgets are not compared" : "";
  const note = `${found.exact ? "" : "; there are more classes or kinds of requests than were tried"}${counts}`;
  io.stderr.write(
    `${found.changes.length === 0 ? "nobody gains or loses anything" : `${counted(found.changes.length, "change")}`}${note}\n`,
  );
  return found.changes.length === 0 ? 0 : 2;
}

function diffText({ changes }: AccessDiff): string {
  return changes
    .map(({ who, gains, loses }) => {
      const lines = [who.length === 0 ? "everybody" : who.join(", ")];
      for (const [sign, models] of [
        ["+", gains],
        ["-", loses],
      ] as const)
        lines.push(...byExample(models).map((line) => `  ${sign} ${line}`));
      return `${lines.join("\n")}\n`;
    })
    .join("");
}

/** Models that change for the same requests on one line. */
function byExample(models: readonly ModelChange[]): string[] {
  const lines = new Map<string, string[]>();
  for (const { model, example } of models) {
    const when = example === null ? "" : ` for some requests, e.g. ${example.join(", ")}`;
    lines.set(when, [...(lines.get(when) ?? []), model]);
  }
  return [...lines].map(([when, names]) => `${names.join(", ")}${when}`);
}

/** The rules that are kept in the database. @throws SetupError 2 with the report when some have an error */
async function readKept(config: string | undefined, io: Io, find: FindSurroundings): Promise<readonly CheckedRule[]> {
  const [all, { catalogue }] = await Promise.all([listKeptRules(config, io), find(config, io)]);
  try {
    return all.flatMap((rules) => boundRules(rules, catalogue));
  } catch (error) {
    if (error instanceof InlineRulesError) throw new SetupError(error.report.trimEnd(), 2, error);
    throw error;
  }
}

/** @throws SetupError 2 with the report when the rules have an error; failing tests are none here */
async function read(
  paths: readonly string[],
  config: string | undefined,
  io: Io,
  find: FindSurroundings,
): Promise<CheckedSet> {
  const { directory, catalogue } = await find(config, io);
  const snapshot = await readRules("rules", paths, { directory, cwd: io.cwd });
  const { checked, diagnostics } = build(snapshot, catalogue, new StatementCache(), Date.now());
  if (checked !== null) return checked;
  throw new SetupError(`the rules have an error\n${renderText(diagnostics.filter(isError))}`, 2);
}
