// `tollgate keys`, `teams` and `usage` on a real database, beside another process that has it open.

import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import t, { type Test } from "tap";
import { hashKey } from "../../src/key-secret.ts";
import { openDatabase } from "../../src/store/sqlite/database.ts";
import { createSqliteStore, openSqlite } from "../../src/store/sqlite/open.ts";
import type { Store } from "../../src/store/store.ts";
import type { AccessRecord } from "../../src/types.ts";
import { type Ran, tollgate } from "../support/cli.ts";

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** A folder with a database that a gateway has open. */
function gateway(t: Test): { cwd: string; store: Store; run: (...argv: string[]) => Promise<Ran> } {
  const cwd = t.testdir({});
  const store = openSqlite({ path: join(cwd, "tollgate.db"), clock });
  t.teardown(() => store.close());
  return { cwd, store, run: (...argv) => tollgate(cwd, argv) };
}

const json = (ran: Ran): Record<string, unknown> => JSON.parse(ran.stdout) as Record<string, unknown>;

t.test("a created key is known to the running gateway at once, and shown only this once", async (t) => {
  const { cwd, store, run } = gateway(t);
  await run("teams", "create", "--alias", "ml");
  const before = store.accounts.revision();
  const made = await run(
    ...["keys", "create", "--alias", "ci", "--team", "ml", "--user", "ann", "--role", "intern", "--role", "dev"],
    ...["--tag", "batch", "--budget", "$5 per month", "--expires", "30d", "--json"],
  );
  t.equal(made.code, 0, made.stderr);
  const key = json(made);
  t.match(key, {
    id: /^key_/,
    key: /^sk-[0-9A-Za-z]{40}$/,
    alias: "ci",
    team: "ml",
    user: "ann",
    roles: ["intern", "dev"],
    tags: ["batch"],
    status: "active",
    budget: { limit_usd: "5", window: "month" },
  });
  t.equal(Math.round((Date.parse(String(key.expires)) - Date.now()) / 86_400_000), 30);
  await nextTurn();
  t.ok(store.accounts.revision() > before, "the gateway sees that something changed");
  const pepper = Buffer.from(readFileSync(join(cwd, "tollgate.db.pepper"), "utf8").trim(), "hex");
  const found = store.accounts.findKey(hashKey(String(key.key), pepper));
  t.match(found?.principal, { key: { alias: "ci" }, team: { alias: "ml" }, roles: ["intern", "dev"], tags: ["batch"] });
  t.match(found?.principal.budgets, [{ limitNanoUsd: 5_000_000_000n, window: "month" }]);
  const secret = String(key.key);
  const listed = await run("keys", "list");
  t.notOk(listed.stdout.includes(secret));
  t.match(listed.stdout, `${secret.slice(0, 7)}…${secret.slice(-4)}`);
  for (const file of readdirSync(cwd)) {
    t.notOk(readFileSync(join(cwd, file)).includes(secret), `not in ${file}`);
    t.equal(statSync(join(cwd, file)).mode & 0o077, 0, `${file} is its owner's only`);
  }
});

t.test("without --json the secret alone is on stdout", async (t) => {
  const { run } = gateway(t);
  const made = await run("keys", "create", "--alias", "dev");
  t.match(made.stdout, /^sk-[0-9A-Za-z]{40}\n$/);
  t.match(made.stderr, /^key dev \(key_\w+\) made; its secret is shown this once\n$/);
});

