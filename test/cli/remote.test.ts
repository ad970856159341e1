// `--url`: account commands on a running gateway's admin API do, print and end as on its database.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import type { Io } from "../../src/cli/command.ts";
import { main } from "../../src/main.ts";
import { type Ran, tollgate } from "../support/cli.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { json as answerJson, CHAT_ANSWER, startUpstream } from "../support/upstream.ts";

const ADMIN_KEY = "adm-of-this-test";
const FILES = { "k.rules": "# ours\nonly model [gpt-4o-mini]\nwarn when stream\n", "bad.rules": "deny modle gpt-4\n" };

interface Remote {
  readonly gateway: TestGateway;
  readonly cwd: string;
  run(...argv: string[]): Promise<Ran>;
}

/** A gateway, and a folder without config or database to ask it from. */
async function remote(t: Test): Promise<Remote> {
  const upstream = await startUpstream(answerJson(CHAT_ANSWER));
  t.teardown(() => upstream.close());
  const gateway = await startTestGateway(t, {
    providers: [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }],
    config: { admin: { listen: "127.0.0.1:0", key: ADMIN_KEY } },
  });
  const cwd = t.testdir(FILES);
  const run = (...argv: string[]): Promise<Ran> =>
    tollgate(cwd, [...argv, "--url", gateway.adminUrl], { TOLLGATE_ADMIN_KEY: ADMIN_KEY });
  return { gateway, cwd, run };
}

/** The same command lines, whose words are divided by blanks; `'a b'` is one word. */
const SCRIPT = `
orgs list
orgs list --json
orgs create --alias acme
orgs create --alias acme
orgs create --alias globex --rules k.rules --json
orgs create --alias bad --rules bad.rules
orgs list
orgs list --json
orgs set acme --budget '$9 per month' --json
orgs show acme
teams list
teams create --alias ml --org acme --budget '$0.50/day' --json
teams create --alias ml
teams create --alias other --org acne
teams create --alias other --org nobody
teams set-budget ml '$100 total'
teams set-budget ml '$1 per day' --json
teams set-budget mll '$1 per day'
teams list
teams list --json
teams show ml --json
teams set ml --status paused --member-permission /key/generate --metadata '{"a":{"b":[1,null]}}'
teams set ml --clear status --clear budget --json
teams set ml --status asleep
teams rules ml
teams rules ml --set k.rules
teams rules ml --set bad.rules
teams rules ml --set bad.rules --json
teams rules ml
teams rules ml --json
teams rules ml --clear
teams rules mll --clear
users create --id ann --alias ann@example.com --user-role proxy_admin --json
users create --id ann --alias other
users create --alias bob --budget '$5/30d'
users list
users list --limit 1 --json
users list --prefix bo --json
users list --search EXAMPLE --json
users show nobody
users set ann --clear user-role --model-budget 'gpt-4o=$1 per day'
teams members ml
teams add-member ml ann --admin
teams add-member ml bob --json
teams add-member ml carol
teams members ml --json
teams members ml
teams remove-member ml bob
teams remove-member ml bob
orgs add-member acme ann
orgs members acme --json
groups create --alias gpt --models 'gpt-4o*,gpt-4o-mini'
groups create --alias g --models 4*
groups list
groups show gpt --json
keys list --team ml
keys create --alias ci --team ml --user carol --role dev --tag x --budget '$5 per month' --expires 2100-01-31 --models gpt --rpm-limit 60 --ip-range 10.0.0.0/8 --json
keys create --alias ci
keys create --alias x --team reserch
keys create --alias bot --team ml --service-account --rules k.rules
keys create --alias bad --rules bad.rules --json
keys create --alias x --service-account
keys list
keys list --json
keys list --search C --json
keys list --limit 1 --team ml --json
keys show ci
keys show ci --json
keys set ci --key-type llm_api --max-parallel 3 --json
keys set ci --key-type all
keys set ci --clear key-type --clear models --clear expires
keys set ic --models x
keys set ci
keys disable ci
keys enable ci --json
keys rotate ci --grace 1h
keys rotate ci --json
keys revoke bot
keys enable bot
keys delete bot --json
keys delete bot
limits ci
limits ci --json
limits --team ml --json
limits --org acme
limits --team mll
limits --user nobody
keys reset-spend ci
orgs reset-spend acme --json
usage --json
usage --by team
usage --by month
usage --since 7d --until 1d
audit --object ml --json
audit --object ml
audit --limit 3 --json
orgs delete acme
teams show ml
`;

