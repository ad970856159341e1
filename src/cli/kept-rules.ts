// Rules kept on organisations, teams and keys, for the commands: read, checked, shown, replaced.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { accountNames } from "../account-names.ts";
import { systemClock } from "../clock.ts";
import { loadConfig } from "../config.ts";
import { SetupError } from "../errors.ts";
import type { RuleCatalogue } from "../rules/catalogue.ts";
import { type Diagnostic, isError } from "../rules/diagnostics.ts";
import { checkText, inlineSource } from "../rules/inline-text.ts";
import { renderLsp, renderText } from "../rules/render.ts";
import { databaseExists } from "../store/open.ts";
import { RULES_BYTES_MAX, type RuleScope, type Store } from "../store/store.ts";
import type { InlineRules } from "../types.ts";
import type { Io } from "./command.ts";
import { naming } from "./no-such.ts";
import { parseOptions, usage } from "./options.ts";
import { configSurroundings, counted } from "./rule-files.ts";
import type { Subcommand } from "./subcommands.ts";
import { withStore } from "./with-store.ts";

const STDIN = 0;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Exit code 2: the rules have an error, and nothing was changed. Its message is the report. */
class RefusedRules extends SetupError {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(renderText(diagnostics).trimEnd(), 2);
    this.diagnostics = diagnostics;
  }
}

/** Makes `rules` of `keys`, `teams` and `orgs`: shows, replaces or clears what is kept on one of them. */
export function rulesSubcommand(command: string, scope: RuleScope): Subcommand {
  return async (argv, io) => {
    const options = { set: { type: "string" }, clear: { type: "boolean" } } as const;
    const syntax = { command, options, positionals: ["ID|ALIAS"] } as const;
    const { values, positionals } = parseOptions(argv, syntax);
    const [name = ""] = positionals;
    if (values.set !== undefined && values.clear) throw usage(command, "--set and --clear exclude each other");
    if (values.set === undefined && !values.clear) return show(scope, name, values, io);
    const text = values.set === undefined ? null : readRuleText(command, values.set, io);
    return replace(scope, name, text, values, io);
  };
}

/** What every command line may hold. */
interface CommonValues {
  readonly config?: string | undefined;
  readonly json?: boolean | undefined;
}

async function show(scope: RuleScope, name: string, { config, json }: CommonValues, io: Io): Promise<number> {
  const { subject, text } = await withStore(io, config, (store) =>
    naming(name, store, () => store.accounts.getRules(scope, name)),
  );
  if (json) io.stdout.write(`${JSON.stringify({ ...subject, rules: text })}\n`);
  else if (text === null) io.stderr.write(`no rules are kept on ${scope} ${subject.alias}\n`);
  else io.stdout.write(text);
  return 0;
}

async function replace(
  scope: RuleScope,
  name: string,
  text: string | null,
  { config, json }: CommonValues,
  io: Io,
): Promise<number> {
  try {
    const check = await ruleChecker(config, io);
    const { subject, told } = await withStore(io, config, (store) =>
      naming(name, store, () => {
        const { alias } = store.accounts.getRules(scope, name).subject;
        const told = text === null ? "no rules" : check(store, scope, alias, text);
        return { subject: store.accounts.setRules(scope, name, text), told };
      }),
    );
    if (json) io.stdout.write(`${JSON.stringify({ ...subject, rules: text })}\n`);
    else io.stderr.write(`${scope} ${subject.alias} (${subject.id}) keeps ${told}\n`);
    return 0;
  } catch (error) {
    if (!json || !(error instanceof RefusedRules)) throw error;
    io.stdout.write(`${JSON.stringify({ ok: false, diagnostics: renderLsp(error.diagnostics) })}\n`);
    return error.exitCode;
  }
}

/**
 * The text that `--rules` or `--set` names; `-` is standard input.
 * @throws SetupError 64 when it cannot be read, is not UTF-8 or is too long to be kept
 */
export function readRuleText(command: string, path: string, io: Io): string {
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

/** Checks rules that are to be kept and says what they come to, `3 rules`. Warnings go to stderr. @throws SetupError 2 */
export type CheckRules = (store: Store, scope: RuleScope, alias: string, text: string) => string;

/** Makes the check, with the config's models and providers and the database's teams and keys. */
export async function ruleChecker(config: string | undefined, io: Io): Promise<CheckRules> {
  const { catalogue } = await configSurroundings(config, io);
  return (store, scope, alias, text) => {
    const source = inlineSource({ scope, subject: { id: alias, alias }, text });
    const { set, diagnostics } = checkText(source, withNames(catalogue, store), systemClock.nowMs());
    if (set === null) throw new RefusedRules(diagnostics.filter(isError));
    io.stderr.write(renderText(diagnostics.filter(({ severity }) => severity === "warning")));
    return counted(set.rules.length, "rule");
  };
}

/** The catalogue, with the names that the database's teams and keys have now. */
function withNames(catalogue: RuleCatalogue, { accounts }: Store): RuleCatalogue {
  return { ...catalogue, teams: () => accountNames(accounts, "team"), keys: () => accountNames(accounts, "key") };
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
): Promise<{ readonly texts: number; readonly diagnostics: readonly Diagnostic[] }> {
  const all = await listKeptRules(path, io);
  if (all.length === 0) return { texts: 0, diagnostics: [] };
  const known = await withStore(io, path, (store) => withNames(catalogue, store));
  const nowMs = systemClock.nowMs();
  const diagnostics = all.flatMap((rules) => checkText(inlineSource(rules), known, nowMs).diagnostics);
  return { texts: all.length, diagnostics };
}
