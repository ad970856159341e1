// Plugins: found, checked, configured, started in order and stopped in reverse, also after a half start.
import { join } from "node:path";
import t, { type Test } from "tap";
import { type Config, loadConfig } from "../../src/config.ts";
import { SetupError } from "../../src/errors.ts";
import { type Call, definePlugin, type Plugin, type PluginHooks, type Principal, z } from "../../src/plugin.ts";
import { declaredAttributes } from "../../src/plugin-attributes.ts";
import { type LoadedPlugin, loadPlugins, Registry } from "../../src/registry.ts";
import { fakeHost } from "../support/host.ts";

const EXAMPLE = join(import.meta.dirname, "..", "support", "plugins", "forbidden-word.ts");

const auth = definePlugin({
  name: "auth",
  config: z.strictObject({ cache: z.strictObject({ max: z.int().default(5) }).default({ max: 5 }) }),
  setup: (_host, { cache }) => ({ routes: { tag: `t${cache.max}`, description: "Nothing.", routes: [] } }),
});
const bare = definePlugin({ name: "bare", setup: () => ({}) });
const builtins = new Map<string, Plugin>([
  ["auth", auth as unknown as Plugin],
  ["bare", bare],
]);

function configure(t: Pick<Test, "testdir">, plugins: string, files: object = {}): Config {
  const cwd = t.testdir({ ...files, "tollgate.yaml": `plugins:\n${plugins}` });
  return loadConfig({ cwd, env: {} });
}

function load({ plugins, directory }: Config): Promise<LoadedPlugin[]> {
  return loadPlugins(plugins, { builtins, directory });
}

async function complaint(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SetupError && error.exitCode === 78) return error.message;
  throw new Error(`not the expected SetupError: ${String(error)}`);
}

function registryOf(...plugins: Plugin[]): Registry {
  return new Registry(
    plugins.map((plugin) => ({ plugin, config: undefined })),
    () => fakeHost(),
  );
}

t.test("built-ins are found by name, in the config's order, with their config decoded", async (t) => {
  const loaded = await load(configure(t, "  - bare\n  - use: auth\n    config: { cache: { max: 7 } }\n"));
  t.strictSame(
    loaded.map(({ plugin }) => plugin.name),
    ["bare", "auth"],
  );
  const registry = new Registry(loaded, () => fakeHost());
  t.strictSame(
    registry.having("routes").map(({ name, hooks }) => [name, hooks.routes.tag]),
    [["auth", "t7"]],
  );
  t.strictSame((await load(configure(t, "  - auth\n")))[0]?.config, { cache: { max: 5 } }, "defaults without config");
});

t.test("a third-party plugin works by path, importing only tollgate/plugin", async (t) => {
  const loaded = await load(configure(t, `  - use: ${EXAMPLE}\n    config: { words: [xyzzy] }\n`));
  const [plugin] = new Registry(loaded, () => fakeHost()).having("inspect");
  const call = (text: string): Call => ({ body: Buffer.from(text) }) as Call;
  t.equal(plugin?.name, "forbidden-word");
  t.match(plugin?.hooks.inspect(call("say xyzzy"), {} as Principal), { code: "content_denied" });
  t.equal(plugin?.hooks.inspect(call("say hello"), {} as Principal), undefined);
});

t.test("a plugin anywhere on disk shares this process's error classes", async (t) => {
  const source = `import { definePlugin, GatewayError } from "tollgate/plugin";
export default definePlugin({ name: "elsewhere", setup: () => ({ record: () => { throw new GatewayError("draining"); } }) });`;
  const config = configure(t, "  - ./lib/elsewhere.mjs\n", { lib: { "elsewhere.mjs": source } });
  const [plugin] = new Registry(await load(config), () => fakeHost()).having("record");
  t.throws(() => plugin?.hooks.record({} as never), { name: "GatewayError", status: 503 });
});

t.test("a package is found as the config file's folder sees it, also one for `import` only", async (t) => {
  const config = configure(t, "  - tollgate-plugin-x\n", {
    node_modules: {
      "tollgate-plugin-x": {
        "package.json": JSON.stringify({ name: "tollgate-plugin-x", exports: { import: "./main.mjs" } }),
        "main.mjs": `import { definePlugin } from "tollgate/plugin";
export default definePlugin({ name: "x", setup: () => ({}) });`,
      },
    },
  });
  t.strictSame(
    (await load(config)).map(({ plugin }) => plugin.name),
    ["x"],
  );
});

