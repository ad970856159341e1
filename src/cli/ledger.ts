// `tollgate ledger`: what was charged because a gateway died, and the way to take it back.

import type { Recovery, Reversal } from "../client/types.ts";
import { systemClock } from "../clock.ts";
import { SetupError } from "../errors.ts";
import type { Command, Io } from "./command.ts";
import { PLACE_HELP, parseDeskOptions, withDesk } from "./desk.ts";
import { usage } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";
import { momentJson, readMoment } from "./values.ts";

const SINCE = "30d";
const REASON_LENGTH_MAX = 500;
const NOTHING = "0";

const HELP = `
Shows what was charged as unaccounted because a gateway died, and takes it back: what its requests had in reserve, which
the provider may have billed. It counts against the quota and is in no row of \`tollgate usage\`. Works beside a running
gateway. A process that was only stopped for long, and goes on, takes its charge back as its requests end.

Usage:
  tollgate ledger recovered [--since WHEN] [--json]
  tollgate ledger reverse ID|--all [--reason TEXT] [--json]

recovered shows, with --json, the requests that were in flight when the process last told of them, up to a second before
it died: \`tollgate explain REQUEST\` knows those that had ended. reverse takes off what is still charged, once, however
often it is asked; what was spent comes free at the next request, and the audit log says who did it.

Options:
  --since WHEN        a duration (7d, 12h) or a date (2026-11-01, 00:00 UTC); default: ${SINCE}
  --all               everything that is still charged
  --reason TEXT       why, for the audit log
  --json              JSON on stdout: {"rows":[{"id","at","process","pid","quota","window","unit","amount","open",
                      "in_flight","reversed"}]}; of reverse {"rows":[{"id","quota","window","unit","taken_off","reversed"}]}
${PLACE_HELP}

Money is in US dollars, as decimal text: nothing is rounded.

Examples:
  tollgate ledger recovered --since 7d
  tollgate ledger reverse 12 --reason 'not on the invoice'
`;

export const ledger: Command = {
  name: "ledger",
  summary: "what was charged because a gateway died, and taking it back",
  help: HELP.trimStart(),
  run: async (argv, io) => runSubcommand("ledger", { recovered, reverse }, argv, io),
};

async function recovered(argv: readonly string[], io: Io): Promise<number> {
  const command = "ledger recovered";
  const { values, place } = parseDeskOptions(argv, { command, options: { since: { type: "string" } } });
  const sinceMs = readMoment(command, "--since", values.since ?? SINCE, systemClock.nowMs(), -1);
  const { rows } = await withDesk(io, place, (desk) => desk.recovered(sinceMs));
  if (values.json) io.stdout.write(`${JSON.stringify({ rows })}\n`);
  else if (rows.length > 0) io.stdout.write(table(rows));
  else io.stderr.write(`nothing was charged for a dead process since ${momentJson(sinceMs)?.slice(0, 16)}Z\n`);
  return 0;
}

async function reverse(argv: readonly string[], io: Io): Promise<number> {
  const command = "ledger reverse";
  const options = { all: { type: "boolean" }, reason: { type: "string" } } as const;
  const wantsAll = argv.includes("--all");
  const syntax = { command, options, positionals: wantsAll ? [] : ["ID"] };
  const { values, positionals, place } = parseDeskOptions(argv, syntax);
  const which = wantsAll ? "all" : readId(command, positionals[0] ?? "");
  const reason = values.reason === undefined ? undefined : readReason(command, values.reason);
  const done = await withDesk(io, place, (desk) => desk.reverse(which, reason));
  if (done === null) throw new SetupError(`nothing with the id ${which}: \`tollgate ledger recovered\` shows all`, 1);
  if (values.json) io.stdout.write(`${JSON.stringify({ rows: done })}\n`);
  else if (done.length === 0) io.stderr.write("nothing is charged for a dead process\n");
  else for (const each of done) io.stderr.write(`${reversalText(each)}\n`);
  return 0;
}

function readId(command: string, text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw usage(command, `not an id: \`${text}\` (\`tollgate ledger recovered\` shows them)`);
}

function readReason(command: string, text: string): string {
  if (text.length <= REASON_LENGTH_MAX && !/\p{Cc}/u.test(text)) return text;
  throw usage(command, `--reason takes up to ${REASON_LENGTH_MAX} printable characters`);
}

function reversalText({ id, quota, window, unit, taken_off: amount, reversed }: Reversal): string {
  if (amount !== NOTHING) return `${id}: ${amountText(amount, unit)} is taken off ${quota} in ${window}`;
  const why = reversed === null ? "the process has taken it back itself" : `reversed ${reversed.at}`;
  return `${id}: nothing is charged any more: ${why}`;
}

function table(rows: readonly Recovery[]): string {
  const titles = ["AT", "PID", "QUOTA", "WINDOW"].map((title) => ({ title, align: "left" as const }));
  const amounts = ["CHARGED", "STILL CHARGED"].map((title) => ({ title, align: "right" as const }));
  return renderTable(
    [{ title: "ID", align: "right" }, ...titles, ...amounts],
    rows.map(({ id, at, pid, quota, window, unit, amount, open }) => [
      ...[String(id), at, String(pid), quota, window],
      ...[amountText(amount, unit), open === NOTHING ? "" : amountText(open, unit)],
    ]),
  );
}

function amountText(amount: string, unit: Recovery["unit"]): string {
  return unit === "usd" ? `$${amount}` : `${amount} ${unit}`;
}
