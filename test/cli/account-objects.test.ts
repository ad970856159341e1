// `tollgate keys|teams|orgs|users|groups set, show, …` and `tollgate audit`, as a person and as a script use them.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { hashKey } from "../../src/key-secret.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import type { Store } from "../../src/store/store.ts";
import { type Ran, tollgate } from "../support/cli.ts";

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

interface Rig {
  readonly cwd: string;
  /** The database as a running gateway has it open. */
  readonly store: Store;
  run(line: string, ...more: string[]): Promise<Ran>;
  json(line: string, ...more: string[]): Promise<Record<string, unknown>>;
}

function rig(t: Test): Rig {
  const cwd = t.testdir({});
  const store = openSqlite({ path: join(cwd, "tollgate.db"), clock });
  t.teardown(() => store.close());
  const run = (line: string, ...more: string[]): Promise<Ran> => tollgate(cwd, [...line.split(" "), ...more]);
  const json = async (line: string, ...more: string[]): Promise<Record<string, unknown>> => {
    const ran = await run(line, ...more, "--json");
    if (ran.code !== 0) throw new Error(`${line}: ${ran.stderr}`);
    return JSON.parse(ran.stdout) as Record<string, unknown>;
  };
  return { cwd, store, run, json };
}

t.test("a key is made with its restrictions, shown, changed and cleared", async (t) => {
  const { run, json } = rig(t);
  await run("teams create --alias search");
  await run("groups create --alias gpt --models gpt-4o,gpt-4o-mini");
  const made = await json(
    "keys create --alias ci --team search --user ann --models gpt --rpm-limit 60 --key-type llm_api --ip-range 10.0.0.0/8",
    ...["--metadata", '{"a":1}', "--budget", "$5 per month", "--model-budget", "gpt-4o=$1/30d", "--tag", "x"],
  );
  t.match(made, { alias: "ci", team: "search", user: "ann", budget: { limit_usd: "5", window: "month" }, tags: ["x"] });
  const shown = await json("keys show ci");
  t.match(shown, {
    ...{ id: made.id, models: ["gpt"], rpm_limit: 60, allowed_routes: ["llm_api_routes"], ip_ranges: ["10.0.0.0/8"] },
    ...{ metadata: { a: 1 }, budgets: [{ limit_usd: "5", window: "month" }], user_id: "ann", status: "active" },
    ...{ model_budgets: { "gpt-4o": { limit_usd: "1", window: "30d" } }, created_by: "local", last_used: null },
    restricted_from_above: ["models", "rpm_limit"],
  });
  t.notOk(JSON.stringify(shown).includes(String(made.key)), "without its secret");
  const set = await json("keys set ci --clear models --clear key-type --max-parallel 3 --expires 30d");
  t.match(set, { models: [], allowed_routes: [], max_parallel_requests: 3, rpm_limit: 60 });
  t.match((await run("keys show ci")).stdout, /^rpm_limit +60$/m);
  t.match(await run("keys set ci --alias app"), { code: 0, stdout: "", stderr: /^key app \(key_\w+\) is set\n$/ });
});

t.test("a rotated key's secret is on stdout, alone; the old one works through its grace", async (t) => {
  const { cwd, run, store } = rig(t);
  const old = (await run("keys create --alias ci")).stdout.trim();
  const rotated = await run("keys rotate ci --grace 1h");
  t.match(rotated, {
    code: 0,
    stdout: /^sk-[0-9A-Za-z]{40}\n$/,
    stderr: /shown this once; the old one works until 20/,
  });
  const pepper = Buffer.from(readFileSync(join(cwd, "tollgate.db.pepper"), "utf8").trim(), "hex");
  for (const secret of [old, rotated.stdout.trim()])
    t.equal(store.accounts.findKey(hashKey(secret, pepper))?.status, "active");
  const last = await run("keys rotate ci");
  t.match(last.stderr, /the old one is refused from now on/);
  t.equal(store.accounts.findKey(hashKey(old, pepper)), null);
});

