// Finds the plugins that the config names, checks what they export and reads their config.
import type { PluginEntry } from "./config/model.ts";
import { problemsOf, renderProblems } from "./config/problems.ts";
import { SetupError } from "./errors.ts";
import type { Plugin } from "./plugin.ts";
import { importPlugin } from "./plugin-import.ts";
import { ATTRIBUTES } from "./rules/attribute-table.ts";
import { declarationsProblem } from "./rules/outside-attributes.ts";
import { suggest } from "./suggest.ts";

/** A plugin and its config, as its schema decoded it. */
export interface LoadedPlugin {
  readonly plugin: Plugin;
  readonly config: unknown;
}

/** Where plugins come from. */
export interface PluginSources {
  readonly builtins: ReadonlyMap<string, Plugin>;
  /** Packages are looked up as this folder sees them. */
  readonly directory: string;
}

/**
 * All plugins of the config, in its order.
 * @throws SetupError 78 for a plugin that is not there, is not a plugin, has a config that its schema refuses, or
 *   has the name or an attribute of an earlier one
 */
export async function loadPlugins(entries: readonly PluginEntry[], sources: PluginSources): Promise<LoadedPlugin[]> {
  const loaded: LoadedPlugin[] = [];
  const attributes = new Set(ATTRIBUTES.keys());
  for (const entry of entries) {
    const plugin = sources.builtins.get(entry.use) ?? (await importChecked(entry, sources));
    if (loaded.some((other) => other.plugin.name === plugin.name)) {
      throw refused(entry, `two plugins are called \`${plugin.name}\`: list each once`);
    }
    const problem = declarationsProblem(plugin.attributes ?? [], attributes);
    if (problem !== null) throw refused(entry, problem);
    for (const { name } of plugin.attributes ?? []) attributes.add(name);
    loaded.push({ plugin, config: await decode(plugin, entry) });
  }
  return loaded;
}

async function importChecked(entry: PluginEntry, { builtins, directory }: PluginSources): Promise<Plugin> {
  const module = await importPlugin(entry.use, directory).catch((error: unknown) => {
    throw notImported(entry, error, [...builtins.keys()]);
  });
  const problem = shapeProblem(module.default);
  if (problem !== null) throw refused(entry, problem);
  return module.default as Plugin;
}

function notImported(entry: PluginEntry, error: unknown, builtins: readonly string[]): SetupError {
  const code = (error as NodeJS.ErrnoException).code;
  const near = suggest(entry.use, builtins);
  const isFile = entry.use.startsWith("/");
  if (code === "ERR_MODULE_NOT_FOUND" && isAbout(error, entry.use)) {
    if (isFile) return refused(entry, "the file does not exist", error);
    const help = near === null ? "a file is named by a path that starts with `./`" : `did you mean \`${near}\`?`;
    return refused(entry, `no built-in plugin and no package has this name: ${help}`, error);
  }
  if (code === "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING") {
    return refused(entry, "a package under node_modules must be JavaScript: Node strips no types there", error);
  }
  return refused(entry, `it could not be loaded: ${reason(error)}`, error);
}

/** The plugin itself is missing, not something that it imports. */
function isAbout(error: unknown, use: string): boolean {
  return reason(error).includes(`'${use}'`);
}

function shapeProblem(value: unknown): string | null {
  if (typeof value !== "object" || value === null) return "it has no default export made by `definePlugin({ … })`";
  const { name, config, setup } = value as { name?: unknown; config?: unknown; setup?: unknown };
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]*$/.test(name)) {
    return "its `name` is not lower-case letters, digits and dashes";
  }
  if (typeof setup !== "function") return `\`${name}\` has no \`setup\` function`;
  const isSchema = typeof (config as { safeParseAsync?: unknown } | undefined)?.safeParseAsync === "function";
  return config === undefined || isSchema ? null : `\`${name}\`'s \`config\` is not a zod schema`;
}

async function decode(plugin: Plugin, entry: PluginEntry): Promise<unknown> {
  if (plugin.config === undefined) {
    if (entry.config === undefined || entry.config === null) return undefined;
    throw refused(entry, `\`${plugin.name}\` takes no config`);
  }
  const parsed = await plugin.config.safeParseAsync(entry.config ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error.issues, plugin.config, { source: entry.source, base: entry.path });
  if (entry.source !== null) {
    const named = problems.map((one) => ({
      ...one,
      message: `plugin \`${plugin.name}\`: ${one.message} (${one.path})`,
    }));
    throw new SetupError(renderProblems(entry.source, named));
  }
  const lines = problems.map((one) => `error: plugin \`${plugin.name}\`: ${one.path}: ${one.message}`);
  throw new SetupError(lines.join("\n"));
}

function refused(entry: PluginEntry, message: string, cause?: unknown): SetupError {
  const text = `plugin \`${entry.use}\`: ${message}`;
  if (entry.source === null) return new SetupError(`error: ${text}`, 78, cause);
  const span = entry.source.valueSpan(entry.path);
  return new SetupError(renderProblems(entry.source, [{ span, message: text, help: null }]), 78, cause);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
