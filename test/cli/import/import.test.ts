// `tollgate import litellm` on configs as people have them: what is written, what is told, and that it serves.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the config
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import pino from "pino";
import t, { type Test } from "tap";
import { parse, stringify } from "yaml";
import { importLitellm } from "../../../src/cli/import/litellm.ts";
import { perMillion } from "../../../src/cli/import/per-token.ts";
import { loadConfig } from "../../../src/config.ts";
import { startGateway } from "../../../src/gateway.ts";
import { formatPerMillion } from "../../../src/money.ts";
import { type Ran, tollgate } from "../../support/cli.ts";
import { newFolder } from "../../support/folder.ts";
import { goldenFiles } from "../../support/golden-file.ts";
import { startUpstream } from "../../support/upstream.ts";

/** All values in the samples that are to stay where they are say so. */
const SECRET = /literal-(?:internal|openai|master|azure|redis|pg)|sk-lf-literal/;

const sample = (name: string): string => readFileSync(join(import.meta.dirname, `${name}.yaml`), "utf8");

interface Report {
  readonly ok: boolean;
  readonly written: readonly string[];
  readonly variables: readonly { readonly name: string; readonly new: boolean }[];
  readonly findings: readonly {
    readonly kind: string;
    readonly line: number;
    readonly path: string;
    message: string;
  }[];
}

/** Imports a text in a folder of its own. */
async function imported(t: Test, text: string): Promise<{ cwd: string; ran: Ran; report: Report; env: Env }> {
  const cwd = newFolder(t);
  writeFileSync(join(cwd, "litellm.yaml"), text);
  const ran = await tollgate(cwd, ["import", "litellm", "litellm.yaml", "--json"]);
  const report = JSON.parse(ran.stdout) as Report;
  const env = Object.fromEntries(report.variables.map(({ name }) => [name, "https://x.example"]));
  return { cwd, ran, report, env };
}

type Env = Record<string, string>;

/** What an import writes and tells, as one text. */
function texts(text: string): string {
  const { config, rules, findings } = importLitellm({ name: "litellm.yaml", text, rules: "./rules", nowMs: 0 });
  const told = findings.map(({ kind, line, path, message }) => `${kind} ${line} ${path}: ${message}`);
  return [config, rules, ...told].join("\n");
}

const read = (cwd: string, file: string): string => readFileSync(join(cwd, file), "utf8");

t.test("simple configs are carried over whole, with the texts that people see", async (t) => {
  const files = goldenFiles("import", texts);
  t.ok(files.length >= 2, "the golden files are there");
  for (const { name, input, expected } of files) {
    t.equal(texts(input).trimEnd(), expected, name);
    const { ran, report } = await imported(t, input);
    t.equal(ran.code, 0, name);
    t.equal(report.ok, true, name);
  }
});

t.test("every result loads, its rules are clean, and no secret is in it or in what is printed", async (t) => {
  const golden = goldenFiles("import", texts).map(({ input }) => input);
  for (const text of [...golden, sample("production"), sample("wildcards")]) {
    t.ok(text.includes("model_list"));
    const { cwd, ran, report, env } = await imported(t, text);
    t.same(report.written, ["tollgate.yaml", "rules/litellm.rules"]);
    t.match(await tollgate(cwd, ["config", "--check"], env), { code: 0 });
    t.match(await tollgate(cwd, ["check"], env), { code: 0 });
    const shown = await tollgate(cwd, ["import", "litellm", "litellm.yaml", "--dry-run"]);
    const all = [ran.stdout, ran.stderr, shown.stdout, shown.stderr, ...report.written.map((file) => read(cwd, file))];
    t.notMatch(all.join("\n"), SECRET);
    t.notMatch(read(cwd, "tollgate.yaml"), /[&*]a\d/, "what two models share is written out");
  }
});

