// `tollgate check`: what it prints where, and how it exits.
import { join } from "node:path";
import { Readable } from "node:stream";
import t from "tap";
import { check, createCheckCommand } from "../../src/cli/check.ts";
import type { Command } from "../../src/cli/command.ts";
import { CATALOGUE } from "../rules/samples.ts";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(cwd: string, argv: readonly string[], command: Command = check, input = ""): Promise<Ran> {
  let stdout = "";
  let stderr = "";
  const io = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    stdin: Readable.from([Buffer.from(input).subarray(0, 16), Buffer.from(input).subarray(16)]),
    env: {},
    cwd,
    color: false,
  };
  const code = await command.run(argv, io);
  return { code, stdout, stderr };
}

t.test("clean rules print nothing on stdout and exit 0", async (t) => {
  const cwd = t.testdir({ rules: { "a.rules": "default allow\n", "b.rules": "deny team ml\n" } });
  t.same(await run(cwd, []), { code: 0, stdout: "", stderr: "2 files, 1 rule: clean\n" });
  t.same(await run(cwd, ["rules", join("rules", "a.rules")]), {
    code: 0,
    stdout: "",
    stderr: "2 files, 1 rule: clean\n",
  });
});

t.test("errors are reported all at once, relative to the working directory, with exit 2", async (t) => {
  const cwd = t.testdir({
    conf: { rules: { "a.rules": "default allow\ndney x\n", "b.rules": "deny when pric > 1\n" } },
  });
  const { code, stdout, stderr } = await run(cwd, ["conf/rules"]);
  t.equal(code, 2);
  t.match(stdout, /E102.*\n --> conf\/rules\/a\.rules:2:1\n(?:.|\n)*E201.*\n --> conf\/rules\/b\.rules:1:11\n/);
  t.equal(stderr, "2 files: 2 errors, 0 warnings\n");
});

t.test("warnings pass, and fail with --strict", async (t) => {
  const cwd = t.testdir({ rules: { "a.rules": "default allow\ndeny model gpt-5-nano\n" } });
  const command = createCheckCommand(() => ({ directory: join(cwd, "rules"), catalogue: CATALOGUE }));
  t.match(await run(cwd, [], command), {
    code: 0,
    stdout: /^warning\[W301\]/,
    stderr: "1 file, 1 rule: 0 errors, 1 warning\n",
  });
  t.match(await run(cwd, ["--strict"], command), { code: 2 });
});

t.test("--json and --github", async (t) => {
  const cwd = t.testdir({ rules: { "a.rules": "default allow\ndney x\n" } });
  const json = await run(cwd, ["--json"]);
  t.match(JSON.parse(json.stdout), {
    ok: false,
    files: 1,
    errors: 1,
    diagnostics: [{ file: "rules/a.rules", code: "E102", severity: 1 }],
  });
  t.equal(json.code, 2);
  const github = await run(cwd, ["--github", "rules"]);
  t.match(github, { code: 2, stdout: /^::error file=rules\/a\.rules,line=2,/ });
});

t.test("a directory without rules is not clean; a path that leads nowhere is a usage error", async (t) => {
  const cwd = t.testdir({ rules: {} });
  t.match(await run(cwd, []), { code: 2, stdout: /E218/ });
  await t.rejects(run(cwd, ["nowhere"]), /no such file or directory/);
  await t.rejects(run(cwd, ["--jsn"]), { exitCode: 64, message: /did you mean `--json`/ });
  await t.rejects(run(cwd, ["--json", "--github"]), /not both/);
});

t.test("standard input is a rule set of its own, or an editor's text in place of a file", async (t) => {
  const cwd = t.testdir({ rules: { "a.rules": "default allow\n", "b.rules": "deny team ml as 1\n" } });
  t.match(await run(cwd, ["-"], check, "default allow\ndeny team ünï\n"), {
    code: 2,
    stdout: /E105.*\n --> <stdin>:2:11\n/,
    stderr: "1 file: 1 error, 0 warnings\n",
  });
  t.match(await run(cwd, ["--stdin-file", "rules/b.rules"], check, "deny team ml\n"), {
    code: 0,
    stdout: "",
    stderr: "2 files, 1 rule: clean\n",
  });
  const added = await run(cwd, ["rules/a.rules", "-", "--stdin-file=rules/c.rules", "--json"], check, "dney\n");
  t.match(JSON.parse(added.stdout), { files: 2, diagnostics: [{ file: "rules/c.rules", code: "E102" }] });
  t.match(await run(cwd, ["--stdin-file", "rules/b.rules"], check, ""), {
    code: 0,
    stderr: "2 files, 0 rules: clean\n",
  });
});
