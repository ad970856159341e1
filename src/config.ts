// The config: found, read, checked, and handed out frozen.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { crossCheck, finish } from "./config/finish.ts";
import type { Config } from "./config/model.ts";
import { problemsOf, renderProblems } from "./config/problems.ts";
import { type ConfigFile, ConfigSchema } from "./config/schema.ts";
import { ConfigSource, type Problem } from "./config/source.ts";
import { SetupError } from "./errors.ts";

export type {
  Config,
  LimitsConfig,
  LogConfig,
  ModelConfig,
  PluginEntry,
  ProviderConfig,
} from "./config/model.ts";
export type { Address } from "./config/units.ts";

/** The file that is read when no `--config` is given. */
export const CONFIG_FILE = "tollgate.yaml";

/** Where to look. */
export interface LoadOptions {
  /** `--config`; left out, `tollgate.yaml` in `cwd` where it exists, else the defaults. */
  readonly path?: string | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The effective config: absolute paths, durations in milliseconds, sizes in bytes, prices in pico-USD per token.
 * @throws SetupError 78 with every problem of the file, each with line, column and caret
 */
export function loadConfig({ path, cwd, env }: LoadOptions): Config {
  const file = locate(path, cwd);
  const directory = file === null ? cwd : dirname(file);
  const source = file === null ? null : new ConfigSource(shortName(file, cwd), read(file), { env, directory });
  const parsed = parse(source);
  const config = finish(parsed, { file, directory, env, source });
  const crossed = crossCheck(config).map(({ path: at, ...rest }) => ({ ...rest, span: source?.valueSpan(at) ?? null }));
  if (crossed.length > 0) throw refusal(source, crossed);
  return deepFreeze(config);
}

function parse(source: ConfigSource | null): ConfigFile {
  const unreadable = source?.problems ?? [];
  if (source?.value === null) throw refusal(source, unreadable);
  const parsed = ConfigSchema.safeParse(source?.value ?? {}, { reportInput: true });
  if (parsed.success && unreadable.length === 0) return parsed.data;
  const issues = parsed.success ? [] : problemsOf(parsed.error.issues, ConfigSchema, { source, base: [] });
  const independent = issues.filter((issue) => !unreadable.some((problem) => overlap(issue, problem)));
  throw refusal(source, [...unreadable, ...independent]);
}

/** A value whose reference could not be replaced is not judged as well. */
function overlap(a: Problem, b: Problem): boolean {
  return a.span !== null && b.span !== null && a.span.start < b.span.end && b.span.start < a.span.end;
}

function locate(path: string | undefined, cwd: string): string | null {
  if (path !== undefined) return resolve(cwd, path);
  const usual = join(cwd, CONFIG_FILE);
  return existsSync(usual) ? usual : null;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? "does not exist" : code === "EISDIR" ? "is a directory" : `cannot be read (${code})`;
    throw new SetupError(`the config file ${file} ${why}`, 78, error);
  }
}

/** Relative to the working directory unless that leads out of it. */
function shortName(file: string, cwd: string): string {
  const short = relative(cwd, file);
  return short.startsWith("..") ? file : short;
}

function refusal(source: ConfigSource | null, problems: readonly Problem[]): SetupError {
  if (source === null) return new SetupError(problems.map(({ message }) => `error: ${message}`).join("\n"));
  return new SetupError(renderProblems(source, problems));
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  if (value instanceof ConfigSource) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}
