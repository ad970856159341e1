// `tollgate test` and `tollgate explain`: what they print where, and how they exit.

import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { createCheckCommand } from "../../src/cli/check.ts";
import type { Command } from "../../src/cli/command.ts";
import { createExplainCommand } from "../../src/cli/explain.ts";
import { createTestCommand } from "../../src/cli/test.ts";
import { type Ran, runIn } from "../support/cli.ts";
import { until } from "../support/until.ts";
import { CATALOGUE } from "./samples.ts";

const ENTRY = join(import.meta.dirname, "..", "..", "src", "tollgate.cjs");
/** A start takes half a second of CPU; machines that run tests are busy. */
const START_MS = 20_000;

const RULES = `version 1
default allow
deny model gpt-4 when price > 10 unless role admin as dear
shadow deny when stream as no-streams
deny for team ml when max_tokens > 8k as short
`;
const TESTS = `test "dear" {
  given model gpt-4
  expect deny by dear
}
`;

async function run(cwd: string, of: typeof createTestCommand, argv: readonly string[]): Promise<Ran> {
  const command: Command = of(() => ({ directory: join(cwd, "rules"), catalogue: CATALOGUE }));
  return runIn(cwd, command.run, argv);
}

t.test("test: what passes is listed, what fails is explained", async (t) => {
  const cwd = t.testdir({ rules: { "a.rules": `${RULES}${TESTS}` } });
  t.same(await run(cwd, createTestCommand, []), {
    code: 0,
    stdout: 'ok    rules/a.rules:6  "dear"\n',
    stderr: "1 test: 1 passed, 0 failed\n",
  });
  const failing = t.testdir({
    rules: { "a.rules": `${RULES}${TESTS.replace("expect deny by dear", "expect allow")}` },
  });
  const { code, stdout, stderr } = await run(failing, createTestCommand, ["rules"]);
  t.equal(code, 2);
  t.equal(stderr, "1 test: 0 passed, 1 failed\n");
  t.match(
    stdout,
    /^FAIL {2}rules\/a\.rules:6 {2}"dear"\n {6}expected allow, got deny by dear\n {6}\| deny: Access denied: /,
  );
  t.match(stdout, /yes {6}price > \$10\/M {2}price is \$60\/M/);
  const json = await run(failing, createTestCommand, ["--json", "--coverage"]);
  t.match(JSON.parse(json.stdout), {
    ok: false,
    failed: 1,
    tests: [{ name: "dear", file: "rules/a.rules", line: 6, ok: false, effect: "deny", rule_ids: ["dear"] }],
    coverage: [{ id: "dear", fired: 1 }, { id: "no-streams", fired: 0 }, { id: "short" }],
  });
  t.match(await run(failing, createCheckCommand, []), { code: 2, stdout: /E222/ }, "check fails as well");
});

t.test("test: coverage, no tests, broken rules", async (t) => {
  const cwd = t.testdir({ rules: { "a.rules": `${RULES}${TESTS}` } });
  const { stdout, stderr } = await run(cwd, createTestCommand, ["--coverage"]);
  t.match(
    stdout,
    /rules\/a\.rules:3 {2}dear +1 {2}model gpt-4 always holds; price > \$10\/M always holds; role admin never holds\n/,
  );
  t.equal(stderr, "1 test: 1 passed, 0 failed; 1 of 3 rules fired, 0 of 6 conditions seen both ways\n");
  t.match(await run(t.testdir({ rules: { "a.rules": RULES } }), createTestCommand, []), {
    code: 0,
    stderr: "no tests\n",
  });
  const broken = t.testdir({ rules: { "a.rules": `${RULES}dney\n${TESTS}` } });
  t.match(await run(broken, createTestCommand, []), { code: 2, stdout: /E102/, stderr: "1 error: no test was run\n" });
  t.match(JSON.parse((await run(broken, createTestCommand, ["--json"])).stdout), {
    ok: false,
    diagnostics: [{ code: "E102" }],
  });
});

t.test("check: hints are told and pass --strict", async (t) => {
  const cwd = t.testdir({ rules: { "a.rules": `${RULES}${TESTS}` } });
  const checked = await run(cwd, createCheckCommand, ["--strict"]);
  t.match(checked, { code: 0, stdout: /^info\[I401\]/, stderr: "1 file, 3 rules: 0 errors, 0 warnings, 1 hint\n" });
  t.match(await run(cwd, createCheckCommand, ["--github"]), { stdout: /^::notice file=/ });
  t.match(JSON.parse((await run(cwd, createCheckCommand, ["--json"])).stdout), {
    ok: true,
    hints: 1,
    diagnostics: [{ severity: 3 }],
  });
});

