// `tollgate limits`: every budget and limit that applies to a key or an account, and what is left of each.

import { NOUNS } from "../accounts/fields.ts";
import type { LimitedKind, LimitJson } from "../limits.ts";
import type { Command, Io } from "./command.ts";
import { idOf, PLACE_HELP, parseDeskOptions, withDesk } from "./desk.ts";
import { usage } from "./options.ts";
import { renderTable } from "./table.ts";

const HELP = `
Shows every budget and limit that applies to a key, and what is left of each: its own, those of its team, its user and its
organisation, and the \`limit\` and \`budget\` statements of the rules. Of a team, a user or an organisation it shows those
that hold for all its keys together. Works beside a running gateway: what is reserved is what requests in flight hold.

Usage:
  tollgate limits KEY [--json]
  tollgate limits --team NAME | --user NAME | --org NAME [--json]

KEY and NAME are an id or an alias.

Options:
  --json              JSON on stdout, as \`GET /-/limits\` answers: {"kind","id","alias","limits":[{"kind","label","scope",
                      "id","alias","rule","text","models","sometimes","counted_by","unit","limit","spent","reserved",
                      "remaining","window","resets_at","soft_limit","raise"}]}
${PLACE_HELP}

Money is in US dollars, as decimal text: nothing is rounded. A statement that counts models apart is shown for the models
that something was used of. The rules are those of the config's folder as the files say now; with --url those in force.

Examples:
  tollgate limits ci
  tollgate limits --team search --json
`;

export const limits: Command = {
  name: "limits",
  summary: "what is left of the budgets and limits of a key, a team, a user or an organisation",
  help: HELP.trimStart(),
  run,
};

async function run(argv: readonly string[], io: Io): Promise<number> {
  const text = { type: "string" } as const;
  const options = { team: text, user: text, org: text };
  const isOther = argv.some((arg) => /^--(?:team|user|org)\b/.test(arg));
  const syntax = { command: "limits", options, positionals: isOther ? [] : ["KEY"] };
  const { values, positionals, place } = parseDeskOptions(argv, syntax);
  const [kind, name] = askedFor({ ...values, key: positionals[0] });
  const found = await withDesk(io, place, async (desk) => desk.limits(kind, await idOf(desk, kind, name)));
  if (values.json) io.stdout.write(`${JSON.stringify(found)}\n`);
  else if (found.limits.length === 0) io.stderr.write(`${NOUNS[kind]} ${found.alias} has no budget and no limit\n`);
  else io.stdout.write(table(found.limits));
  return 0;
}

function askedFor(values: Partial<Record<LimitedKind, string | undefined>>): [LimitedKind, string] {
  const kinds = ["key", "team", "user", "org"] as const;
  const named = kinds.flatMap((kind) => (values[kind] === undefined ? [] : [[kind, values[kind]] as const]));
  const [first, ...more] = named;
  if (first === undefined || more.length > 0) throw usage("limits", "name one key, team, user or organisation");
  return [...first];
}

function table(limits: readonly LimitJson[]): string {
  const left = (title: string) => ({ title, align: "left" as const });
  const right = (title: string) => ({ title, align: "right" as const });
  const columns = [
    left("WHAT"),
    right("LIMIT"),
    right("SPENT"),
    right("RESERVED"),
    right("LEFT"),
    left("RESETS"),
    left(""),
  ];
  const rows = limits.map((limit) => {
    const shown = (amount: string | null): string => (amount === null ? "-" : amountText(amount, limit.unit));
    const { spent, reserved, remaining, resets_at } = limit;
    const figures = [limit.limit, spent, reserved, remaining].map(shown);
    return [limit.label, ...figures, resets_at === null ? "-" : `${resets_at.slice(0, 16)}Z`, remarks(limit)];
  });
  return renderTable(columns, rows);
}

function amountText(amount: string, unit: LimitJson["unit"]): string {
  if (unit === "usd") return `$${amount}`;
  return unit === "concurrent" ? amount : `${amount} ${unit}`;
}

function remarks({ soft_limit, raise, models, sometimes, counted_by }: LimitJson): string {
  const parts = [
    soft_limit === null ? "" : `soft $${soft_limit}`,
    raise === null ? "" : `raised by $${raise.amount} until ${raise.until?.slice(0, 16)}Z`,
    models === null ? "" : modelsText(models),
    counted_by.length === 0 ? "" : `for each ${counted_by.join(", ")}`,
    sometimes ? "depends on the request" : "",
  ];
  return parts.filter((part) => part !== "").join("; ");
}

function modelsText(models: readonly string[]): string {
  const shown = models.slice(0, 3).join(", ");
  return models.length > 3 ? `${shown} and ${models.length - 3} more` : shown;
}
