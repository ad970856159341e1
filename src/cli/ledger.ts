// `tollgate ledger recovered`: what was charged because a gateway died.
import { systemClock } from "../clock.ts";
import { formatUsd } from "../money.ts";
import type { Recovery } from "../store/store.ts";
import type { Command, Io } from "./command.ts";
import { parseOptions } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";
import { amountText, momentJson, readMoment } from "./values.ts";
import { withStore } from "./with-store.ts";

const SINCE = "30d";

const HELP = `
Shows what was charged as unaccounted because a gateway died: what its requests had in reserve, which the provider may
have billed. It counts against the quota and is in no row of \`tollgate usage\`. Works beside a running gateway. A process
that was only stopped for long, and goes on, takes its charge back as its requests end.

Usage:
  tollgate ledger recovered [--since WHEN] [--json]

Options:
  --since WHEN        a duration (7d, 12h) or a date (2026-11-01, 00:00 UTC); default: ${SINCE}
  --json              JSON on stdout: {"rows":[{"at","process","pid","quota","window","unit","amount"}]}
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Money is in US dollars, as decimal text: nothing is rounded.

Examples:
  tollgate ledger recovered --since 7d
`;

export const ledger: Command = {
  name: "ledger",
  summary: "what was charged because a gateway died",
  help: HELP.trimStart(),
  run: async (argv, io) => runSubcommand("ledger", { recovered }, argv, io),
};

async function recovered(argv: readonly string[], io: Io): Promise<number> {
  const command = "ledger recovered";
  const { values } = parseOptions(argv, { command, options: { since: { type: "string" } } });
  const sinceMs = readMoment(command, "--since", values.since ?? SINCE, systemClock.nowMs(), -1);
  const rows = await withStore(io, values.config, (store) => store.ledger.recoveries(sinceMs));
  if (values.json) io.stdout.write(`${JSON.stringify({ rows: rows.map(rowJson) })}\n`);
  else if (rows.length > 0) io.stdout.write(table(rows));
  else io.stderr.write(`nothing was charged for a dead process since ${momentJson(sinceMs)?.slice(0, 16)}Z\n`);
  return 0;
}

function rowJson({ atMs, process, pid, quota, window, unit, amount }: Recovery): object {
  const isMoney = unit === "nano-usd";
  const [shownUnit, shown] = isMoney ? ["usd", formatUsd(amount)] : [unit, String(amount)];
  return { at: momentJson(atMs), process, pid, quota, window, unit: shownUnit, amount: shown };
}

function table(rows: readonly Recovery[]): string {
  const titles = ["AT", "PID", "QUOTA", "WINDOW"].map((title) => ({ title, align: "left" as const }));
  return renderTable(
    [...titles, { title: "CHARGED", align: "right" }],
    rows.map((row) => [momentJson(row.atMs) ?? "", String(row.pid), row.quota, row.window, amountText(row)]),
  );
}
