// What a good config means: defaults, units, references, relative paths, masks.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import { parse } from "yaml";
import { interpolate } from "../../src/config/interpolate.ts";
import { maskPluginConfig, maskSecret } from "../../src/config/mask.ts";
import { configJsonSchema, configReference } from "../../src/config/reference.ts";
import { shownConfig } from "../../src/config/show.ts";
import { parseAddress, parseBytes, parseDuration, parsePrice } from "../../src/config/units.ts";
import { type Config, loadConfig } from "../../src/config.ts";

type Env = Readonly<Record<string, string | undefined>>;

function load(t: Pick<Test, "testdir">, yaml: string, env: Env = {}): Config {
  const cwd = t.testdir({ "tollgate.yaml": yaml, etc: { secret: "from-a-file\n" } });
  return loadConfig({ cwd, env });
}

t.test("without a file the defaults hold, and the demo provider serves", async (t) => {
  const cwd = t.testdir({});
  const config = loadConfig({ cwd, env: {} });
  t.equal(config.file, null);
  t.strictSame(config.listen, { host: "127.0.0.1", port: 4000 });
  t.strictSame(config.admin, {
    listen: { host: "127.0.0.1", port: 4001 },
    key: null,
    openMetrics: false,
    apis: ["admin", "admin-litellm", "admin-saas", "admin-llmgateway"],
  });
  t.equal(config.database, `sqlite:${join(cwd, "tollgate.db")}`);
  t.strictSame(config.providers, [
    { name: "demo", baseUrl: "demo:", wires: ["openai", "anthropic"], apiKey: null, models: null },
  ]);
  t.strictSame(
    config.plugins.map(({ use }) => use),
    ["auth", "iam", "budget", "logging"],
  );
  t.match(config.limits, { bodyBytesMax: 10_000_000, headersMax: 200, drainMs: 30_000, upstreamTimeoutMs: 600_000 });
  t.match(config, { timezone: "UTC", durability: "normal", errorFormat: "openai", trustedProxies: [], models: [] });
  t.ok(Object.isFrozen(config.limits) && Object.isFrozen(config.providers[0]), "frozen all the way down");
});

t.test("providers come from the environment when the file names none", async (t) => {
  const cwd = t.testdir({});
  const config = loadConfig({ cwd, env: { OPENAI_API_KEY: "sk-o", ANTHROPIC_API_KEY: "sk-a" } });
  t.strictSame(
    config.providers.map(({ name, baseUrl, wires, apiKey }) => [name, baseUrl, wires, apiKey]),
    [
      ["openai", "https://api.openai.com/v1", ["openai"], "sk-o"],
      ["anthropic", "https://api.anthropic.com", ["anthropic"], "sk-a"],
    ],
  );
  t.equal(loadConfig({ cwd, env: { OPENAI_API_KEY: "" } }).providers[0]?.name, "demo", "an empty key is none");
});

t.test("rules are the config's, else the working directory's, else the shipped ones", async (t) => {
  const shipped = loadConfig({ cwd: t.testdir({}), env: {} }).rules;
  t.equal(shipped.origin, "shipped");
  t.ok(existsSync(shipped.directory), shipped.directory);
  const cwd = t.testdir({
    rules: {},
    sub: {
      "a.yaml": "rules: ./mine",
      "b.yaml": "rules: { directory: ./mine, on_broken_start: refuse, failing_tests: warn }",
    },
    "c.yaml": "rules: { failing_tests: warn }",
  });
  const strict = { onBrokenStart: "last_good", failingTests: "refuse" };
  const near = { directory: join(cwd, "rules"), origin: "working directory", ...strict };
  t.strictSame(loadConfig({ cwd, env: {} }).rules, near);
  const own = loadConfig({ cwd, env: {}, path: "sub/a.yaml" }).rules;
  t.strictSame(own, { directory: join(cwd, "sub", "mine"), origin: "config", ...strict }, "relative to the file");
  const map = loadConfig({ cwd, env: {}, path: "sub/b.yaml" }).rules;
  t.strictSame(map, { ...own, onBrokenStart: "refuse", failingTests: "warn" });
  t.strictSame(loadConfig({ cwd, env: {}, path: "c.yaml" }).rules, { ...near, failingTests: "warn" });
});