t.test("a plugin's config errors name the plugin, the path and the place", async (t) => {
  const message = await complaint(
    load(configure(t, "  - bare\n  - use: auth\n    config:\n      cache: { mxa: 3, max: many }\n")),
  );
  t.equal(
    message,
    `error: plugin \`auth\`: unknown key \`mxa\` (plugins[1].config.cache.mxa)
 --> tollgate.yaml:5:16
  |
5 |       cache: { mxa: 3, max: many }
  |                ^^^ did you mean \`max\`?

error: plugin \`auth\`: expected a number (plugins[1].config.cache.max)
 --> tollgate.yaml:5:29
  |
5 |       cache: { mxa: 3, max: many }
  |                             ^^^^`,
  );
  t.match(await complaint(load(configure(t, "  - { use: bare, config: { a: 1 } }\n"))), "`bare` takes no config");
  const missing = await complaint(load(configure(t, `  - ${EXAMPLE}\n`)));
  t.match(missing, "plugin `forbidden-word`: `words` is missing (plugins[0].config.words)");
  t.match(missing, "--> tollgate.yaml:2:5");
});

t.test("what is no plugin is refused with its reason", async (t) => {
  const files = {
    "empty.mjs": "export const plugin = 1;",
    "name.mjs": "export default { name: 'Bad Name', setup() {} };",
    "setup.mjs": "export default { name: 'x' };",
    "schema.mjs": "export default { name: 'x', config: {}, setup() {} };",
    "throws.mjs": "throw new Error('boom at import');",
    "syntax.mjs": "export default {",
    "imports.mjs": "import 'no-such-package';",
  };
  const cases = {
    "./nope.mjs": "the file does not exist",
    "./empty.mjs": "it has no default export made by `definePlugin({ … })`",
    "./name.mjs": "its `name` is not lower-case letters, digits and dashes",
    "./setup.mjs": "`x` has no `setup` function",
    "./schema.mjs": "`x`'s `config` is not a zod schema",
    "./throws.mjs": "it could not be loaded: boom at import",
    "./syntax.mjs": "it could not be loaded: Unexpected end of input",
    "./imports.mjs": "it could not be loaded: Cannot find package 'no-such-package'",
    auht: "no built-in plugin and no package has this name: did you mean `auth`?",
    "no-such-package-at-all":
      "no built-in plugin and no package has this name: a file is named by a path that starts with `./`",
    fs: "its `name` is not lower-case letters, digits and dashes",
  };
  for (const [use, message] of Object.entries(cases)) {
    const told = await complaint(load(configure(t, `  - ${use}\n`, files)));
    t.match(told, message, use);
    t.match(told, "--> tollgate.yaml:2:5", `${use}: its place`);
  }
  t.match(await complaint(load(configure(t, "  - bare\n  - bare\n"))), "two plugins are called `bare`: list each once");
});

t.test("hooks are of the closed set", async (t) => {
  const refuse = (hooks: unknown, message: string): void => {
    const plugin = { name: "odd", setup: () => hooks as PluginHooks };
    t.throws(() => registryOf(plugin), { message: `plugin \`odd\`: ${message}`, exitCode: 78 }, message);
  };
  refuse({ authenticat: () => null }, "unknown hook `authenticat`: did you mean `authenticate`?");
  refuse({ record: 5 }, "hook `record` is not a function");
  refuse({ routes: () => [] }, "hook `routes` is not a table");
  refuse(null, "`setup` returned no hooks");
  refuse(Promise.resolve({}), "`setup` must answer at once: what has to wait belongs in `start`");
  refuse({ reserve: () => ({ amountNanoUsd: 0 }) }, "`reserve` and `settle` go together");
  const broken: Plugin = {
    name: "broken",
    setup: () => {
      throw new Error("no luck");
    },
  };
  t.throws(() => registryOf(broken), { message: "plugin `broken` could not be set up: no luck", exitCode: 78 });
  t.equal(registryOf(bare).having("record").length, 0);
});

