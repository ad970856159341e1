// The effective config as the rest of the gateway reads it: plain, parsed, frozen.
import type { Price, Wire } from "../types.ts";
import type { ConfigSource } from "./source.ts";
import type { Address } from "./units.ts";

/** Where a file or folder named by the config came from. */
export type RulesOrigin = "config" | "working directory" | "shipped";

/** Where the rules are, and what becomes of those that are not good. */
export interface RulesConfig {
  /** Absolute path. */
  readonly directory: string;
  readonly origin: RulesOrigin;
  /** With broken files at a start: the last good set of the directory, where there is one, or no start. */
  readonly onBrokenStart: "last_good" | "refuse";
  /** Rules of which a test fails: not loaded, or loaded with a warning. */
  readonly failingTests: "refuse" | "warn";
}

/** A provider: whom to dial, in which format, with which key. */
export interface ProviderConfig {
  readonly name: string;
  /** An http(s) URL without a trailing slash, or `demo:` for the built-in demo provider. */
  readonly baseUrl: string;
  /** The formats that it speaks; at least one. */
  readonly wires: readonly Wire[];
  /** Secret. null: none is sent. */
  readonly apiKey: string | null;
  /** The models to offer; null: those the price catalogue has for it. */
  readonly models: readonly string[] | null;
}

/** An alias, or a model of one's own. */
export interface ModelConfig {
  /** The name callers write. */
  readonly alias: string;
  readonly provider: string;
  /** What the provider calls it. */
  readonly model: string;
  /** null: the catalogue's price. */
  readonly price: Price | null;
  /** Tokens; null: the catalogue's. */
  readonly contextTokens: number | null;
  /** Tokens; null: the catalogue's. */
  readonly outputTokensMax: number | null;
}

/** One entry of `plugins`. */
export interface PluginEntry {
  /** A built-in's name, an absolute path, or a package's name. */
  readonly use: string;
  /** As written, interpolated; the plugin's own schema reads it. May hold secrets. undefined when there is none. */
  readonly config: unknown;
  /** `config` with every value masked that is or may be a secret. */
  readonly shown: unknown;
  /** Where the entry stands, for errors in `config`; null for a default. */
  readonly source: ConfigSource | null;
  /** Path of `config` in the source, also where there is none. */
  readonly path: readonly PropertyKey[];
}

/** Ceilings: bytes, counts, milliseconds. */
export interface LimitsConfig {
  readonly bodyBytesMax: number;
  readonly headersMax: number;
  readonly answerBytesMax: number;
  readonly requestTimeoutMs: number;
  readonly upstreamTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly drainMs: number;
}

/** The gateway's own log. */
export interface LogConfig {
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  /** `auto`: for people on a terminal, else JSON. */
  readonly format: "auto" | "json" | "pretty";
  /** Absolute path; null: stderr. */
  readonly file: string | null;
}

/** The whole config. */
export interface Config {
  /** Absolute path of the file; null when there is none and all are defaults. */
  readonly file: string | null;
  /** What relative paths are relative to. */
  readonly directory: string;
  readonly listen: Address;
  readonly admin: {
    readonly listen: Address;
    /** Secret. null: to be made and printed at start; then `listen` is loopback. */
    readonly key: string | null;
    /** `GET /metrics` needs no key. */
    readonly openMetrics: boolean;
    /** Built-in plugins that serve HTTP APIs, beside those of `plugins`. */
    readonly apis: readonly string[];
  };
  /** Processes that serve the data plane. 1: this one alone, with the admin listener. */
  readonly workers: number;
  /** `sqlite:` and an absolute path, or a `postgres://` URL. May hold a password. */
  readonly database: string;
  readonly rules: RulesConfig;
  /** IANA name. */
  readonly timezone: string;
  readonly durability: "normal" | "full";
  readonly providers: readonly ProviderConfig[];
  readonly models: readonly ModelConfig[];
  readonly plugins: readonly PluginEntry[];
  readonly limits: LimitsConfig;
  /** IP addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[];
  readonly errorFormat: "openai" | "llmgateway" | "detail";
  readonly log: LogConfig;
  readonly recording: {
    /** Whether header and metadata values that rules read are kept with each request. */
    readonly values: boolean;
  };
}