t.test("a company's config: what can be is carried over, the rest is told with its line", async (t) => {
  const { cwd, ran, report, env } = await imported(t, sample("production"));
  t.equal(ran.code, 2);
  const config = parse(read(cwd, "tollgate.yaml"));
  t.match(config.providers, [
    { name: "azure", base_url: "${AZURE_US_BASE}/openai/v1", api_key: "${AZURE_US_KEY}" },
    { name: "groq", api_key: "${GROQ_API_KEY}" },
  ]);
  t.strictSame(Object.keys(config.models), ["gpt-4o", "gpt-4", "gpt-4-hidden", "search-only"]);
  t.match(config.models["gpt-4"], { provider: "azure", model: "acme-gpt4o", price: { input: /^\$[\d.]+\/M$/ } });
  t.match(config, { admin: { key: "${TOLLGATE_ADMIN_KEY}" }, limits: { body: "32MiB", upstream_timeout: "45s" } });
  t.match(loadConfig({ cwd, env }).limits, { bodyBytesMax: 32 * 2 ** 20, upstreamTimeoutMs: 45_000 });

  const rules = read(cwd, "rules/litellm.rules");
  t.match(rules, /^deny when ip not in \[10\.0\.0\.0\/8, 192\.168\.1\.20\] {3}as allowed-ips$/m);
  t.match(rules, /^deny when model\.requested = search-only unless team "search team"$/m);
  const unmapped = report.findings.filter(({ kind }) => kind === "unmapped");
  for (const [statement, key] of [
    ["budget $5000 per month", "litellm_settings.max_budget"],
    ["budget $20 per 7d by user when user is set", "litellm_settings.default_internal_user_params.max_budget"],
    ["budget $100 per 1d provider groq", "router_settings.provider_budget_config.groq.budget_limit"],
    [
      "budget $250.5 per 30d when model.requested in [gpt-4o, gpt-4, gpt-4-hidden]",
      "model_list[1].litellm_params.max_budget",
    ],
  ] as const) {
    t.ok(rules.split("\n").includes(statement), statement);
    t.notOk(
      unmapped.some(({ path }) => path === key),
      key,
    );
  }
  const placed = (start: string): number =>
    sample("production")
      .split("\n")
      .findIndex((one) => one.includes(start)) + 1;
  for (const [path, start] of [
    ["model_list[0]", "- model_name: gpt-4o"],
    ["model_list[3].litellm_params.model", "bedrock/"],
    ["model_list[4].litellm_params.model", "text-embedding-3-small"],
    ["model_list[5].litellm_params.model", "mixtral-on-my-desk"],
    ["litellm_settings.fallbacks", "fallbacks:"],
    ["general_settings.database_url", "database_url:"],
    ["guardrails", "guardrails:"],
  ] as const) {
    t.equal(unmapped.find((finding) => finding.path === path)?.line, placed(start), path);
  }
});

t.test("a budget that the language cannot say is a comment, and is told", async (t) => {
  for (const duration of ["30s", "400d"]) {
    const params = `{ model: openai/gpt-4o, rpm: 5, max_budget: 7, budget_duration: ${duration} }`;
    const { cwd, ran, report, env } = await imported(t, `model_list: [{ model_name: m, litellm_params: ${params} }]\n`);
    t.equal(ran.code, 2);
    const rules = read(cwd, "rules/litellm.rules").split("\n");
    t.ok(rules.includes(`# budget $7 per ${duration} when model.requested = m`), duration);
    t.ok(rules.includes("limit 5 requests per 1m when model.requested = m"));
    t.match(report.findings, [{ kind: "unmapped", path: "model_list[0].litellm_params.max_budget" }]);
    t.match(await tollgate(cwd, ["check"], env), { code: 0 });
  }
});

t.test("patterns stand for the price list's models; an exact name goes before them", async (t) => {
  const { cwd, ran, report } = await imported(t, sample("wildcards"));
  t.equal(ran.code, 2, "a pattern of no known list is told");
  const { providers, models } = parse(read(cwd, "tollgate.yaml"));
  t.match(models["openai/gpt-4o"], { model: "gpt-4o", price: { input: "$2.4/M", output: "$9.6/M" } });
  t.match(models["openai/gpt-4o-mini"], { model: "gpt-4o-mini", price: undefined });
  t.not(models["openai/gpt-4o-mini"].provider, models["openai/gpt-4o"].provider, "no price is taken over");
  t.equal(Object.hasOwn(models, "openai/whisper-1"), false);
  const open = providers.filter((one: { models?: unknown }) => one.models === undefined);
  t.strictSame(
    open.map((one: { name: string }) => one.name),
    ["anthropic", "groq"],
  );
  t.match(
    report.findings.filter(({ kind }) => kind === "unmapped"),
    [{ path: "model_list[4].model_name" }],
  );
});