t.test("keys are listed with what they are now", async (t) => {
  const { run, store } = gateway(t);
  t.same(await run("keys", "list"), {
    code: 0,
    stdout: "",
    stderr: "there are no keys: `tollgate keys create --alias NAME` makes one\n",
  });
  t.strictSame(json(await run("keys", "list", "--json")), { keys: [] });
  for (const alias of ["a", "b", "c"]) await run("keys", "create", "--alias", alias);
  const parts = { hash: Buffer.alloc(32), prefix: "sk-abcd", lastFour: "wxyz" };
  store.accounts.createKey({ alias: "old", ...parts, expiresMs: 1 });
  t.match(await run("keys", "disable", "a"), { code: 0, stderr: /^key a \(key_\w+\) is disabled\n$/ });
  t.strictSame(Object.keys(json(await run("keys", "revoke", "b", "--json"))), ["id", "alias", "status"]);
  const { keys } = json(await run("keys", "list", "--json")) as { keys: Record<string, unknown>[] };
  t.strictSame(
    keys.map(({ alias, status }) => [alias, status]),
    [
      ["a", "disabled"],
      ["b", "revoked"],
      ["c", "active"],
      ["old", "expired"],
    ],
  );
  t.match(keys[3], {
    prefix: "sk-abcd",
    last_four: "wxyz",
    team: null,
    budgets: [],
    expires: "1970-01-01T00:00:00.001Z",
  });
  t.match((await run("keys", "enable", String(keys[0]?.id))).stderr, /^key a .* is active\n$/, "by id");
  const table = (await run("keys", "list")).stdout.split("\n");
  t.match(table[0], /^ID +ALIAS +KEY +STATUS +TEAM +BUDGET +CREATED +EXPIRES$/);
  t.match(table[4], /^key_\w+ +old +sk-abcd…wxyz +expired +- +- +\S+ +1970-01-01$/);
});

t.test("a list of keys is narrowed and cut, and says where it goes on", async (t) => {
  const { run, store } = gateway(t);
  store.accounts.createTeam("ml");
  // More than is asked for at a time.
  for (let n = 0; n < 1_203; n += 1) {
    const hash = Buffer.alloc(32);
    hash.writeUInt32BE(n);
    store.accounts.createKey({
      ...{ alias: `key-${n}`, hash, prefix: "sk-abcd", lastFour: "wxyz" },
      ...(n % 400 === 0 ? { teamAlias: "ml" } : {}),
    });
  }
  const list = async (...more: string[]) => {
    const ran = json(await run("keys", "list", "--json", ...more)) as { keys: { alias: string }[]; next?: string };
    return { ...ran, keys: ran.keys.map(({ alias }) => alias) };
  };
  const all = Array.from({ length: 1_203 }, (_, n) => `key-${n}`);
  t.strictSame(await list(), { keys: all });
  t.strictSame((await list("--team", "ml")).keys, ["key-0", "key-400", "key-800", "key-1200"]);
  t.strictSame((await list("--search", "Y-12", "--team", "ml")).keys, ["key-1200"]);
  t.strictSame((await list("--search", "y-120")).keys, ["key-120", "key-1200", "key-1201", "key-1202"]);
  const first = await list("--limit", "1100");
  t.strictSame(first.keys, all.slice(0, 1_100));
  const rest = await list("--limit", "1100", "--after", String(first.next));
  t.strictSame(rest, { keys: all.slice(1_100), next: null });
  const table = await run("keys", "list", "--limit", "1001");
  t.equal(table.stdout.split("\n").filter((line) => line.startsWith("ID ")).length, 1, "one heading");
  t.match(table.stderr, /^there are more: --after key_\w+\n$/);
  t.match(await run("keys", "list", "--search", "zzz"), { code: 0, stdout: "", stderr: "there are none like that\n" });
  t.match(await run("keys", "list", "--limit", "0"), { code: 64, stderr: /--limit takes a whole number, 1 or more/ });
  t.match(await run("keys", "list", "--team", "mll"), { code: 1, stderr: /did you mean `ml`\?/ });
});

t.test("teams are made, listed and given budgets", async (t) => {
  const { run } = gateway(t);
  t.match((await run("teams", "list")).stderr, "there are no teams");
  t.match(json(await run("teams", "create", "--alias", "ml", "--budget", "$0.50/day", "--json")), {
    id: /^team_/,
    alias: "ml",
    budgets: [{ limit_usd: "0.5", window: "day" }],
  });
  t.equal(
    (await run("teams", "set-budget", "ml", "$100 total")).stderr.replace(/\(.*\)/, "()"),
    "team ml () may spend $100 total\n",
  );
  t.match(json(await run("teams", "set-budget", "ml", "$1 per day", "--json")), {
    alias: "ml",
    budget: { limit_usd: "1" },
  });
  t.match((await run("teams", "list")).stdout, /^team_\w+ +ml +- +\$1 per day, \$100 total +\S+$/m);
});

