// `tollgate credits`: what teams have, giving them more, and every booking.
import type { Credits, CreditTransaction } from "../client/types.ts";
import type { Command, Io } from "./command.ts";
import { idOf, PLACE_HELP, parseDeskOptions, withDesk } from "./desk.ts";
import { usage } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";
import { readPageSize } from "./values.ts";

const LIMIT = "100";

const HELP = `
Shows and gives teams' credits. A team's budget mode says what a job costs: one credit (job_based), its dollars
(consumption_usd) or its tokens (consumption_tokens); \`tollgate teams set TEAM --budget-mode MODE\` changes it. Works beside
a running gateway.

Usage:
  tollgate credits balance TEAM
  tollgate credits add TEAM CREDITS [--reason TEXT]
  tollgate credits transactions [TEAM] [--limit N] [--after ID]    newest first; of all teams without one

TEAM is its id or alias. CREDITS is more than 0, with at most six decimals. A team without a budget mode that is given
credits pays by the job from then on.

Options:
  --json              JSON on stdout
${PLACE_HELP}

Examples:
  tollgate credits add acme-corp 500 --reason 'invoice 17'
  tollgate credits transactions acme-corp --json
`;

export const credits: Command = {
  name: "credits",
  summary: "what teams have in credits, giving them more, every booking",
  help: HELP.trimStart(),
  run: async (argv, io) => runSubcommand("credits", { balance, add, transactions }, argv, io),
};

async function balance(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, place } = parseDeskOptions(argv, {
    ...{ command: "credits balance", options: {}, positionals: ["TEAM"] },
  });
  const found = await withDesk(io, place, async (desk) => desk.credits(await idOf(desk, "team", positionals[0] ?? "")));
  return tell(found, values.json, io);
}

async function add(argv: readonly string[], io: Io): Promise<number> {
  const command = "credits add";
  const options = { reason: { type: "string" } } as const;
  const { values, positionals, place } = parseDeskOptions(argv, { command, options, positionals: ["TEAM", "CREDITS"] });
  const [name = "", amount = ""] = positionals;
  if (!/^\d{1,10}(?:\.\d{1,6})?$/.test(amount)) {
    throw usage(command, `\`${amount}\` is no number of credits: write 500 or 0.5`);
  }
  const found = await withDesk(io, place, async (desk) =>
    desk.addCredits(await idOf(desk, "team", name), Number(amount), values.reason),
  );
  return tell(found, values.json, io);
}

async function transactions(argv: readonly string[], io: Io): Promise<number> {
  const command = "credits transactions";
  const options = { limit: { type: "string" }, after: { type: "string" } } as const;
  const [first, ...rest] = argv;
  const isNamed = first !== undefined && !first.startsWith("-");
  const { values, place } = parseDeskOptions(isNamed ? rest : argv, { command, options });
  const limit = readPageSize(command, values.limit ?? LIMIT);
  const page = await withDesk(io, place, async (desk) => {
    const team = isNamed ? await idOf(desk, "team", first) : undefined;
    return desk.creditTransactions({ team, limit, after: values.after });
  });
  if (values.json) io.stdout.write(`${JSON.stringify({ transactions: page.items, next: page.next })}\n`);
  else if (page.items.length === 0) io.stderr.write("nothing was booked\n");
  else io.stdout.write(table(page.items));
  if (page.next !== null) io.stderr.write(`there are more: --after ${page.next}\n`);
  return 0;
}

function tell(found: Credits, json: boolean | undefined, io: Io): number {
  if (json) io.stdout.write(`${JSON.stringify(found)}\n`);
  else {
    const { alias, budget_mode: mode, allocated, used, reserved, remaining } = found;
    const columns = ["TEAM", "MODE"].map((title) => ({ title, align: "left" as const }));
    const amounts = ["ALLOCATED", "USED", "RESERVED", "REMAINING"].map((title) => ({ title, align: "right" as const }));
    const row = [alias, mode, ...[allocated, used, reserved, remaining].map(String)];
    io.stdout.write(renderTable([...columns, ...amounts], [row]));
  }
  return 0;
}

function table(items: readonly CreditTransaction[]): string {
  const left = ["AT", "TEAM", "KIND"].map((title) => ({ title, align: "left" as const }));
  const right = ["AMOUNT", "BALANCE"].map((title) => ({ title, align: "right" as const }));
  const more = ["JOB", "ACTOR", "REASON"].map((title) => ({ title, align: "left" as const }));
  const rows = items.map(({ team, at, kind, amount, balance_after: balance, job, actor, reason }) => [
    ...[at.slice(0, 19), team, kind, String(amount), String(balance), job ?? "-", actor, reason ?? "-"],
  ]);
  return renderTable([...left, ...right, ...more], rows);
}