t.test("nothing is dropped silently: a key that nobody knows is told wherever it stands", async (t) => {
  const text = sample("production");
  const places: readonly (readonly (string | number)[])[] = [
    [],
    ...["general_settings", "litellm_settings", "router_settings"].map((name) => [name]),
    ["model_list", 1],
    ["model_list", 1, "litellm_params"],
    ["model_list", 1, "model_info"],
    ["credential_list", 0],
    ["credential_list", 0, "credential_values"],
    ["litellm_settings", "default_internal_user_params"],
    ["router_settings", "provider_budget_config", "groq"],
    ["router_settings", "model_group_alias", "gpt-4-hidden"],
  ];
  for (const place of places) {
    const document = parse(text);
    // biome-ignore lint/suspicious/noExplicitAny: a walk through plain data
    const map = place.reduce((at: any, step) => at[step], document);
    map.zzz = "literal-value";
    const { findings } = importLitellm({ name: "x", text: stringify(document), rules: "./rules", nowMs: 0 });
    const told = findings.filter(({ path }) => path.endsWith("zzz"));
    t.match(told, [{ kind: "unmapped" }], place.join("."));
    t.notMatch(JSON.stringify(findings), /literal-value/, "its value is not shown");
  }
});

t.test("with no model to carry over nothing is written", async (t) => {
  const { cwd, ran, report } = await imported(t, sample("nothing"));
  t.equal(ran.code, 2);
  t.match(report, { ok: false, written: [], findings: [{ path: "model_list[0].litellm_params.model" }, {}] });
  t.strictSame(readdirSync(cwd), ["litellm.yaml"]);
  const shown = await tollgate(cwd, ["import", "litellm", "litellm.yaml"]);
  t.match(shown, { code: 2, stdout: "", stderr: /^no model could be carried over: nothing is written$/m });
});