const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? "");

/** What differs between two databases with the same in them: ids by order, secrets, moments, and who asked. */
function plain(text: string, ids: Map<string, string>): string {
  return text
    .replace(/\b(?:key|team|org|user|grp)_[0-9a-f]{24}\b/g, (id) => {
      const known = ids.get(id) ?? `${id.split("_")[0]}_${ids.size}`;
      ids.set(id, known);
      return known;
    })
    .replace(/sk-[0-9A-Za-z]{40}/g, "sk-SECRET")
    .replace(/sk-\w{4}…\w{4}/g, "sk-PART")
    .replace(/"prefix":"sk-\w+","last_four":"\w+"/g, '"prefix","last_four"')
    .replace(/(prefix|last_four) {2,}\S+/g, "$1 PART")
    .replace(/20[2-4]\d-\d\d-\d\d(?:T[\d:.]+Z?)?/g, "NOW")
    .replace(/"seq":\d+/g, '"seq"')
    .replace(/--after \d+/g, "--after N")
    .replace(/\b(?:local|master)\b/g, "asker")
    .replace(/ {2,}/g, "  ");
}

t.test("every command does, prints and ends alike on a gateway and on a database", async (t) => {
  const { gateway, run } = await remote(t);
  const yaml = JSON.stringify({ providers: [{ name: "openai", base_url: "http://127.0.0.1:9/v1", wire: "openai" }] });
  const cwd = t.testdir({ ...FILES, "tollgate.yaml": yaml, rules: { "all.rules": "default allow\n" } });
  await tollgate(cwd, ["keys", "create", "--alias", "tester"]);
  const ids = { here: new Map<string, string>(), there: new Map<string, string>() };
  for (const line of SCRIPT.trim().split("\n")) {
    const here = await tollgate(cwd, wordsOf(line));
    const there = await run(...wordsOf(line));
    const seen = ({ code, stdout, stderr }: Ran, of: Map<string, string>) => ({
      ...{ code, stdout: plain(stdout, of), stderr: plain(stderr, of) },
    });
    t.strictSame(seen(there, ids.there), seen(here, ids.here), line);
  }
  t.ok(ids.here.size > 5, "ids were made and told");
  t.notOk(JSON.stringify(gateway.logged).includes(ADMIN_KEY), "the admin key is in no log");
});

t.test("what was used is told by the gateway that served it", async (t) => {
  const { gateway, run } = await remote(t);
  await gateway.chat({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] });
  t.match(JSON.parse((await run("usage", "--json")).stdout), {
    rows: [{ key: "tester", requests: 1, input_tokens: 10, output_tokens: 5, cost_usd: "0.0000045" }],
  });
  t.match((await run("usage", "--by", "model", "--csv")).stdout, "gpt-4o-mini,1,10,5,0.0000045");
});

t.test("more than a page of keys, of the audit log", async (t) => {
  const { gateway, run } = await remote(t);
  for (let n = 0; n < 1_050; n += 1) gateway.makeKey({ alias: `key-${n}` });
  const { keys } = JSON.parse((await run("keys", "list", "--json")).stdout) as { keys: { alias: string }[] };
  t.strictSame(
    keys.map(({ alias }) => alias),
    ["tester", ...Array.from({ length: 1_050 }, (_, n) => `key-${n}`)],
  );
  const { entries } = JSON.parse((await run("audit", "--limit", "1040", "--json")).stdout) as { entries: object[] };
  t.equal(entries.length, 1_040);
  t.match((await run("keys", "show", "kye-1044")).stderr, "no key has the id or alias `kye-1044`");
  t.match((await run("keys", "show", "keyy-7")).stderr, "did you mean `key-7`?");
});

