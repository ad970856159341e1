// `tollgate usage`: what was used and what it cost, by key, team, user, model or day.

import { systemClock } from "../clock.ts";
import { formatUsd } from "../money.ts";
import type { UsageGroup, UsageRow } from "../store/store.ts";
import type { Command, Io } from "./command.ts";
import { oneOf, parseOptions, usage as usageError } from "./options.ts";
import { renderCsv, renderTable } from "./table.ts";
import { readMoment } from "./values.ts";
import { withStore } from "./with-store.ts";

const GROUPS: readonly UsageGroup[] = ["key", "team", "user", "model", "day"];
const SINCE = "30d";

const HELP = `
Shows what was used and what it cost. Works beside a running gateway. Refused requests do not count.

Usage:
  tollgate usage [--by GROUP] [--since WHEN] [--json | --csv]

Options:
  --by GROUP          key, team, user, model or day (UTC); default: key
  --since WHEN        a duration (7d, 12h) or a date (2026-11-01, 00:00 UTC); default: ${SINCE}
  --csv               CSV on stdout
  --json              JSON on stdout: {"rows":[{GROUP,"requests","input_tokens","output_tokens","cost_usd"}]}
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Money is in US dollars, as decimal text: nothing is rounded. \`-\` stands for requests without such a group.

Examples:
  tollgate usage --by team --since 7d
  tollgate usage --by day --csv > days.csv
`;

export const usage: Command = {
  name: "usage",
  summary: "what was used and what it cost",
  help: HELP.trimStart(),
  run,
};

async function run(argv: readonly string[], io: Io): Promise<number> {
  const { values } = parseOptions(argv, {
    command: "usage",
    options: { by: { type: "string" }, since: { type: "string" }, csv: { type: "boolean" } },
  });
  if (values.csv && values.json) throw usageError("usage", "--csv and --json exclude each other");
  const group = oneOf("usage", "group", values.by ?? "key", GROUPS);
  const sinceMs = readMoment("usage", "--since", values.since ?? SINCE, systemClock.nowMs(), -1);
  const rows = await withStore(io, values.config, (store) => store.requests.usage(group, sinceMs));
  if (values.json) io.stdout.write(`${JSON.stringify({ rows: rows.map((row) => rowJson(group, row)) })}\n`);
  else if (values.csv) io.stdout.write(csv(group, rows));
  else showTable(group, rows, sinceMs, io);
  return 0;
}

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

function showTable(group: UsageGroup, rows: readonly UsageRow[], sinceMs: number, io: Io): void {
  const since = new Date(sinceMs).toISOString().slice(0, 16);
  if (rows.length === 0) {
    io.stderr.write(`no requests since ${since}Z\n`);
    return;
  }
  const numbers = ["REQUESTS", "INPUT", "OUTPUT", "COST USD"].map((title) => ({ title, align: "right" as const }));
  const sums = [...rows.map(cells), ...(rows.length > 1 ? [cells(total(rows))] : [])];
  io.stdout.write(renderTable([{ title: group.toUpperCase(), align: "left" }, ...numbers], sums));
  io.stderr.write(`since ${since}Z\n`);
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