t.test("models carry prices in pico-USD per token, and whole numbers for tokens", async (t) => {
  const config = load(
    t,
    `models:
  fast: { provider: demo, model: gpt-4o-mini }
  house: { provider: demo, model: llama, context: 8192, max_output_tokens: 4096, price: { input: $0.10/M, output: $0.0002/k } }
  full: { provider: demo, model: x, price: { input: $3/M, output: $15/M, cached_input: $0.3/M, cache_write: 3.75/M } }`,
  );
  const [fast, house, full] = config.models;
  t.match(fast, { alias: "fast", price: null, contextTokens: null, outputTokensMax: null });
  t.match(house, { contextTokens: 8192, outputTokensMax: 4096 });
  t.strictSame(house?.price, {
    inputPicoUsd: 100_000,
    outputPicoUsd: 200_000,
    cachedInputPicoUsd: 100_000,
    cacheWritePicoUsd: 100_000,
    tiers: [],
  });
  t.match(full?.price, { cachedInputPicoUsd: 300_000, cacheWritePicoUsd: 3_750_000 });
});

t.test("references are replaced once, in values, and typed where they stand unquoted", async (t) => {
  const config = load(
    t,
    `admin: { key: "\${ADMIN}" }
limits:
  headers: \${HEADERS}
  body: \${BODY:-2MiB}
providers:
  - name: a
    base_url: https://\${HOST}/v1/
    wire: openai
    api_key: \${file:etc/secret}
    models: ["$\${literal}", "\${EMPTY:-x}"]
plugins:
  - use: ./p.ts
    config: { words: ["\${WORD}"], on: true, token: plain-token-of-length }`,
    { ADMIN: `adm$\{HOST}in-key-of-length`, HEADERS: "50", HOST: "h.example", WORD: "w: [1", EMPTY: "" },
  );
  t.equal(config.admin.key, `adm$\{HOST}in-key-of-length`, "what is put in is not looked at again");
  t.equal(config.limits.headersMax, 50);
  t.equal(config.limits.bodyBytesMax, 2 * 1024 * 1024);
  t.match(config.providers[0], {
    baseUrl: "https://h.example/v1",
    apiKey: "from-a-file",
    models: [`$\{literal}`, "x"],
  });
  t.strictSame(config.plugins[0]?.config, { words: ["w: [1"], on: true, token: "plain-token-of-length" });
  t.strictSame(config.plugins[0]?.shown, { words: ["…"], on: true, token: "…ngth" }, "masked where it may be secret");
});

t.test("an anchor's values are found again through its aliases", async (t) => {
  const config = load(
    t,
    `providers:
  - &base { name: a, base_url: "demo:", wire: openai }
models:
  one: &model { provider: a, model: m }
  two: *model`,
  );
  t.strictSame(
    config.models.map(({ alias, model }) => [alias, model]),
    [
      ["one", "m"],
      ["two", "m"],
    ],
  );
});

t.test("the shown config is a config again, and holds no secret", async (t) => {
  const yaml = `listen: "[::1]:4000"
admin: { key: admin-key-admin-key-7777, listen: 0.0.0.0:9 }
database: postgres://me:hunter2@db/x
providers: [{ name: a, base_url: http://x, wire: [openai, gemini], api_key: sk-secretsecretsecret-9999, models: [m] }]
models: { f: { provider: a, model: m, price: { input: $0.0375/M, output: $1/k } } }
limits: { body: 1500B, drain: 90s, idle_timeout: 1500ms }
trusted_proxies: [10.0.0.0/8, "::1"]
log: { level: debug, file: ./x.log }`;
  const config = load(t, yaml);
  const shown = shownConfig(config);
  t.notMatch(JSON.stringify(shown), /hunter2|secretsecret|admin-key/);
  t.match(shown, { admin: { key: "…7777" }, providers: [{ api_key: "sk-…9999" }], database: "postgres://me:…@db/x" });
  writeFileSync(join(config.directory, "tollgate.yaml"), JSON.stringify(shown));
  const again = shownConfig(loadConfig({ cwd: config.directory, env: {} }));
  t.strictSame({ ...again, admin: null, providers: null }, { ...shown, admin: null, providers: null });
});

