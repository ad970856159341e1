// `tollgate rules`: what the rules are, what a pattern means today, and what an edit changes for whom.
import { formatPerMillion } from "../money.ts";
import { type AccessDiff, accessDiff, type ModelChange } from "../rules/access-diff.ts";
import { isCounting } from "../rules/checked.ts";
import { globMatches } from "../rules/glob.ts";
import type { Command, Io } from "./command.ts";
import { parseOptions } from "./options.ts";
import { configSurroundings, counted, type FindSurroundings, partArguments, readSet } from "./rule-files.ts";
import { LIST_SINCE, list } from "./rules-list.ts";
import { REPLAY_SINCE, replay } from "./rules-replay.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";

const HELP = `
Shows what the rules are and what they come to.

Usage:
  tollgate rules list [DIR|FILE…]     every rule; default: the rules directory of the config
  tollgate rules list --inline        and those that are kept on organisations, teams and keys
  tollgate rules expand PATTERN…      the models of the catalogue that a pattern means today
  tollgate rules diff OLD NEW         who gains or loses which models between two rule directories or files
  tollgate rules replay NEW           which recorded requests other rules would have decided otherwise

\`list\` says how often each rule matched, and when it last did: as a live rule, in \`shadow\` or as a warning. Hits are
counted by rule id and UTC day: a rule without \`as\` is counted anew when its line changes.

\`diff\` tries every class of principals that either rule set can tell apart (the keys, teams, roles … that they name,
and others) with every model of the catalogue and every kind of request that the rules can tell apart. Each name is
taken for somebody else: where rules name one key by its alias and by its id, the two are two keys. Limits and
budgets give and take no access: it leaves them out.

\`replay\` decides each recorded request again, at its own time and with today's catalogue, and compares with what was
decided then: newly denied, newly allowed, unchanged, or undecidable where a rule looks at what was not recorded
(headers and metadata are recorded when the rules in force read them). Limits and budgets are not replayed.

Options:
  --since WHEN        list, replay: a duration (7d, 12h) or a date (2026-11-01, 00:00 UTC); default: list ${LIST_SINCE},
                      replay ${REPLAY_SINCE}
  --unused            list: only rules that could match and have not
  --limit N           replay: at most the newest N requests
  --json              the same as data
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Exit codes: 0 done (diff, replay: nothing changes), 2 diff, replay: something changes or cannot be told, or the rules
have an error, 64 usage, 78 bad config.

Examples:
  tollgate rules list --since 7d
  tollgate rules list --unused
  tollgate rules expand 'gpt-4*'
  git worktree add ../main main && tollgate rules diff ../main/rules rules
  tollgate rules replay new-rules --since 7d
`;

/** Makes the command for a way to find what surrounds the rules. */
export function createRulesCommand(findSurroundings: FindSurroundings): Command {
  return {
    name: "rules",
    summary: "list rules and their hits, expand patterns, compare rule sets, replay requests",
    help: HELP.trimStart(),
    run: (argv, io) =>
      runSubcommand(
        "rules",
        {
          list: (rest) => list(rest, io, findSurroundings),
          expand: (rest) => expand(rest, io, findSurroundings),
          diff: (rest) => diff(rest, io, findSurroundings),
          replay: (rest) => replay(rest, io, findSurroundings),
        },
        argv,
        io,
      ),
  };
}

/** The command with the config's directory, providers and models. */
export const rules: Command = createRulesCommand(configSurroundings);

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
  const [before, after] = await Promise.all(
    positionals.map((path) => readSet("rules", [path], values.config, io, find)),
  );
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
