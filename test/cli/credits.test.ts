// `tollgate credits` and `tollgate jobs` on a real database.
import { join } from "node:path";
import t from "tap";
import { systemClock } from "../../src/clock.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import { tollgate } from "../support/cli.ts";
import { newFolder } from "../support/folder.ts";

const USED = { hold: 0, actual: 0, inputTokens: 120, outputTokens: 30, costNanoUsd: 45_000_000, failed: false };

t.test("credits are added, shown and listed; a team is named by id or alias", async (t) => {
  const cwd = newFolder(t);
  await tollgate(cwd, ["teams", "create", "--alias", "acme"]);
  const added = await tollgate(cwd, ["credits", "add", "acme", "500", "--reason", "invoice 17", "--json"]);
  t.equal(added.code, 0);
  const balance = JSON.parse(added.stdout);
  t.match(balance, { alias: "acme", budget_mode: "job_based", allocated: 500, used: 0, reserved: 0, remaining: 500 });
  t.equal((await tollgate(cwd, ["credits", "add", balance.team, "0.25"])).code, 0);
  const table = await tollgate(cwd, ["credits", "balance", "acme"]);
  t.match(table.stdout, /TEAM +MODE +ALLOCATED +USED +RESERVED +REMAINING\nacme +job_based +500\.25 +0 +0 +500\.25\n/);
  const listed = await tollgate(cwd, ["credits", "transactions", "acme", "--json", "--limit", "1"]);
  const { transactions, next } = JSON.parse(listed.stdout);
  t.match(transactions, [{ kind: "add", amount: 0.25, balance_after: 500.25, actor: "local", reason: null }]);
  t.match(listed.stderr, new RegExp(`--after ${next}`));
  const rest = await tollgate(cwd, ["credits", "transactions", "--after", next]);
  t.match(rest.stdout, /add +500 +500 +- +local +invoice 17/);
  await tollgate(cwd, ["teams", "set", "acme", "--budget-mode", "consumption_usd"]);
  t.match((await tollgate(cwd, ["credits", "balance", "acme"])).stdout, /consumption_usd/);
});

t.test("jobs are listed and shown, with what they used and cost", async (t) => {
  const cwd = newFolder(t);
  await tollgate(cwd, ["teams", "create", "--alias", "acme"]);
  const { team } = JSON.parse((await tollgate(cwd, ["credits", "add", "acme", "3", "--json"])).stdout);
  t.match(await tollgate(cwd, ["jobs", "list"]), { code: 0, stdout: "", stderr: "there are no such jobs\n" });
  const store = openSqlite({ path: join(cwd, "tollgate.db"), clock: systemClock });
  const at = { atMs: 1_000, expiresMs: 2_000 };
  const job = { teamId: team, keyId: "key_1", type: "summary", mode: "job_based", metadata: { a: 1 } } as const;
  for (const id of ["job-1", "job-2"]) await store.credits.openJob({ ...job, ...at, id, hold: 1_000_000 });
  await store.credits.beginCall("job-1", { ...at, hold: 0 });
  await store.credits.endCall("job-1", { ...USED, atMs: 1_500 });
  const end = { status: "completed", error: null, metadata: {}, actor: "key:key_1", reason: "x", atMs: 1_600 } as const;
  await store.credits.endJob("job-1", end);
  await store.close();
  const table = await tollgate(cwd, ["jobs", "list", "--team", "acme"]);
  t.match(table.stdout, /job-2 .* pending .*\n.* job-1 .* summary +completed +1 +150 +\$0\.045 +1\n$/);
  const { jobs } = JSON.parse((await tollgate(cwd, ["jobs", "list", "--status", "completed", "--json"])).stdout);
  t.equal(jobs.length, 1);
  const shown = JSON.parse((await tollgate(cwd, ["jobs", "show", "job-1", "--json"])).stdout);
  t.same(shown, jobs[0]);
  t.match(shown, {
    ...{ id: "job-1", team, calls: 1, failed_calls: 0, input_tokens: 120, output_tokens: 30, cost_usd: "0.045" },
    ...{ credits_charged: 1, credits_held: 0, metadata: { a: 1 }, completed: "1970-01-01T00:00:01.600Z" },
  });
  t.match((await tollgate(cwd, ["jobs", "show", "job-2"])).stdout, /credits_held +1\n/);
});

t.test("what cannot be is told in a sentence", async (t) => {
  const cwd = newFolder(t);
  await tollgate(cwd, ["teams", "create", "--alias", "acme"]);
  const refused = async (code: number, message: RegExp, ...argv: string[]): Promise<void> => {
    const ran = await tollgate(cwd, argv);
    t.match(ran, { code, stdout: "", stderr: message }, argv.join(" "));
  };
  await refused(1, /no team has the id or alias `acne`: did you mean `acme`\?/, "credits", "balance", "acne");
  await refused(64, /`lots` is no number of credits/, "credits", "add", "acme", "lots");
  await refused(64, /unknown option `-5`/, "credits", "add", "acme", "-5");
  await refused(1, /more than 0/, "credits", "add", "acme", "0");
  await refused(1, /between 0 and 1000000000/, "credits", "add", "acme", "1000000001");
  await refused(64, /--limit takes a whole number/, "credits", "transactions", "--limit", "x");
  await refused(64, /did you mean `failed`/, "jobs", "list", "--status", "faild");
  await refused(1, /there is no such job/, "jobs", "show", "nothing");
  await refused(64, /did you mean `balance`/, "credits", "balence", "acme");
});
