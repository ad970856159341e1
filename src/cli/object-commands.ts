// `tollgate users` and `tollgate groups`: account objects that have no more than fields.
import { NOUNS } from "../accounts/fields.ts";
import { objectJson } from "../accounts/object-json.ts";
import type { AccountKind, AccountObject } from "../store/directory.ts";
import { objectSubcommands, tell, withIds } from "./account-commands.ts";
import { fieldHelp, fieldOptions, readFields } from "./account-fields.ts";
import { LOCAL, withAccounts } from "./account-service.ts";
import type { Command, Io } from "./command.ts";
import { parseOptions, usage } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";

/** What is its own of such a command. */
export interface ObjectCommand {
  readonly name: string;
  readonly kind: Exclude<AccountKind, "key">;
  readonly summary: string;
  /** First paragraph of the help. */
  readonly about: string;
  readonly examples: readonly string[];
  /** Columns of the list after id and alias. */
  readonly columns: Readonly<Record<string, (object: AccountObject) => string>>;
}

/** Makes the command. */
export function objectCommand(own: ObjectCommand): Command {
  const { name, kind, summary } = own;
  return {
    name,
    summary,
    help: helpOf(own),
    run: async (argv, io) =>
      runSubcommand(
        name,
        {
          create: (rest, to) => create(own, rest, to),
          list: (rest, to) => list(own, rest, to),
          ...objectSubcommands(name, kind),
        },
        argv,
        io,
      ),
  };
}

function helpOf({ name, kind, about, examples }: ObjectCommand): string {
  return `${about}
Works beside a running gateway: a change counts from the next request on.

Usage:
  tollgate ${name} create --alias NAME [--id ID] [options]
  tollgate ${name} list [--after ID] [--limit N] [--prefix TEXT]
  tollgate ${name} show ID|ALIAS
  tollgate ${name} set ID|ALIAS [options]       change those fields; --clear NAME takes one back to its default
  tollgate ${name} delete ID|ALIAS
${kind === "group" ? "" : `  tollgate ${name} reset-spend ID|ALIAS         forget what was spent of its budgets\n`}
Options of create and set:
${fieldHelp(kind)}

Options of all:
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)
  --json              JSON on stdout

Examples:
${examples.map((line) => `  ${line}\n`).join("")}`;
}

async function create({ name, kind }: ObjectCommand, argv: readonly string[], io: Io): Promise<number> {
  const command = `${name} create`;
  const { values } = parseOptions(argv, { command, options: { ...fieldOptions(kind), id: { type: "string" } } });
  const given = values as Readonly<Record<string, unknown>>;
  if (given.alias === undefined && given.id === undefined) {
    throw usage(command, `--alias is missing: give the ${NOUNS[kind]} a name`);
  }
  const fields = readFields(kind, command, given);
  const object = await withAccounts(io, given.config as string | undefined, async (accounts) =>
    accounts.create(LOCAL, kind, { id: given.id as string | undefined, fields: await withIds(accounts, fields) }),
  );
  return tell(object, "made", given.json === true, io);
}

async function list({ name, kind, columns }: ObjectCommand, argv: readonly string[], io: Io): Promise<number> {
  const command = `${name} list`;
  const options = { after: { type: "string" }, limit: { type: "string" }, prefix: { type: "string" } } as const;
  const { values } = parseOptions(argv, { command, options });
  const limit = Number(values.limit ?? 1_000);
  const wish = { after: values.after, limit, aliasPrefix: values.prefix };
  const { items, next } = await withAccounts(io, values.config, (accounts) => accounts.list(LOCAL, kind, wish));
  if (values.json) io.stdout.write(`${JSON.stringify({ [name]: items.map(objectJson), next })}\n`);
  else if (items.length === 0) {
    io.stderr.write(`there are no ${NOUNS[kind]}s: \`tollgate ${name} create --alias NAME\` makes one\n`);
  } else {
    const titles = ["ID", "ALIAS", ...Object.keys(columns), "CREATED"];
    const rows = items.map((object) => [
      ...[object.id, String(object.fields.alias)],
      ...Object.values(columns).map((cell) => cell(object)),
      new Date(object.createdMs).toISOString().slice(0, 10),
    ]);
    io.stdout.write(
      renderTable(
        titles.map((title) => ({ title, align: "left" as const })),
        rows,
      ),
    );
    if (next !== null) io.stderr.write(`there are more: --after ${next}\n`);
  }
  return 0;
}
