// `tollgate orgs`: makes and lists organisations, keeps rules on them.
import { SetupError } from "../errors.ts";
import { type OrgRow, type Store, StoreError } from "../store/store.ts";
import { memberSubcommands, objectSubcommands } from "./account-commands.ts";
import { fieldHelp } from "./account-fields.ts";
import type { Command, Io } from "./command.ts";
import { readRuleText, ruleChecker, rulesSubcommand } from "./kept-rules.ts";
import { parseOptions, usage } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";
import { momentJson, readName } from "./values.ts";
import { withStore } from "./with-store.ts";

const HELP = `
Makes, lists and changes organisations and their members, and keeps rules on them. An organisation has teams, and its rules are for all their keys.
Works beside a running gateway: a change counts from the next request on.

Usage:
  tollgate orgs create --alias NAME [--rules FILE]
  tollgate orgs list
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

Options of all:
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)
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
    return runSubcommand("orgs", { create, list, rules: rulesSubcommand("orgs rules", "org"), ...shared }, argv, io);
  },
};

async function create(argv: readonly string[], io: Io): Promise<number> {
  const command = "orgs create";
  const options = { alias: { type: "string" }, rules: { type: "string" } } as const;
  const { values } = parseOptions(argv, { command, options });
  if (values.alias === undefined) throw usage(command, "--alias is missing: give the organisation a name");
  const alias = readName(command, "--alias", values.alias);
  const rules = values.rules === undefined ? undefined : readRuleText(command, values.rules, io);
  const check = rules === undefined ? null : await ruleChecker(values.config, io);
  const org = await withStore(io, values.config, (store) => {
    if (rules !== undefined) check?.(store, "org", alias, rules);
    return insert(store, alias, rules);
  });
  if (values.json) io.stdout.write(`${JSON.stringify(orgJson(org))}\n`);
  else io.stderr.write(`organisation ${org.alias} (${org.id}) made\n`);
  return 0;
}

function insert(store: Store, alias: string, rules: string | undefined): OrgRow {
  try {
    return store.accounts.createOrg(alias, rules);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "alias_taken") throw error;
    throw new SetupError(`an organisation is called \`${alias}\` already: choose another alias`, 1, error);
  }
}

async function list(argv: readonly string[], io: Io): Promise<number> {
  const { values } = parseOptions(argv, { command: "orgs list", options: {} });
  const all = await withStore(io, values.config, (store) => store.accounts.listOrgs());
  if (values.json) io.stdout.write(`${JSON.stringify({ orgs: all.map(orgJson) })}\n`);
  else if (all.length === 0)
    io.stderr.write("there are no organisations: `tollgate orgs create --alias NAME` makes one\n");
  else io.stdout.write(listTable(all));
  return 0;
}

function listTable(all: readonly OrgRow[]): string {
  const columns = ["ID", "ALIAS", "CREATED"].map((title) => ({ title, align: "left" as const }));
  const rows = all.map(({ id, alias, createdMs }) => [id, alias, momentJson(createdMs)?.slice(0, 10) ?? ""]);
  return renderTable(columns, rows);
}

function orgJson({ id, alias, createdMs }: OrgRow): object {
  return { id, alias, created: momentJson(createdMs) };
}