t.test("the key is taken from the environment or from standard input, and is never printed", async (t) => {
  const { gateway, cwd } = await remote(t);
  const ask = async (stdin: string | null, env: Io["env"], ...argv: string[]): Promise<Ran> => {
    let [stdout, stderr] = ["", ""];
    const io: Io = {
      ...{ env, cwd, color: false },
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      ...(stdin === null ? {} : { stdin: bytes(stdin) }),
    };
    return { code: await main(["users", "list", "--url", gateway.adminUrl, ...argv], io), stdout, stderr };
  };
  t.match(await ask(`${ADMIN_KEY}\nmore`, {}, "--key-stdin"), { code: 0, stderr: /there are no users/ });
  t.match(await ask(null, { TOLLGATE_ADMIN_KEY: ADMIN_KEY }), { code: 0 });
  const cases: [Ran, number, RegExp][] = [
    [await ask(null, {}), 64, /needs the gateway's admin key: TOLLGATE_ADMIN_KEY is not set/],
    [await ask("", { TOLLGATE_ADMIN_KEY: ADMIN_KEY }, "--key-stdin"), 64, /standard input is empty/],
    [await ask(null, { TOLLGATE_ADMIN_KEY: "no such\u0007key" }), 64, /holds what no key can/],
    [await ask(null, { TOLLGATE_ADMIN_KEY: "adm-wrong" }), 1, /does not take this admin key/],
    [await ask("adm-wrong", {}, "--key-stdin"), 1, /does not take this admin key/],
  ];
  for (const [ran, code, message] of cases) {
    t.match(ran, { code, stdout: "", stderr: message });
    t.notMatch(ran.stderr, /adm-wrong|no such/);
  }
});

t.test("what cannot be asked says why", async (t) => {
  const { gateway, run } = await remote(t);
  const elsewhere = createServer((req, res) => {
    if (req.url?.startsWith("/-/users")) res.writeHead(302, { location: "http://127.0.0.1:9/" }).end();
    else res.writeHead(200, { "content-type": "text/html" }).end("<html>");
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  t.teardown(() => elsewhere.close());
  const other = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const closed = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`;
  await new Promise((resolve) => gone.close(resolve));
  const env = { TOLLGATE_ADMIN_KEY: ADMIN_KEY };
  const at = (url: string, ...argv: string[]): Promise<Ran> => tollgate(t.testdirName, [...argv, "--url", url], env);
  const cases: [Promise<Ran>, number, RegExp][] = [
    [at(closed, "keys", "list"), 1, /^tollgate: http:\/\/127\.0\.0\.1:\d+ cannot be reached: ECONNREFUSED\n/],
    [at(other, "keys", "list"), 1, /is no Tollgate API: status 200/],
    [at(other, "users", "list"), 1, /is no Tollgate API: status 302/],
    [at(gateway.url, "keys", "list"), 1, /has no admin API: is it the address of `admin\.listen`/],
    [at(gateway.url, "teams", "show", "ml"), 1, /has no admin API/],
    [at("127.0.0.1:4001", "keys", "list"), 64, /--url takes an address such as http:\/\/127\.0\.0\.1:4001/],
    [at(`http://u:${ADMIN_KEY}@127.0.0.1:4001`, "keys", "list"), 64, /--url must hold no key/],
    [at(gateway.adminUrl, "keys", "list", "--config", "x.yaml"), 64, /--url and --config exclude each other/],
    [at(gateway.adminUrl, "check"), 64, /unknown option `--url`/],
    [tollgate(t.testdirName, ["keys", "list", "--key-stdin"]), 64, /--key-stdin needs --url/],
    [run("keys", "create", "--alias", "a", "--rules", "-", "--key-stdin"), 64, /cannot be both the key and the rules/],
  ];
  for (const [ran, code, message] of cases) {
    const { stdout, stderr, code: ended } = await ran;
    t.match({ code: ended, stdout, stderr }, { code, stdout: "", stderr: message });
    t.notOk(stderr.includes(ADMIN_KEY));
  }
});

t.test("a key that leaves this machine unencrypted draws a warning", async (t) => {
  const env = { TOLLGATE_ADMIN_KEY: ADMIN_KEY };
  const warned = await tollgate(t.testdir(), ["keys", "list", "--url", "http://gateway.invalid:4001"], env);
  t.match(warned, {
    code: 1,
    stderr: /^warning: the admin key goes to gateway\.invalid:4001 unencrypted: use https\n/,
  });
  const loopback = await tollgate(t.testdir(), ["keys", "list", "--url", "http://[::1]:9"], env);
  t.notMatch(loopback.stderr, /warning/);
});

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