t.test(
  "a gateway on the imported config serves an alias with the provider's key, and holds to the rules",
  async (t) => {
    const upstream = await startUpstream();
    t.teardown(() => upstream.close());
    const { cwd } = await imported(
      t,
      `
model_list:
  - model_name: house/fast
    litellm_params:
      model: hosted_vllm/meta-llama/Llama-3
      api_base: ${upstream.url}/v1
      api_key: sk-literal-internal-key
      input_cost_per_token: 1.5e-07
      output_cost_per_token: 6e-07
      rpm: 2
  - model_name: for-search
    litellm_params: { model: "hosted_vllm/meta-llama/Llama-3", api_base: "${upstream.url}/v1", api_key: sk-literal-internal-key }
    model_info: { team_id: search }
router_settings:
  model_group_alias: { gpt-4: house/fast }
`,
    );
    const file = join(cwd, "tollgate.yaml");
    writeFileSync(file, `${read(cwd, "tollgate.yaml")}listen: 127.0.0.1:0\nadmin: { listen: "127.0.0.1:0" }\n`);
    const env = { VLLM_API_KEY: "sk-from-the-environment" };
    await tollgate(cwd, ["teams", "create", "--alias", "search"], env);
    const made = await tollgate(cwd, ["keys", "create", "--alias", "app", "--json"], env);
    const ours = await tollgate(cwd, ["keys", "create", "--alias", "ours", "--team", "search", "--json"], env);
    const gateway = await startGateway(loadConfig({ cwd, env }), { log: pino({ level: "silent" }), env });
    t.teardown(() => gateway.close());
    const ask = (model: string, by: Ran): Promise<Response> =>
      fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${JSON.parse(by.stdout).key}` },
        body: JSON.stringify({ model, messages: [{ role: "user", content: "Hi" }], max_tokens: 20 }),
      });
    const listed = await fetch(`${gateway.url}/v1/models`, {
      headers: { authorization: `Bearer ${JSON.parse(made.stdout).key}` },
    });
    t.match(await listed.json(), { data: [{ id: "house/fast" }, { id: "gpt-4" }] });
    for (const model of ["house/fast", "gpt-4"]) {
      const answer = await ask(model, made);
      t.equal(answer.status, 200, await answer.text());
      t.equal(answer.headers.get("x-tollgate-cost-usd"), "0.0000045", "10 tokens in at $0.15/M, 5 out at $0.60/M");
    }
    t.match(upstream.seen, [
      { url: "/v1/chat/completions", headers: { authorization: "Bearer sk-from-the-environment" } },
      {},
    ]);
    t.equal(JSON.parse(upstream.seen[0]?.body ?? "").model, "meta-llama/Llama-3");
    t.equal((await ask("meta-llama/Llama-3", made)).status, 404, "only the names of the model list are served");
    const third = await ask("house/fast", made);
    t.equal(third.status, 429, "a name and its alias share the requests a minute");
    t.match(third.headers.get("x-tollgate-rule"), /litellm\.rules:\d+$/);
    t.equal((await ask("for-search", made)).status, 403);
    t.equal((await ask("for-search", ours)).status, 200);
  },
);

t.test("an existing file is not overwritten unless it is said to be, and then both are", async (t) => {
  const { cwd } = await imported(t, sample("production"));
  writeFileSync(join(cwd, "tollgate.yaml"), "mine");
  const again = ["import", "litellm", "litellm.yaml"];
  t.match(await tollgate(cwd, again), {
    code: 1,
    stdout: "",
    stderr: /^tollgate: .*tollgate\.yaml and .* exist already: /,
  });
  t.equal(read(cwd, "tollgate.yaml"), "mine");
  t.match(await tollgate(cwd, [...again, "--dry-run"]), { code: 2, stdout: /^# tollgate\.yaml\n/ });
  t.equal(read(cwd, "tollgate.yaml"), "mine", "a dry run writes nothing");
  mkdirSync(join(cwd, "deep"));
  const elsewhere = await tollgate(cwd, [...again, "--out", "deep/new.yaml", "--rules", "policy"]);
  t.equal(elsewhere.stdout, "deep/new.yaml\npolicy/litellm.rules\n");
  t.equal(parse(read(cwd, "deep/new.yaml")).rules, join(cwd, "policy"));
  t.match(await tollgate(cwd, [...again, "--force"]), { code: 2, stdout: "tollgate.yaml\nrules/litellm.rules\n" });
  t.match(read(cwd, "tollgate.yaml"), /^# Made from litellm\.yaml/);
  writeFileSync(join(cwd, "rules", "own.rules"), "version 1\n");
  const beside = await tollgate(cwd, [...again, "--force"]);
  t.match(beside.stderr, /^Also in force, since they are in .*\/rules: own\.rules$/m);
});

t.test("what is no LiteLLM config is refused with its place", async (t) => {
  const cwd = newFolder(t);
  const cases: [string, number, RegExp][] = [
    ["model_list:\n  - a: b\n   c: d\n", 78, /^error: YAML: .*\n *--> x\.yaml:\d+:\d+\n/],
    ["model_list:\n\t- a\n", 78, /--> x\.yaml:2:1[\s\S]*spaces, not tabs/],
    ["model_list: {a: b}\n", 78, /^error: `model_list` is not a list\n *--> x\.yaml:1:1\n/],
    [
      "listen: 127.0.0.1:4000\n",
      78,
      /^error: not a LiteLLM proxy config\n *--> x\.yaml\n *= it has none of model_list/,
    ],
    ["[1, 2]\n", 78, /not a LiteLLM proxy config/],
    ["", 78, /not a LiteLLM proxy config/],
  ];
  for (const [text, code, stderr] of cases) {
    writeFileSync(join(cwd, "x.yaml"), text);
    t.match(await tollgate(cwd, ["import", "litellm", "x.yaml"]), { code, stdout: "", stderr }, JSON.stringify(text));
  }
  const wrong: [string[], RegExp][] = [
    [["import"], /say what to do: litellm/],
    [["import", "litelm", "x"], /did you mean `litellm`\?/],
    [["import", "litellm"], /CONFIG\.yaml is missing/],
    [["import", "litellm", "none.yaml"], /none\.yaml does not exist/],
    [["import", "litellm", "x.yaml", "--config", "y"], /--out says what to write/],
    [["import", "litellm", "x.yaml", "--dryrun"], /did you mean `--dry-run`\?/],
  ];
  for (const [argv, stderr] of wrong)
    t.match(await tollgate(cwd, argv), { code: 64, stdout: "", stderr }, argv.join(" "));
});

t.test("odd values end in a finding, never in a config that does not load", async (t) => {
  const odd: [string, string][] = [
    ["api_base: http://user:literal-pg@host/v1", "litellm_params.api_base"],
    ["api_base: https://h/v1?api-version=1", "litellm_params.api_base"],
    ["api_base: os.environ", "litellm_params.api_base"],
    ["input_cost_per_token: free", "litellm_params.input_cost_per_token"],
    ["input_cost_per_token: 0.001", "litellm_params"],
    ["rpm: 0.5", "litellm_params.rpm"],
    ["max_budget: 5\n      budget_duration: sometimes", "litellm_params.max_budget"],
    ["litellm_credential_name: none", "litellm_params.litellm_credential_name"],
    ["temperature: 0.2", "litellm_params.temperature"],
  ];
  for (const [line, path] of odd) {
    const good = "  - model_name: m\n    litellm_params:\n      model: openai/gpt-4o\n";
    const text = `model_list:\n${good}${good.replace(": m", ': "o\\"dd ${X}"')}      ${line}\n`;
    const { cwd, ran, report, env } = await imported(t, text);
    t.match(ran, { code: 2, stderr: "" }, line);
    t.ok(
      report.findings.some((one) => one.kind === "unmapped" && one.path === `model_list[1].${path}`),
      line,
    );
    t.match(await tollgate(cwd, ["config", "--check"], env), { code: 0 }, line);
    t.notMatch(ran.stdout, SECRET);
  }
  const ceilings = "general_settings: { max_request_size_mb: 1e20 }\nlitellm_settings: { request_timeout: 0 }\n";
  const text = `model_list: [{ model_name: m, litellm_params: { model: gpt-4o } }]\n${ceilings}`;
  const { report } = await imported(t, text);
  t.match(report.findings, [
    { kind: "unmapped", path: "general_settings.max_request_size_mb" },
    { kind: "unmapped", path: "litellm_settings.request_timeout" },
  ]);
});

t.test("two keys and a price of its own each get a provider; one literal key gets one variable", async (t) => {
  const entry = (name: string, more: string): string =>
    `  - { model_name: ${name}, litellm_params: { model: openai/gpt-4o, ${more} } }\n`;
  const text = `model_list:\n${[
    entry("a", "api_key: sk-literal-openai-1"),
    entry("b", "api_key: sk-literal-openai-1"),
    entry("c", "api_key: sk-literal-openai-2"),
    entry("d", "api_key: sk-literal-openai-1, input_cost_per_token: 1e-6, output_cost_per_token: 2e-6"),
  ].join("")}`;
  const { cwd, report } = await imported(t, text);
  const { providers, models } = parse(read(cwd, "tollgate.yaml"));
  t.match(providers, [
    { name: "openai", api_key: "${OPENAI_API_KEY}" },
    { name: "openai-2", api_key: "${OPENAI_API_KEY_2}" },
    { name: "openai-3", api_key: "${OPENAI_API_KEY}" },
  ]);
  t.strictSame(
    Object.values(models).map((model) => (model as { provider: string }).provider),
    ["openai", "openai", "openai-2", "openai-3"],
  );
  t.match(report.variables, [
    { name: "OPENAI_API_KEY", new: true },
    { name: "OPENAI_API_KEY_2", new: true },
  ]);
});

t.test("a price per token is the same price per million, however it is written", async (t) => {
  const picoUsd = fc.integer({ min: 0, max: 999_999_999 });
  fc.assert(
    fc.property(picoUsd, fc.integer({ min: -3, max: 20 }), (pico, shift) => {
      const expected = { text: `$${formatPerMillion(pico)}/M`, exact: true };
      const digits = String(pico).padStart(13, "0");
      const plain = `${digits.slice(0, -12)}.${digits.slice(-12)}`;
      t.strictSame(perMillion(plain), expected);
      t.strictSame(perMillion(`${pico}e-12`), expected);
      t.strictSame(perMillion(`${pico}${"0".repeat(shift + 3)}E${-15 - shift}`), expected);
      t.strictSame(perMillion(Number(plain)), expected, "a number that YAML has read");
      t.strictSame(perMillion(Number(plain) * (1 + 2 ** -52)), expected, "what a float adds is no difference");
    }),
  );
  t.strictSame(perMillion("3.3333333e-07"), { text: "$0.333333/M", exact: false });
  t.strictSame(perMillion("1e-20"), { text: "$0.000001/M", exact: false }, "a price above 0 stays above 0");
  t.strictSame(perMillion("0.0000000000005"), { text: "$0.000001/M", exact: false }, "half goes up");
  for (const none of ["", ".", "-1e-6", "free", "1e9", "NaN", "1e-6 USD", "0x1"]) t.equal(perMillion(none), null, none);
});
