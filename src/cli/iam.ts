// `tollgate iam`: IAM rules of keys, teams and organisations: listed, added, changed, removed, shown as rules.
import { IAM_RULE_TYPES } from "../accounts/iam-values.ts";
import type { ChangedIamRule, IamRule } from "../client/types.ts";
import type { IamKind } from "../store/directory.ts";
import type { Command, Io } from "./command.ts";
import { type Desk, idOf, named, PLACE_HELP, type Place, parseDeskOptions, withDesk } from "./desk.ts";
import { oneOf, type Specs, usage } from "./options.ts";
import { runSubcommand, type Subcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";

const KINDS: readonly IamKind[] = ["key", "team", "org"];
const STATUSES = ["active", "inactive"] as const;

const HELP = `
Lists, adds, changes and removes IAM rules: lists and prices that say what a key, a team or an organisation may use. They
are in force beside the rules that are kept on it. Works beside a running gateway: a change counts from the next request on.

Usage:
  tollgate iam list KIND ID|ALIAS               KIND is key, team or org
  tollgate iam text KIND ID|ALIAS               what they come to in the rule language
  tollgate iam add KIND ID|ALIAS TYPE [options]
  tollgate iam set KIND ID|ALIAS RULE [options]
  tollgate iam remove KIND ID|ALIAS RULE

Types:
  allow_models, deny_models             --models
  allow_providers, deny_providers       --providers
  allow_pricing, deny_pricing           --pricing, --max-input-price, --max-output-price
  allow_ip_cidrs, deny_ip_cidrs         --ip-cidrs

Allow rules of one type let pass what any of them lists; those of other types, and each deny rule, must let it pass too.
An organisation's rules, its teams' and their keys' all apply: each only narrows.

Options of add and set:
  --models NAME,…            models, aliases, or patterns such as 'gpt-4*'
  --providers NAME,…         providers
  --pricing free|paid        models without a price, or with one
  --max-input-price PRICE    USD per million tokens: 10, or '$10/M'
  --max-output-price PRICE   likewise
  --ip-cidrs RANGE,…         addresses and ranges: 10.0.0.0/8
  --status STATUS            active or inactive (add: active)

Options of all:
${PLACE_HELP}
  --json              JSON on stdout

Exit codes: 0 done, 1 failed or refused, 64 usage, 78 bad config.

Examples:
  tollgate iam add key ci allow_models --models gpt-4o-mini,gpt-4o
  tollgate iam add team ml deny_pricing --max-input-price 10
  tollgate iam list key ci
`;

export const iam: Command = {
  name: "iam",
  summary: "list, add, change and remove IAM rules of keys, teams and organisations",
  help: HELP.trimStart(),
  run: async (argv, io) => runSubcommand("iam", { list, text, add, set, remove }, argv, io),
};

const VALUES = {
  models: { type: "string", multiple: true },
  providers: { type: "string", multiple: true },
  pricing: { type: "string" },
  "max-input-price": { type: "string" },
  "max-output-price": { type: "string" },
  "ip-cidrs": { type: "string", multiple: true },
  status: { type: "string" },
} as const;

const list: Subcommand = async (argv, io) => {
  const { kind, name, values, place } = read("iam list", argv);
  const { alias, rules } = await withDesk(io, place, async (desk) => {
    const { id, alias } = await named(desk, kind, name);
    return { alias, rules: (await desk.iamRules(kind, id)).items };
  });
  if (values.json) io.stdout.write(`${JSON.stringify({ rules })}\n`);
  else if (rules.length === 0) io.stderr.write(`${kind} ${alias} has no IAM rules: it is unrestricted by them\n`);
  else io.stdout.write(tableOf(rules));
  return 0;
};

const text: Subcommand = async (argv, io) => {
  const { kind, name, values, place } = read("iam text", argv);
  const { text: rules } = await withDesk(io, place, async (desk) => desk.iamRules(kind, await idOf(desk, kind, name)));
  io.stdout.write(values.json ? `${JSON.stringify({ rules })}\n` : rules);
  return 0;
};

const add: Subcommand = async (argv, io) => {
  const { kind, name, more, values, place } = read("iam add", argv, ["TYPE"], VALUES);
  const ruleType = oneOf("iam add", "type", more, IAM_RULE_TYPES);
  const wish = { ruleType, ruleValue: valueIn(values), status: statusIn("iam add", values.status) };
  return changed(io, { kind, name, place, json: values.json }, "added", (desk, id) => desk.addIamRule(kind, id, wish));
};

const set: Subcommand = async (argv, io) => {
  const { kind, name, more, values, place } = read("iam set", argv, ["RULE"], VALUES);
  const ruleValue = valueIn(values);
  const isNew = Object.keys(ruleValue).length > 0;
  if (!isNew && values.status === undefined) throw usage("iam set", "say what to set: --status, or a new value");
  const wish = { ...(isNew ? { ruleValue } : {}), status: statusIn("iam set", values.status) };
  return changed(io, { kind, name, place, json: values.json }, "set", (desk, id) =>
    desk.changeIamRule(kind, id, more, wish),
  );
};

const remove: Subcommand = async (argv, io) => {
  const { kind, name, more, values, place } = read("iam remove", argv, ["RULE"]);
  await withDesk(io, place, async (desk) => desk.removeIamRule(kind, await idOf(desk, kind, name), more));
  if (values.json) io.stdout.write(`${JSON.stringify({ id: more, removed: true })}\n`);
  else io.stderr.write(`IAM rule ${more} is removed\n`);
  return 0;
};

/** The command line: whose rules, what else is named, the options. */
function read<const Options extends Specs>(
  command: string,
  argv: readonly string[],
  more: readonly string[] = [],
  options: Options = {} as Options,
) {
  const syntax = { command, options, positionals: ["KIND", "ID|ALIAS", ...more] };
  const { values, positionals, place } = parseDeskOptions<Options>(argv, syntax);
  const [kind = "", name = "", third = ""] = positionals;
  return { kind: oneOf(command, "kind", kind, KINDS), name, more: third, values, place };
}

/** Whose rules are changed, and how that is told. */
interface Changing {
  readonly kind: IamKind;
  readonly name: string;
  readonly place: Place;
  readonly json: boolean | undefined;
}

/** Makes the change, tells it, and warns of names that nothing there has. */
async function changed(
  io: Io,
  { kind, name, place, json }: Changing,
  done: string,
  change: (desk: Desk, id: string) => Promise<ChangedIamRule>,
): Promise<number> {
  const { alias, rule, warnings } = await withDesk(io, place, async (desk) => {
    const { id, alias } = await named(desk, kind, name);
    return { alias, ...(await change(desk, id)) };
  });
  io.stderr.write(warnings.map((warning) => `warning: ${warning}\n`).join(""));
  if (json) io.stdout.write(`${JSON.stringify(rule)}\n`);
  else io.stderr.write(`IAM rule ${rule.id} of ${kind} ${alias} is ${done}\n`);
  return 0;
}

type Values = { readonly [Name in keyof typeof VALUES]?: string | string[] | boolean | undefined };

function statusIn(command: string, status: string | undefined): (typeof STATUSES)[number] | undefined {
  return status === undefined ? undefined : oneOf(command, "status", status, STATUSES);
}

/** What the options say; what a rule of the type does not take, the accounts refuse. */
function valueIn(values: Values): Record<string, unknown> {
  const names = (all: Values[keyof Values]): string[] | undefined =>
    Array.isArray(all) ? all.flatMap((one) => one.split(",").map((part) => part.trim())) : undefined;
  const value = {
    models: names(values.models),
    providers: names(values.providers),
    pricingType: values.pricing,
    maxInputPrice: values["max-input-price"],
    maxOutputPrice: values["max-output-price"],
    ipCidrs: names(values["ip-cidrs"]),
  };
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined));
}

function tableOf(rules: readonly IamRule[]): string {
  const columns = ["ID", "TYPE", "VALUE", "STATUS"].map((title) => ({ title, align: "left" as const }));
  return renderTable(
    columns,
    rules.map(({ id, rule_type: type, rule_value: value, status }) => [id, type, valueText(value), status]),
  );
}

/** For people: `gpt-4o, o3*`, `free`, `input $10/M`. */
function valueText(value: IamRule["rule_value"]): string {
  const parts = Object.entries(value as Readonly<Record<string, string | readonly string[]>>).map(([name, part]) => {
    if (typeof part !== "string") return part.join(", ");
    if (name === "pricingType") return part;
    return `${name === "maxInputPrice" ? "input" : "output"} up to $${part}/M`;
  });
  return parts.join(", ");
}
