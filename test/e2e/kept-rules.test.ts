// Rules kept on a key, its team and its organisation, from the command to the running gateway's answers.
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type Ran, tollgate } from "../support/cli.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";

const ENTRY = join(import.meta.dirname, "..", "..", "src", "tollgate.cjs");
const PROVIDERS = [{ name: "demo", base_url: "demo:", wire: "openai", models: ["gpt-4o-mini", "gpt-4o"] }];

interface Setting {
  readonly gateway: TestGateway;
  run(...argv: string[]): Promise<Ran>;
  /** Status, and the rule or error code that refused. */
  ask(key: string, model: string): Promise<string>;
}

async function setUp(t: Test): Promise<Setting> {
  const gateway = await startTestGateway(t, { providers: PROVIDERS });
  const run = (...argv: string[]): Promise<Ran> => tollgate(gateway.directory, argv);
  const ask = async (key: string, model: string): Promise<string> => {
    const body = { model, messages: [{ role: "user", content: "Hi" }], max_tokens: 20 };
    const answer = await gateway.chat(body, { authorization: `Bearer ${key}` });
    const { error } = (await answer.json()) as { error?: { code: string } };
    return `${answer.status}${error === undefined ? "" : ` ${answer.headers.get("x-tollgate-rule") ?? error.code}`}`;
  };
  return { gateway, run, ask };
}

/** Runs the command in a process of its own, with something on its standard input. */
function pipe(directory: string, input: string, ...argv: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [ENTRY, ...argv], { cwd: directory }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

t.test("rules set by another process hold from the next request on, for that subject alone", async (t) => {
  const { gateway, run, ask } = await setUp(t);
  t.match(await run("orgs", "create", "--alias", "acme"), { code: 0, stderr: /^organisation acme \(org_/ });
  t.match(await run("teams", "create", "--alias", "ml", "--org", "acme"), { code: 0 });
  const make = async (...argv: string[]): Promise<string> => (await run("keys", "create", ...argv)).stdout.trim();
  const key = await make("--alias", "ci", "--team", "ml");
  const mate = await make("--alias", "mate", "--team", "ml");
  t.same([await ask(key, "gpt-4o"), await ask(mate, "gpt-4o")], ["200", "200"]);

  const set = await pipe(gateway.directory, "deny model gpt-4o\n", "keys", "rules", "ci", "--set", "-");
  t.match(set, { code: 0, stdout: "", stderr: /^key ci \(key_\w+\) keeps 1 rule\n$/ });
  t.same([await ask(key, "gpt-4o"), await ask(mate, "gpt-4o")], ["403 key:ci:1", "200"]);
  t.equal(await ask(key, "gpt-4o-mini"), "200");

  writeFileSync(join(gateway.directory, "acme.rules"), 'deny model gpt-4o-mini as small because "not here"\n');
  await run("orgs", "rules", "acme", "--set", "acme.rules");
  t.same([await ask(key, "gpt-4o-mini"), await ask(mate, "gpt-4o-mini")], Array(2).fill("403 org:acme:small"));
  t.equal(await ask(gateway.key, "gpt-4o-mini"), "200", "a key without a team");
  const listed = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${mate}` } });
  t.same(
    ((await listed.json()) as { data: { id: string }[] }).data.map(({ id }) => id),
    ["gpt-4o"],
  );

  await run("orgs", "rules", "acme", "--clear");
  await run("teams", "rules", "ml", "--set=acme.rules");
  t.equal(await ask(mate, "gpt-4o-mini"), "403 team:ml:small");
  await run("teams", "rules", "ml", "--clear");
  t.equal(await ask(mate, "gpt-4o-mini"), "200");
  await until("the denial's line", () => gateway.logged.some(({ rules }) => String(rules) === "key:ci:1"));
});

t.test("a text that was spoilt in the database denies its team's requests, and no others", async (t) => {
  const { gateway, run, ask } = await setUp(t);
  await run("teams", "create", "--alias", "ml");
  const key = (await run("keys", "create", "--alias", "ci", "--team", "ml")).stdout.trim();
  gateway.store.accounts.setRules("team", "ml", "deny when stream\ndney model gpt-4o\n");
  for (const model of ["gpt-4o", "gpt-4o-mini"]) t.equal(await ask(key, model), "403 policy_error");
  t.equal(await ask(gateway.key, "gpt-4o"), "200");
  const told = gateway.logged.filter(({ report }) => report !== undefined && report !== "");
  t.match(told, [{ level: 50, scope: "team", subject: { alias: "ml" }, report: /team ml:2:1/ }]);
  t.equal(told.length, 1, "once");
  t.match(await run("check"), { code: 2, stdout: /E102[\s\S]*--> team ml:2:1/, stderr: /rules kept on 1 account/ });
  t.match(await run("explain", "--key", "ci", "model=gpt-4o"), { code: 2, stderr: /^deny: The rules kept on team ml/ });
  t.match(await run("rules", "list", "--inline"), { code: 2, stdout: "", stderr: /team ml:2:1/ });
  await run("teams", "rules", "ml", "--clear");
  t.equal(await ask(key, "gpt-4o"), "200");
});
