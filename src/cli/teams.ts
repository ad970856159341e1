// `tollgate teams`: makes and lists teams, sets their budgets, keeps rules on them.
import { SetupError } from "../errors.ts";
import { type NewBudget, type NewTeam, type Store, StoreError, type TeamRow } from "../store/store.ts";
import { memberSubcommands, objectSubcommands } from "./account-commands.ts";
import { fieldHelp } from "./account-fields.ts";
import type { Command, Io } from "./command.ts";
import { readRuleText, ruleChecker, rulesSubcommand } from "./kept-rules.ts";
import { naming } from "./no-such.ts";
import { parseOptions, usage } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";
import { budgetJson, budgetText, momentJson, readBudget, readName } from "./values.ts";
import { withStore } from "./with-store.ts";

const HELP = `
Makes, lists and changes teams, their members and budgets, and keeps rules on them. A team's budget is shared by all its keys, and its
rules are for all of them. Works beside a running gateway: a change counts from the next request on.

Usage:
  tollgate teams create --alias NAME [--org NAME] [--budget AMOUNT] [--rules FILE]
  tollgate teams list
  tollgate teams set-budget ID|ALIAS AMOUNT     replaces the budget of the same window; what was spent stays spent
  tollgate teams rules ID|ALIAS                 show the rules that are kept on it
  tollgate teams rules ID|ALIAS --set FILE      keep these instead, once they are checked; - is standard input
  tollgate teams rules ID|ALIAS --clear         keep none
  tollgate teams show ID|ALIAS                  all its fields
  tollgate teams set ID|ALIAS [options]         change those fields
  tollgate teams delete ID|ALIAS                delete it and its keys
  tollgate teams reset-spend ID|ALIAS           forget what was spent of its budgets
  tollgate teams members ID|ALIAS
  tollgate teams add-member ID|ALIAS USER [--admin]
  tollgate teams remove-member ID|ALIAS USER

Rules on a team narrow what the rule files allow, for its keys. --org names the organisation it belongs to (tollgate
orgs create makes one).

AMOUNT is '$500 per month', with day, week, month, year or total; in single quotes.

Options of set (--clear NAME takes one back to its default; --budget replaces all):
${fieldHelp("team")}

Options of all:
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)
  --json              JSON on stdout

Exit codes: 0 done, 1 failed, 2 the rules have an error and nothing was changed, 64 usage, 78 bad config.

Examples:
  tollgate teams create --alias search --budget '$500 per month'
  tollgate teams set-budget search '$50 per day'
  tollgate teams rules search --set search.rules
`;

export const teams: Command = {
  name: "teams",
  summary: "make, list and change teams, their members, budgets and rules",
  help: HELP.trimStart(),
  run: async (argv, io) => {
    const rules = rulesSubcommand("teams rules", "team");
    const shared = { ...objectSubcommands("teams", "team"), ...memberSubcommands("teams", "team") };
    const own = { create, list, "set-budget": setBudget, rules, ...shared };
    return runSubcommand("teams", own, argv, io);
  },
};

async function create(argv: readonly string[], io: Io): Promise<number> {
  const command = "teams create";
  const { values } = parseOptions(argv, {
    command,
    options: {
      alias: { type: "string" },
      org: { type: "string" },
      budget: { type: "string" },
      rules: { type: "string" },
    },
  });
  if (values.alias === undefined) throw usage(command, "--alias is missing: give the team a name");
  const alias = readName(command, "--alias", values.alias);
  const budget = values.budget === undefined ? undefined : readBudget(command, values.budget);
  const rules = values.rules === undefined ? undefined : readRuleText(command, values.rules, io);
  const check = rules === undefined ? null : await ruleChecker(values.config, io);
  const team = await withStore(io, values.config, (store) => {
    if (rules !== undefined) check?.(store, "team", alias, rules);
    return insert(store, alias, budget, { orgAlias: values.org, rules });
  });
  if (values.json) io.stdout.write(`${JSON.stringify(teamJson(team))}\n`);
  else io.stderr.write(`team ${team.alias} (${team.id}) made\n`);
  return 0;
}

function insert(store: Store, alias: string, budget: NewBudget | undefined, more: NewTeam): TeamRow {
  try {
    return naming(more.orgAlias ?? "", store, () => store.accounts.createTeam(alias, budget, more));
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "alias_taken") throw error;
    const help = "`tollgate teams set-budget` changes its budget";
    throw new SetupError(`a team is called \`${alias}\` already: ${help}`, 1, error);
  }
}

async function list(argv: readonly string[], io: Io): Promise<number> {
  const { values } = parseOptions(argv, { command: "teams list", options: {} });
  const all = await withStore(io, values.config, (store) => store.accounts.listTeams());
  if (values.json) io.stdout.write(`${JSON.stringify({ teams: all.map(teamJson) })}\n`);
  else if (all.length === 0) io.stderr.write("there are no teams: `tollgate teams create --alias NAME` makes one\n");
  else io.stdout.write(listTable(all));
  return 0;
}

function listTable(all: readonly TeamRow[]): string {
  const columns = ["ID", "ALIAS", "ORG", "BUDGET", "CREATED"].map((title) => ({ title, align: "left" as const }));
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  const cells = ({ id, alias, org, budgets, createdMs }: TeamRow): string[] => [
    id,
    alias,
    org?.alias ?? "-",
    budgetText(budgets) || "-",
    day(createdMs),
  ];
  const rows = all.map(cells);
  return renderTable(columns, rows);
}

async function setBudget(argv: readonly string[], io: Io): Promise<number> {
  const command = "teams set-budget";
  const { values, positionals } = parseOptions(argv, { command, options: {}, positionals: ["ID|ALIAS", "AMOUNT"] });
  const [name = "", amount = ""] = positionals;
  const budget = readBudget(command, amount);
  const set = await withStore(io, values.config, (store) =>
    naming(name, store, () => store.accounts.setBudget("team", name, budget)),
  );
  const { id, alias } = set.subject;
  if (values.json) io.stdout.write(`${JSON.stringify({ id, alias, budget: budgetJson(set) })}\n`);
  else io.stderr.write(`team ${alias} (${id}) may spend ${budgetText([set])}\n`);
  return 0;
}

function teamJson(team: TeamRow): object {
  return {
    id: team.id,
    alias: team.alias,
    org: team.org?.alias ?? null,
    budgets: team.budgets.map(budgetJson),
    created: momentJson(team.createdMs),
  };
}
