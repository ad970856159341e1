// `tollgate users` and `tollgate groups`: account objects that have no more than fields.
import { NOUNS } from "../accounts/fields.ts";
import type { AccountKind } from "../store/directory.ts";
import { objectSubcommands, tell, withIds } from "./account-commands.ts";
import { fieldHelp, fieldOptions, readFields } from "./account-fields.ts";
import type { Command, Io } from "./command.ts";
import { PLACE_HELP, parseDeskOptions, type Shown, withDesk } from "./desk.ts";
import { LIST_HELP, listObjects } from "./object-list.ts";
import { usage } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";

/** Most objects of a list when `--limit` is left out. */
const LIMIT = 1_000;

/** What is its own of such a command. */
export interface ObjectCommand<Item extends Shown> {
  readonly name: string;
  readonly kind: Exclude<AccountKind, "key">;
  readonly summary: string;
  /** First paragraph of the help. */
  readonly about: string;
  readonly examples: readonly string[];
  /** Columns of the list after id and alias. */
  readonly columns: Readonly<Record<string, (object: Item) => string>>;
}

/** Makes the command. */
export function objectCommand<Item extends Shown & { readonly created: string }>(own: ObjectCommand<Item>): Command {
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

function helpOf({
  name,
  kind,
  about,
  examples,
}: Pick<ObjectCommand<never>, "name" | "kind" | "about" | "examples">): string {
  return `${about}
Works beside a running gateway: a change counts from the next request on.

Usage:
  tollgate ${name} create --alias NAME [--id ID] [options]
  tollgate ${name} list [--search TEXT] [--prefix TEXT] [--limit N] [--after ID]
  tollgate ${name} show ID|ALIAS
  tollgate ${name} set ID|ALIAS [options]       change those fields; --clear NAME takes one back to its default
  tollgate ${name} delete ID|ALIAS
${kind === "group" ? "" : `  tollgate ${name} reset-spend ID|ALIAS         forget what was spent of its budgets\n`}
Options of create and set:
${fieldHelp(kind)}

Options of list (${LIMIT} objects when --limit is left out):
${LIST_HELP}

Options of all:
${PLACE_HELP}
  --json              JSON on stdout

Examples:
${examples.map((line) => `  ${line}\n`).join("")}`;
}

async function create(
  { name, kind }: Pick<ObjectCommand<never>, "name" | "kind">,
  argv: readonly string[],
  io: Io,
): Promise<number> {
  const command = `${name} create`;
  const options = { ...fieldOptions(kind), id: { type: "string" } } as const;
  const { values, place } = parseDeskOptions(argv, { command, options });
  const given = values as Readonly<Record<string, unknown>>;
  if (given.alias === undefined && given.id === undefined) {
    throw usage(command, `--alias is missing: give the ${NOUNS[kind]} a name`);
  }
  const fields = readFields(kind, command, given);
  const object = await withDesk(io, place, async (desk) =>
    desk.create(kind, given.id as string | undefined, await withIds(desk, fields)),
  );
  return tell(kind, object, "made", given.json === true, io);
}

function list<Item extends Shown & { readonly created: string }>(
  { name, kind, columns }: ObjectCommand<Item>,
  argv: readonly string[],
  io: Io,
): Promise<number> {
  const whenEmpty = `there are no ${NOUNS[kind]}s: \`tollgate ${name} create --alias NAME\` makes one`;
  const all = {
    ID: ({ id }: Item) => id,
    ALIAS: ({ alias }: Item) => alias,
    ...columns,
    CREATED: ({ created }: Item) => created.slice(0, 10),
  };
  const own = { name, kind, limit: LIMIT, columns: all, whenEmpty, itemOf: (object: Shown) => object as Item };
  return listObjects(own, argv, io);
}
