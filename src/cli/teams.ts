// `tollgate teams`: makes and lists teams, sets their budgets.
import { SetupError } from "../errors.ts";
import { type Store, StoreError, type TeamRow } from "../store/store.ts";
import { suggest } from "../suggest.ts";
import type { Command, Io } from "./command.ts";
import { parseOptions, usage } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";
import { budgetJson, budgetText, momentJson, readBudget, readName } from "./values.ts";
import { withStore } from "./with-store.ts";

const HELP = `
Makes and lists teams, and sets their budgets. A team's budget is shared by all its keys.

Usage:
  tollgate teams create --alias NAME [--budget AMOUNT]
  tollgate teams list
  tollgate teams set-budget ID|ALIAS AMOUNT     replaces the budget of the same window; what was spent stays spent

AMOUNT is '$500 per month', with day, week, month, year or total; in single quotes.

Options of all:
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)
  --json              JSON on stdout

Examples:
  tollgate teams create --alias search --budget '$500 per month'
  tollgate teams set-budget search '$50 per day'
`;

export const teams: Command = {
  name: "teams",
  summary: "make and list teams, set their budgets",
  help: HELP.trimStart(),
  run: async (argv, io) => runSubcommand("teams", { create, list, "set-budget": setBudget }, argv, io),
};

/** "no such team", with the nearest alias or the command that makes it. */
export function noSuchTeam(name: string, store: Store): SetupError {
  const aliases = store.accounts.listTeams().map((team) => team.alias);
  const near = suggest(name, aliases);
  const help = near === null ? `\`tollgate teams create --alias ${name}\` makes it` : `did you mean \`${near}\`?`;
  return new SetupError(`no team is called \`${name}\`: ${help}`, 1);
}

async function create(argv: readonly string[], io: Io): Promise<number> {
  const command = "teams create";
  const { values } = parseOptions(argv, {
    command,
    options: { alias: { type: "string" }, budget: { type: "string" } },
  });
  if (values.alias === undefined) throw usage(command, "--alias is missing: give the team a name");
  const alias = readName(command, "--alias", values.alias);
  const budget = values.budget === undefined ? undefined : readBudget(command, values.budget);
  const team = await withStore(io, values.config, (store) => {
    try {
      return store.accounts.createTeam(alias, budget);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "alias_taken") throw error;
      throw new SetupError(
        `a team is called \`${alias}\` already: \`tollgate teams set-budget\` changes its budget`,
        1,
      );
    }
  });
  if (values.json) io.stdout.write(`${JSON.stringify(teamJson(team))}\n`);
  else io.stderr.write(`team ${team.alias} (${team.id}) made\n`);
  return 0;
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
  const columns = ["ID", "ALIAS", "BUDGET", "CREATED"].map((title) => ({ title, align: "left" as const }));
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  const rows = all.map((team) => [team.id, team.alias, budgetText(team.budgets) || "-", day(team.createdMs)]);
  return renderTable(columns, rows);
}

async function setBudget(argv: readonly string[], io: Io): Promise<number> {
  const command = "teams set-budget";
  const { values, positionals } = parseOptions(argv, { command, options: {}, positionals: ["ID|ALIAS", "AMOUNT"] });
  const [name = "", amount = ""] = positionals;
  const budget = readBudget(command, amount);
  const set = await withStore(io, values.config, (store) => {
    try {
      return store.accounts.setBudget("team", name, budget);
    } catch (error) {
      throw error instanceof StoreError && error.code === "no_such_team" ? noSuchTeam(name, store) : error;
    }
  });
  const { id, alias } = set.subject;
  if (values.json) io.stdout.write(`${JSON.stringify({ id, alias, budget: budgetJson(set) })}\n`);
  else io.stderr.write(`team ${alias} (${id}) may spend ${budgetText([set])}\n`);
  return 0;
}

function teamJson(team: TeamRow): object {
  return {
    id: team.id,
    alias: team.alias,
    budgets: team.budgets.map(budgetJson),
    created: momentJson(team.createdMs),
  };
}
