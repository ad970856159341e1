// `rules` of `keys`, `teams` and `orgs`, and the commands that know what is kept: `check`, `explain`, `rules list`.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type Ran, tollgate } from "../support/cli.ts";

const TEXT = "# ours\nonly model [gpt-4o-mini]\nwarn when stream as s\n";

/** A folder with rule files, a team of an organisation, and a key of the team. */
async function setUp(t: Test): Promise<{ cwd: string; run: (...argv: string[]) => Promise<Ran>; key: string }> {
  const cwd = t.testdir({ rules: { "a.rules": "default allow\n" }, "k.rules": TEXT });
  const run = (...argv: string[]): Promise<Ran> => tollgate(cwd, argv);
  await run("orgs", "create", "--alias", "acme");
  await run("teams", "create", "--alias", "ml", "--org", "acme");
  const made = await run("keys", "create", "--alias", "ci", "--team", "ml", "--role", "dev", "--json");
  return { cwd, run, key: (JSON.parse(made.stdout) as { id: string }).id };
}

t.test("rules are shown as they were written, by id or alias, and as data", async (t) => {
  const { run, key } = await setUp(t);
  t.same(await run("keys", "rules", "ci"), { code: 0, stdout: "", stderr: "no rules are kept on key ci\n" });
  t.match(await run("keys", "rules", "ci", "--set", "k.rules"), { code: 0, stdout: "", stderr: /keeps 2 rules\n$/ });
  t.same(await run("keys", "rules", key), { code: 0, stdout: TEXT, stderr: "" });
  t.same(JSON.parse((await run("keys", "rules", "ci", "--json")).stdout), { id: key, alias: "ci", rules: TEXT });
  const cleared = await run("keys", "rules", "ci", "--clear", "--json");
  t.same(JSON.parse(cleared.stdout), { id: key, alias: "ci", rules: null });
});

t.test("create keeps rules from the start, and makes nothing when they have an error", async (t) => {
  const { cwd, run } = await setUp(t);
  writeFileSync(join(cwd, "bad.rules"), "deny modle gpt-4\n");
  for (const noun of ["keys", "teams", "orgs"]) {
    t.match(await run(noun, "create", "--alias", "new", "--rules", "k.rules"), { code: 0 }, noun);
    t.equal((await run(noun, "rules", "new")).stdout, TEXT);
    const refused = await run(noun, "create", "--alias", "bad", "--rules", "bad.rules");
    t.match(refused, { code: 2, stdout: "", stderr: /^error\[E103\]: .*\n *--> \w+ bad:1:6\n/ }, noun);
    t.match(await run(noun, "rules", "bad"), { code: 1 }, "it is not there");
  }
});

t.test("rules with an error are refused and those before stay; warnings are told", async (t) => {
  const { cwd, run } = await setUp(t);
  await run("teams", "rules", "ml", "--set", "k.rules");
  const refuse = async (text: string, code: string): Promise<void> => {
    writeFileSync(join(cwd, "x.rules"), text);
    t.match(await run("teams", "rules", "ml", "--set", "x.rules"), { code: 2, stdout: "", stderr: `[${code}]` });
    const { code: exit, stdout } = await run("teams", "rules", "ml", "--set", "x.rules", "--json");
    t.match([exit, JSON.parse(stdout)], [2, { ok: false, diagnostics: [{ file: "team ml", code }] }]);
    t.equal((await run("teams", "rules", "ml")).stdout, TEXT);
  };
  await refuse("default deny\n", "E501");
  await refuse("for role a {\n  allow\n}\n", "E501");
  await refuse("deny when prize > 1\n", "E201");
  await refuse('deny\ntest "no" {\n  expect allow\n}\n', "E222");
  writeFileSync(join(cwd, "x.rules"), "deny model gpt-4o-mnii\ndeny for key cii\n");
  const warned = await run("teams", "rules", "ml", "--set", "x.rules");
  t.match(warned, { code: 0, stderr: /W301[\s\S]*`gpt-4o-mnii`[\s\S]*W301[\s\S]*`cii`[\s\S]*did you mean `ci`/ });
});

