// `tollgate keys list`: keys without their secrets, with what they are now, page by page.

import { setImmediate as nextTurn } from "node:timers/promises";
import { objectJson } from "../accounts/object-json.ts";
import type { Accounts } from "../accounts/service.ts";
import { systemClock } from "../clock.ts";

import { idOf, LOCAL, withAccounts } from "./account-service.ts";
import type { Io } from "./command.ts";
import { parseOptions, usage } from "./options.ts";
import { type Column, pagedTable } from "./table.ts";
import { shownBudgets } from "./values.ts";

/** Keys that are asked for at a time: what is listed is never in memory as a whole. */
const PAGE = 1_000;
/** Teams whose aliases are remembered while keys are listed. */
const TEAMS_MAX = 10_000;

/** What a list shows of a key, of all that `keys show` does. */
interface ListedKey {
  readonly id: string;
  readonly alias: string;
  readonly prefix: string;
  readonly last_four: string;
  readonly status: string;
  /** The team's alias. */
  readonly team: string | null;
  readonly budgets: readonly { readonly limit_usd: string; readonly window: string }[];
  /** ISO 8601, as is the next. */
  readonly created: string;
  readonly expires: string | null;
}

/** `tollgate keys list`. */
export async function listKeys(argv: readonly string[], io: Io): Promise<number> {
  const command = "keys list";
  const text = { type: "string" } as const;
  const { values } = parseOptions(argv, { command, options: { limit: text, after: text, team: text, search: text } });
  const limit = values.limit === undefined ? null : readLimit(command, values.limit);
  const { after, search } = values;
  const write = values.json ? jsonWriter(io, limit !== null) : tableWriter(io, { ...values, limit });
  await withAccounts(io, values.config, async (accounts) => {
    const teamId = values.team === undefined ? null : await idOf(accounts, "team", values.team);
    const within = teamId === null ? undefined : { teamIds: [teamId] };
    for await (const page of pagesOf(accounts, { after, search, within }, limit)) write(page);
  });
  return 0;
}

function readLimit(command: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usage(command, "--limit takes a whole number, 1 or more");
}

/** One page of keys; `next` is null on the last, `isLast` true also where the limit ends the list. */
interface KeyPage {
  readonly keys: readonly ListedKey[];
  readonly next: string | null;
  readonly isLast: boolean;
}

async function* pagesOf(
  accounts: Accounts,
  wish: NonNullable<Parameters<Accounts["list"]>[2]>,
  limit: number | null,
): AsyncGenerator<KeyPage> {
  const teamOf = teamNames(accounts);
  const nowMs = systemClock.nowMs();
  let [after, left] = [wish.after, limit ?? Number.POSITIVE_INFINITY];
  for (;;) {
    const { items, next } = await accounts.list(LOCAL, "key", { ...wish, after, limit: Math.min(PAGE, left) });
    const keys: ListedKey[] = [];
    for (const item of items) {
      const key = objectJson(item) as unknown as ListedKey & { readonly team_id: string | null };
      keys.push(listedKey(key, await teamOf(key.team_id), nowMs));
    }
    left -= keys.length;
    const isLast = next === null || left === 0;
    yield { keys, next, isLast };
    if (isLast) return;
    after = next;
    // What was written and read is let go of between turns of the event loop.
    await nextTurn();
  }
}

/** The alias of the team of an id. */
function teamNames(accounts: Accounts): (id: string | null) => Promise<string | null> {
  const known = new Map<string, string>();
  return async (id) => {
    if (id === null) return null;
    const before = known.get(id);
    if (before !== undefined) return before;
    const { fields } = await accounts.get(LOCAL, "team", id);
    if (known.size >= TEAMS_MAX) known.clear();
    known.set(id, String(fields.alias));
    return String(fields.alias);
  };
}

/** One JSON object, `{"keys":[…]}`, written as the pages come; with a limit it says where to go on: `"next"`. */
function jsonWriter(io: Io, hasLimit: boolean): (page: KeyPage) => void {
  let before = '{"keys":[';
  return ({ keys, next, isLast }) => {
    const end = hasLimit ? `],"next":${JSON.stringify(next)}}\n` : "]}\n";
    io.stdout.write(`${before}${keys.map((key) => JSON.stringify(key)).join()}${isLast ? end : ""}`);
    before = ",";
  };
}

/** What narrows the list. */
interface Narrowing {
  readonly after?: string | undefined;
  readonly team?: string | undefined;
  readonly search?: string | undefined;
  readonly limit: number | null;
}

function tableWriter(io: Io, { after, team, search, limit }: Narrowing): (page: KeyPage) => void {
  const render = keyTable();
  const isWhole = after === undefined && team === undefined && search === undefined;
  return ({ keys, next, isLast }) => {
    if (keys.length > 0) io.stdout.write(render(keys));
    else
      io.stderr.write(
        isWhole ? "there are no keys: `tollgate keys create --alias NAME` makes one\n" : "no key is so\n",
      );
    if (isLast && limit !== null && next !== null) io.stderr.write(`there are more: --after ${next}\n`);
  };
}

/** The key as it is at that moment: its stored status, or `expired`. */
function listedKey(key: ListedKey, team: string | null, nowMs: number): ListedKey {
  const { id, alias, prefix, last_four, budgets, created, expires } = key;
  const isOver = key.status === "active" && expires !== null && Date.parse(expires) <= nowMs;
  return { id, alias, prefix, last_four, status: isOver ? "expired" : key.status, team, budgets, created, expires };
}

/** Keys for people, page by page. */
function keyTable(): (page: readonly ListedKey[]) => string {
  const titles = ["ID", "ALIAS", "KEY", "STATUS", "TEAM", "BUDGET", "CREATED", "EXPIRES"];
  const render = pagedTable(titles.map((title): Column => ({ title, align: "left" })));
  return (page) => render(page.map(cells));
}

function cells({ id, alias, prefix, last_four, status, team, budgets, created, expires }: ListedKey): string[] {
  const dates = [created.slice(0, 10), expires?.slice(0, 10) ?? "never"];
  return [id, alias, `${prefix}…${last_four}`, status, team ?? "-", shownBudgets(budgets) || "-", ...dates];
}
