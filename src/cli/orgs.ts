// `tollgate orgs`: makes and lists organisations, keeps rules on them.
import { AccountError } from "../accounts/errors.ts";
import type { Org } from "../client/types.ts";
import { SetupError } from "../errors.ts";
import { memberSubcommands, objectSubcommands } from "./account-commands.ts";
import { fieldHelp } from "./account-fields.ts";
import type { Command, Io } from "./command.ts";
import { type Desk, PLACE_HELP, parseDeskOptions, type Shown, withDesk } from "./desk.ts";
import { readRuleText, rulesSubcommand } from "./kept-rules.ts";
import { LIST_HELP, type ListCommand, listObjects } from "./object-list.ts";
import { usage } from "./options.ts";
import { runSubcommand, type Subcommand } from "./subcommands.ts";
import { readName } from "./values.ts";

const HELP = `
Makes, lists and changes organisations and their members, and keeps rules on them. An organisation has teams, and its rules are for all their keys.
Works beside a running gateway: a change counts from the next request on.

Usage:
  tollgate orgs create --alias NAME [--rules FILE]
  tollgate orgs list [--search TEXT] [--prefix TEXT] [--limit N] [--after ID]
  tollgate orgs rules ID|ALIAS                  show the rules that are kept on it
  tollgate orgs rules ID|ALIAS --set FILE       keep these instead, once they are checked; - is standard input
  tollgate orgs rules ID|ALIAS --clear          keep none
  tollgate orgs show ID|ALIAS                  all its fields
  tollgate orgs set ID|ALIAS [options]         change those fields
  tollgate orgs delete ID|ALIAS                delete it and its teams and their keys
  tollgate orgs reset-spend ID|ALIAS            forget what was spent of its budgets
  tollgate orgs members ID|ALIAS
  tollgate orgs add-member ID|ALIAS USER [--admin]
  tollgate orgs remove-member ID|ALIAS USER

Rules on an organisation narrow what the rule files allow. \`tollgate teams create --org NAME\` makes a team of it.

Options of set (--clear NAME takes one back to its default; --budget replaces all):
${fieldHelp("org")}

Options of list (all organisations when --limit is left out):
${LIST_HELP}

Options of all:
${PLACE_HELP}
  --json              JSON on stdout

Exit codes: 0 done, 1 failed, 2 the rules have an error and nothing was changed, 64 usage, 78 bad config.

Examples:
  tollgate orgs create --alias acme
  tollgate orgs rules acme --set acme.rules
`;

export const orgs: Command = {
  name: "orgs",
  summary: "make, list and change organisations, their members and rules",
  help: HELP.trimStart(),
  run: async (argv, io) => {
    const shared = { ...objectSubcommands("orgs", "org"), ...memberSubcommands("orgs", "org") };
    const list: Subcommand = (rest, to) => listObjects(LIST, rest, to);
    return runSubcommand("orgs", { create, list, rules: rulesSubcommand("orgs rules", "org"), ...shared }, argv, io);
  },
};

/** What a list shows of an organisation. */
function listed(object: Shown) {
  const { id, alias, created } = object as Org;
  return { id, alias, created };
}

type Listed = ReturnType<typeof listed>;

const LIST: ListCommand<Listed> = {
  name: "orgs",
  kind: "org",
  limit: null,
  itemOf: listed,
  columns: {
    ID: ({ id }) => id,
    ALIAS: ({ alias }) => alias,
    CREATED: ({ created }) => created.slice(0, 10),
  },
  whenEmpty: "there are no organisations: `tollgate orgs create --alias NAME` makes one",
};

async function create(argv: readonly string[], io: Io): Promise<number> {
  const command = "orgs create";
  const options = { alias: { type: "string" }, rules: { type: "string" } } as const;
  const { values, place } = parseDeskOptions(argv, { command, options });
  if (values.alias === undefined) throw usage(command, "--alias is missing: give the organisation a name");
  const alias = readName(command, "--alias", values.alias);
  const rules = values.rules === undefined ? null : readRuleText(command, values.rules, place, io);
  const org = await withDesk(io, place, async (desk) => {
    if (rules !== null) await desk.checkRules("org", alias, rules);
    return insert(desk, alias, rules);
  });
  if (values.json) io.stdout.write(`${JSON.stringify(listed(org))}\n`);
  else io.stderr.write(`organisation ${alias} (${org.id}) made\n`);
  return 0;
}

async function insert(desk: Desk, alias: string, rules: string | null): Promise<Shown> {
  try {
    return await desk.create("org", undefined, { alias, rules });
  } catch (error) {
    if (!(error instanceof AccountError) || error.code !== "taken") throw error;
    throw new SetupError(`an organisation is called \`${alias}\` already: choose another alias`, 1, error);
  }
}
