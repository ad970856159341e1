// `list` of all account commands: objects page by page, as a table or as JSON, never all of them in memory.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { AccountKind } from "../store/directory.ts";
import type { Io } from "./command.ts";
import { type Desk, type DeskQuery, idOf, parseDeskOptions, type Shown, withDesk } from "./desk.ts";
import { usage } from "./options.ts";
import { type Column, pagedTable } from "./table.ts";

/** Objects that are asked for at a time. */
const PAGE = 1_000;
/** Aliases that are remembered while a list is written. */
const NAMES_MAX = 10_000;

/** What is a command's own of its list. */
export interface ListCommand<Item extends object> {
  /** The command, which is also the name of the list in JSON: `keys`. */
  readonly name: string;
  readonly kind: AccountKind;
  /** At most so many when `--limit` is left out; null for all. With a limit, JSON says where the list goes on. */
  readonly limit: number | null;
  /** What is listed of an object. */
  readonly itemOf: (object: Shown, aliasOf: AliasOf) => Item | Promise<Item>;
  /** Column → its text. */
  readonly columns: Readonly<Record<string, (item: Item) => string>>;
  /** Said when there are none. */
  readonly whenEmpty: string;
}

/** The alias of what another object names by id. */
export type AliasOf = (kind: AccountKind, id: string | null) => Promise<string | null>;

/** The options of a list, for its command's help. */
export const LIST_HELP = `\
  --search TEXT       those with that in their alias, in capitals or not; one or two characters: those that begin so
  --prefix TEXT       those whose alias begins so, in the order of aliases
  --limit N           at most so many
  --after ID          goes on after that one`;

/** Runs it. */
export async function listObjects<Item extends object>(
  own: ListCommand<Item>,
  argv: readonly string[],
  io: Io,
): Promise<number> {
  const command = `${own.name} list`;
  const text = { type: "string" } as const;
  const options = {
    limit: text,
    after: text,
    search: text,
    prefix: text,
    ...(own.kind === "key" ? { team: text } : {}),
  };
  const { values, place } = parseDeskOptions(argv, { command, options });
  const { after, search, prefix, team } = values as { readonly [name: string]: string | undefined };
  const limit = values.limit === undefined ? own.limit : readLimit(command, String(values.limit));
  const isWhole = [after, search, prefix, team].every((one) => one === undefined);
  const write = values.json ? jsonWriter(own, io, limit !== null) : tableWriter(own, io, { limit, isWhole });
  await withDesk(io, place, async (desk) => {
    const teamId = team === undefined ? undefined : await idOf(desk, "team", team);
    for await (const page of pagesOf(own, desk, { after, search, prefix, teamId }, limit)) write(page);
  });
  return 0;
}

function readLimit(command: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usage(command, "--limit takes a whole number, 1 or more");
}

/** One page of the list. */
interface ListedPage<Item> {
  readonly items: readonly Item[];
  /** Where more of it is; null on the last page. */
  readonly next: string | null;
  /** True where it ends, also by the limit. */
  readonly isLast: boolean;
}

async function* pagesOf<Item extends object>(
  { kind, itemOf }: ListCommand<Item>,
  desk: Desk,
  query: Omit<DeskQuery, "limit">,
  limit: number | null,
): AsyncGenerator<ListedPage<Item>, void> {
  const aliasOf = rememberedAliases(desk);
  let [after, left] = [query.after, limit ?? Number.POSITIVE_INFINITY];
  for (;;) {
    const page = await desk.list(kind, { ...query, after, limit: Math.min(PAGE, left) });
    const items: Item[] = [];
    for (const object of page.items) items.push(await itemOf(object, aliasOf));
    left -= items.length;
    const isLast = page.next === null || left === 0;
    yield { items, next: page.next, isLast };
    if (isLast) return;
    after = page.next ?? undefined;
    // What was written and read is let go of between turns of the event loop.
    await nextTurn();
  }
}

function rememberedAliases(desk: Desk): AliasOf {
  const known = new Map<string, string>();
  return async (kind, id) => {
    if (id === null) return null;
    const before = known.get(id);
    if (before !== undefined) return before;
    const { alias } = await desk.get(kind, id);
    if (known.size >= NAMES_MAX) known.clear();
    known.set(id, alias);
    return alias;
  };
}

/** One JSON object, written as the pages come. */
function jsonWriter<Item extends object>(
  { name }: ListCommand<Item>,
  io: Io,
  hasLimit: boolean,
): (page: ListedPage<Item>) => void {
  let before = `{${JSON.stringify(name)}:[`;
  return ({ items, next, isLast }) => {
    const end = hasLimit ? `],"next":${JSON.stringify(next)}}\n` : "]}\n";
    io.stdout.write(`${before}${items.map((item) => JSON.stringify(item)).join()}${isLast ? end : ""}`);
    before = ",";
  };
}

function tableWriter<Item extends object>(
  { columns, whenEmpty }: ListCommand<Item>,
  io: Io,
  { limit, isWhole }: { readonly limit: number | null; readonly isWhole: boolean },
): (page: ListedPage<Item>) => void {
  const render = pagedTable(Object.keys(columns).map((title): Column => ({ title, align: "left" })));
  return ({ items, next, isLast }) => {
    const rows = items.map((item) => Object.values(columns).map((cell) => cell(item)));
    if (rows.length > 0) io.stdout.write(render(rows));
    else io.stderr.write(isWhole ? `${whenEmpty}\n` : "there are none like that\n");
    if (isLast && limit !== null && next !== null) io.stderr.write(`there are more: --after ${next}\n`);
  };
}
