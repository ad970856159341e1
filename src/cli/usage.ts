// `tollgate usage`: what was used and what it cost, by key, team, user, model or day.

import { systemClock } from "../clock.ts";
import { formatUsd } from "../money.ts";
import type { UsageGroup, UsageRow } from "../store/store.ts";
import type { Command, Io } from "./command.ts";
import { type Desk, PLACE_HELP, parseDeskOptions, withDesk } from "./desk.ts";
import { oneOf, usage as usageError } from "./options.ts";
import { renderCsv, renderTable } from "./table.ts";
import { readMoment } from "./values.ts";

const GROUPS: readonly UsageGroup[] = ["key", "team", "user", "model", "day"];
const SINCE = "30d";

const HELP = `
Shows what was used and what it cost. Works beside a running gateway. Refused requests do not count.

Usage:
  tollgate usage [--by GROUP] [--since WHEN] [--until WHEN] [--json | --csv]

Options:
  --by GROUP          key, team, user, model or day (UTC); default: key
  --since WHEN        a duration (7d, 12h) or a date (2026-11-01, 00:00 UTC); default: ${SINCE}
  --until WHEN        the same; requests that arrived before it; default: now
  --csv               CSV on stdout (RFC 4180, with a header line)
  --json              JSON on stdout: {"rows":[{GROUP,"requests","input_tokens","output_tokens","cost_usd"}]}
${PLACE_HELP}

Money is in US dollars, as decimal text: nothing is rounded. \`-\` stands for requests without such a group.

Examples:
  tollgate usage --by team --since 7d
  tollgate usage --by day --csv > days.csv
  tollgate usage --by user --since 2026-10-01 --until 2026-11-01
`;

export const usage: Command = {
  name: "usage",
  summary: "what was used and what it cost",
  help: HELP.trimStart(),
  run,
};

async function run(argv: readonly string[], io: Io): Promise<number> {
  const { values, place } = parseDeskOptions(argv, {
    command: "usage",
    options: { by: { type: "string" }, since: { type: "string" }, until: { type: "string" }, csv: { type: "boolean" } },
  });
  if (values.csv && values.json) throw usageError("usage", "--csv and --json exclude each other");
  const group = oneOf("usage", "group", values.by ?? "key", GROUPS);
  const span = readSpan(values.since ?? SINCE, values.until);
  const rows = await withDesk(io, place, (desk) => rowsOf(desk, group, span));
  if (values.json) io.stdout.write(`${JSON.stringify({ rows: rows.map((row) => rowJson(group, row)) })}\n`);
  else if (values.csv) io.stdout.write(csv(group, rows));
  else showTable(group, rows, span, io);
  return 0;
}

/** From when to before when requests arrived; `untilMs` null: up to now. Milliseconds since the epoch. */
interface Span {
  readonly sinceMs: number;
  readonly untilMs: number | null;
}

function readSpan(since: string, until: string | undefined): Span {
  const nowMs = systemClock.nowMs();
  const sinceMs = readMoment("usage", "--since", since, nowMs, -1);
  if (sinceMs > nowMs) throw usageError("usage", "--since is in the future");
  if (until === undefined) return { sinceMs, untilMs: null };
  const untilMs = readMoment("usage", "--until", until, nowMs, -1);
  if (untilMs <= sinceMs) throw usageError("usage", "--until is not after --since");
  return { sinceMs, untilMs: untilMs >= nowMs ? null : untilMs };
}

/** What came since the span's beginning, less what came since its end, which is asked first: sums never fall below 0. */
async function rowsOf(desk: Desk, group: UsageGroup, { sinceMs, untilMs }: Span): Promise<readonly UsageRow[]> {
  if (untilMs === null) return desk.usage(group, sinceMs);
  const later = byName(await desk.usage(group, untilMs));
  const rows = [...byName(await desk.usage(group, sinceMs)).values()];
  const left = rows.map((row) => less(row, later.get(row.name))).filter((row) => row.requests > 0);
  return group === "day" ? left : left.sort((a, b) => compare(b.costNanoUsd, a.costNanoUsd) || b.requests - a.requests);
}

/** Two groups that go by one name (a key that took over another's alias) count as one. */
function byName(rows: readonly UsageRow[]): ReadonlyMap<string, UsageRow> {
  const groups = Map.groupBy(rows, ({ name }) => name);
  return new Map([...groups].map(([name, some]) => [name, { ...total(some), name }]));
}

function less(row: UsageRow, later: UsageRow | undefined): UsageRow {
  if (later === undefined) return row;
  return {
    name: row.name,
    requests: row.requests - later.requests,
    inputTokens: row.inputTokens - later.inputTokens,
    outputTokens: row.outputTokens - later.outputTokens,
    costNanoUsd: row.costNanoUsd - later.costNanoUsd,
  };
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

function rowJson(group: UsageGroup, row: UsageRow): object {
  return {
    [group]: row.name,
    requests: row.requests,
    input_tokens: row.inputTokens,
    output_tokens: row.outputTokens,
    cost_usd: formatUsd(row.costNanoUsd),
  };
}

function csv(group: UsageGroup, rows: readonly UsageRow[]): string {
  return renderCsv([group, "requests", "input_tokens", "output_tokens", "cost_usd"], rows.map(cells));
}

function showTable(group: UsageGroup, rows: readonly UsageRow[], { sinceMs, untilMs }: Span, io: Io): void {
  const minute = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`;
  const span = `since ${minute(sinceMs)}${untilMs === null ? "" : ` until ${minute(untilMs)}`}`;
  if (rows.length === 0) {
    io.stderr.write(`no requests ${span}\n`);
    return;
  }
  const numbers = ["REQUESTS", "INPUT", "OUTPUT", "COST USD"].map((title) => ({ title, align: "right" as const }));
  const sums = [...rows.map(cells), ...(rows.length > 1 ? [cells(total(rows))] : [])];
  io.stdout.write(renderTable([{ title: group.toUpperCase(), align: "left" }, ...numbers], sums));
  io.stderr.write(`${span}\n`);
}

function cells(row: UsageRow): string[] {
  const { name, requests, inputTokens, outputTokens, costNanoUsd } = row;
  return [name, String(requests), String(inputTokens), String(outputTokens), formatUsd(costNanoUsd)];
}

function total(rows: readonly UsageRow[]): UsageRow {
  const add = (of: (row: UsageRow) => number): number => rows.reduce((sum, row) => sum + of(row), 0);
  return {
    name: "total",
    requests: add((row) => row.requests),
    inputTokens: add((row) => row.inputTokens),
    outputTokens: add((row) => row.outputTokens),
    costNanoUsd: rows.reduce((sum, row) => sum + row.costNanoUsd, 0n),
  };
}