t.test("expected failures say what to do, on stderr, with exit code 1", async (t) => {
  const { run } = gateway(t);
  await run("teams", "create", "--alias", "research");
  await run("keys", "create", "--alias", "app-key");
  await run("keys", "revoke", "app-key");
  const cases: [string, string][] = [
    ["keys create --alias x --team ml", "no team is called `ml`: `tollgate teams create --alias ml` makes it"],
    ["keys create --alias x --team reserch", "no team is called `reserch`: did you mean `research`?"],
    ["keys create --alias app-key", "a key is called `app-key` already: choose another alias"],
    ["keys disable ap-key", "no key has the id or alias `ap-key`: did you mean `app-key`?"],
    ["keys disable zzz", "no key has the id or alias `zzz`: `tollgate keys list` shows all"],
    ["keys enable app-key", "the key `app-key` is revoked, and that is final: make a new one"],
    [
      "teams create --alias research",
      "a team is called `research` already: `tollgate teams set-budget` changes its budget",
    ],
    ["teams set-budget reseach $5/day", "no team is called `reseach`: did you mean `research`?"],
  ];
  for (const [line, message] of cases) {
    t.same(await run(...line.split(" ")), { code: 1, stdout: "", stderr: `tollgate: ${message}\n` }, line);
  }
});

const WHEN = "takes a duration (30d, 12h) or a date (2027-01-31, 2027-01-31T12:00:00Z)";

t.test("wrong command lines are told apart from failures: exit code 64", async (t) => {
  const { run } = gateway(t);
  const cases: [string[], string][] = [
    [
      ["keys"],
      "keys: say what to do: create, list, disable, enable, revoke, rules, rotate, show, set, delete, reset-spend",
    ],
    [["keys", "craete"], "keys: unknown subcommand `craete`: did you mean `create`?"],
    [["keys", "create"], "keys create: --alias is missing: give the key a name"],
    [["keys", "create", "--alais", "x"], "keys create: unknown option `--alais`: did you mean `--alias`?"],
    [["keys", "create", "--alias"], "keys create: --alias needs a value"],
    [["keys", "create", "--alias", ""], "keys create: --alias needs a value"],
    [
      ["keys", "create", "--alias", "--json"],
      "keys create: --alias needs a value; for one that starts with a dash write --alias=--json",
    ],
    [
      ["keys", "create", "--alias", " a"],
      "keys create: --alias takes up to 128 printable characters, without blanks around them",
    ],
    [["keys", "create", "--alias", "a", "--json=1"], "keys create: --json takes no value"],
    [
      ["keys", "create", "--alias", "a", "--budget", "$5"],
      "keys create: not a budget: write '$5 per month', with day, week, month, year or total",
    ],
    [
      ["keys", "create", "--alias", "a", "--budget", " per month"],
      "keys create: not a budget: write '$5 per month', with day, week, month, year or total (the shell takes `$5` away unless it is in single quotes)",
    ],
    [
      ["keys", "create", "--alias", "a", "--expires", "soon"],
      "keys create: --expires takes a duration (30d, 12h) or a date (2027-01-31, 2027-01-31T12:00:00Z)",
    ],
    [["keys", "create", "--alias", "a", "--expires", "2020-01-01"], "keys create: --expires is in the past"],
    [["keys", "create", "extra", "--alias", "a"], "keys create: unexpected argument `extra`"],
    [["keys", "disable"], "keys disable: ID|ALIAS is missing"],
    [["teams", "set-budget", "ml"], "teams set-budget: AMOUNT is missing"],
    [["usage", "--by", "teem"], "usage: unknown group `teem`: did you mean `team`?"],
    [["usage", "--by", "team,modle"], "usage: unknown group `modle`: did you mean `model`?"],
    [["usage", "--by", "team,team"], "usage: --by names a group twice"],
    [["usage", "--csv", "--json"], "usage: --csv and --json exclude each other"],
    [["usage", "--since", "yesterday"], `usage: --since ${WHEN}`],
    [["usage", "--since", "2026-13-01"], `usage: --since ${WHEN}`],
    [["usage", "--since", "2026-02-30"], `usage: --since ${WHEN}`],
    [["usage", "--until", "7"], `usage: --until ${WHEN}`],
    [["usage", "--since", "2099-01-01"], "usage: --since is in the future"],
    [["usage", "--since", "1d", "--until", "2d"], "usage: --until is not after --since"],
    [["usage", "--until", "2020-01-01"], "usage: --until is not after --since"],
    [["usage", "-x"], "usage: unknown option `-x`"],
  ];
  for (const [argv, message] of cases) {
    const name = argv[0] ?? "";
    const stderr = `tollgate: ${message} (see \`tollgate ${name} --help\`)\n`;
    t.same(await run(...argv), { code: 64, stdout: "", stderr }, argv.join(" "));
  }
});

