// The plugins of one generation of the gateway: set up together, started in order, stopped in reverse.
import { SetupError } from "./errors.ts";
import type { AttributeDeclaration, Host, PluginHooks } from "./plugin.ts";
import type { LoadedPlugin } from "./plugin-load.ts";
import { suggest } from "./suggest.ts";

export { type LoadedPlugin, loadPlugins, type PluginSources } from "./plugin-load.ts";

/** The closed set of hooks. The compiler checks that it is the contract's. */
const HOOKS: Readonly<Record<keyof PluginHooks, "function" | "table">> = {
  start: "function",
  stop: "function",
  authenticate: "function",
  authorize: "function",
  inspect: "function",
  reserve: "function",
  settle: "function",
  record: "function",
  metrics: "function",
  routes: "table",
  readAttributes: "table",
};

/** A plugin that is set up. Hooks are called on `hooks`, which may be an object with state. */
export interface ActivePlugin {
  readonly name: string;
  readonly hooks: PluginHooks;
}

/** A plugin that implements a hook. */
export interface Implementing<Hook extends keyof PluginHooks> {
  readonly name: string;
  readonly hooks: PluginHooks & Required<Pick<PluginHooks, Hook>>;
}

/** One generation's plugins. */
export class Registry {
  /** All, in the config's order. */
  readonly hooks: readonly ActivePlugin[];
  readonly #abort = new AbortController();
  /** Those whose `start` was called, the one that failed included; they are owed a `stop`. */
  #begun: ActivePlugin[] = [];

  /**
   * Calls every plugin's `setup`. Nothing is started.
   * @param hostFor what a plugin is lent, by its name
   * @throws SetupError when a `setup` throws or returns what is not hooks
   */
  constructor(loaded: readonly LoadedPlugin[], hostFor: (name: string) => Host) {
    this.hooks = Object.freeze(loaded.map(({ plugin, config }) => setUp(plugin, config, hostFor(plugin.name))));
  }

  /** Those that implement the hook, in the config's order. */
  having<Hook extends keyof PluginHooks>(hook: Hook): readonly Implementing<Hook>[] {
    return this.hooks.filter((plugin): plugin is Implementing<Hook> => plugin.hooks[hook] !== undefined);
  }

  /**
   * Starts all in order. When one fails, those begun are stopped in reverse, the failed one first.
   * @throws SetupError that names the plugin; exit code 1 unless the plugin threw a `SetupError` of its own
   */
  async start(): Promise<void> {
    for (const plugin of this.hooks) {
      this.#begun.push(plugin);
      try {
        await plugin.hooks.start?.(this.#abort.signal);
      } catch (error) {
        const failures = await this.#stopBegun();
        const more = failures.map(({ message }) => `\nand then: ${message}`).join("");
        throw wrap(`plugin \`${plugin.name}\` could not start`, error, 1, more);
      }
    }
  }

  /**
   * Aborts the signal that `start` was given, then stops all that were started, in reverse. Each gets its turn.
   * Safe to call twice.
   * @throws AggregateError with what failed, once all have stopped
   */
  async stop(): Promise<void> {
    const failures = await this.#stopBegun();
    if (failures.length > 0) throw new AggregateError(failures, failures.map(({ message }) => message).join("; "));
  }

  async #stopBegun(): Promise<Error[]> {
    this.#abort.abort();
    const failures: Error[] = [];
    const begun = this.#begun;
    this.#begun = [];
    for (const { name, hooks } of begun.reverse()) {
      try {
        await hooks.stop?.();
      } catch (error) {
        failures.push(new Error(`plugin \`${name}\` could not stop: ${reason(error)}`, { cause: error }));
      }
    }
    return failures;
  }
}

function setUp(plugin: LoadedPlugin["plugin"], config: unknown, host: Host): ActivePlugin {
  let hooks: PluginHooks;
  try {
    hooks = plugin.setup(host, config);
  } catch (error) {
    throw wrap(`plugin \`${plugin.name}\` could not be set up`, error, 78);
  }
  const problem = hooksProblem(hooks) ?? readersProblem(plugin.attributes ?? [], hooks.readAttributes ?? {});
  if (problem !== null) throw new SetupError(`plugin \`${plugin.name}\`: ${problem}`);
  return Object.freeze({ name: plugin.name, hooks });
}

function hooksProblem(hooks: unknown): string | null {
  if (typeof hooks !== "object" || hooks === null) return "`setup` returned no hooks";
  if (typeof (hooks as { then?: unknown }).then === "function") {
    return "`setup` must answer at once: what has to wait belongs in `start`";
  }
  for (const [name, value] of Object.entries(hooks)) {
    const problem = value === undefined ? null : hookProblem(name, value);
    if (problem !== null) return problem;
  }
  const { reserve, settle } = hooks as PluginHooks;
  return (reserve === undefined) === (settle === undefined) ? null : "`reserve` and `settle` go together";
}

function hookProblem(name: string, value: unknown): string | null {
  if (!Object.hasOwn(HOOKS, name)) {
    const near = suggest(name, Object.keys(HOOKS));
    const help = near === null ? `the hooks are ${Object.keys(HOOKS).join(", ")}` : `did you mean \`${near}\`?`;
    return `unknown hook \`${name}\`: ${help}`;
  }
  const kind = HOOKS[name as keyof PluginHooks];
  const fits = typeof value === (kind === "table" ? "object" : "function");
  return fits && value !== null ? null : `hook \`${name}\` is not a ${kind}`;
}

/** Each attribute is declared and read: a rule that compares one that nobody reads would never be what it says. */
function readersProblem(
  declared: readonly AttributeDeclaration[],
  readers: NonNullable<PluginHooks["readAttributes"]>,
): string | null {
  for (const { name } of declared) {
    if (typeof readers[name] !== "function") return `the attribute \`${name}\` is declared and has no reader`;
  }
  const stray = Object.keys(readers).find((name) => !declared.some((one) => one.name === name));
  return stray === undefined ? null : `the attribute \`${stray}\` has a reader and is not declared in \`attributes\``;
}

function wrap(what: string, error: unknown, exitCode: number, more = ""): SetupError {
  const code = error instanceof SetupError ? error.exitCode : exitCode;
  return new SetupError(`${what}: ${reason(error)}${more}`, code, error);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
