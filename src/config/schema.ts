// The config file's schema: every key, its unit, its default and what it is for. The README's reference is made from it.
import { z } from "zod";
import { type Parsed, parseAddress, parseBytes, parseCidr, parseDuration, parsePrice } from "./units.ts";

/** A text that `parse` reads; a bare number gets the same explanation as a text without its unit. */
function text<T>(parse: (text: string) => Parsed<T>) {
  const explain = (input: unknown): string | undefined => {
    const parsed = typeof input === "number" ? parse(String(input)) : null;
    return parsed === null || parsed.ok ? undefined : `${parsed.message}: ${parsed.help}`;
  };
  return z.string({ error: (issue) => explain(issue.input) }).transform((value, context) => {
    const parsed = parse(value);
    if (parsed.ok) return parsed.value;
    context.issues.push({ code: "custom", input: value, message: parsed.message, params: { help: parsed.help } });
    return z.NEVER;
  });
}

const duration = () => text(parseDuration);
const bytes = () => text(parseBytes);
const price = () => text(parsePrice);
const address = () => text(parseAddress);
const count = () => z.int().min(1);
const secret = () => z.string().min(1, "empty: is the variable or the file empty?");

/** More processes than that on one machine only wait for each other's writes. */
export const WORKERS_MAX = 64;

const Wire = z.enum(["openai", "anthropic", "gemini"]);

const DATABASE_HELP = "write sqlite:FILE, for example sqlite:tollgate.db";
const databaseUrl = z.string().superRefine((value, context) => {
  if (/^sqlite:(?!:memory:).+/.test(value) || /^postgres(ql)?:\/\/./.test(value)) return;
  const message = value.startsWith("sqlite:") ? "the database must be a file" : "not a database that tollgate knows";
  context.addIssue({ code: "custom", message, params: { help: DATABASE_HELP } });
});

const timeZone = z.string().superRefine((value, context) => {
  if (isTimeZone(value)) return;
  const help = "write an IANA name, for example UTC or Europe/Berlin";
  context.addIssue({ code: "custom", message: "not a time zone", params: { help } });
});

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

const baseUrl = z.string().transform((value, context) => {
  const trimmed = value.replace(/\/+$/, "");
  const message = value === "demo:" ? null : urlProblem(value);
  if (message === null) return trimmed;
  const help = "write it as an SDK's base URL, for example https://api.openai.com/v1, or demo:";
  context.issues.push({ code: "custom", input: value, message, params: { help } });
  return z.NEVER;
});

function urlProblem(value: string): string | null {
  if (!URL.canParse(value)) return "not a URL";
  const url = new URL(value);
  if (url.protocol !== "http:" && url.protocol !== "https:") return "not an http or https URL";
  if (url.username !== "" || url.password !== "") return "a URL with credentials: put the key in `api_key`";
  return url.search === "" && url.hash === "" ? null : "a base URL must not have a query or a fragment";
}

const Provider = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][\w.-]*$/, "not a name: letters, digits, `.`, `_` and `-`, a letter or digit first")
    .describe("What rules, logs and model aliases call it."),
  base_url: baseUrl.describe(
    "As an SDK's base URL, e.g. `https://api.openai.com/v1`; `demo:` is the built-in demo provider.",
  ),
  wire: z
    .union([Wire, z.array(Wire).min(1)])
    .transform((wire) => (typeof wire === "string" ? [wire] : wire))
    .describe("The wire format it speaks, or a list: `openai`, `anthropic`, `gemini`."),
  api_key: secret().optional().describe("Secret. The provider's key; left out, none is sent."),
  models: z
    .array(z.string().min(1))
    .optional()
    .describe("The models to offer; left out, those the price catalogue has for it."),
});

const Price = z.strictObject({
  input: price().describe("Input tokens, e.g. `$0.10/M` (per million) or `$0.0001/k`."),
  output: price().describe("Output tokens."),
  cached_input: price().optional().describe("Input read from the provider's cache; left out, as `input`."),
  cache_write: price().optional().describe("Input written to the provider's cache; left out, as `input`."),
});

const Model = z.strictObject({
  provider: z.string().describe("A provider's `name`."),
  model: z.string().min(1).describe("What the provider calls the model."),
  price: Price.optional().describe("What it costs; left out, the catalogue's price."),
  context: count().optional().describe("Context window in tokens; left out, the catalogue's."),
  max_output_tokens: count().optional().describe("Most output tokens of one answer; left out, the catalogue's."),
});

const Plugin = z.union([
  z.string().min(1),
  z.strictObject({
    use: z.string().min(1).describe("A built-in's name, a path (`./…`, `/…`) or a package."),
    config: z.unknown().optional().describe("The plugin's own config: see its README."),
  }),
]);

