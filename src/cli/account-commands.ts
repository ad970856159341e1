// What the commands of all kinds of account objects share: show, set, delete, members.
import { NOUNS } from "../accounts/fields.ts";
import type { AccountKind } from "../store/directory.ts";
import { fieldOptions, readFields } from "./account-fields.ts";
import type { Io } from "./command.ts";
import { type Desk, idOf, named, parseDeskOptions, type Shown, withDesk } from "./desk.ts";
import { usage } from "./options.ts";
import type { Subcommand } from "./subcommands.ts";
import { renderTable } from "./table.ts";

/** `show`, `set`, `delete` of a kind, under the name of its command; of what has budgets `reset-spend` too. */
export function objectSubcommands(command: string, kind: AccountKind): Readonly<Record<string, Subcommand>> {
  return {
    show: (argv, io) => show(`${command} show`, kind, argv, io),
    set: (argv, io) => set(`${command} set`, kind, argv, io),
    delete: (argv, io) => remove(`${command} delete`, kind, argv, io),
    ...(kind === "group"
      ? {}
      : { "reset-spend": (argv: readonly string[], io: Io) => resetSpend(`${command} reset-spend`, kind, argv, io) }),
  };
}

/** `members`, `add-member`, `remove-member` of teams and organisations. */
export function memberSubcommands(command: string, kind: "team" | "org"): Readonly<Record<string, Subcommand>> {
  return {
    members: (argv, io) => members(`${command} members`, kind, argv, io),
    "add-member": (argv, io) => addMember(`${command} add-member`, kind, argv, io),
    "remove-member": (argv, io) => removeMember(`${command} remove-member`, kind, argv, io),
  };
}

/** Says what was done, or shows the object. */
export function tell(kind: AccountKind, object: Shown, done: string, json: boolean | undefined, io: Io): number {
  if (json) io.stdout.write(`${JSON.stringify(object)}\n`);
  else io.stderr.write(`${NOUNS[kind]} ${object.alias} (${object.id}) ${done}\n`);
  return 0;
}

async function show(command: string, kind: AccountKind, argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, place } = parseDeskOptions(argv, { command, options: {}, positionals: ["ID|ALIAS"] });
  const object = await withDesk(io, place, (desk) => named(desk, kind, positionals[0] ?? ""));
  if (values.json) return tell(kind, object, "", true, io);
  const rows = Object.entries(object).map(([name, value]) => [name, cell(value)]);
  const columns = ["FIELD", "VALUE"].map((title) => ({ title, align: "left" as const }));
  io.stdout.write(
    renderTable(
      columns,
      rows.filter(([, value]) => value !== ""),
    ),
  );
  return 0;
}

/** A value for people; nothing for what is not set. */
function cell(value: unknown): string {
  if (value === null || value === false) return "";
  if (Array.isArray(value)) return value.map(cell).join(", ");
  if (typeof value !== "object") return String(value);
  if ("limit_usd" in value && "window" in value) return `$${value.limit_usd} per ${value.window}`;
  return Object.keys(value).length === 0 ? "" : JSON.stringify(value);
}

async function set(command: string, kind: AccountKind, argv: readonly string[], io: Io): Promise<number> {
  const options = { ...fieldOptions(kind), clear: { type: "string", multiple: true } } as const;
  const { values, positionals, place } = parseDeskOptions(argv, { command, options, positionals: ["ID|ALIAS"] });
  const given = values as Readonly<Record<string, unknown>>;
  const fields = readFields(kind, command, given, given.clear as string[] | undefined);
  if (Object.keys(fields).length === 0) throw usage(command, "say what to set: an option for a field, or --clear NAME");
  const object = await withDesk(io, place, async (desk) => {
    const id = await idOf(desk, kind, positionals[0] ?? "");
    return desk.update(kind, id, await withIds(desk, fields));
  });
  return tell(kind, object, "is set", given.json === true, io);
}

