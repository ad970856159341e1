// `tollgate jobs`: the jobs that teams have opened, what they used and what they cost.
import type { TeamJob } from "../client/types.ts";
import type { JobStatus } from "../store/credits.ts";
import type { Command, Io } from "./command.ts";
import { idOf, PLACE_HELP, parseDeskOptions, withDesk } from "./desk.ts";
import { oneOf } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";
import { readPageSize } from "./values.ts";

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
${PLACE_HELP}

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
  const options = { team: text, status: text, limit: text, after: text };
  const { values, place } = parseDeskOptions(argv, { command, options });
  const status = values.status === undefined ? undefined : oneOf(command, "status", values.status, STATUSES);
  const limit = readPageSize(command, values.limit ?? LIMIT);
  const page = await withDesk(io, place, async (desk) => {
    const team = values.team === undefined ? undefined : await idOf(desk, "team", values.team);
    return desk.jobs({ team, status, limit, after: values.after });
  });
  if (values.json) io.stdout.write(`${JSON.stringify({ jobs: page.items, next: page.next })}\n`);
  else if (page.items.length === 0) io.stderr.write("there are no such jobs\n");
  else io.stdout.write(table(page.items));
  if (page.next !== null) io.stderr.write(`there are more: --after ${page.next}\n`);
  return 0;
}

async function show(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, place } = parseDeskOptions(argv, {
    ...{ command: "jobs show", options: {}, positionals: ["ID"] },
  });
  const job = await withDesk(io, place, (desk) => desk.job(positionals[0] ?? ""));
  if (values.json) io.stdout.write(`${JSON.stringify(job)}\n`);
  else {
    const columns = ["FIELD", "VALUE"].map((title) => ({ title, align: "left" as const }));
    const shown = Object.entries(job).filter(([, value]) => value !== null);
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

function table(items: readonly TeamJob[]): string {
  const left = ["CREATED", "ID", "TEAM", "TYPE", "STATUS"].map((title) => ({ title, align: "left" as const }));
  const right = ["CALLS", "TOKENS", "COST", "CREDITS"].map((title) => ({ title, align: "right" as const }));
  const rows = items.map((job) => [
    ...[job.created.slice(0, 19), job.id, job.team, job.type, job.status, String(job.calls)],
    ...[String(job.input_tokens + job.output_tokens), `$${job.cost_usd}`],
    String(job.completed === null ? job.credits_held : job.credits_charged),
  ]);
  return renderTable([...left, ...right], rows);
}