t.test("users, members and organisations", async (t) => {
  const { run, json } = rig(t);
  t.match(await json("users create --id ann --alias ann@example.com --user-role proxy_admin"), {
    id: "ann",
    role: "proxy_admin",
  });
  await run("users create --alias bob");
  await run("orgs create --alias acme");
  await run("teams create --alias ml --org acme");
  t.match((await run("teams members ml")).stderr, "it has no members: `tollgate teams add-member` adds one");
  t.equal((await run("teams add-member ml ann@example.com --admin")).stderr, "user ann is an admin of team ml\n");
  t.match(await json("orgs add-member acme bob"), { role: "user" });
  t.match(await json("teams members ml"), { members: [{ user: "ann", role: "admin" }] });
  t.equal((await run("teams remove-member ml ann")).stderr, "user ann is no member of team ml any more\n");
  t.match(await json("teams set ml --status paused --member-permission /key/generate"), {
    status: "paused",
    member_permissions: ["/key/generate"],
  });
  const list = await run("users list");
  t.match(list.stdout, /^ID +ALIAS +ROLE +STATUS +CREATED\nann +ann@example\.com +proxy_admin +active +\S+\n/);
  const page = await json("users list --limit 1");
  t.match(page, { users: [{ id: "ann" }], next: "ann" });
  t.match(await json("users list --after ann"), { users: [{ alias: "bob" }], next: null });
  t.match(await json("users list --prefix bo"), { users: [{ alias: "bob" }] });
  t.match((await run("orgs delete acme")).stderr, /^organisation acme \(org_\w+\) is deleted\n$/);
  t.match((await run("teams show ml")).stderr, "no team has the id or alias `ml`", "with its teams");
});

t.test("the audit log says who changed what", async (t) => {
  const { run, json } = rig(t);
  t.match(await run("audit"), { code: 0, stdout: "", stderr: "nothing was changed\n" });
  await run("keys create --alias ci");
  await run("keys set ci --models gpt-4o");
  await run("teams create --alias ml");
  const { entries } = (await json("audit --object ci")) as { entries: object[] };
  t.match(entries, [
    { actor: "local", action: "create", kind: "key", alias: "ci", field: null },
    { actor: "local", action: "update", kind: "key", alias: "ci", field: "models", old: null, new: ["gpt-4o"] },
  ]);
  t.match((await run("audit")).stdout, /^AT +ACTOR +ACTION +OBJECT +FIELD +OLD +NEW\n\S+ +local +create +key ci /);
  t.match((await run("audit --limit 1")).stderr, "there may be more: --after 1");
  t.match((await run("audit --since 2100-01-01")).stderr, "nothing was changed");
});

t.test("what is refused says why and what to do", async (t) => {
  const { run } = rig(t);
  await run("keys create --alias ci");
  const cases: readonly [line: string, code: number, message: string][] = [
    ["keys set ic --models x", 1, "no key has the id or alias `ic`: did you mean `ci`?"],
    ["users show ann", 1, "no user has the id or alias `ann`: `tollgate users list` shows all"],
    ["keys set ci --team ml", 1, "no team has the id or alias `ml`: `tollgate teams list` shows all"],
    ["keys set ci --status asleep", 1, "`status` must be one of active, disabled, revoked"],
    ["keys set ci --key-type all", 1, "`key_type` must be one of default, llm_api, management, read_only"],
    ["keys create --alias x --service-account", 1, "the key of a service account needs a `team_id`"],
    [
      "groups create --alias g --models 4*",
      1,
      "`models` must name models: letters, digits and _ . - / : @ + *, patterns beginning with a letter or *",
    ],
    [
      "keys set ci",
      64,
      "keys set: say what to set: an option for a field, or --clear NAME (see `tollgate keys --help`)",
    ],
    [
      "keys set ci --modles x",
      64,
      "keys set: unknown option `--modles`: did you mean `--models`? (see `tollgate keys --help`)",
    ],
    [
      "keys set ci --clear modles",
      64,
      "keys set: --clear takes the name of an option, and `modles` is none (see `tollgate keys --help`)",
    ],
    [
      "keys set ci --rpm-limit many",
      64,
      "keys set: `many` is not a whole number, 0 or more (see `tollgate keys --help`)",
    ],
    ["keys set ci --metadata {", 64, "keys set: --metadata takes a JSON object (see `tollgate keys --help`)"],
    ["users create", 64, "users create: --alias is missing: give the user a name (see `tollgate users --help`)"],
    ["audit --limit x", 64, "audit: --limit takes a whole number (see `tollgate audit --help`)"],
  ];
  for (const [line, code, message] of cases) {
    t.same(await run(line), { code, stdout: "", stderr: `tollgate: ${message}\n` }, line);
  }
});

