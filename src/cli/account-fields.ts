// Fields of account objects as options: how each is written on the command line.

import { FIELDS } from "../accounts/fields.ts";
import { systemClock } from "../clock.ts";
import { parseDuration } from "../config/units.ts";
import type { AccountKind } from "../store/directory.ts";
import { usage } from "./options.ts";
import { readMoment } from "./values.ts";

/** How an option's text becomes a field. */
interface FieldOption {
  readonly field: string;
  /** As the help shows it. */
  readonly value: string;
  readonly help: string;
  /** May be repeated: its values together are the field. */
  readonly many: boolean;
  read(texts: readonly string[], command: string): unknown;
}

const one = (
  field: string,
  value: string,
  help: string,
  read: (text: string, command: string) => unknown,
): FieldOption => ({
  ...{ field, value, help, many: false },
  read: ([text = ""], command) => read(text, command),
});
const list = (field: string, value: string, help: string): FieldOption => ({
  ...{ field, value, help: `${help}; may be repeated`, many: true },
  read: (texts) => texts.flatMap((text) => text.split(",").map((part) => part.trim())),
});
const byModel = (
  field: string,
  value: string,
  help: string,
  read: (text: string, command: string) => unknown,
): FieldOption => ({
  ...{ field, value: `MODEL=${value}`, help: `${help}; may be repeated`, many: true },
  read: (texts, command) =>
    Object.fromEntries(
      texts.map((text) => {
        const at = text.indexOf("=");
        if (at < 1) throw usage(command, `\`${text}\` is not of the form MODEL=${value}`);
        return [text.slice(0, at), read(text.slice(at + 1), command)];
      }),
    ),
});

/** Every option by its name. A kind takes those whose field it has. */
export const FIELD_OPTIONS: Readonly<Record<string, FieldOption>> = {
  alias: one("alias", "NAME", "what people call it; unique", (text) => text),
  description: one("description", "TEXT", "what it is for", (text) => text),
  models: list("models", "MODEL,…", "models, patterns or access groups that it may use"),
  "access-groups": list("accessGroups", "NAME,…", "access groups whose models it may use"),
  "model-alias": {
    ...byModel("modelAliases", "MODEL", "a name that stands for a model", (text) => text),
    value: "NAME=MODEL",
  },
  "rpm-limit": one("rpmLimit", "N", "most requests a minute", readCount),
  "tpm-limit": one("tpmLimit", "N", "most tokens a minute", readCount),
  "max-parallel": one("maxParallelRequests", "N", "most requests at a time", readCount),
  "model-rpm-limit": byModel("modelRpmLimits", "N", "most requests a minute to a model", readCount),
  "model-tpm-limit": byModel("modelTpmLimits", "N", "most tokens a minute of a model", readCount),
  budget: {
    ...{ field: "budgets", value: "AMOUNT", many: true },
    help: "'$5 per month', day, week, year, total or a length (30d); may be repeated; replaces all",
    read: (texts, command) => texts.map((text) => readBudgetField(text, command)),
  },
  "soft-budget": one("softBudgetUsd", "USD", "an amount to warn at", (text) => text),
  "model-budget": byModel("modelBudgets", "AMOUNT", "a budget for one model: 'gpt-4=$5 per day'", readBudgetField),
  "ip-range": list("ipRanges", "RANGE,…", "addresses that it may be used from"),
  tag: list("tags", "NAME", "a tag that rules can ask for"),
  role: list("roles", "NAME", "a role that rules can ask for"),
  email: one("email", "ADDRESS", "the user's address", (text) => text),
  "user-role": one(
    "role",
    "ROLE",
    "proxy_admin, proxy_admin_viewer, internal_user or internal_user_viewer",
    (text) => text,
  ),
  "key-type": one(
    "keyType",
    "TYPE",
    "default, llm_api, management or read_only: which routes it may call",
    (text) => text,
  ),
  "allowed-route": list("allowedRoutes", "ROUTE,…", "routes that it may call: /v1/models, /v1/*, llm_api_routes"),
  status: one("status", "STATUS", "active, or disabled (keys), suspended, paused (the others)", (text) => text),
  expires: one("expiresMs", "WHEN", "a duration (30d) or a date", (text, command) =>
    readWhen("--expires", text, command),
  ),
  "temp-budget-increase": one("tempBudgetIncreaseUsd", "USD", "raises its budgets for a time", (text) => text),
  "temp-budget-expires": one("tempBudgetExpiresMs", "WHEN", "until when they are raised", (text, command) =>
    readWhen("--temp-budget-expires", text, command),
  ),
  team: one("teamId", "ID", "the team that it belongs to", (text) => text),
  user: one("userId", "ID", "the user that it belongs to", (text) => text),
  org: one("orgId", "ID", "the organisation that it belongs to", (text) => text),
  "member-permission": list("memberPermissions", "ROUTE,…", "what members may do: /key/generate, /key/update, …"),
  "budget-mode": one(
    "budgetMode",
    "MODE",
    "what its calls cost in credits: none, job_based, consumption_usd, consumption_tokens",
    (text) => text,
  ),
  metadata: one("metadata", "JSON", "an object of your own", readJson),
};