t.test("a lost pepper is told, not replaced: no key would fit a new one", async (t) => {
  const { cwd, run } = gateway(t);
  await run("keys", "create", "--alias", "a");
  const pepper = readFileSync(join(cwd, "tollgate.db.pepper"), "utf8");
  rmSync(join(cwd, "tollgate.db.pepper"));
  const refused = await run("keys", "create", "--alias", "b");
  t.match(refused, {
    code: 78,
    stdout: "",
    stderr: /pepper is missing, and the keys in the database were made with it: put it back/,
  });
  t.equal((await tollgate(cwd, ["keys", "create", "--alias", "b"], { TOLLGATE_PEPPER: pepper })).code, 0);
  t.match((await run("keys", "create", "--alias", "c")).stderr, "and the keys in the database were made with it");
});

function request(more: Partial<AccessRecord>): AccessRecord {
  const rules = { warningIds: [], rulesHash: null, facts: null };
  const none = { teamId: null, teamAlias: null, userId: null, orgId: null, ruleIds: [], shadowIds: [], unknown: [] };
  return {
    ...{ id: "r", receivedMs: Date.now(), method: "POST", path: "/v1/chat/completions", endpoint: "chat", ip: "::1" },
    ...{
      keyId: "key_1",
      keyAlias: "app",
      ...none,
      ...rules,
      modelRequested: "m",
      model: "m",
      provider: "p",
      stream: false,
    },
    ...{ status: 200, error: null, decision: "allow", generation: 1, reservedNanoUsd: 0, costNanoUsd: 0 },
    usage: { inputTokens: 10, outputTokens: 5, cachedInputTokens: 0, cacheWriteTokens: 0, estimated: false },
    ...{ outcome: "completed", requestBytes: 1, responseBytes: 1, firstByteMs: 1, totalMs: 1 },
    ...more,
  };
}

t.test("usage sums what the gateway has written, by group and time, with exact money", async (t) => {
  const { run, store } = gateway(t);
  t.strictSame(json(await run("usage", "--json")), { rows: [] });
  t.match(await run("usage"), { code: 0, stdout: "", stderr: /^no requests since 20\S+Z\n$/ });
  const day = 86_400_000;
  store.requests.append(request({ costNanoUsd: 13_500 }));
  store.requests.append(request({ id: "s", costNanoUsd: 1, model: 'odd,"model"' }));
  store.requests.append(
    request({ id: "u", keyId: "key_2", keyAlias: "ci", teamAlias: "ml", teamId: "t", costNanoUsd: 2_000_000_000 }),
  );
  store.requests.append(request({ id: "v", receivedMs: Date.now() - 10 * day, costNanoUsd: 7 }));
  await store.ledger.commit([]);
  t.strictSame(json(await run("usage", "--by", "key", "--since", "7d", "--json")), {
    rows: [
      { key: "ci", requests: 1, input_tokens: 10, output_tokens: 5, cost_usd: "2" },
      { key: "app", requests: 2, input_tokens: 20, output_tokens: 10, cost_usd: "0.000013501" },
    ],
  });
  const teams = json(await run("usage", "--by", "team", "--json")) as { rows: Record<string, unknown>[] };
  t.strictSame(
    teams.rows.map((row) => [row.team, row.requests]),
    [
      ["ml", 1],
      ["-", 3],
    ],
  );
  const csv = await run("usage", "--by", "model", "--since", "7d", "--csv");
  t.equal(
    csv.stdout,
    'model,requests,input_tokens,output_tokens,cost_usd\r\nm,2,20,10,2.0000135\r\n"odd,""model""",1,10,5,0.000000001\r\n',
  );
  const table = (await run("usage", "--since", "2020-01-01")).stdout.trimEnd().split("\n");
  t.match(table[0], /^KEY +REQUESTS +INPUT +OUTPUT +COST USD$/);
  t.match(table.at(-1), /^total +4 +40 +20 +2\.000013508$/);
  t.equal(new Set(table.map((line) => line.length)).size, 1, "the columns line up");
});

