// `tollgate keys`: makes, lists, changes, rotates and switches virtual keys, and keeps rules on them.

import { AccountError } from "../accounts/errors.ts";
import { budgetWindowText } from "../budget-window.ts";
import type { Key } from "../client/types.ts";
import { systemClock } from "../clock.ts";
import { SetupError } from "../errors.ts";
import { formatUsd } from "../money.ts";
import type { KeyStatus, NewBudget } from "../store/store.ts";
import { objectSubcommands } from "./account-commands.ts";
import { fieldHelp, fieldOptions, readFields } from "./account-fields.ts";
import type { Command, Io } from "./command.ts";
import { type Desk, idOf, PLACE_HELP, type Place, parseDeskOptions, type Shown, withDesk } from "./desk.ts";
import { readRuleText, rulesSubcommand } from "./kept-rules.ts";
import { type AliasOf, LIST_HELP, type ListCommand, listObjects } from "./object-list.ts";
import { type OptionValues, usage } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { budgetJson, readBudget, readMoment, readName, shownBudgets } from "./values.ts";

/** Options of create that are described with it. */
const OWN = ["alias", "team", "user", "role", "tag", "budget", "expires"] as const;

const HELP = `
Makes, lists, changes, rotates and switches virtual keys, and keeps rules on them. Works beside a running gateway:
a change counts from the next request on.

Usage:
  tollgate keys create --alias NAME [options]   make a key; its secret is shown this once
  tollgate keys list [--team NAME] [--search TEXT] [--limit N] [--after ID]
                                                keys without their secrets, oldest first
  tollgate keys disable ID|ALIAS                refuse it until it is enabled again
  tollgate keys enable ID|ALIAS
  tollgate keys revoke ID|ALIAS                 refuse it for good
  tollgate keys show ID|ALIAS                   all its fields
  tollgate keys set ID|ALIAS [options]          change those fields; --clear NAME takes one back to its default
  tollgate keys rotate ID|ALIAS [--grace WHEN]  a new secret, shown this once; the old one works that much longer
  tollgate keys delete ID|ALIAS                 refuse it for good and free its alias
  tollgate keys reset-spend ID|ALIAS            forget what was spent of its budgets
  tollgate keys rules ID|ALIAS                  show the rules that are kept on it
  tollgate keys rules ID|ALIAS --set FILE       keep these instead, once they are checked; - is standard input
  tollgate keys rules ID|ALIAS --clear          keep none

Options of create:
  --alias NAME        what people call the key; unique
  --team NAME         the team it belongs to (tollgate teams create makes one)
  --user NAME         the user it belongs to
  --role NAME         a role that rules can ask for; may be repeated
  --tag NAME          a tag that rules can ask for; may be repeated
  --budget AMOUNT     '$5 per month', with day, week, month, year or total; in single quotes
  --expires WHEN      a duration (30d, 12h) or a date (2027-01-31, 00:00 UTC); never when left out
  --rules FILE        rules to keep on it: they narrow what the rule files allow, for this key alone; - is standard input
  --service-account   the key of a service: it belongs to a team and to no user

Options of create and set:
${fieldHelp("key", OWN)}

Options of list (all keys when --limit is left out):
  --team NAME         keys of that team alone
${LIST_HELP}

Options of all:
${PLACE_HELP}
  --json              JSON on stdout

Exit codes: 0 done, 1 failed, 2 the rules have an error and nothing was changed, 64 usage, 78 bad config.

Examples:
  tollgate keys create --alias ci --team search --budget '$5 per month' --expires 90d
  KEY=$(tollgate keys create --alias dev)
  tollgate keys set ci --models gpt-4o,gpt-4o-mini --rpm-limit 60
  tollgate keys rotate ci --grace 24h
  tollgate keys revoke ci
  echo 'only model gpt-4o-mini' | tollgate keys rules ci --set -
`;

