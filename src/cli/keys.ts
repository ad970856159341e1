// `tollgate keys`: makes, lists and switches virtual keys, and keeps rules on them.

import { systemClock } from "../clock.ts";
import { SetupError } from "../errors.ts";
import { displayParts, hashKey, newKeySecret } from "../key-secret.ts";
import { loadPepper } from "../store/open.ts";
import type { KeyRow, KeyStatus, NewKey, Store } from "../store/store.ts";
import { StoreError } from "../store/store.ts";
import type { Command, Io } from "./command.ts";
import { readRuleText, ruleChecker, rulesSubcommand } from "./kept-rules.ts";
import { keyJson, keyTable } from "./key-list.ts";
import { naming, noSuchTeam } from "./no-such.ts";
import { parseOptions, usage } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { budgetJson, momentJson, readBudget, readMoment, readName } from "./values.ts";
import { withStore } from "./with-store.ts";

const HELP = `
Makes, lists and switches virtual keys, and keeps rules on them. Works beside a running gateway: a change counts from the next request on.

Usage:
  tollgate keys create --alias NAME [options]   make a key; its secret is shown this once
  tollgate keys list                            all keys, without their secrets
  tollgate keys disable ID|ALIAS                refuse it until it is enabled again
  tollgate keys enable ID|ALIAS
  tollgate keys revoke ID|ALIAS                 refuse it for good
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

Options of all:
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)
  --json              JSON on stdout

Exit codes: 0 done, 1 failed, 2 the rules have an error and nothing was changed, 64 usage, 78 bad config.

Examples:
  tollgate keys create --alias ci --team search --budget '$5 per month' --expires 90d
  KEY=$(tollgate keys create --alias dev)
  tollgate keys revoke ci
  echo 'only model gpt-4o-mini' | tollgate keys rules ci --set -
`;

export const keys: Command = {
  name: "keys",
  summary: "make, list and switch virtual keys, keep rules on them",
  help: HELP.trimStart(),
  run: async (argv, io) =>
    runSubcommand(
      "keys",
      {
        create,
        list,
        disable: (rest, to) => setStatus("disable", "disabled", rest, to),
        enable: (rest, to) => setStatus("enable", "active", rest, to),
        revoke: (rest, to) => setStatus("revoke", "revoked", rest, to),
        rules: rulesSubcommand("keys rules", "key"),
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
} as const;

/** A key to make, but for its secret. */
type KeyWish = Omit<NewKey, "hash" | "prefix" | "lastFour">;

async function create(argv: readonly string[], io: Io): Promise<number> {
  const { values } = parseOptions(argv, { command: "keys create", options: CREATE });
  const wish = readWish(values, io);
  const check = wish.rules === undefined ? null : await ruleChecker(values.config, io);
  const secret = newKeySecret();
  const row = await withStore(io, values.config, (store, config) => {
    if (wish.rules !== undefined) check?.(store, "key", wish.alias, wish.rules);
    const hash = hashKey(secret, loadPepper(config, io.env, store.accounts));
    return insert(store, { ...wish, ...displayParts(secret), hash });
  });
  if (values.json) io.stdout.write(`${JSON.stringify(createdJson(row, secret, wish))}\n`);
  else {
    io.stdout.write(`${secret}\n`);
    io.stderr.write(`key ${row.alias} (${row.id}) made; its secret is shown this once\n`);
  }
  return 0;
}

function readWish(values: ReturnType<typeof parseOptions<typeof CREATE>>["values"], io: Io): KeyWish {
  const command = "keys create";
  if (values.alias === undefined) throw usage(command, "--alias is missing: give the key a name");
  const nowMs = systemClock.nowMs();
  const { team, user, expires, budget, rules } = values;
  const expiresMs = expires === undefined ? undefined : readMoment(command, "--expires", expires, nowMs, 1);
  if (expiresMs !== undefined && expiresMs <= nowMs) throw usage(command, "--expires is in the past");
  return {
    alias: readName(command, "--alias", values.alias),
    teamAlias: team,
    userAlias: user === undefined ? undefined : readName(command, "--user", user),
    roles: (values.role ?? []).map((role) => readName(command, "--role", role)),
    tags: (values.tag ?? []).map((tag) => readName(command, "--tag", tag)),
    expiresMs,
    budget: budget === undefined ? undefined : readBudget(command, budget),
    rules: rules === undefined ? undefined : readRuleText(command, rules, io),
  };
}

function insert(store: Store, key: NewKey): KeyRow {
  try {
    return store.accounts.createKey(key);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === "no_such_team") throw noSuchTeam(key.teamAlias ?? "", store);
    if (error.code !== "alias_taken") throw error;
    throw new SetupError(`a key is called \`${key.alias}\` already: choose another alias`, 1, error);
  }
}

function createdJson(row: KeyRow, secret: string, wish: KeyWish): object {
  return {
    id: row.id,
    key: secret,
    alias: row.alias,
    team: wish.teamAlias ?? null,
    user: wish.userAlias ?? null,
    roles: wish.roles,
    tags: wish.tags,
    status: row.status,
    budget: wish.budget === undefined ? null : budgetJson(wish.budget),
    created: momentJson(row.createdMs),
    expires: momentJson(row.expiresMs),
  };
}

async function list(argv: readonly string[], io: Io): Promise<number> {
  const { values } = parseOptions(argv, { command: "keys list", options: {} });
  const all = await withStore(io, values.config, (store) => store.accounts.listKeys());
  const nowMs = systemClock.nowMs();
  if (values.json) io.stdout.write(`${JSON.stringify({ keys: all.map((key) => keyJson(key, nowMs)) })}\n`);
  else if (all.length === 0) io.stderr.write("there are no keys: `tollgate keys create --alias NAME` makes one\n");
  else io.stdout.write(keyTable(all, nowMs));
  return 0;
}

async function setStatus(verb: string, status: KeyStatus, argv: readonly string[], io: Io): Promise<number> {
  const command = `keys ${verb}`;
  const { values, positionals } = parseOptions(argv, { command, options: {}, positionals: ["ID|ALIAS"] });
  const name = positionals[0] ?? "";
  const row = await withStore(io, values.config, (store) => change(store, name, status));
  if (values.json) io.stdout.write(`${JSON.stringify({ id: row.id, alias: row.alias, status: row.status })}\n`);
  else io.stderr.write(`key ${row.alias} (${row.id}) is ${row.status}\n`);
  return 0;
}

function change(store: Store, name: string, status: KeyStatus): KeyRow {
  try {
    return naming(name, store, () => store.accounts.setKeyStatus(name, status));
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "revoked") throw error;
    throw new SetupError(`the key \`${name}\` is revoked, and that is final: make a new one`, 1, error);
  }
}