t.test("usage of a span: from --since on, before --until, in every group and format", async (t) => {
  const { run, store } = gateway(t);
  const at = (date: string): number => Date.parse(`${date}T00:00:00Z`);
  const rows: [string, string, Partial<AccessRecord>][] = [
    ["a", "2024-09-30", { costNanoUsd: 1 }],
    ["b", "2024-10-01", { costNanoUsd: 20, userId: "ann", model: "cheap" }],
    ["c", "2024-10-15", { costNanoUsd: 300, userId: "bob", model: "dear" }],
    ["d", "2024-10-15", { costNanoUsd: 4_000, userId: "ann", model: "cheap" }],
    ["e", "2024-11-01", { costNanoUsd: 50_000, userId: "bob", model: "dear" }],
  ];
  for (const [id, date, more] of rows) store.requests.append(request({ id, receivedMs: at(date), ...more }));
  await store.ledger.commit([]);
  const october = ["--since", "2024-10-01", "--until", "2024-11-01"];
  const inOctober = async (group: string): Promise<unknown> => {
    const { rows } = json(await run("usage", "--by", group, ...october, "--json")) as {
      rows: Record<string, unknown>[];
    };
    return rows.map((row) => [row[group], row.requests, row.input_tokens, row.output_tokens, row.cost_usd]);
  };
  const ann = [2, 20, 10, "0.00000402"];
  const bob = [1, 10, 5, "0.0000003"];
  t.strictSame(await inOctober("user"), [
    ["ann", ...ann],
    ["bob", ...bob],
  ]);
  t.strictSame(await inOctober("model"), [
    ["cheap", ...ann],
    ["dear", ...bob],
  ]);
  t.strictSame(await inOctober("day"), [
    ["2024-10-01", 1, 10, 5, "0.00000002"],
    ["2024-10-15", 2, 20, 10, "0.0000043"],
  ]);
  const table = await run("usage", "--by", "user", ...october);
  t.match(table.stdout.trimEnd().split("\n").at(-1), /^total +3 +30 +15 +0\.00000432$/);
  t.equal(table.stderr, "since 2024-10-01T00:00Z until 2024-11-01T00:00Z\n");
  const none = await run("usage", "--since", "2024-10-02", "--until", "2024-10-03");
  t.match(none, { stdout: "", stderr: "no requests since 2024-10-02T00:00Z until 2024-10-03T00:00Z\n" });
  const both = json(await run("usage", "--by", "user, model", ...october, "--json")) as { rows: object[] };
  t.ok(both.rows.length > 1);
  t.ok(both.rows.every((row) => "user" in row && "model" in row));
  const combined = (await run("usage", "--by", "day,model", ...october, "--csv")).stdout;
  t.match(combined, /^day,model,requests,/);
  t.match((await run("usage", "--by", "day,model", ...october)).stdout, /^DAY +MODEL +REQUESTS[\s\S]*\ntotal +\d+/);
  const csv = await run("usage", "--by", "day", "--since", "2024-10-02", "--until", "2024-10-03", "--csv");
  t.equal(csv.stdout, "day,requests,input_tokens,output_tokens,cost_usd\r\n", "the header stands without rows too");
});