const Limits = z.strictObject({
  body: bytes().prefault("10MB").describe("Largest request body; above it 413."),
  headers: count().default(200).describe("Most header fields of a request; above it 431."),
  answer: bytes().prefault("100MB").describe("Largest answer in one piece from a provider (streams have no limit)."),
  request_timeout: duration().prefault("60s").describe("For a caller to send its whole request."),
  upstream_timeout: duration().prefault("10m").describe("For a provider to begin its answer; then 504."),
  idle_timeout: duration().prefault("2m").describe("Between two pieces of a provider's answer."),
  drain: duration().prefault("30s").describe("For requests in flight to finish after SIGTERM."),
});

const Log = z.strictObject({
  level: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
    .default("info")
    .describe("The least that is logged; one `info` line a request."),
  format: z.enum(["auto", "json", "pretty"]).default("auto").describe("`auto`: `pretty` on a terminal, else `json`."),
  file: z.string().min(1).optional().describe("Append to this file; left out, stderr."),
});

const Admin = z.strictObject({
  listen: address().prefault("127.0.0.1:4001").describe("Admin API, metrics and dashboard."),
  key: secret().optional().describe("Secret. Master key; left out, made and printed at start, on loopback only."),
  open_metrics: z
    .boolean()
    .default(false)
    .describe("Serve `GET /metrics` without the key, to whoever can reach `listen`."),
  apis: z
    .array(z.enum(["admin", "admin-litellm", "admin-saas", "admin-llmgateway"]))
    .default(["admin", "admin-litellm", "admin-saas", "admin-llmgateway"])
    .describe("Built-in plugins that serve HTTP APIs, added to `plugins`: see their folders' READMEs."),
});

const Recording = z.strictObject({
  values: z
    .boolean()
    .default(true)
    .describe(
      "Keep with each request the headers and metadata that the rules read (credentials never), so that `tollgate rules replay` and `tollgate explain` know them.",
    ),
});

const rulesFolder = () => z.string().min(1);

/** A folder alone, or a map. */
const Rules = z.union([
  rulesFolder(),
  z.strictObject({
    directory: rulesFolder().optional().describe("As `rules` alone: the folder."),
    on_broken_start: z
      .enum(["last_good", "refuse"])
      .default("last_good")
      .describe("At a start with broken files: the last good rules, with an error in the log, or no start."),
    failing_tests: z
      .enum(["refuse", "warn"])
      .default("refuse")
      .describe("Rules of which a `test` fails: not loaded, or loaded with a warning."),
  }),
]);

/** The whole file. Input: what people write. Output: parsed, names as written. */
export const ConfigSchema = z.strictObject({
  listen: address().prefault("127.0.0.1:4000").describe("The data plane: what apps call."),
  admin: Admin.prefault({}),
  workers: z
    .int()
    .min(1)
    .max(WORKERS_MAX)
    .default(1)
    .describe("Processes that serve the data plane, on one port and one database; `tollgate run --workers` wins."),
  database: databaseUrl.default("sqlite:tollgate.db").describe("Where keys, budgets and requests are kept."),
  rules: Rules.optional().describe(
    "Folder of `*.rules` files, or a map; left out, `./rules` where it exists, else the shipped rules.",
  ),
  timezone: timeZone.default("UTC").describe("IANA name: where days, weeks and months of budgets begin."),
  durability: z
    .enum(["normal", "full"])
    .default("normal")
    .describe("`normal` survives kill -9; `full` a power cut too (an fsync a batch)."),
  providers: z
    .array(Provider)
    .min(1, "no provider")
    .optional()
    .describe(
      "Left out: OpenAI and Anthropic where `OPENAI_API_KEY`, `ANTHROPIC_API_KEY` are set, else the demo provider.",
    ),
  models: z
    .record(z.string().min(1), Model)
    .default({})
    .describe("By the name that callers write: aliases, own models, prices."),
  plugins: z
    .array(Plugin)
    .default(["auth", "iam", "budget", "logging"])
    .describe("In order: built-ins by name, others by path or package, `{use, config}` where they take config."),
  limits: Limits.prefault({}),
  trusted_proxies: z
    .array(text(parseCidr))
    .default([])
    .describe("Addresses and CIDR ranges whose `x-forwarded-for` is believed."),
  error_format: z
    .enum(["openai", "llmgateway", "detail"])
    .default("openai")
    .describe("Shape of error bodies for callers that do not speak Anthropic or Gemini."),
  log: Log.prefault({}),
  recording: Recording.prefault({}),
});

/** The file as parsed. */
export type ConfigFile = z.output<typeof ConfigSchema>;
