// How workers end: killed, drained, told twice, without the first process; and what becomes of those that they served.
import t from "tap";
import { spawnGateway } from "../support/process.ts";
import { until } from "../support/until.ts";
import { chatEvents, stream } from "../support/upstream.ts";
import {
  ask,
  askInTurn,
  askMany,
  BOUND,
  charged,
  holdAnswers,
  IDLE_MS,
  isGone,
  metric,
  STREAMED,
  setUp,
  stopWell,
  TWO,
  type WorkerFacts,
  withStatus,
  workersOf,
} from "../support/workers.ts";

t.test("kill -9 of a worker: the other goes on, another takes its place, what it held is charged", async (t) => {
  const setting = await setUp(t);
  const { upstream, directory, key } = setting;
  const gateway = await spawnGateway(t, directory, TWO);
  t.equal(withStatus(await askMany(gateway, key, 4), 200), 4);
  const release = holdAnswers(upstream);
  const held = await askInTurn(gateway, setting, 4);
  const [victim, other] = (await workersOf(gateway)) as [WorkerFacts, WorkerFacts];
  process.kill(victim.pid, "SIGKILL");
  const lost = await until("it is told", () => gateway.logged().find(({ msg }) => /^a worker ended/.test(String(msg))));
  t.match(lost, { level: "error", worker: victim.worker, pid: victim.pid, signal: "SIGKILL" });
  const told = await until("the charge is told", () => gateway.logged().find(({ charged }) => charged !== undefined));
  t.match(told, { pid: victim.pid, msg: /charged as unaccounted/, charged: [{ amount: /^[1-9]\d*$/ }] });
  release();
  const ended = await Promise.allSettled(held);
  t.equal(
    ended.filter(({ status }) => status === "rejected").length,
    2,
    "those of the worker that died have broken off",
  );
  t.equal(ended.filter((one) => one.status === "fulfilled" && one.value.status === 200).length, 2);
  const now = await until(
    "another serves",
    async () => {
      const all = await workersOf(gateway);
      return all.length === 2 && all.every(({ ready }) => ready) && all;
    },
    IDLE_MS,
  );
  t.equal(now.find(({ worker }) => worker === other.worker)?.pid, other.pid);
  t.not(now.find(({ worker }) => worker === victim.worker)?.pid, victim.pid);
  t.equal(withStatus(await askMany(gateway, key, 4), 200), 4);
  t.same(Object.keys(await metric(gateway, "tollgate_requests_total")), ["1", "2"], "both serve");
  t.same(await metric(gateway, "tollgate_worker_restarts_total"), { 0: 1 });
  process.kill(other.pid, "SIGTERM");
  await until(
    "one that is told to end is replaced too",
    async () => {
      const all = await workersOf(gateway);
      return all.length === 2 && all.every(({ pid }) => pid !== other.pid);
    },
    IDLE_MS,
  );
  t.match(
    gateway.logged().find(({ pid, code }) => pid === other.pid && code !== undefined),
    { code: 0, signal: null },
  );
  await stopWell(t, gateway);
  const { spent, unaccounted, leased, rows } = await charged(directory);
  t.equal(leased, 0n);
  t.equal(spent - unaccounted, rows);
  t.ok(unaccounted >= BigInt(2 * BOUND), "what was in flight is charged in full");
});

t.test("SIGTERM drains both: streams finish, what is new is refused, all is settled, exit code 0", async (t) => {
  const setting = await setUp(t);
  const { upstream, directory, key } = setting;
  upstream.answer = stream(chatEvents(["Hel", "lo!"]));
  const release = holdAnswers(upstream);
  const gateway = await spawnGateway(t, directory, TWO);
  const pids = (await workersOf(gateway)).map(({ pid }) => pid);
  const streams = await askInTurn(gateway, setting, 6, STREAMED);
  t.same(Object.values(await metric(gateway, "tollgate_requests_in_flight")).toSorted(), [0, 3, 3]);
  gateway.child.kill("SIGTERM");
  await until("it drains", async () => (await fetch(`${gateway.adminUrl}/readyz`)).status === 503);
  await until("there are no new connections", () =>
    ask(gateway, key).then(
      () => false,
      ({ code }) => code === "ECONNREFUSED",
    ),
  );
  t.equal(gateway.child.exitCode, null, "the streams keep it alive");
  release();
  for (const { text } of await Promise.all(streams)) t.match(text, /lo!.*data: \[DONE\]\n\n$/s);
  t.same(await gateway.ended, { code: 0, signal: null });
  t.ok(pids.every(isGone));
  const { spent, leased, rows } = await charged(directory);
  t.same({ spent, leased }, { spent: rows, leased: 0n });
  t.ok(spent > 0n);
});

