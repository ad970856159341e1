// `tollgate jobs`: the jobs that teams have opened, what they used and what they cost.
import { creditsOf } from "../credit-units.ts";
import { momentJson } from "../moment.ts";
import { formatUsd } from "../money.ts";
import type { Job, JobStatus } from "../store/credits.ts";
import { idOf, LOCAL } from "./account-service.ts";
import type { Command, Io } from "./command.ts";
import { withCredits } from "./credit-service.ts";
import { oneOf, parseOptions } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";
import { readCount } from "./values.ts";

const LIMIT = "100";
const STATUSES: readonly JobStatus[] = ["pending", "in_progress", "completed", "failed"];

const HELP = `
Shows jobs: teams open them at the HTTP API (plugins/admin-saas), make calls in them and end them. Works beside a running
gateway.

Usage:
  tollgate jobs list [--team TEAM] [--status STATUS] [--limit N] [--after ID]    newest first
  tollgate jobs show ID

Options:
  --team TEAM         of this team alone, by id or alias
  --status STATUS     ${STATUSES.join(", ")}
  --limit N           at most so many; default: ${LIMIT}
  --json              JSON on stdout
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Examples:
  tollgate jobs list --team acme-corp --status failed
`;

export const jobs: Command = {
  name: "jobs",
  summary: "the jobs that teams have opened, and what they cost",
  help: HELP.trimStart(),
  run: async (argv, io) => runSubcommand("jobs", { list, show }, argv, io),
};

async function list(argv: readonly string[], io: Io): Promise<number> {
  const command = "jobs list";
  const text = { type: "string" } as const;
  const { values } = parseOptions(argv, { command, options: { team: text, status: text, limit: text, after: text } });
  const status = values.status === undefined ? undefined : oneOf(command, "status", values.status, STATUSES);
  const limit = readCount(command, "--limit", values.limit ?? LIMIT);
  const page = await withCredits(io, values.config, async ({ accounts, jobs }) => {
    const team = values.team === undefined ? undefined : await idOf(accounts, "team", values.team);
    return jobs.list(LOCAL, { team, status, limit, after: values.after });
  });
  if (values.json) io.stdout.write(`${JSON.stringify({ jobs: page.items.map(jobJson), next: page.next })}\n`);
  else if (page.items.length === 0) io.stderr.write("there are no such jobs\n");
  else io.stdout.write(table(page.items));
  if (page.next !== null) io.stderr.write(`there are more: --after ${page.next}\n`);
  return 0;
}

async function show(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(argv, { command: "jobs show", options: {}, positionals: ["ID"] });
  const job = await withCredits(io, values.config, ({ jobs }) => jobs.get(LOCAL, positionals[0] ?? ""));
  if (values.json) io.stdout.write(`${JSON.stringify(jobJson(job))}\n`);
  else {
    const columns = ["FIELD", "VALUE"].map((title) => ({ title, align: "left" as const }));
    const shown = Object.entries(jobJson(job)).filter(([, value]) => value !== null);
    const cell = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value));
    io.stdout.write(
      renderTable(
        columns,
        shown.map(([name, value]) => [name, cell(value)]),
      ),
    );
  }
  return 0;
}

function jobJson(job: Job): object {
  const { id, teamId, keyId, type, status, mode, calls, failedCalls, inputTokens, outputTokens, metadata } = job;
  return {
    ...{ id, team: teamId, key: keyId, type, status, budget_mode: mode },
    ...{ calls, failed_calls: failedCalls, input_tokens: inputTokens, output_tokens: outputTokens },
    ...{ cost_usd: formatUsd(job.costNanoUsd), credits_held: creditsOf(job.held) },
    ...{ credits_charged: creditsOf(job.charged), error: job.error, metadata },
    ...{ created: momentJson(job.createdMs), updated: momentJson(job.updatedMs) },
    ...{ completed: momentJson(job.completedMs), expires: momentJson(job.expiresMs) },
  };
}

function table(items: readonly Job[]): string {
  const left = ["CREATED", "ID", "TEAM", "TYPE", "STATUS"].map((title) => ({ title, align: "left" as const }));
  const right = ["CALLS", "TOKENS", "COST", "CREDITS"].map((title) => ({ title, align: "right" as const }));
  const rows = items.map((job) => [
    ...[momentJson(job.createdMs)?.slice(0, 19) ?? "", job.id, job.teamId, job.type, job.status, String(job.calls)],
    ...[String(job.inputTokens + job.outputTokens), `$${formatUsd(job.costNanoUsd)}`],
    String(creditsOf(job.completedMs === null ? job.held : job.charged)),
  ]);
  return renderTable([...left, ...right], rows);
}