t.test("explain: the decision, the rule with its place and text, its conditions, and what would turn it", async (t) => {
  const cwd = t.testdir({ rules: { "a.rules": RULES } });
  t.same(await run(cwd, createExplainCommand, ["model=gpt-4", "stream=true"]), {
    code: 0,
    stdout: `deny: Access denied: model gpt-4 (price $60/M, role unset) is denied by dear (price > $10/M unless role admin)

openai/gpt-4: denied
  rules/a.rules:3 (dear)  deny model gpt-4 when price > 10 unless role admin as dear
    yes      model gpt-4    model is gpt-4
    yes      price > $10/M  price is $60/M
    no       role admin     role is unset
  shadow: rules/a.rules:4 (no-streams)  shadow deny when stream as no-streams
    yes      stream  stream is true

it would be allowed with
  model gpt-4o-mini
  role has admin
  price <= $10/M
`,
    stderr: "",
  });
  const allowed = await run(cwd, createExplainCommand, ["model=gpt-4o-mini", "team=ml", "max_tokens=100"]);
  t.match(
    allowed.stdout,
    /^allow\n\nopenai\/gpt-4o-mini: allowed by default\n {2}rules\/a\.rules:2 {2}default allow\n/,
  );
  t.match(allowed.stdout, /it would be denied with\n {2}max_tokens > 8000\n {2}model gpt-4\n/);
  const unknown = await run(cwd, createExplainCommand, ["model=mystery", "team=ml"]);
  t.match(unknown.stdout, /unknown {2}max_tokens > 8k {2}max_tokens is unknown\n/);
  t.match(unknown.stdout, /\nunknown: max_tokens\n/);
  const both = await run(cwd, createExplainCommand, ["model=gpt-4", "team=ml", "max_tokens=9k"]);
  t.match(
    both.stdout,
    /it would be allowed with\n {2}max_tokens <= 8000 and model gpt-4o-mini\n$/,
    "two things at once",
  );
});

t.test("explain: JSON, other rules, and mistakes", async (t) => {
  const cwd = t.testdir({
    rules: { "a.rules": RULES },
    other: { "b.rules": "default deny\n" },
    bad: { "c.rules": "x\n" },
  });
  const { stdout } = await run(cwd, createExplainCommand, ["--json", "model=gpt-4"]);
  t.match(JSON.parse(stdout), {
    effect: "deny",
    rule_ids: ["dear"],
    targets: [{ model: "gpt-4", deciding: [{ where: "rules/a.rules:3", conditions: [{ truth: "yes" }, {}, {}] }] }],
    would_turn: [["model gpt-4o-mini"], ["role has admin"], ["price <= $10/M"]],
  });
  t.match(await run(cwd, createExplainCommand, ["--rules", "other", "model=gpt-4"]), {
    stdout: /denied by default\n {2}other\/b\.rules:1/,
  });
  t.match(await run(cwd, createExplainCommand, ["modl=gpt-4"]), { code: 2, stdout: /E201.*did you mean `model`/s });
  t.match(await run(cwd, createExplainCommand, ["--rules", "bad", "model=gpt-4"]), { code: 2, stdout: /E102/ });
  await t.rejects(run(cwd, createExplainCommand, ["gpt-4"]), { exitCode: 64, message: /not ATTRIBUTE=VALUE/ });
  await t.rejects(run(cwd, createExplainCommand, []), /name a request by its id, or describe one/);
  const night = await run(cwd, createExplainCommand, [
    "model=gpt-4",
    "role=admin,dev",
    'header["x"]=a "b" c',
    "at=2027-01-31T22:30",
  ]);
  t.match(night, { code: 0, stdout: /^allow\n/ });
});