t.test("IAM rules of a key, a team and an organisation", async (t) => {
  const { cwd, run, json } = rig(t);
  const models = ["gpt-4", "gpt-4o-mini"];
  const providers = [{ name: "demo", base_url: "demo:", wire: "openai", models }];
  writeFileSync(join(cwd, "tollgate.yaml"), JSON.stringify({ providers }));
  mkdirSync(join(cwd, "rules"));
  writeFileSync(join(cwd, "rules", "a.rules"), "default allow\n");
  writeFileSync(join(cwd, "own.rules"), "deny model gpt-4 when stream\n");
  await run("orgs create --alias acme");
  await run("teams create --alias ml --org acme");
  await run("keys create --alias ci --team ml --rules own.rules");
  t.match(await run("iam list key ci"), {
    code: 0,
    stdout: "",
    stderr: "key ci has no IAM rules: it is unrestricted by them\n",
  });
  const added = await json("iam add key ci allow_models --models gpt-4o-mini,o3* --models gpt-4");
  t.match(added, {
    ...{ id: /^iam_[0-9a-f]{24}$/, rule_type: "allow_models", status: "active" },
    rule_value: { models: ["gpt-4o-mini", "o3*", "gpt-4"] },
  });
  t.match(await run("iam add team ml deny_pricing --max-input-price", "$10/M"), {
    ...{ code: 0, stdout: "", stderr: /^IAM rule iam_\w+ of team ml is added\n$/ },
  });
  const mistyped = await run("iam add org acme deny_models --models gtp-4");
  t.match(
    mistyped.stderr,
    /^warning: unknown model `gtp-4`: did you mean `gpt-4`\?\nIAM rule iam_\w+ of org acme is added\n$/,
  );
  t.match(
    (await run("iam list team ml")).stdout,
    /^ID +TYPE +VALUE +STATUS\niam_\w+ +deny_pricing +input up to \$10\/M +active\n$/,
  );
  t.match(
    (await run("iam text key ci")).stdout,
    `as ${added.id} because "Access denied: Model {model.requested} is not in`,
  );
  t.equal((await run("keys rules ci")).stdout, "deny model gpt-4 when stream\n", "beside the rules that are written");

  const denied = await run("explain --key ci model=gpt-4");
  t.match(denied.stdout, /^deny: Access denied: Model input price exceeds maximum allowed \(\$30\/M > \$10\/M\)\n/);
  t.match(denied.stdout, /team ml \(IAM\):1 \(team:ml:iam_\w+\.input\)/);
  const { rules } = (await json("rules list --inline")) as { rules: { id: string; where: string }[] };
  t.same(
    rules.map(({ where }) => where),
    ["org acme (IAM):1", "team ml (IAM):1", "key ci:1", "key ci (IAM):1"],
  );
  t.equal(rules.at(-1)?.id, `key:ci:${added.id}`);
  t.match((await run("check")).stderr, "rules kept on 3 accounts");

  t.match(await json(`iam set key ci ${added.id} --status inactive`), {
    status: "inactive",
    rule_value: added.rule_value,
  });
  t.equal((await run("iam text key ci")).stdout, "");
  t.match(await run(`iam remove key ci ${added.id}`), { code: 0, stderr: `IAM rule ${added.id} is removed\n` });
  const cases: readonly [line: string, code: number, message: string][] = [
    [`iam remove key ci ${added.id}`, 1, "there is no such IAM rule"],
    ["iam add key ci allow_model --models a", 64, "unknown type `allow_model`: did you mean `allow_models`?"],
    [
      "iam add key ci allow_models --providers demo",
      1,
      "`ruleValue.providers` does nothing in a rule of type allow_models",
    ],
    ["iam add key cii allow_models --models a", 1, "no key has the id or alias `cii`: did you mean `ci`?"],
    ["iam add user ann allow_models --models a", 64, "unknown kind `user`: write one of key, team, org"],
    ["iam set key ci iam_x", 64, "say what to set: --status, or a new value"],
  ];
  for (const [line, code, message] of cases) {
    const ran = await run(line);
    t.equal(ran.code, code, line);
    t.match(ran.stderr, message);
  }
});
