// `--url`: what is particular to asking a gateway that runs elsewhere: its key, its address, its pages.
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import t from "tap";
import type { Io } from "../../src/cli/command.ts";
import { main } from "../../src/main.ts";
import { type Ran, tollgate } from "../support/cli.ts";
import { ADMIN_KEY, remote } from "../support/remote.ts";

t.test("rules with an error, or with a warning, are told before anything is made", async (t) => {
  const { gateway, cwd, run } = await remote(t);
  writeFileSync(join(cwd, "warned.rules"), "deny model gpt-4z\n");
  t.match(await run("keys", "create", "--alias", "ci", "--user", "carol", "--rules", "bad.rules"), {
    ...{ code: 2, stdout: "", stderr: /error\[E103\]/ },
  });
  t.match(await run("users", "show", "carol"), { code: 1, stderr: /no user has the id or alias `carol`/ });
  t.equal((await run("keys", "list", "--json")).stdout.includes('"alias":"ci"'), false);
  const warned = await run("keys", "create", "--alias", "ci", "--user", "carol", "--rules", "warned.rules");
  t.match(warned, { code: 0, stderr: /^warning\[W301\]: unknown model `gpt-4z`\n/ });
  const ask = async (key: string, rules: string) => {
    const answer = await fetch(`${gateway.adminUrl}/-/rules/check`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ scope: "key", alias: "x", rules }),
    });
    return { status: answer.status, body: await answer.json() };
  };
  await run("teams", "create", "--alias", "research");
  t.match(await ask(ADMIN_KEY, "deny team rsearch"), { status: 200, body: { count: 1, warnings: /unknown team/ } });
  t.same(await ask(gateway.key, "deny team rsearch"), { status: 200, body: { count: 1, warnings: "" } });
  t.match(await ask(gateway.key, "deny modle x"), { status: 400, body: { diagnostics: [{ code: "E103" }] } });
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