t.test("test --watch runs again on each change, without a terminal, and ends with the last exit code", async (t) => {
  const cwd = t.testdir({ rules: { "a.rules": `${RULES}${TESTS}` } });
  const file = join(cwd, "rules", "a.rules");
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    writeFileSync(file, `${RULES}${TESTS}`);
    const child = spawn("/usr/bin/env", ["-i", process.execPath, ENTRY, "test", "--watch", "--json"], { cwd });
    t.teardown(() => child.kill("SIGKILL"));
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr += chunk));
    const runs = (): { ok: boolean }[] =>
      stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line));
    const ended = new Promise((resolve) => child.once("close", resolve));
    await until("the first run", () => runs().length === 1, START_MS);
    writeFileSync(file, `${RULES}${TESTS.replace("deny by dear", "allow")}`);
    await until("the second", () => runs().length === 2);
    if (signal === "SIGINT") {
      rmSync(join(cwd, "rules"), { recursive: true });
      await until("the directory is missed", () => runs().length === 3);
      mkdirSync(join(cwd, "rules"));
      writeFileSync(file, `${RULES}${TESTS}`);
      await until("it is back", () => runs().at(-1)?.ok === true);
    }
    child.kill(signal);
    t.equal(await ended, signal === "SIGINT" ? 0 : 2);
    t.same(
      runs()
        .map(({ ok }) => ok)
        .slice(0, 2),
      [true, false],
    );
    t.match(
      stderr,
      /^1 test: 1 passed, 0 failed\nwaiting for a change; Ctrl-C ends\n\n== changed, \d\d:\d\d:\d\d\n1 test: 0 p/,
    );
  }
});

t.test("explain: what the request would be counted against", async (t) => {
  const rules = `default allow
limit 100 requests per 1m by key, team as per-key
budget $500 per month for team ml when price > 10
deny when stream
`;
  const cwd = t.testdir({ rules: { "a.rules": rules } });
  const { stdout } = await run(cwd, createExplainCommand, ["model=gpt-4", "key=ci", "team=ml"]);
  t.match(
    stdout,
    `  rules/a.rules:1  default allow
  counts: rules/a.rules:2 (per-key)  limit 100 requests per 1m by key, team as per-key
    counter  limit 100 requests per 1m for key ci, team ml
  counts: rules/a.rules:3  budget $500 per month for team ml when price > 10
    yes      team ml        team is ml
    yes      price > $10/M  price is $60/M
    counter  budget $500 per month
`,
  );
  const json = await run(cwd, createExplainCommand, ["--json", "model=gpt-4", "key=ci", "team=ml"]);
  t.match(JSON.parse(json.stdout), {
    effect: "allow",
    targets: [
      {
        quotas: [
          {
            counter:
              'rule:["per-key","requests",{"kind":"sliding","durationMs":60000},["key",null,"ci"],["team",null,"ml"]]',
            unit: "requests",
            limit: "100",
            window: { kind: "sliding", durationMs: 60_000 },
            rule: { id: "per-key", effect: "limit" },
          },
          { unit: "usd", limit: "500", window: { kind: "calendar", period: "month", zone: "UTC" } },
        ],
      },
    ],
  });
  const shared = t.testdir({
    rules: { "a.rules": "default allow\nlimit 9 requests per 1m by key\nlimit 5 requests per 1m by key\n" },
  });
  const once = await run(shared, createExplainCommand, ["model=gpt-4", "key=ci"]);
  t.match(once.stdout, "counts: rules/a.rules:3  limit 5 requests");
  t.notMatch(once.stdout, "limit 9 requests", "the smaller of two that share a counter");
});

t.test("explain: a denied request is counted nowhere", async (t) => {
  const cwd = t.testdir({ rules: { "a.rules": "default allow\nlimit 9 requests per 1m\ndeny when stream\n" } });
  const denied = await run(cwd, createExplainCommand, ["model=gpt-4", "key=ci", "stream=true"]);
  t.notMatch(denied.stdout, "counts:");
});

t.test("test: limits are covered, and no test expects them", async (t) => {
  const rules = "default allow\nlimit 9 requests per 1m by key for team ml as nine\n";
  const text = (by: string): string => `${rules}test "x" {\n  given team ml\n  expect allow${by}\n}\n`;
  const cwd = t.testdir({ rules: { "a.rules": text("") }, bad: { "a.rules": text(" by nine") } });
  const json = await run(cwd, createTestCommand, ["--json", "--coverage"]);
  t.match(JSON.parse(json.stdout), { ok: true, coverage: [{ id: "nine", fired: 1 }] });
  t.match(await run(cwd, createTestCommand, ["bad"]), {
    code: 2,
    stdout: /E221.*which counts and decides nothing here/s,
  });
});
