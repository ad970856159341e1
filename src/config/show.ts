// The effective config as a file that could be written: names and units as in the schema, secrets masked.
import { formatPerMillion } from "../money.ts";
import type { Price } from "../types.ts";
import { maskSecret, maskUrl } from "./mask.ts";
import type { Config, LimitsConfig, ModelConfig, PluginEntry, ProviderConfig } from "./model.ts";
import type { Address } from "./units.ts";

/** Plain data in the file's own shape and order; keys without a value are left out. */
export function shownConfig(config: Config): Readonly<Record<string, unknown>> {
  return {
    listen: addressText(config.listen),
    admin: {
      listen: addressText(config.admin.listen),
      ...optional("key", config.admin.key, maskSecret),
      open_metrics: config.admin.openMetrics,
      apis: config.admin.apis,
    },
    workers: config.workers,
    database: maskUrl(config.database),
    rules: {
      directory: config.rules.directory,
      on_broken_start: config.rules.onBrokenStart,
      failing_tests: config.rules.failingTests,
    },
    timezone: config.timezone,
    durability: config.durability,
    providers: config.providers.map(shownProvider),
    models: Object.fromEntries(config.models.map((model) => [model.alias, shownModel(model)])),
    plugins: config.plugins.map(shownPlugin),
    limits: shownLimits(config.limits),
    trusted_proxies: config.trustedProxies,
    error_format: config.errorFormat,
    log: { level: config.log.level, format: config.log.format, ...optional("file", config.log.file) },
    recording: config.recording,
  };
}

function optional<T>(name: string, value: T | null, show: (value: T) => unknown = (same) => same): object {
  return value === null ? {} : { [name]: show(value) };
}

function addressText({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function shownProvider(provider: ProviderConfig): object {
  return {
    name: provider.name,
    base_url: provider.baseUrl,
    wire: provider.wires.length === 1 ? provider.wires[0] : provider.wires,
    ...optional("api_key", provider.apiKey, maskSecret),
    ...optional("models", provider.models),
  };
}

function shownModel(model: ModelConfig): object {
  return {
    provider: model.provider,
    model: model.model,
    ...optional("price", model.price, shownPrice),
    ...optional("context", model.contextTokens),
    ...optional("max_output_tokens", model.outputTokensMax),
  };
}

function shownPrice(price: Price): object {
  const text = (picoUsd: number): string => `$${formatPerMillion(picoUsd)}/M`;
  return {
    input: text(price.inputPicoUsd),
    output: text(price.outputPicoUsd),
    cached_input: text(price.cachedInputPicoUsd),
    cache_write: text(price.cacheWritePicoUsd),
  };
}

function shownPlugin({ use, shown }: PluginEntry): unknown {
  return shown === undefined ? use : { use, config: shown };
}

function shownLimits(limits: LimitsConfig): object {
  return {
    body: bytesText(limits.bodyBytesMax),
    headers: limits.headersMax,
    answer: bytesText(limits.answerBytesMax),
    request_timeout: durationText(limits.requestTimeoutMs),
    upstream_timeout: durationText(limits.upstreamTimeoutMs),
    idle_timeout: durationText(limits.idleTimeoutMs),
    drain: durationText(limits.drainMs),
  };
}

/** In the largest unit that needs no fraction. */
function bytesText(bytes: number): string {
  const units: readonly (readonly [string, number])[] = [
    ["GiB", 2 ** 30],
    ["GB", 1e9],
    ["MiB", 2 ** 20],
    ["MB", 1e6],
    ["KiB", 2 ** 10],
    ["kB", 1e3],
  ];
  return inLargestUnit(bytes, units, "B");
}

function durationText(ms: number): string {
  const units: readonly (readonly [string, number])[] = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
  ];
  return inLargestUnit(ms, units, "ms");
}

function inLargestUnit(amount: number, units: readonly (readonly [string, number])[], smallest: string): string {
  const [unit, size] = units.find(([, one]) => amount > 0 && amount % one === 0) ?? [smallest, 1];
  return `${amount / size}${unit}`;
}
