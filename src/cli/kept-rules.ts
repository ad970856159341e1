// Rules kept on organisations, teams and keys, for the commands: read, checked, shown, replaced.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { systemClock } from "../clock.ts";
import { loadConfig } from "../config.ts";
import type { RuleCatalogue } from "../rules/catalogue.ts";
import type { Diagnostic } from "../rules/diagnostics.ts";
import { checkText, inlineSource } from "../rules/inline-text.ts";
import { databaseExists } from "../store/open.ts";
import { RULES_BYTES_MAX, type RuleScope } from "../store/store.ts";
import type { InlineRules } from "../types.ts";
import type { Io } from "./command.ts";
import { type Desk, named, type Place, parseDeskOptions, type Shown, withDesk } from "./desk.ts";
import { usage } from "./options.ts";
import { RefusedRules, withNames } from "./rule-checker.ts";
import type { Subcommand } from "./subcommands.ts";
import { withStore } from "./with-store.ts";

const STDIN = 0;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Makes `rules` of `keys`, `teams` and `orgs`: shows, replaces or clears what is kept on one of them. */
export function rulesSubcommand(command: string, scope: RuleScope): Subcommand {
  return async (argv, io) => {
    const options = { set: { type: "string" }, clear: { type: "boolean" } } as const;
    const syntax = { command, options, positionals: ["ID|ALIAS"] } as const;
    const { values, positionals, place } = parseDeskOptions(argv, syntax);
    const [name = ""] = positionals;
    const json = values.json === true;
    if (values.set !== undefined && values.clear) throw usage(command, "--set and --clear exclude each other");
    if (values.set === undefined && !values.clear) return show({ scope, name, place, json }, io);
    const text = values.set === undefined ? null : readRuleText(command, values.set, place, io);
    return replace({ scope, name, place, json }, text, io);
  };
}

/** Whose rules, and how they are shown. */
interface Kept {
  readonly scope: RuleScope;
  readonly name: string;
  readonly place: Place;
  readonly json: boolean;
}

async function show({ scope, name, place, json }: Kept, io: Io): Promise<number> {
  const { id, alias, rules } = await withDesk(io, place, (desk) => keeper(desk, scope, name));
  if (json) io.stdout.write(`${JSON.stringify({ id, alias, rules })}\n`);
  else if (rules === null) io.stderr.write(`no rules are kept on ${scope} ${alias}\n`);
  else io.stdout.write(rules);
  return 0;
}

async function replace({ scope, name, place, json }: Kept, text: string | null, io: Io): Promise<number> {
  try {
    const { id, alias, kept } = await withDesk(io, place, async (desk) => {
      const { id, alias } = await keeper(desk, scope, name);
      const kept = text === null ? "no rules" : await desk.checkRules(scope, alias, text);
      await desk.update(scope, id, { rules: text });
      return { id, alias, kept };
    });
    if (json) io.stdout.write(`${JSON.stringify({ id, alias, rules: text })}\n`);
    else io.stderr.write(`${scope} ${alias} (${id}) keeps ${kept}\n`);
    return 0;
  } catch (error) {
    if (!json || !(error instanceof RefusedRules)) throw error;
    io.stdout.write(`${JSON.stringify({ ok: false, diagnostics: error.diagnostics })}\n`);
    return error.exitCode;
  }
}

async function keeper(desk: Desk, scope: RuleScope, name: string): Promise<Shown & { readonly rules: string | null }> {
  return (await named(desk, scope, name, scope !== "key")) as Shown & { readonly rules: string | null };
}

/**
 * The text that `--rules` or `--set` names; `-` is standard input.
 * @throws SetupError 64 when it cannot be read, is not UTF-8 or is too long to be kept
 */
export function readRuleText(command: string, path: string, { keyStdin }: Place, io: Io): string {
  if (path === "-" && keyStdin) throw usage(command, "standard input cannot be both the key and the rules");
  const bytes = readBytes(command, path, io);
  if (bytes.length > RULES_BYTES_MAX) {
    throw usage(command, `rules that are kept in the database are up to ${RULES_BYTES_MAX / 1024} KiB long`);
  }
  try {
    return utf8.decode(bytes);
  } catch {
    throw usage(command, `\`${path}\` is not UTF-8`);
  }
}

function readBytes(command: string, path: string, io: Io): Buffer {
  try {
    return readFileSync(path === "-" ? STDIN : resolve(io.cwd, path));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw usage(command, code === "ENOENT" ? `no such file: \`${path}\`` : `\`${path}\` cannot be read: ${message}`);
  }
}

/** All rules that are kept; none where the database has not been made yet. */
export async function listKeptRules(path: string | undefined, io: Io): Promise<readonly InlineRules[]> {
  if (!databaseExists(loadConfig({ path, cwd: io.cwd, env: io.env }))) return [];
  return withStore(io, path, (store) => store.accounts.listRules());
}

/** Checks all rules that are kept, as `keys rules --set` does, and says on how many subjects there are some. */
export async function checkKeptRules(
  path: string | undefined,
  catalogue: RuleCatalogue,
  io: Io,
): Promise<{ readonly accounts: number; readonly diagnostics: readonly Diagnostic[] }> {
  const all = await listKeptRules(path, io);
  if (all.length === 0) return { accounts: 0, diagnostics: [] };
  const nowMs = systemClock.nowMs();
  const diagnostics = await withStore(io, path, (store) => {
    const known = withNames(catalogue, store);
    return all.flatMap((rules) => checkText(inlineSource(rules), known, nowMs).diagnostics);
  });
  return { accounts: new Set(all.map(({ scope, subject }) => `${scope} ${subject.id}`)).size, diagnostics };
}
