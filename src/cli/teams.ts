// `tollgate teams`: makes and lists teams, sets their budgets, keeps rules on them.

import { AccountError } from "../accounts/errors.ts";
import { budgetWindowText } from "../budget-window.ts";
import type { Team } from "../client/types.ts";
import { SetupError } from "../errors.ts";
import { formatUsd } from "../money.ts";
import type { NewBudget } from "../store/store.ts";
import { memberSubcommands, objectSubcommands } from "./account-commands.ts";
import { fieldHelp } from "./account-fields.ts";
import type { Command, Io } from "./command.ts";
import { type Desk, named, PLACE_HELP, parseDeskOptions, type Shown, withDesk } from "./desk.ts";
import { readRuleText, rulesSubcommand } from "./kept-rules.ts";
import { type AliasOf, LIST_HELP, type ListCommand, listObjects } from "./object-list.ts";
import { usage } from "./options.ts";
import { runSubcommand, type Subcommand } from "./subcommands.ts";
import { budgetJson, budgetText, readBudget, readName, shownBudgets } from "./values.ts";

const HELP = `
Makes, lists and changes teams, their members and budgets, and keeps rules on them. A team's budget is shared by all its keys, and its
rules are for all of them. Works beside a running gateway: a change counts from the next request on.

Usage:
  tollgate teams create --alias NAME [--org NAME] [--budget AMOUNT] [--rules FILE]
  tollgate teams list [--search TEXT] [--prefix TEXT] [--limit N] [--after ID]
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

Options of list (all teams when --limit is left out):
${LIST_HELP}

Options of all:
${PLACE_HELP}
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
    const list: Subcommand = (rest, to) => listObjects(LIST, rest, to);
    const own = { create, list, "set-budget": setBudget, rules, ...shared };
    return runSubcommand("teams", own, argv, io);
  },
};

/** What a list shows of a team. */
async function listed(object: Shown, aliasOf: AliasOf) {
  const { id, alias, org_id, budgets, created } = object as Team;
  return { id, alias, org: await aliasOf("org", org_id), budgets, created };
}

type Listed = Awaited<ReturnType<typeof listed>>;

const LIST: ListCommand<Listed> = {
  name: "teams",
  kind: "team",
  limit: null,
  itemOf: listed,
  columns: {
    ID: ({ id }) => id,
    ALIAS: ({ alias }) => alias,
    ORG: ({ org }) => org ?? "-",
    BUDGET: ({ budgets }) => shownBudgets(budgets) || "-",
    CREATED: ({ created }) => created.slice(0, 10),
  },
  whenEmpty: "there are no teams: `tollgate teams create --alias NAME` makes one",
};

async function create(argv: readonly string[], io: Io): Promise<number> {
  const command = "teams create";
  const text = { type: "string" } as const;
  const options = { alias: text, org: text, budget: text, rules: text };
  const { values, place } = parseDeskOptions(argv, { command, options });
  if (values.alias === undefined) throw usage(command, "--alias is missing: give the team a name");
  const alias = readName(command, "--alias", values.alias);
  const budgets = values.budget === undefined ? [] : [fieldOf(readBudget(command, values.budget))];
  const rules = values.rules === undefined ? null : readRuleText(command, values.rules, place, io);
  const { team, org } = await withDesk(io, place, async (desk) => {
    if (rules !== null) await desk.checkRules("team", alias, rules);
    const org = values.org === undefined ? null : await named(desk, "org", values.org, true);
    return { org, team: await insert(desk, { alias, orgId: org?.id ?? null, budgets, rules }) };
  });
  const { id, budgets: made, created } = team as Team;
  if (values.json)
    io.stdout.write(`${JSON.stringify({ id, alias, org: org?.alias ?? null, budgets: made, created })}\n`);
  else io.stderr.write(`team ${alias} (${id}) made\n`);
  return 0;
}

async function insert(
  desk: Desk,
  fields: { readonly alias: string; readonly [field: string]: unknown },
): Promise<Shown> {
  try {
    return await desk.create("team", undefined, fields);
  } catch (error) {
    if (!(error instanceof AccountError) || error.code !== "taken") throw error;
    const help = "`tollgate teams set-budget` changes its budget";
    throw new SetupError(`a team is called \`${fields.alias}\` already: ${help}`, 1, error);
  }
}

async function setBudget(argv: readonly string[], io: Io): Promise<number> {
  const command = "teams set-budget";
  const positional = ["ID|ALIAS", "AMOUNT"];
  const { values, positionals, place } = parseDeskOptions(argv, { command, options: {}, positionals: positional });
  const [name = "", amount = ""] = positionals;
  const budget = readBudget(command, amount);
  const { id, alias } = await withDesk(io, place, async (desk) => {
    const { id, budgets } = (await named(desk, "team", name, true)) as Team;
    return desk.update("team", id, { budgets: withBudget(budgets, fieldOf(budget)) });
  });
  if (values.json) io.stdout.write(`${JSON.stringify({ id, alias, budget: budgetJson(budget) })}\n`);
  else io.stderr.write(`team ${alias} (${id}) may spend ${budgetText([budget])}\n`);
  return 0;
}

/** A budget as a field of the team. */
interface BudgetField {
  readonly limitUsd: string;
  readonly window: string;
}

function fieldOf({ limitNanoUsd, window }: NewBudget): BudgetField {
  return { limitUsd: formatUsd(limitNanoUsd), window: budgetWindowText(window) };
}

/** The budgets with this one in place of that of its window, or after them. */
function withBudget(budgets: Team["budgets"], set: BudgetField): readonly BudgetField[] {
  const fields = budgets.map(({ limit_usd: limitUsd, window }) => ({ limitUsd, window }));
  const isThere = fields.some(({ window }) => window === set.window);
  return isThere ? fields.map((one) => (one.window === set.window ? set : one)) : [...fields, set];
}
