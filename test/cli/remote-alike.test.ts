// `--url`: account commands on a running gateway's admin API do, print and end as on its database.
import { join } from "node:path";
import t, { type Test } from "tap";
import { systemClock } from "../../src/clock.ts";
import { openDatabase } from "../../src/store/sqlite/database.ts";
import { createSqliteStore, openSqlite } from "../../src/store/sqlite/open.ts";
import { type Ran, tollgate } from "../support/cli.ts";
import { ADMIN_KEY, FILES, folderWith, remote } from "../support/remote.ts";

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

/** The same, of a database with a team that has jobs, and with two charges of a process that died. */
const SCRIPT_OF_MORE = `
keys create --alias ci --team paying
orgs create --alias acme
iam list key ci
iam list key ci --json
iam list key cii
iam text key ci
iam add key ci allow_models --models gpt-4o-mini,o3* --models gpt-4 --json
iam add key ci deny_pricing --max-input-price '$10/M'
iam add team paying deny_ip_cidrs --ip-cidrs 10.0.0.0/8 --status inactive --json
iam add org acme deny_models --models gtp-4
iam add org acme deny_models --models gtp-4 --json
iam add org acme allow_model --models gpt-4
iam add org acme allow_models --providers openai
iam add org acme allow_pricing --pricing cheap
iam add org acme allow_models --models gpt-4 --status asleep
iam add org acme allow_models
iam add user ann allow_models --models gpt-4
iam list key ci
iam list org acme
iam text org acme --json
iam set key ci @iam_3 --status inactive --json
iam set key ci @iam_3 --models gpt-4o
iam set key ci @iam_3 --pricing free
iam set key ci @iam_3 --status asleep
iam set key ci @iam_3
iam set key ci iam_x --status active
iam list key ci --json
iam text key ci
iam remove key ci @iam_3
iam remove key ci @iam_3 --json
iam remove team ci iam_x
credits balance paying
credits balance paying --json
credits balance payign
credits add paying 500 --reason 'invoice 17'
credits add paying 0.25 --json
credits add paying 0
credits add paying 1000000001
credits add paying lots
credits add nobody 5
credits add ml 5 --raeson x
credits transactions paying
credits transactions paying --limit 1
credits transactions --json --limit 2
credits transactions --after nothing
credits transactions --limit 5000
credits transactions payign
jobs list
jobs list --team paying --status completed --json
jobs list --limit 1
jobs list --after job-2 --json
jobs list --limit 0
jobs list --team payign
jobs list --status faild
jobs show job-1
jobs show job-1 --json
jobs show job-2
jobs show nothing
ledger recovered
ledger recovered --json
ledger recovered --since 2100-01-01
ledger reverse 1 --reason 'not on the invoice' --json
ledger reverse 1
ledger reverse 1 --json
ledger reverse 99
ledger reverse 99 --json
ledger reverse x
ledger reverse 1 --all
ledger reverse --all
ledger reverse --all --json
ledger recovered --json
ledger recovered
audit --limit 1000
`;

/** `@iam_0` is the id that was told as `iam_0`. */
const wordsOf = (line: string, ids: ReadonlyMap<string, string>): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word = ""]) => {
    const id = [...ids].find(([, name]) => `@${name}` === word)?.[0];
    if (word.startsWith("@") && id === undefined) throw new Error(`${word} was not told: ${[...ids.values()]}`);
    return quoted ?? id ?? word;
  });

/** What differs between two databases with the same in them: ids by order, secrets, moments, and who asked. */
function plain(text: string, ids: Map<string, string>): string {
  return text
    .replace(
      /\b(?:(?:key|team|org|user|grp|iam)_[0-9a-f]{24}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b/g,
      (id) => {
        const known = ids.get(id) ?? `${id.includes("_") ? id.split("_")[0] : "uuid"}_${ids.size}`;
        ids.set(id, known);
        return known;
      },
    )
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

/** Runs each line on a gateway and on a database of its own. @param prepare is told of both databases, before */
async function alike(t: Test, script: string, prepare?: (path: string) => Promise<void>): Promise<void> {
  const { gateway, run } = await remote(t);
  const yaml = JSON.stringify({ providers: [{ name: "openai", base_url: "http://127.0.0.1:9/v1", wire: "openai" }] });
  const cwd = folderWith(t, { ...FILES, "tollgate.yaml": yaml, "rules/all.rules": "default allow\n" });
  await tollgate(cwd, ["keys", "create", "--alias", "tester"]);
  for (const directory of [gateway.directory, cwd]) await prepare?.(join(directory, "tollgate.db"));
  const ids = { here: new Map<string, string>(), there: new Map<string, string>() };
  const seen = ({ code, stdout, stderr }: Ran, of: Map<string, string>) => ({
    ...{ code, stdout: plain(stdout, of), stderr: plain(stderr, of) },
  });
  for (const line of script.trim().split("\n")) {
    const here = await tollgate(cwd, wordsOf(line, ids.here));
    const there = await run(...wordsOf(line, ids.there));
    t.strictSame(seen(there, ids.there), seen(here, ids.here), line);
  }
  t.ok(ids.here.size > 5, "ids were made and told");
  t.notOk(JSON.stringify(gateway.logged).includes(ADMIN_KEY), "the admin key is in no log");
}

t.test("every command does, prints and ends alike on a gateway and on a database", (t) => alike(t, SCRIPT));

t.test("IAM rules, credits, jobs and what a dead gateway was charged, likewise", (t) =>
  alike(t, SCRIPT_OF_MORE, async (path) => {
    const db = openDatabase(path, "normal");
    const dead = createSqliteStore(db, { clock: systemClock, processId: "proc_dead" });
    for (const quota of ["budget:bud_1", "budget:bud_2"]) {
      dead.ledger.lease([{ quota, window: "2026-11", need: 250_000_000, want: 250_000_000, limit: 10n ** 9n }]);
    }
    // Of no process that lives: its pid is that of another boot.
    db.prepare("UPDATE processes SET started = '1' WHERE id = 'proc_dead'").run();
    db.close();
    const store = openSqlite({ path, clock: systemClock });
    const team = store.accounts.createTeam("paying");
    await store.credits.add(team.id, 5_000_000, { actor: "local", atMs: 900, reason: null });
    const at = { atMs: 1_000, expiresMs: 4_000_000_000_000 };
    const job = { teamId: team.id, keyId: "key_1", type: "summary", mode: "job_based", metadata: { a: 1 } } as const;
    for (const id of ["job-1", "job-2"]) await store.credits.openJob({ ...job, ...at, id, hold: 1_000_000 });
    await store.credits.beginCall("job-1", { ...at, hold: 0 });
    const used = { hold: 0, actual: 0, inputTokens: 120, outputTokens: 30, costNanoUsd: 45_000_000, failed: false };
    await store.credits.endCall("job-1", { ...used, atMs: 1_500 });
    const end = {
      status: "completed",
      error: null,
      metadata: {},
      actor: "key:key_1",
      reason: "x",
      atMs: 1_600,
    } as const;
    await store.credits.endJob("job-1", end);
    await store.close();
  }),
);