/** Teams, users and organisations may be named by alias. */
export async function withIds(desk: Desk, fields: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
  const ids = { ...fields };
  for (const [field, kind] of [
    ["teamId", "team"],
    ["userId", "user"],
    ["orgId", "org"],
  ] as const) {
    const name = ids[field];
    if (typeof name === "string") ids[field] = await idOf(desk, kind, name);
  }
  return ids;
}

async function remove(command: string, kind: AccountKind, argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, place } = parseDeskOptions(argv, { command, options: {}, positionals: ["ID|ALIAS"] });
  const { id, alias } = await withDesk(io, place, async (desk) => {
    const object = await named(desk, kind, positionals[0] ?? "");
    await desk.remove(kind, object.id);
    return object;
  });
  if (values.json) io.stdout.write(`${JSON.stringify({ id, deleted: true })}\n`);
  else io.stderr.write(`${NOUNS[kind]} ${alias} (${id}) is deleted\n`);
  return 0;
}

async function resetSpend(
  command: string,
  kind: Exclude<AccountKind, "group">,
  argv: readonly string[],
  io: Io,
): Promise<number> {
  const { values, positionals, place } = parseDeskOptions(argv, { command, options: {}, positionals: ["ID|ALIAS"] });
  const { id, alias } = await withDesk(io, place, async (desk) => {
    const object = await named(desk, kind, positionals[0] ?? "");
    await desk.resetSpend(kind, object.id);
    return object;
  });
  if (values.json) io.stdout.write(`${JSON.stringify({ id, reset: true })}\n`);
  else io.stderr.write(`the budgets of ${NOUNS[kind]} ${alias} begin anew; \`tollgate audit\` has what was spent\n`);
  return 0;
}

async function members(command: string, kind: "team" | "org", argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, place } = parseDeskOptions(argv, { command, options: {}, positionals: ["ID|ALIAS"] });
  const all = await withDesk(io, place, async (desk) =>
    desk.members(kind, await idOf(desk, kind, positionals[0] ?? "")),
  );
  if (values.json) io.stdout.write(`${JSON.stringify({ members: all })}\n`);
  else if (all.length === 0)
    io.stderr.write(`it has no members: \`tollgate ${command.replace("members", "add-member")}\` adds one\n`);
  else {
    const columns = ["USER", "ROLE", "SINCE"].map((title) => ({ title, align: "left" as const }));
    io.stdout.write(
      renderTable(
        columns,
        all.map(({ user, role, since }) => [user, role, since.slice(0, 10)]),
      ),
    );
  }
  return 0;
}

async function addMember(command: string, kind: "team" | "org", argv: readonly string[], io: Io): Promise<number> {
  const options = { admin: { type: "boolean" } } as const;
  const { values, positionals, place } = parseDeskOptions(argv, {
    ...{ command, options },
    positionals: ["ID|ALIAS", "USER"],
  });
  const [name = "", user = ""] = positionals;
  const { id, member } = await withDesk(io, place, async (desk) => {
    const [id, userId] = [await idOf(desk, kind, name), await idOf(desk, "user", user)];
    return { id, member: await desk.setMember(kind, id, userId, values.admin ? "admin" : "user") };
  });
  if (values.json) io.stdout.write(`${JSON.stringify({ id, user: member.user, role: member.role })}\n`);
  else
    io.stderr.write(
      `user ${member.user} is ${member.role === "admin" ? "an admin" : "a member"} of ${NOUNS[kind]} ${name}\n`,
    );
  return 0;
}

async function removeMember(command: string, kind: "team" | "org", argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, place } = parseDeskOptions(argv, {
    ...{ command, options: {} },
    positionals: ["ID|ALIAS", "USER"],
  });
  const [name = "", user = ""] = positionals;
  await withDesk(io, place, async (desk) => {
    const [id, userId] = [await idOf(desk, kind, name), await idOf(desk, "user", user)];
    await desk.removeMember(kind, id, userId);
  });
  if (values.json) io.stdout.write(`${JSON.stringify({ user, removed: true })}\n`);
  else io.stderr.write(`user ${user} is no member of ${NOUNS[kind]} ${name} any more\n`);
  return 0;
}
