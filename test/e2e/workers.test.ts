// `tollgate run --workers 2` as a process: one port, one database, budgets and limits held together, one reload for all.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import t from "tap";
import { spawnGateway } from "../support/process.ts";
import { until } from "../support/until.ts";
import {
  ask,
  askMany,
  BOUND,
  charged,
  holdAnswers,
  IDLE_MS,
  metric,
  setUp,
  stopWell,
  sum,
  TWO,
  useAll,
  withStatus,
} from "../support/workers.ts";

t.test(
  "two workers share a budget: not a nano-dollar too much, and the last request that fits is served",
  async (t) => {
    const fits = 40;
    const budget = `$${((fits + 0.5) * BOUND) / 1e9} per month`;
    const { upstream, directory, key } = await setUp(t, {}, budget);
    useAll(upstream);
    const gateway = await spawnGateway(t, directory, TWO);
    const answers = await askMany(gateway, key, 100);
    t.equal(withStatus(answers, 200) + withStatus(answers, 429), 100);
    t.ok(upstream.seen.length <= fits, `${upstream.seen.length} were served at once`);
    const refusal = await until(
      "the rest is used",
      async () => {
        const { status, text } = await ask(gateway, key);
        return status === 429 && upstream.seen.length === fits && text;
      },
      IDLE_MS,
    );
    t.match(refusal, /Budget has been exceeded!/);
    const requests = await metric(gateway, "tollgate_requests_total");
    t.ok((requests["1"] ?? 0) > 0 && (requests["2"] ?? 0) > 0, `both have worked: ${JSON.stringify(requests)}`);
    const costs = Object.values(await metric(gateway, "tollgate_cost_usd_total"));
    t.equal(Math.round(costs.reduce((sum, cost) => sum + cost, 0) * 1e9), fits * BOUND, "the metrics add up");
    await stopWell(t, gateway);
    const { spent, unaccounted, leased, rows } = await charged(directory);
    t.same(
      { spent, unaccounted, leased, rows },
      { spent: BigInt(fits * BOUND), unaccounted: 0n, leased: 0n, rows: spent },
    );
  },
);

t.test("two workers share slots and a limit on requests exactly", async (t) => {
  const { upstream, directory, key } = await setUp(t);
  writeFileSync(
    join(directory, "rules", "all.rules"),
    "default allow\nlimit 3 concurrent by key\nlimit 10 requests per 1h by key\n",
  );
  const release = holdAnswers(upstream);
  const gateway = await spawnGateway(t, directory, TWO);
  const crowd = askMany(gateway, key, 20);
  await until("three are in flight", () => upstream.seen.length === 3);
  await until("the others are refused", async () => sum(await metric(gateway, "tollgate_errors_total")) === 17);
  release();
  t.equal(withStatus(await crowd, 200), 3);
  await until(
    "seven more are served",
    async () => {
      await ask(gateway, key);
      return upstream.seen.length === 10;
    },
    IDLE_MS,
  );
  t.equal(withStatus(await askMany(gateway, key, 20), 429), 20);
  t.equal(upstream.seen.length, 10);
  await stopWell(t, gateway);
});

t.test(
  "a reload reaches both: by the admin's route, by SIGHUP, and by the files alone; the log file is opened anew",
  async (t) => {
    const { directory, key } = await setUp(t, { log: { file: "gateway.log" } });
    const gateway = await spawnGateway(t, directory, TWO);
    const rules = join(directory, "rules", "all.rules");
    writeFileSync(rules, "default deny\n");
    const headers = { "x-admin-key": gateway.adminKey };
    const answer = await fetch(`${gateway.adminUrl}/-/reload`, { method: "POST", headers });
    const { hash, workers } = (await answer.json()) as { hash: string; workers: object[] };
    t.match(workers, [
      { worker: 1, ok: true, hash },
      { worker: 2, ok: true, hash },
    ]);
    t.equal(withStatus(await askMany(gateway, key, 6), 403), 6);

    writeFileSync(rules, "default deny\nnonsense\n");
    const broken = await fetch(`${gateway.adminUrl}/-/reload`, { method: "POST", headers });
    t.equal(broken.status, 422);
    t.match(await broken.json(), {
      ok: false,
      hash,
      workers: [
        { ok: false, hash },
        { ok: false, hash },
      ],
    });

    const log = join(directory, "gateway.log");
    renameSync(log, `${log}.1`);
    writeFileSync(rules, "default allow\n");
    gateway.child.kill("SIGHUP");
    await until("it is logged", () => existsSync(log) && readFileSync(log, "utf8").includes("rules read again"));
    t.equal(withStatus(await askMany(gateway, key, 6), 200), 6);
    await until("the new file has what both did", () =>
      [1, 2].every((worker) => new RegExp(`"worker":${worker},.*"msg":"request"`).test(readFileSync(log, "utf8"))),
    );

    writeFileSync(rules, "default deny\n");
    await until("both have seen it", async () => withStatus(await askMany(gateway, key, 6), 403) === 6);
    await stopWell(t, gateway);
    for (const line of readFileSync(log, "utf8").trimEnd().split("\n"))
      t.type(JSON.parse(line), Object, "a whole line");
  },
);

t.test("what keeps one process from starting keeps several from it, in one message", async (t) => {
  const busy = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => busy.once("listening", resolve));
  t.teardown(() => busy.close());
  const { port } = busy.address() as AddressInfo;
  const taken = await setUp(t, { listen: `127.0.0.1:${port}`, workers: 2, log: { file: "gateway.log" } });
  const message = `the gateway ended at its start: tollgate: port ${port} on 127.0.0.1 is in use: stop what listens there, or set another address in the config\n`;
  await t.rejects(spawnGateway(t, taken.directory), { message });
  t.notMatch(readFileSync(join(taken.directory, "gateway.log"), "utf8"), /"level":"(?:error|warn)"/, "it is told once");
  const { directory } = await setUp(t);
  writeFileSync(join(directory, "rules", "all.rules"), "default allow\nnonsense\n");
  const error = await spawnGateway(t, directory, TWO).catch((error: Error) => error.message);
  t.equal(String(error).match(/the rules are broken/g)?.length, 1);
  await t.rejects(
    spawnGateway(t, directory, ["--workers", "0"]),
    /run: --workers takes a number from 1 to 64, not `0`/,
  );
});