t.test("attributes are declared with the plugin and read by its hooks, each of them", async (t) => {
  const words = { name: "prompt.words", type: "number", note: "words of the prompt", fixedBy: "request" } as const;
  const refuse = (readAttributes: unknown, message: string): void => {
    const plugin: Plugin = { name: "odd", attributes: [words], setup: () => ({ readAttributes }) as PluginHooks };
    t.throws(() => registryOf(plugin), { message: `plugin \`odd\`: ${message}`, exitCode: 78 }, message);
  };
  refuse(undefined, "the attribute `prompt.words` is declared and has no reader");
  refuse({ "prompt.words": 5 }, "the attribute `prompt.words` is declared and has no reader");
  refuse(
    { "prompt.words": () => 1, "prompt.lines": () => 1 },
    "the attribute `prompt.lines` has a reader and is not declared in `attributes`",
  );
  refuse(() => 1, "hook `readAttributes` is not a table");
  const files = {
    "stream.mjs":
      "export default { name: 'x', attributes: [{ name: 'stream', type: 'bool', note: 'n', fixedBy: 'request' }], setup() {} };",
    "list.mjs": "export default { name: 'x', attributes: {}, setup() {} };",
    "one.mjs":
      "export default { name: 'one', attributes: [{ name: 'a.b', type: 'bool', note: 'n', fixedBy: 'now' }], setup() { throw 1; } };",
    "two.mjs":
      "export default { name: 'two', attributes: [{ name: 'a.b', type: 'bool', note: 'n', fixedBy: 'now' }], setup() { throw 1; } };",
  };
  t.match(
    await complaint(load(configure(t, "  - ./stream.mjs\n", files))),
    "its attribute `stream` has a name that is taken",
  );
  t.match(await complaint(load(configure(t, "  - ./list.mjs\n", files))), "its `attributes` are not a list");
  const both = await complaint(load(configure(t, "  - ./one.mjs\n  - ./two.mjs\n", files)));
  t.match(
    both,
    "plugin `./two.mjs`: its attribute `a.b` has a name that is taken".replace(
      "./two.mjs",
      join(t.testdirName, "two.mjs"),
    ),
  );
  t.match(both, "--> tollgate.yaml:3:5");
  const loaded = await load(configure(t, "  - ./one.mjs\n", files));
  t.strictSame(
    declaredAttributes(loaded).map(({ name }) => name),
    ["a.b"],
    "known without being set up",
  );
});

/** A plugin that writes down what happens to it, and fails where it is told to. */
function witness(name: string, events: string[], fails: "start" | "stop" | "never" = "never"): Plugin {
  const note = (event: "start" | "stop"): void => {
    events.push(`${event} ${name}`);
    if (event === fails) throw new Error(`${name} fails to ${event}`);
  };
  return { name, setup: () => ({ start: async () => note("start"), stop: async () => note("stop") }) };
}

t.test("plugins start in order and stop in reverse, once, and the signal is aborted first", async (t) => {
  const events: string[] = [];
  let aborted = false;
  const listener: Plugin = {
    name: "listener",
    setup: () => ({
      start: (signal) => signal.addEventListener("abort", () => events.push("abort")),
      stop: () => {
        aborted = true;
      },
    }),
  };
  const registry = registryOf(witness("a", events), listener, witness("b", events));
  t.strictSame(events, [], "setup starts nothing");
  await registry.start();
  await Promise.all([registry.stop(), registry.stop()]);
  t.strictSame(events, ["start a", "start b", "abort", "stop b", "stop a"]);
  t.ok(aborted);
});

t.test("when the n-th start fails, the first n are stopped in reverse, the failed one too", async (t) => {
  for (let failing = 0; failing < 3; failing += 1) {
    const events: string[] = [];
    const registry = registryOf(...[0, 1, 2].map((n) => witness(`p${n}`, events, n === failing ? "start" : "never")));
    const message = `plugin \`p${failing}\` could not start: p${failing} fails to start`;
    await t.rejects(registry.start(), { message, exitCode: 1 });
    const begun = [0, 1, 2].filter((n) => n <= failing);
    t.strictSame(events, [...begun.map((n) => `start p${n}`), ...begun.reverse().map((n) => `stop p${n}`)]);
    await registry.stop();
    t.equal(events.length, 2 * (failing + 1), "a later stop has nothing left to do");
  }
});

t.test("a stop that throws keeps nobody else from stopping, and is told", async (t) => {
  const events: string[] = [];
  const registry = registryOf(witness("a", events, "stop"), witness("b", events), witness("c", events, "stop"));
  await registry.start();
  const message = "plugin `c` could not stop: c fails to stop; plugin `a` could not stop: a fails to stop";
  await t.rejects(registry.stop(), { message });
  t.strictSame(events.slice(3), ["stop c", "stop b", "stop a"]);
});

t.test("a failing clean-up after a failing start is told with it; a plugin's own exit code is kept", async (t) => {
  const events: string[] = [];
  const stubborn: Plugin = {
    name: "stubborn",
    setup: () => ({
      start: () => {
        throw new SetupError("its port is taken", 78);
      },
    }),
  };
  const registry = registryOf(witness("a", events, "stop"), stubborn);
  await t.rejects(registry.start(), {
    message:
      "plugin `stubborn` could not start: its port is taken\nand then: plugin `a` could not stop: a fails to stop",
    exitCode: 78,
  });
});

t.test("without a file, a plugin's errors are told without a place", async (t) => {
  const entry = { use: "auth", config: { cash: 1 }, shown: {}, source: null, path: ["plugins", 0, "config"] };
  const message = await complaint(loadPlugins([entry], { builtins, directory: "/" }));
  t.equal(message, "error: plugin `auth`: plugins[0].config.cash: unknown key `cash`");
});