t.test("all take --config, and a bad one ends with 78", async (t) => {
  const { cwd } = gateway(t);
  const elsewhere = t.testdir({ etc: { "my.yaml": "database: sqlite:data.db" }, bad: { "my.yaml": "databse: x" } });
  const made = await tollgate(cwd, ["keys", "create", "--alias", "x", "--config", join(elsewhere, "etc/my.yaml")]);
  t.equal(made.code, 0, made.stderr);
  t.strictSame(readdirSync(join(elsewhere, "etc")).sort(), ["data.db", "data.db.pepper", "my.yaml"]);
  for (const line of ["keys list", "teams list", "usage", "config"]) {
    const ran = await tollgate(cwd, [...line.split(" "), "--config", join(elsewhere, "bad/my.yaml")]);
    t.match(ran, { code: 78, stdout: "", stderr: /unknown key `databse`[\s\S]*did you mean `database`\?\n$/ }, line);
  }
  const nowhere = t.testdir({ "tollgate.yaml": "database: sqlite:no/such/dir/x.db" });
  t.match(await tollgate(nowhere, ["keys", "list"]), { code: 78, stderr: /directory .* does not exist/ });
  const postgres = t.testdir({ "tollgate.yaml": "database: postgres://db/x" });
  t.match(await tollgate(postgres, ["keys", "list"]), { code: 78, stderr: /Postgres is not in this version/ });
});

t.test("what was charged for a gateway that died is listed, in its own unit", async (t) => {
  const { cwd, run } = gateway(t);
  const path = join(cwd, "tollgate.db");
  t.match(await run("ledger", "recovered"), { code: 0, stdout: "", stderr: /^nothing was charged .* since 20/ });
  const db = openDatabase(path, "normal");
  const dead = createSqliteStore(db, { clock, processId: "proc_dead" });
  dead.ledger.lease([
    { quota: "budget:bud_1", window: "2026-11", need: 250_000_000, want: 250_000_000, limit: 10n ** 9n },
    { quota: "limit/key=ci", window: "total", unit: "tokens", need: 1_200, want: 1_200, limit: 5_000n },
  ]);
  // Of no process that lives: its pid is that of another boot.
  db.prepare("UPDATE processes SET started = '1' WHERE id = 'proc_dead'").run();
  db.close();
  const first = await run("ledger", "recovered", "--json");
  t.match(
    first.stderr,
    /^a gateway \(pid \d+\) died: \$0\.25 to budget:bud_1, 1200 tokens to limit\/key=ci is charged/,
  );
  t.match(json(first).rows, [
    { quota: "limit/key=ci", window: "total", unit: "tokens", amount: "1200", process: "proc_dead" },
    { at: /^20/, quota: "budget:bud_1", window: "2026-11", unit: "usd", amount: "0.25" },
  ]);
  const listed = await run("ledger", "recovered", "--since", "1h");
  t.match(
    listed.stdout,
    /^ID +AT +PID +QUOTA +WINDOW +CHARGED +STILL CHARGED\n.* 1200 tokens +1200 tokens\n.* \$0\.25 +\$0\.25\n$/,
  );
  t.match(await run("ledger", "recoverd"), { code: 64, stderr: /did you mean `recovered`/ });

  const { id } = (json(first).rows as { id: number; unit: string }[]).find(({ unit }) => unit === "usd") ?? { id: 0 };
  const back = await run("ledger", "reverse", String(id), "--reason", "not on the invoice");
  t.same(back, { code: 0, stdout: "", stderr: `${id}: $0.25 is taken off budget:bud_1 in 2026-11\n` });
  t.match(await run("ledger", "reverse", String(id)), {
    code: 0,
    stderr: /: nothing is charged any more: reversed 20/,
  });
  t.match(json(await run("ledger", "reverse", "--all", "--json")).rows, [{ unit: "tokens", taken_off: "1200" }]);
  t.match(await run("ledger", "reverse", "--all"), { code: 0, stderr: "nothing is charged for a dead process\n" });
  t.match(json(await run("ledger", "recovered", "--json")).rows, [
    { open: "0", in_flight: [], reversed: { by: "local", reason: null } },
    { open: "0", reversed: { at: /^20/, by: "local", reason: "not on the invoice" } },
  ]);
  t.match((await run("audit")).stdout, /local +update +quota budget:bud_1 +unaccounted .*not on the invoice/);
  t.match(await run("ledger", "reverse", "99"), { code: 1, stderr: /nothing with the id 99/ });
  t.match(await run("ledger", "reverse"), { code: 64, stderr: /ID is missing/ });
  t.match(await run("ledger", "reverse", "x"), { code: 64, stderr: /not an id: `x`/ });
  t.match(await run("ledger", "reverse", "1", "--all"), { code: 64, stderr: /unexpected argument `1`/ });
});