export const keys: Command = {
  name: "keys",
  summary: "make, list, change, rotate and switch virtual keys, keep rules on them",
  help: HELP.trimStart(),
  run: async (argv, io) =>
    runSubcommand(
      "keys",
      {
        create,
        list: (rest, to) => listObjects(LIST, rest, to),
        disable: (rest, to) => setStatus("disable", "disabled", rest, to),
        enable: (rest, to) => setStatus("enable", "active", rest, to),
        revoke: (rest, to) => setStatus("revoke", "revoked", rest, to),
        rules: rulesSubcommand("keys rules", "key"),
        rotate,
        ...objectSubcommands("keys", "key"),
      },
      argv,
      io,
    ),
};

const CREATE = {
  alias: { type: "string" },
  team: { type: "string" },
  user: { type: "string" },
  role: { type: "string", multiple: true },
  tag: { type: "string", multiple: true },
  budget: { type: "string" },
  expires: { type: "string" },
  rules: { type: "string" },
  "service-account": { type: "boolean" },
} as const;

/** What a list shows of a key: its stored status, or `expired`. */
async function listed(object: Shown, aliasOf: AliasOf) {
  const { id, alias, prefix, last_four, team_id, budgets, created, expires, ...key } = object as Key;
  const isOver = key.status === "active" && expires !== null && Date.parse(expires) <= systemClock.nowMs();
  const [status, team] = [isOver ? "expired" : key.status, await aliasOf("team", team_id)];
  return { id, alias, prefix, last_four, status, team, budgets, created, expires };
}

type Listed = Awaited<ReturnType<typeof listed>>;

const LIST: ListCommand<Listed> = {
  name: "keys",
  kind: "key",
  limit: null,
  itemOf: listed,
  columns: {
    ID: ({ id }) => id,
    ALIAS: ({ alias }) => alias,
    KEY: ({ prefix, last_four }) => `${prefix}…${last_four}`,
    STATUS: ({ status }) => status,
    TEAM: ({ team }) => team ?? "-",
    BUDGET: ({ budgets }) => shownBudgets(budgets) || "-",
    CREATED: ({ created }) => created.slice(0, 10),
    EXPIRES: ({ expires }) => expires?.slice(0, 10) ?? "never",
  },
  whenEmpty: "there are no keys: `tollgate keys create --alias NAME` makes one",
};

async function create(argv: readonly string[], io: Io): Promise<number> {
  const command = "keys create";
  const { values, place } = parseDeskOptions(argv, { command, options: { ...fieldOptions("key", OWN), ...CREATE } });
  const own = readOwn(command, values, place, io);
  const fields = { ...readFields("key", command, fieldsAmong(values)), ...own.fields };
  const { object, secret } = await withDesk(io, place, async (desk) => {
    if (typeof own.fields.rules === "string") await desk.checkRules("key", own.alias, own.fields.rules);
    const teamId = values.team === undefined ? null : await idOf(desk, "team", values.team, true);
    const userId = own.user === null ? null : await userIdFor(desk, own.user);
    return asNew(own.alias, () => desk.createKey({ ...fields, teamId, userId }));
  });
  if (values.json) io.stdout.write(`${JSON.stringify(createdJson(object as Key, secret, values, own))}\n`);
  else {
    io.stdout.write(`${secret}\n`);
    io.stderr.write(`key ${own.alias} (${object.id}) made; its secret is shown this once\n`);
  }
  return 0;
}

/** What create reads in its own way. */
interface OwnFields {
  readonly alias: string;
  readonly user: string | null;
  readonly budget: NewBudget | null;
  readonly fields: Readonly<Record<string, unknown>>;
}