t.test("a second SIGTERM ends all at once; kill -9 of the first process lets the workers drain and end", async (t) => {
  const { upstream, directory, key } = await setUp(t);
  const release = holdAnswers(upstream);
  const first = await spawnGateway(t, directory, TWO);
  const pids = (await workersOf(first)).map(({ pid }) => pid);
  const cut = askMany(first, key, 2);
  const seen = t.rejects(cut);
  await until("both are at the provider", () => upstream.seen.length === 2);
  first.child.kill("SIGTERM");
  await until("it drains", async () => (await fetch(`${first.adminUrl}/readyz`)).status === 503);
  first.child.kill("SIGTERM");
  t.same(await first.ended, { code: 1, signal: null });
  await seen;
  await until("the workers are gone", () => pids.every(isGone));

  const second = await spawnGateway(t, directory, TWO);
  const others = (await workersOf(second)).map(({ pid }) => pid);
  const finished = askMany(second, key, 2);
  await until("both are at the provider", () => upstream.seen.length === 4);
  second.child.kill("SIGKILL");
  await until("nobody listens", () =>
    ask(second, key).then(
      () => false,
      ({ code }) => code === "ECONNREFUSED",
    ),
  );
  t.notOk(others.some(isGone), "the workers finish what is under way");
  release();
  t.equal(withStatus(await finished, 200), 2);
  await until("the workers are gone", () => others.every(isGone), IDLE_MS);
});

t.test("all killed at once come back on the same port, and each that is killed after that too", async (t) => {
  const { directory, key } = await setUp(t);
  const gateway = await spawnGateway(t, directory, TWO);
  const both = async (without: readonly number[]): Promise<readonly number[]> =>
    until(
      "both serve",
      async () => {
        const pids = (await workersOf(gateway)).map(({ pid }) => pid);
        return pids.length === 2 && !pids.some((pid) => without.includes(pid)) && pids;
      },
      IDLE_MS,
    );
  const first = await both([]);
  for (const pid of first) process.kill(pid, "SIGKILL");
  await until("nobody serves", async () => (await fetch(`${gateway.adminUrl}/readyz`)).status === 503);
  t.match(await (await fetch(`${gateway.adminUrl}/readyz`)).json(), { reason: "no worker serves" });
  const second = await both(first);
  t.equal(withStatus(await askMany(gateway, key, 4), 200), 4);
  process.kill(second[0] as number, "SIGKILL");
  await both([...first, second[0] as number]);
  t.equal(withStatus(await askMany(gateway, key, 4), 200), 4);
  t.same(Object.keys(await metric(gateway, "tollgate_requests_total")).length, 2);
  await stopWell(t, gateway);
});

t.test(
  "a connection that was offered to a worker which dies before it takes it is closed, not left hanging",
  async (t) => {
    const { directory, key } = await setUp(t);
    const gateway = await spawnGateway(t, directory, TWO);
    const [stopped] = (await workersOf(gateway)) as [WorkerFacts, WorkerFacts];
    process.kill(stopped.pid, "SIGSTOP");
    const asks = Array.from({ length: 6 }, () => ask(gateway, key));
    let ended = 0;
    for (const one of asks) {
      one.then(
        () => (ended += 1),
        () => (ended += 1),
      );
    }
    await until("the other has answered", () => ended === 5, IDLE_MS);
    process.kill(stopped.pid, "SIGKILL");
    const all = await Promise.allSettled(asks);
    t.equal(all.filter((one) => one.status === "fulfilled" && one.value.status === 200).length, 5);
    t.match(
      all.find(({ status }) => status === "rejected"),
      { reason: { code: "ECONNRESET" } },
    );
    await stopWell(t, gateway);
  },
);
