// `tollgate credits`: what teams have, giving them more, and every booking.
import type { TeamCredits } from "../accounts/credits.ts";
import { creditsOf } from "../credit-units.ts";
import { momentJson } from "../moment.ts";
import type { CreditTransaction } from "../store/credits.ts";
import { idOf, LOCAL } from "./account-service.ts";
import type { Command, Io } from "./command.ts";
import { withCredits } from "./credit-service.ts";
import { parseOptions, usage } from "./options.ts";
import { runSubcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";
import { readCount } from "./values.ts";

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
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

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
  const { values, positionals } = parseOptions(argv, {
    ...{ command: "credits balance", options: {}, positionals: ["TEAM"] },
  });
  const found = await withCredits(io, values.config, async ({ accounts, credits }) =>
    credits.balance(LOCAL, await idOf(accounts, "team", positionals[0] ?? "")),
  );
  return tell(found, values.json, io);
}

async function add(argv: readonly string[], io: Io): Promise<number> {
  const command = "credits add";
  const options = { reason: { type: "string" } } as const;
  const { values, positionals } = parseOptions(argv, { command, options, positionals: ["TEAM", "CREDITS"] });
  const [name = "", amount = ""] = positionals;
  if (!/^\d{1,10}(?:\.\d{1,6})?$/.test(amount)) {
    throw usage(command, `\`${amount}\` is no number of credits: write 500 or 0.5`);
  }
  const found = await withCredits(io, values.config, async ({ accounts, credits }) =>
    credits.add(LOCAL, await idOf(accounts, "team", name), Number(amount), values.reason ?? null),
  );
  return tell(found, values.json, io);
}

async function transactions(argv: readonly string[], io: Io): Promise<number> {
  const command = "credits transactions";
  const options = { limit: { type: "string" }, after: { type: "string" } } as const;
  const [first, ...rest] = argv;
  const isNamed = first !== undefined && !first.startsWith("-");
  const { values } = parseOptions(isNamed ? rest : argv, { command, options });
  const limit = readCount(command, "--limit", values.limit ?? LIMIT);
  const page = await withCredits(io, values.config, async ({ accounts, credits }) => {
    const team = isNamed ? await idOf(accounts, "team", first) : undefined;
    return credits.transactions(LOCAL, { team, limit, after: values.after });
  });
  if (values.json) {
    io.stdout.write(`${JSON.stringify({ transactions: page.items.map(transactionJson), next: page.next })}\n`);
  } else if (page.items.length === 0) io.stderr.write("nothing was booked\n");
  else io.stdout.write(table(page.items));
  if (page.next !== null) io.stderr.write(`there are more: --after ${page.next}\n`);
  return 0;
}

function tell({ team, mode, allocated, used, reserved, remaining }: TeamCredits, json: boolean | undefined, io: Io) {
  const { alias } = team.fields;
  const numbers = { allocated, used, reserved, remaining };
  if (json) io.stdout.write(`${JSON.stringify({ team: team.id, alias, budget_mode: mode, ...numbers })}\n`);
  else {
    const columns = ["TEAM", "MODE"].map((title) => ({ title, align: "left" as const }));
    const amounts = ["ALLOCATED", "USED", "RESERVED", "REMAINING"].map((title) => ({ title, align: "right" as const }));
    const row = [String(alias), mode, ...Object.values(numbers).map(String)];
    io.stdout.write(renderTable([...columns, ...amounts], [row]));
  }
  return 0;
}

function transactionJson({ id, teamId, atMs, kind, amount, balanceAfter, jobId, actor, reason }: CreditTransaction) {
  return {
    ...{ id, team: teamId, at: momentJson(atMs), kind, amount: creditsOf(amount) },
    ...{ balance_after: creditsOf(balanceAfter), job: jobId, actor, reason },
  };
}

function table(items: readonly CreditTransaction[]): string {
  const left = ["AT", "TEAM", "KIND"].map((title) => ({ title, align: "left" as const }));
  const right = ["AMOUNT", "BALANCE"].map((title) => ({ title, align: "right" as const }));
  const more = ["JOB", "ACTOR", "REASON"].map((title) => ({ title, align: "left" as const }));
  const rows = items.map(({ teamId, atMs, kind, amount, balanceAfter, jobId, actor, reason }) => [
    ...[momentJson(atMs)?.slice(0, 19) ?? "", teamId, kind],
    ...[String(creditsOf(amount)), String(creditsOf(balanceAfter)), jobId ?? "-", actor, reason ?? "-"],
  ]);
  return renderTable([...left, ...right, ...more], rows);
}