t.test("what cannot be read, is too long or is nobody's says so", async (t) => {
  const { cwd, run } = await setUp(t);
  writeFileSync(join(cwd, "long.rules"), "#".repeat(64 * 1024 + 1));
  writeFileSync(join(cwd, "latin.rules"), Buffer.from([0x23, 0xe9]));
  const cases: [string, number, string][] = [
    ["keys rules ci --set no.rules", 64, "keys rules: no such file: `no.rules`"],
    ["keys rules ci --set rules", 64, "keys rules: `rules` cannot be read: EISDIR"],
    ["teams rules ml --set long.rules", 64, "rules that are kept in the database are up to 64 KiB long"],
    ["orgs rules acme --set latin.rules", 64, "`latin.rules` is not UTF-8"],
    ["keys rules ci --set k.rules --clear", 64, "--set and --clear exclude each other"],
    ["keys rules", 64, "ID|ALIAS is missing"],
    ["keys rules cii", 1, "no key has the id or alias `cii`: did you mean `ci`?"],
    ["teams rules mll --clear", 1, "no team is called `mll`: did you mean `ml`?"],
    ["orgs rules x --set k.rules", 1, "no organisation is called `x`: `tollgate orgs create --alias x` makes it"],
    ["teams create --alias n --org acne", 1, "no organisation is called `acne`: did you mean `acme`?"],
    ["orgs create --alias acme", 1, "an organisation is called `acme` already: choose another alias"],
    ["orgs create", 64, "--alias is missing: give the organisation a name"],
  ];
  for (const [line, code, message] of cases) {
    const ran = await run(...line.split(" "));
    t.match(ran, { code, stdout: "" }, line);
    t.ok(ran.stderr.includes(message), ran.stderr);
  }
});

t.test("organisations are listed, and teams with theirs", async (t) => {
  const { run } = await setUp(t);
  t.match((await run("orgs", "list")).stdout, /^ID +ALIAS +CREATED\norg_\w+ +acme +\d{4}-\d\d-\d\d\n$/);
  t.match(JSON.parse((await run("orgs", "list", "--json")).stdout), { orgs: [{ alias: "acme" }] });
  t.match((await run("teams", "list")).stdout, /^team_\w+ +ml +acme +- /m);
  t.match(JSON.parse((await run("teams", "list", "--json")).stdout), { teams: [{ alias: "ml", org: "acme" }] });
  const empty = await tollgate(t.testdir(), ["orgs", "list"]);
  t.match(empty, { code: 0, stdout: "", stderr: /there are no organisations: `tollgate orgs create/ });
});

t.test("explain --key: the stored key with what it brings", async (t) => {
  const { run } = await setUp(t);
  await run("keys", "rules", "ci", "--set", "k.rules");
  const denied = await run("explain", "--key", "ci", "model=gpt-4o", "stream=true");
  t.equal(denied.code, 0, denied.stderr);
  t.match(denied.stdout, /^deny: Access denied: model gpt-4o is denied by key ci's rules, line 2 \(only model/);
  t.match(denied.stdout, /key ci:2 \(key:ci:2\) {2}only model \[gpt-4o-mini\]\n/);
  t.match(denied.stdout, /warn: key ci:3 \(key:ci:s\) {2}warn when stream as s\n/);
  const json = await run("explain", "--key", "ci", "model=gpt-4o-mini", "stream=true", "--json");
  t.match(JSON.parse(json.stdout), { effect: "allow", warnings: ["key:ci:s"] });
  t.match(await run("explain", "model=gpt-4o", "key=ci"), { stdout: /^allow\n/ }, "a described key brings nothing");
  t.match(await run("explain", "--key", "ci", "model=gpt-4o", "role=x"), {
    code: 64,
    stderr: /`role` comes with --key/,
  });
  t.match(await run("explain", "--key", "c1", "model=gpt-4o"), { code: 1, stderr: /did you mean `ci`/ });
  await run("keys", "disable", "ci");
  t.match(await run("explain", "--key", "ci", "model=gpt-4o"), { code: 0, stderr: /^the key is disabled: / });
});

t.test("check and rules list know what is kept", async (t) => {
  const { cwd, run } = await setUp(t);
  t.match(await run("check"), { code: 0, stderr: "1 file, 0 rules: clean\n" });
  await run("keys", "rules", "ci", "--set", "k.rules");
  t.match(await run("check"), { code: 0, stderr: "1 file, 0 rules, rules kept on 1 account: clean\n" });
  t.match(await run("check", "rules"), { code: 0, stderr: "1 file, 0 rules: clean\n" }, "what is named alone");
  writeFileSync(join(cwd, "x.rules"), "deny for key cii as g\n");
  await run("orgs", "rules", "acme", "--set", "x.rules");
  t.match(await run("check", "--strict"), { code: 2, stdout: /W301[\s\S]*--> org acme:1:14/ });
  t.match(JSON.parse((await run("check", "--json")).stdout), { ok: true, kept: 2, warnings: 1 });
  t.equal((await run("rules", "list")).stdout, "");
  const listed = await run("rules", "list", "--inline");
  t.match(listed.stdout, /^org acme:1 +org:acme:g +0 +deny for key cii as g\nkey ci:2 +key:ci:2 +0 +only model/m);
  t.match(JSON.parse((await run("rules", "list", "--inline", "--json")).stdout), {
    rules: [{ where: "org acme:1", id: "org:acme:g" }, { where: "key ci:2" }, { id: "key:ci:s", effect: "warn" }],
  });
});