function readOwn(command: string, values: OptionValues<typeof CREATE>, place: Place, io: Io): OwnFields {
  if (values.alias === undefined) throw usage(command, "--alias is missing: give the key a name");
  const nowMs = systemClock.nowMs();
  const expiresMs = values.expires === undefined ? null : readMoment(command, "--expires", values.expires, nowMs, 1);
  if (expiresMs !== null && expiresMs <= nowMs) throw usage(command, "--expires is in the past");
  const budget = values.budget === undefined ? null : readBudget(command, values.budget);
  const alias = readName(command, "--alias", values.alias);
  const fields = {
    alias,
    roles: (values.role ?? []).map((role) => readName(command, "--role", role)),
    tags: (values.tag ?? []).map((tag) => readName(command, "--tag", tag)),
    expiresMs,
    budgets:
      budget === null ? null : [{ limitUsd: formatUsd(budget.limitNanoUsd), window: budgetWindowText(budget.window) }],
    rules: values.rules === undefined ? null : readRuleText(command, values.rules, place, io),
    serviceAccount: values["service-account"] === true,
  };
  const user = values.user === undefined ? null : readName(command, "--user", values.user);
  return { alias, user, budget, fields };
}

/** What of the values the fields' options have set: the others are read above. */
function fieldsAmong(values: object): Readonly<Record<string, unknown>> {
  const own: readonly string[] = OWN;
  return Object.fromEntries(Object.entries(values).filter(([name]) => !own.includes(name)));
}

/** The user of that id or alias; one that is not known is made, with that name. */
async function userIdFor(desk: Desk, name: string): Promise<string> {
  try {
    return (await desk.get("user", name)).id;
  } catch (error) {
    if (!(error instanceof AccountError) || error.code !== "not_found") throw error;
    const id = /^[A-Za-z0-9][\w.@+:-]{0,127}$/.test(name) ? name : undefined;
    return (await desk.create("user", id, { alias: name })).id;
  }
}

async function asNew<T>(alias: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AccountError) || error.code !== "taken") throw error;
    throw new SetupError(`a key is called \`${alias}\` already: choose another alias`, 1, error);
  }
}

function createdJson(key: Key, secret: string, { team, user }: { team?: string; user?: string }, own: OwnFields) {
  return {
    id: key.id,
    key: secret,
    alias: own.alias,
    team: team ?? null,
    user: user ?? null,
    roles: own.fields.roles,
    tags: own.fields.tags,
    status: key.status,
    budget: own.budget === null ? null : budgetJson(own.budget),
    created: key.created,
    expires: key.expires,
  };
}

async function rotate(argv: readonly string[], io: Io): Promise<number> {
  const command = "keys rotate";
  const options = { grace: { type: "string" } } as const;
  const { values, positionals, place } = parseDeskOptions(argv, { command, options, positionals: ["ID|ALIAS"] });
  const graceMs = values.grace === undefined ? 0 : readMoment(command, "--grace", values.grace, 0, 1);
  const { object, secret } = await withDesk(io, place, async (desk) =>
    desk.rotateKey(await idOf(desk, "key", positionals[0] ?? ""), graceMs),
  );
  const { id, alias, grace_until: until } = object as Key;
  if (values.json) io.stdout.write(`${JSON.stringify({ id, key: secret, alias, grace_until: until })}\n`);
  else {
    io.stdout.write(`${secret}\n`);
    const old = until === null ? "the old one is refused from now on" : `the old one works until ${until}`;
    io.stderr.write(`key ${alias} (${id}) has a new secret, shown this once; ${old}\n`);
  }
  return 0;
}

async function setStatus(verb: string, status: KeyStatus, argv: readonly string[], io: Io): Promise<number> {
  const command = `keys ${verb}`;
  const { values, positionals, place } = parseDeskOptions(argv, { command, options: {}, positionals: ["ID|ALIAS"] });
  const name = positionals[0] ?? "";
  const { id, alias } = await withDesk(io, place, (desk) => change(desk, name, status));
  if (values.json) io.stdout.write(`${JSON.stringify({ id, alias, status })}\n`);
  else io.stderr.write(`key ${alias} (${id}) is ${status}\n`);
  return 0;
}

async function change(desk: Desk, name: string, status: KeyStatus): Promise<Shown> {
  const id = await idOf(desk, "key", name);
  try {
    return await desk.update("key", id, { status });
  } catch (error) {
    if (!(error instanceof AccountError) || error.code !== "revoked") throw error;
    throw new SetupError(`the key \`${name}\` is revoked, and that is final: make a new one`, 1, error);
  }
}
