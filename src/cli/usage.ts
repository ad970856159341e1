// `tollgate usage`: what was used and what it cost, by key, team, user, model or day.

import { systemClock } from "../clock.ts";
import { formatUsd } from "../money.ts";
import type { UsageGroup, UsageRow } from "../store/store.ts";
import type { Command, Io } from "./command.ts";
import { PLACE_HELP, parseDeskOptions, withDesk } from "./desk.ts";
import { oneOf, usage as usageError } from "./options.ts";
import { renderCsv, renderTable } from "./table.ts";
import { readMoment } from "./values.ts";

const GROUPS: readonly UsageGroup[] = ["key", "team", "user", "model", "day"];
const SINCE = "30d";

const HELP = `
Shows what was used and what it cost. Works beside a running gateway. Refused requests do not count.

Usage:
  tollgate usage [--by GROUP,…] [--since WHEN] [--until WHEN] [--json | --csv]

Options:
  --by GROUP,…        key, team, user, model or day (UTC), or several: a row for each combination; default: key
  --since WHEN        a duration (7d, 12h) or a date (2026-11-01, 00:00 UTC); default: ${SINCE}
  --until WHEN        the same; requests that arrived before it; default: now
  --csv               CSV on stdout (RFC 4180, with a header line)
  --json              JSON on stdout: {"rows":[{GROUP,"requests","input_tokens","output_tokens","cost_usd"}]}
${PLACE_HELP}

Money is in US dollars, as decimal text: nothing is rounded. \`-\` stands for requests without such a group. Days
begin at 00:00 UTC, whatever the config's timezone says: that one is where the days of budgets begin. A request counts
where it arrived: at --since it is in, at --until it is not.

Examples:
  tollgate usage --by team --since 7d
  tollgate usage --by day --csv > days.csv
  tollgate usage --by team,model --since 2026-11-01
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
  const groups = readGroups(values.by ?? "key");
  const span = readSpan(values.since ?? SINCE, values.until);
  const rows = await withDesk(io, place, (desk) => desk.usage(groups, span.sinceMs, span.untilMs));
  if (values.json) io.stdout.write(`${JSON.stringify({ rows: rows.map((row) => rowJson(groups, row)) })}\n`);
  else if (values.csv) io.stdout.write(csv(groups, rows));
  else showTable(groups, rows, span, io);
  return 0;
}

/** `team,model` → each of them, once. */
function readGroups(text: string): readonly UsageGroup[] {
  const groups = text.split(",").map((name) => oneOf("usage", "group", name.trim(), GROUPS));
  if (new Set(groups).size < groups.length) throw usageError("usage", "--by names a group twice");
  return groups;
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

function rowJson(groups: readonly UsageGroup[], row: UsageRow): object {
  return {
    ...Object.fromEntries(groups.map((group, i) => [group, row.names[i]])),
    requests: row.requests,
    input_tokens: row.inputTokens,
    output_tokens: row.outputTokens,
    cost_usd: formatUsd(row.costNanoUsd),
  };
}

function csv(groups: readonly UsageGroup[], rows: readonly UsageRow[]): string {
  return renderCsv([...groups, "requests", "input_tokens", "output_tokens", "cost_usd"], rows.map(cells));
}

function showTable(groups: readonly UsageGroup[], rows: readonly UsageRow[], { sinceMs, untilMs }: Span, io: Io): void {
  const minute = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`;
  const span = `since ${minute(sinceMs)}${untilMs === null ? "" : ` until ${minute(untilMs)}`}`;
  if (rows.length === 0) {
    io.stderr.write(`no requests ${span}\n`);
    return;
  }
  const numbers = ["REQUESTS", "INPUT", "OUTPUT", "COST USD"].map((title) => ({ title, align: "right" as const }));
  const names = groups.map((group) => ({ title: group.toUpperCase(), align: "left" as const }));
  const sums = [...rows.map(cells), ...(rows.length > 1 ? [cells(total(rows, groups.length))] : [])];
  io.stdout.write(renderTable([...names, ...numbers], sums));
  io.stderr.write(`${span}\n`);
}

function cells(row: UsageRow): string[] {
  const { names, requests, inputTokens, outputTokens, costNanoUsd } = row;
  return [...names, String(requests), String(inputTokens), String(outputTokens), formatUsd(costNanoUsd)];
}

/** @param columns how many groups there are: the others' cells are empty */
function total(rows: readonly UsageRow[], columns: number): UsageRow {
  const add = (of: (row: UsageRow) => number): number => rows.reduce((sum, row) => sum + of(row), 0);
  return {
    name: "total",
    names: ["total", ...Array.from({ length: columns - 1 }, () => "")],
    requests: add((row) => row.requests),
    inputTokens: add((row) => row.inputTokens),
    outputTokens: add((row) => row.outputTokens),
    costNanoUsd: rows.reduce((sum, row) => sum + row.costNanoUsd, 0n),
  };
}