/** The options of a kind, as `parseOptions` takes them. */
export function fieldOptions(
  kind: AccountKind,
  without: readonly string[] = [],
): Record<string, { type: "string"; multiple: boolean }> {
  return Object.fromEntries(
    namesOf(kind)
      .filter((name) => !without.includes(name))
      .map((name) => [name, { type: "string", multiple: FIELD_OPTIONS[name]?.many === true }]),
  );
}

/** The lines of a kind's help. */
export function fieldHelp(kind: AccountKind, without: readonly string[] = []): string {
  const shown = namesOf(kind).filter((name) => !without.includes(name));
  const lines = shown.map((name) => {
    const { value = "", help = "" } = FIELD_OPTIONS[name] ?? {};
    return `  ${`--${name} ${value}`.padEnd(30)} ${help}`;
  });
  return lines.join("\n");
}

/**
 * The fields that the options set; those in `clear` are taken back to their defaults.
 * @throws SetupError 64 when a value cannot be read, or a field to clear is none
 */
export function readFields(
  kind: AccountKind,
  command: string,
  values: Readonly<Record<string, unknown>>,
  clear: readonly string[] = [],
): Record<string, unknown> {
  const set: Record<string, unknown> = {};
  for (const name of namesOf(kind)) {
    const option = FIELD_OPTIONS[name];
    const given = values[name];
    if (option === undefined || given === undefined) continue;
    set[option.field] = option.read(Array.isArray(given) ? (given as string[]) : [String(given)], command);
  }
  for (const name of clear) {
    const field = FIELD_OPTIONS[name.replace(/^--/, "")]?.field;
    if (field === undefined) throw usage(command, `--clear takes the name of an option, and \`${name}\` is none`);
    set[field === "keyType" ? "allowedRoutes" : field] = null;
  }
  return set;
}

function namesOf(kind: AccountKind): readonly string[] {
  const known = FIELDS[kind];
  return Object.entries(FIELD_OPTIONS).flatMap(([name, { field }]) => {
    const isHere = Object.hasOwn(known, field) || (kind === "key" && field === "keyType");
    return isHere ? [name] : [];
  });
}

function readCount(text: string, command: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw usage(command, `\`${text}\` is not a whole number, 0 or more`);
}

function readJson(text: string, command: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw usage(command, "--metadata takes a JSON object");
  }
}

function readWhen(option: string, text: string, command: string): number {
  return readMoment(command, option, text, systemClock.nowMs(), 1);
}

/** `$5 per month`, `$5/30d`, `$100 total`. */
function readBudgetField(text: string, command: string): { limitUsd: string; window: string } {
  const match = /^\$?(\d+(?:\.\d+)?)\s*(?:per\s+|\/\s*|\s)\s*(\w+)$/i.exec(text.trim());
  const [, limitUsd = "", window = ""] = match ?? [];
  const isKnown = /^(?:day|week|month|year|total)$/.test(window) || parseDuration(window).ok;
  if (match !== null && isKnown) return { limitUsd, window };
  throw usage(
    command,
    "not a budget: write '$5 per month', with day, week, month, year, total or a length such as 30d",
  );
}
