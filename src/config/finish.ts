// From the parsed file to the effective config: environment defaults, absolute paths, and checks across keys.
import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { suggest } from "../suggest.ts";
import type { Price } from "../types.ts";
import { maskPluginConfig } from "./mask.ts";
import type { Config, ModelConfig, PluginEntry, ProviderConfig } from "./model.ts";
import type { ConfigFile } from "./schema.ts";
import type { ConfigSource } from "./source.ts";
import { isLoopback } from "./units.ts";

/** Where the config stands. */
export interface Setting {
  readonly file: string | null;
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly source: ConfigSource | null;
}

/** Something that single values cannot tell. */
export interface CrossProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly help: string | null;
}

/** The effective config. */
export function finish(file: ConfigFile, setting: Setting): Config {
  const at = (path: string): string => resolve(setting.directory, path);
  return {
    file: setting.file,
    directory: setting.directory,
    listen: file.listen,
    admin: {
      listen: file.admin.listen,
      key: file.admin.key ?? null,
      openMetrics: file.admin.open_metrics,
      apis: file.admin.apis,
    },
    workers: file.workers,
    database: file.database.replace(/^sqlite:(.*)$/s, (_all, path: string) => `sqlite:${at(path)}`),
    rules: toRules(file.rules, setting.directory),
    timezone: file.timezone,
    durability: file.durability,
    providers: file.providers?.map(toProvider) ?? environmentProviders(setting.env),
    models: Object.entries(file.models).map(([alias, model]) => toModel(alias, model)),
    plugins: file.plugins.map((entry, index) => toPlugin(entry, index, setting)),
    limits: toLimits(file.limits),
    trustedProxies: file.trusted_proxies,
    errorFormat: file.error_format,
    log: {
      level: file.log.level,
      format: file.log.format,
      file: file.log.file === undefined ? null : at(file.log.file),
    },
    recording: file.recording,
  };
}

function toLimits(limits: ConfigFile["limits"]): Config["limits"] {
  return {
    bodyBytesMax: limits.body,
    headersMax: limits.headers,
    answerBytesMax: limits.answer,
    requestTimeoutMs: limits.request_timeout,
    upstreamTimeoutMs: limits.upstream_timeout,
    idleTimeoutMs: limits.idle_timeout,
    drainMs: limits.drain,
  };
}

function toRules(written: ConfigFile["rules"], directory: string): Config["rules"] {
  const { on_broken_start: onBrokenStart = "last_good", failing_tests: failingTests = "refuse" } =
    typeof written === "object" ? written : {};
  const folder = typeof written === "object" ? written.directory : written;
  return { ...findRules(folder, directory), onBrokenStart, failingTests };
}

function findRules(written: string | undefined, directory: string): Pick<Config["rules"], "directory" | "origin"> {
  if (written !== undefined) return { directory: resolve(directory, written), origin: "config" };
  const own = join(directory, "rules");
  if (existsSync(own) && statSync(own).isDirectory()) return { directory: own, origin: "working directory" };
  return { directory: join(packageRoot(), "rules"), origin: "shipped" };
}

/** The folder that holds package.json: two up from src/config, three from dist/src/config. */
function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

function toProvider(provider: NonNullable<ConfigFile["providers"]>[number]): ProviderConfig {
  return {
    name: provider.name,
    baseUrl: provider.base_url,
    wires: provider.wire,
    apiKey: provider.api_key ?? null,
    models: provider.models ?? null,
  };
}

/** The providers whose usual variables are set; the demo provider when none is. */
function environmentProviders(env: Setting["env"]): ProviderConfig[] {
  const known = [
    { name: "openai", baseUrl: "https://api.openai.com/v1", wires: ["openai"], apiKey: env.OPENAI_API_KEY },
    { name: "anthropic", baseUrl: "https://api.anthropic.com", wires: ["anthropic"], apiKey: env.ANTHROPIC_API_KEY },
  ] as const;
  const found = known.flatMap(({ apiKey, ...rest }) => (apiKey ? [{ ...rest, apiKey, models: null }] : []));
  const demo: ProviderConfig = {
    name: "demo",
    baseUrl: "demo:",
    wires: ["openai", "anthropic"],
    apiKey: null,
    models: null,
  };
  return found.length > 0 ? found : [demo];
}

function toModel(alias: string, model: ConfigFile["models"][string]): ModelConfig {
  return {
    alias,
    provider: model.provider,
    model: model.model,
    price: model.price === undefined ? null : toPrice(model.price),
    contextTokens: model.context ?? null,
    outputTokensMax: model.max_output_tokens ?? null,
  };
}

function toPrice(price: NonNullable<ConfigFile["models"][string]["price"]>): Price {
  return {
    inputPicoUsd: price.input,
    outputPicoUsd: price.output,
    cachedInputPicoUsd: price.cached_input ?? price.input,
    cacheWritePicoUsd: price.cache_write ?? price.input,
    tiers: [],
  };
}

function toPlugin(entry: ConfigFile["plugins"][number], index: number, { source, directory }: Setting): PluginEntry {
  const { use, config } = typeof entry === "string" ? { use: entry, config: undefined } : entry;
  const path = ["plugins", index, "config"];
  const shown = maskPluginConfig(config, (inner) => source?.isInterpolated([...path, ...inner]) ?? false);
  return { use: /^\.{0,2}\//.test(use) ? resolve(directory, use) : use, config, shown, source, path };
}

/** What is wrong between keys: names used twice, aliases of no provider, an open admin listener without a key. */
export function crossCheck(config: Config): CrossProblem[] {
  const names = config.providers.map((provider) => provider.name);
  return [
    ...duplicates(names),
    ...orphans(config.models, [...new Set(names)]),
    ...openAdmin(config),
    ...sharedPort(config),
  ];
}

function duplicates(names: readonly string[]): CrossProblem[] {
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [{ path: ["providers", index, "name"], message: `two providers are called \`${name}\``, help: null }],
  );
}

function orphans(models: readonly ModelConfig[], names: readonly string[]): CrossProblem[] {
  return models.flatMap(({ alias, provider }) => {
    if (names.includes(provider)) return [];
    const near = suggest(provider, names);
    const help = near === null ? `the providers are ${names.join(", ")}` : `did you mean \`${near}\`?`;
    return [{ path: ["models", alias, "provider"], message: `no provider is called \`${provider}\``, help }];
  });
}

function openAdmin({ admin }: Config): CrossProblem[] {
  if (admin.key !== null || isLoopback(admin.listen.host)) return [];
  const help = "set admin.key, or listen on 127.0.0.1";
  return [{ path: ["admin", "listen"], message: "the admin listener is open to the network without a key", help }];
}

function sharedPort({ listen, admin }: Config): CrossProblem[] {
  if (listen.port === 0 || listen.port !== admin.listen.port || listen.host !== admin.listen.host) return [];
  return [{ path: ["admin", "listen"], message: "the same address as `listen`", help: "give each its own port" }];
}