t.test("at most four characters of a secret are ever shown", async (t) => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 80 }), (secret) => {
      const shown = maskSecret(secret).replace(/^sk-/, "").replace("…", "");
      return shown.length <= 4 && (secret.length >= 16 || shown === "");
    }),
  );
  const nested = maskPluginConfig({ a: { api_key: ["abcdefghijklmnopqrst"] }, n: 5, password: 123456 }, () => false);
  t.strictSame(nested, { a: { api_key: ["…qrst"] }, n: 5, password: "…" });
});

t.test("interpolation leaves texts without references alone", async (_t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(!text.includes("${"));
      const done = interpolate(text, { env: {}, directory: "/" });
      return done.text === text && !done.replaced && done.bad.length === 0;
    }),
  );
});

t.test("units", async (t) => {
  const value = (parsed: { ok: boolean; value?: unknown }): unknown => (parsed.ok ? parsed.value : null);
  const durations = {
    "500ms": 500,
    "30s": 30_000,
    "1.5h": 5_400_000,
    "2 w": 1_209_600_000,
    "5": null,
    "5y": null,
    "": null,
  };
  for (const [text, ms] of Object.entries(durations)) t.equal(value(parseDuration(text)), ms, `duration ${text}`);
  const sizes = {
    "200B": 200,
    "10MB": 1e7,
    "512 KiB": 524_288,
    "1.5kb": 1_500,
    "10": null,
    "10 tons": null,
    "-1MB": null,
  };
  for (const [text, bytes] of Object.entries(sizes)) t.equal(value(parseBytes(text)), bytes, `size ${text}`);
  const prices = {
    "$10/M": 1e7,
    "$0.0375/M": 37_500,
    "$0.0001/k": 1e5,
    "0.5/K": 5e8,
    "$0/M": 0,
    "$100/M": 1e8,
    $1: null,
  };
  for (const [text, pico] of Object.entries(prices)) t.equal(value(parsePrice(text)), pico, `price ${text}`);
  const addresses = { "127.0.0.1:1": "127.0.0.1", "[::1]:1": "::1", ":1": "0.0.0.0", "localhost:1": "localhost" };
  for (const [text, host] of Object.entries(addresses)) t.match(value(parseAddress(text)), { host, port: 1 }, text);
  for (const text of ["127.0.0.1", "::1:80", "[x]:1", "a:70000", "a b:1"])
    t.equal(value(parseAddress(text)), null, text);
});

t.test("a price per thousand tokens is a thousand times the price per million", async (_t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999 }), (milliCents) => {
      const digits = String(milliCents).padStart(10, "0");
      const perThousand = parsePrice(`$${digits.slice(0, 1)}.${digits.slice(1)}/k`);
      const perMillion = parsePrice(`$${digits.slice(0, 4)}.${digits.slice(4)}/M`);
      return perThousand.ok && perMillion.ok && perThousand.value === perMillion.value;
    }),
  );
});

t.test("the reference and the JSON Schema name every key", async (t) => {
  const schema = configJsonSchema() as { properties: Record<string, unknown> };
  const reference = configReference();
  for (const key of Object.keys(shownConfig(loadConfig({ cwd: t.testdir({}), env: {} })))) {
    t.ok(schema.properties[key], `${key} in the schema`);
    t.match(reference, new RegExp(`^\\| \`${key}[\`.]`, "m"), `${key} in the reference`);
  }
  const rows = reference.split("\n").slice(2);
  t.ok(
    rows.every((row) => /^\| `[^`]+` \| .* \| \S.*\.? \|$/.test(row)),
    "each row has a key and a meaning",
  );
  t.doesNotThrow(() => parse(JSON.stringify(schema)));
});
