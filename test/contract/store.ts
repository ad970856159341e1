// The contract that every store keeps: one suite, run on each database.
import t, { type Test } from "tap";
import { createLedger } from "../../src/ledger/engine.ts";
import { type Store, StoreError, type StoreErrorCode, type StoreEvent } from "../../src/store/store.ts";
import type { Clock } from "../../src/types.ts";
import { FakeClock } from "../ledger/fake-clock.ts";
import { accessRecord, newKey, quota } from "../ledger/samples.ts";

/** A database that is made for one test and removed with it. */
export interface TestDatabase {
  /** Opens it as another process would. */
  open(options: { readonly clock: Clock; readonly onEvent?: (event: StoreEvent) => void }): Store;
  /** Ends a store as kill -9 would: what is queued is lost, leases stay. */
  crash(store: Store): void;
}

const counter = { quota: "budget:a", window: "2026-11" };
const wish = (need: number, limit: bigint, want = need) => ({ ...counter, need, want, limit });

/** Longer than any store waits before it takes a silent process for dead. */
const SILENCE_MS = 60_000;

/** Runs the suite on fresh databases. */
export function storeContract(name: string, fresh: (test: Test) => TestDatabase): void {
  t.test(`${name}: accounts`, (test) => accounts(test, fresh));
  t.test(`${name}: leases and counters`, (test) => leases(test, fresh));
  t.test(`${name}: several processes`, (test) => processes(test, fresh));
  t.test(`${name}: money beyond 2^53`, (test) => largeMoney(test, fresh));
  t.test(`${name}: requests`, (test) => requests(test, fresh));
}

async function accounts(t: Test, fresh: (test: Test) => TestDatabase): Promise<void> {
  await t.test("a key is found by its hash, with its team's budgets after its own", async (t) => {
    const { store, clock } = open(t, fresh);
    const team = store.accounts.createTeam("ml", { limitNanoUsd: 7n, window: "total" });
    const made = store.accounts.createKey(
      newKey("demo", { teamAlias: "ml", userAlias: "ada", roles: ["dev"], tags: ["x"], expiresMs: 5, budget }),
    );
    t.match(made, { alias: "demo", prefix: "sk-demo", lastFour: "demo", status: "active", teamId: team.id });
    t.equal(made.createdMs, clock.nowMs());
    const found = store.accounts.findKey(newKey("demo").hash);
    t.match(found, { status: "active", expiresMs: 5 });
    const principal = found?.principal;
    t.match(principal, { key: { id: made.id, alias: "demo" }, team: { id: team.id, alias: "ml" }, org: null });
    t.same([principal?.user?.alias, principal?.roles, principal?.tags], ["ada", ["dev"], ["x"]]);
    t.same(
      principal?.budgets.map(({ scope, subject, limitNanoUsd, window }) => [
        scope,
        subject.alias,
        limitNanoUsd,
        window,
      ]),
      [
        ["key", "demo", 5n, "month"],
        ["team", "ml", 7n, "total"],
      ],
    );
    t.ok(Object.isFrozen(principal) && Object.isFrozen(principal?.budgets));
    t.equal(store.accounts.findKey(newKey("other").hash), null);
  });

  await t.test("keys and teams are listed oldest first, with their budgets", async (t) => {
    const { store } = open(t, fresh);
    store.accounts.createTeam("ml", budget);
    store.accounts.createTeam("ops");
    store.accounts.createKey(newKey("b", { teamAlias: "ml" }));
    store.accounts.createKey(newKey("a", { budget }));
    const keys = store.accounts.listKeys();
    t.same(
      keys.map((key) => [key.alias, key.team?.alias ?? null, key.budgets.length]),
      [
        ["b", "ml", 0],
        ["a", null, 1],
      ],
    );
    t.notOk(keys.some((key) => "hash" in key));
    t.same(
      store.accounts.listTeams().map((team) => [team.alias, team.budgets.length]),
      [
        ["ml", 1],
        ["ops", 0],
      ],
    );
  });

  await t.test("what cannot be is refused by code and changes nothing", async (t) => {
    const { store } = open(t, fresh);
    store.accounts.createTeam("ml");
    store.accounts.createKey(newKey("demo"));
    const revision = store.accounts.revision();
    const again = { ...newKey("demo"), hash: newKey("second").hash };
    throwsCode(t, "alias_taken", () => store.accounts.createKey(again));
    throwsCode(t, "alias_taken", () => store.accounts.createTeam("ml"));
    throwsCode(t, "no_such_team", () => store.accounts.createKey(newKey("x", { teamAlias: "nobody" })));
    throwsCode(t, "no_such_key", () => store.accounts.setKeyStatus("nobody", "disabled"));
    throwsCode(t, "no_such_key", () => store.accounts.setBudget("key", "nobody", budget));
    throwsCode(t, "no_such_team", () => store.accounts.setBudget("team", "nobody", budget));
    const beyond = { limitNanoUsd: 2n ** 63n, window: "month" } as const;
    throwsCode(t, "out_of_range", () => store.accounts.setBudget("key", "demo", beyond));
    throwsCode(t, "out_of_range", () => store.accounts.createKey(newKey("y", { budget: beyond })));
    t.equal(store.accounts.listKeys().length, 1);
    t.equal(store.accounts.revision(), revision);
  });

  await t.test("a status is set by id or alias; revoked is final", async (t) => {
    const { store } = open(t, fresh);
    const { id } = store.accounts.createKey(newKey("demo"));
    t.equal(store.accounts.setKeyStatus("demo", "disabled").status, "disabled");
    t.equal(store.accounts.setKeyStatus(id, "active").status, "active");
    t.equal(store.accounts.setKeyStatus(id, "revoked").status, "revoked");
    t.equal(store.accounts.setKeyStatus(id, "revoked").status, "revoked");
    throwsCode(t, "revoked", () => store.accounts.setKeyStatus(id, "active"));
    t.equal(store.accounts.findKey(newKey("demo").hash)?.status, "revoked");
  });

  await t.test("a budget of the same window is replaced under its id; of another window added", async (t) => {
    const { store } = open(t, fresh);
    store.accounts.createKey(newKey("demo", { budget }));
    const first = store.accounts.listKeys()[0]?.budgets[0];
    const raised = store.accounts.setBudget("key", "demo", { limitNanoUsd: 9n, window: "month" });
    t.equal(raised.id, first?.id);
    store.accounts.setBudget("key", "demo", { limitNanoUsd: 1n, window: "day" });
    t.same(
      store.accounts.listKeys()[0]?.budgets.map((each) => [each.window, each.limitNanoUsd]),
      [
        ["month", 9n],
        ["day", 1n],
      ],
    );
  });

  await t.test("the revision grows with every change, whichever process makes it, and with nothing else", async (t) => {
    const database = fresh(t);
    const { store, clock } = open(t, () => database);
    const { store: other } = open(t, () => database, clock);
    const revisions = [store.accounts.revision()];
    const changes = [
      () => other.accounts.createTeam("ml"),
      () => store.accounts.createKey(newKey("demo")),
      () => other.accounts.setKeyStatus("demo", "disabled"),
      () => other.accounts.setBudget("key", "demo", budget),
    ];
    for (const change of changes) {
      change();
      revisions.push(store.accounts.revision());
      t.equal(other.accounts.revision(), revisions.at(-1));
    }
    t.same(
      revisions,
      [...new Set(revisions)].sort((a, b) => a - b),
    );
    await other.ledger.commit([{ ...counter, spend: 1, release: 0 }]);
    other.ledger.heartbeat();
    t.equal(store.accounts.revision(), revisions.at(-1));
  });
}

async function leases(t: Test, fresh: (test: Test) => TestDatabase): Promise<void> {
  await t.test("a wish is granted its need, and of the rest at most an eighth of what is left", async (t) => {
    const { store } = open(t, fresh);
    t.same(store.ledger.counter(counter), { ...counter, spent: 0n, unaccounted: 0n, leased: 0n });
    t.same(store.ledger.lease([wish(200, 1000n, 10_000)]), { ok: true, granted: [300] });
    t.same(store.ledger.lease([wish(100, 1000n, 110)]), { ok: true, granted: [110] });
    t.same(store.ledger.lease([wish(590, 1000n, 10_000)]), { ok: true, granted: [590] });
    t.equal(store.ledger.counter(counter).leased, 1000n);
    t.match(store.ledger.lease([wish(1, 1000n)]), { ok: false, refused: 0, state: { leased: 1000n } });
    t.match(store.ledger.lease([wish(0, 1000n)]), { ok: true, granted: [0] });
    t.match(store.ledger.lease([wish(0, 999n)]), { ok: false, refused: 0 });
  });

  await t.test("of several wishes all are granted or none", async (t) => {
    const { store } = open(t, fresh);
    const small = { quota: "budget:small", window: "total", need: 11, want: 11, limit: 10n };
    const refused = store.ledger.lease([wish(5, 100n), small]);
    t.match(refused, { ok: false, refused: 1, state: { quota: "budget:small", window: "total", leased: 0n } });
    t.equal(store.ledger.counter(counter).leased, 0n);
    t.match(store.ledger.lease([wish(5, 100n), { ...small, need: 10 }]), { ok: true });
  });

  await t.test("all that is committed in one turn is one batch with one promise", async (t) => {
    const { store } = open(t, fresh);
    store.ledger.lease([wish(100, 100n)]);
    const promises = [1, 2, 3].map((spend) => store.ledger.commit([{ ...counter, spend, release: 20 }]));
    t.equal(new Set(promises).size, 1);
    t.match(store.ledger.counter(counter), { spent: 0n, leased: 100n });
    await promises[0];
    t.match(store.ledger.counter(counter), { spent: 6n, leased: 40n });
    const later = store.ledger.commit([{ ...counter, spend: 4, release: 40 }]);
    t.not(later, promises[0]);
    await later;
    t.match(store.ledger.counter(counter), { spent: 10n, leased: 0n });
  });

  await t.test(
    "what was given back this turn can be leased this turn, also when another wish is refused",
    async (t) => {
      const { store } = open(t, fresh);
      store.ledger.lease([wish(100, 100n)]);
      const written = store.ledger.commit([{ ...counter, spend: 10, release: 100 }]);
      t.match(store.ledger.lease([wish(91, 100n)]), { ok: false, state: { spent: 10n, leased: 0n } });
      t.match(store.ledger.lease([wish(90, 100n)]), { ok: true });
      await written;
      t.match(store.ledger.counter(counter), { spent: 10n, leased: 90n });
    },
  );

  await t.test("a change that is no whole number is refused before it is queued", async (t) => {
    const { store } = open(t, fresh);
    for (const bad of [-1, 0.5, Number.NaN, 2 ** 53]) {
      t.throws(() => store.ledger.commit([{ ...counter, spend: bad, release: 0 }]), RangeError);
      t.throws(() => store.ledger.commit([{ ...counter, spend: 0, release: bad }]), RangeError);
    }
    await store.ledger.commit([{ ...counter, spend: 1, release: 0 }]);
    t.equal(store.ledger.counter(counter).spent, 1n);
  });

  await t.test("closing commits what is queued and gives leases back; a closed store is unavailable", async (t) => {
    const database = fresh(t);
    const { store, clock } = open(t, () => database);
    store.ledger.lease([wish(100, 100n)]);
    const written = store.ledger.commit([{ ...counter, spend: 30, release: 30 }]);
    const closing = store.close();
    t.equal(store.close(), closing);
    await closing;
    await written;
    throwsCode(t, "unavailable", () => store.ledger.lease([wish(1, 100n)]));
    throwsCode(t, "unavailable", () => store.ledger.probe());
    throwsCode(t, "unavailable", () => store.ledger.commit([]));
    t.doesNotThrow(() => store.requests.append(accessRecord("late")));
    t.doesNotThrow(() => store.ledger.heartbeat());
    const { store: next } = open(t, () => database, clock);
    t.match(next.ledger.counter(counter), { spent: 30n, unaccounted: 0n, leased: 0n });
  });
}

async function processes(t: Test, fresh: (test: Test) => TestDatabase): Promise<void> {
  await t.test("two processes together never lease more than the limit", async (t) => {
    const database = fresh(t);
    const { store: a, clock } = open(t, () => database);
    const { store: b } = open(t, () => database, clock);
    t.match(a.ledger.lease([wish(60, 100n)]), { ok: true });
    t.match(b.ledger.lease([wish(50, 100n)]), { ok: false, state: { leased: 60n } });
    t.match(b.ledger.lease([wish(40, 100n)]), { ok: true });
    await a.ledger.commit([{ ...counter, spend: 60, release: 60 }]);
    t.match(b.ledger.counter(counter), { spent: 60n, leased: 40n });
    t.match(a.ledger.lease([wish(1, 100n)]), { ok: false });
  });

  await t.test(
    "a dead process's leases are charged, visibly, once it has been silent; a live one's are not",
    async (t) => {
      const database = fresh(t);
      const events: StoreEvent[] = [];
      const { store: dead, clock } = open(t, () => database);
      const { store: live } = open(t, () => database, clock);
      const survivor = database.open({ clock, onEvent: (event) => events.push(event) });
      t.teardown(() => survivor.close());
      dead.ledger.lease([wish(25, 100n)]);
      live.ledger.lease([wish(30, 100n)]);
      database.crash(dead);
      survivor.ledger.heartbeat();
      clock.advance(SILENCE_MS);
      live.ledger.heartbeat();
      survivor.ledger.heartbeat();
      t.match(survivor.ledger.counter(counter), { spent: 25n, unaccounted: 25n, leased: 30n });
      t.match(events, [{ kind: "recovered", charged: [{ ...counter, amount: 25n }] }]);
      survivor.ledger.heartbeat();
      t.equal(events.length, 1);
    },
  );

  await t.test("a wall clock that jumps makes nobody dead", async (t) => {
    const database = fresh(t);
    const { store: a, clock } = open(t, () => database);
    const { store: b } = open(t, () => database, clock);
    a.ledger.lease([wish(25, 100n)]);
    b.ledger.heartbeat();
    clock.stepWall(365 * 86_400_000);
    b.ledger.heartbeat();
    t.match(b.ledger.counter(counter), { spent: 0n, leased: 25n });
  });

  await t.test("a process that was wrongly taken for dead reverses what was charged for it", async (t) => {
    const database = fresh(t);
    const { store: sleeper, clock } = open(t, () => database);
    const { store: survivor } = open(t, () => database, clock);
    sleeper.ledger.lease([wish(50, 100n)]);
    survivor.ledger.heartbeat();
    clock.advance(SILENCE_MS);
    survivor.ledger.heartbeat();
    t.match(survivor.ledger.counter(counter), { spent: 50n, unaccounted: 50n, leased: 0n });
    await sleeper.ledger.commit([{ ...counter, spend: 12, release: 30 }]);
    t.match(survivor.ledger.counter(counter), { spent: 32n, unaccounted: 20n, leased: 0n });
    sleeper.ledger.lease([wish(5, 100n)]);
    await sleeper.ledger.commit([{ ...counter, spend: 0, release: 25 }]);
    t.match(survivor.ledger.counter(counter), { spent: 12n, unaccounted: 0n, leased: 0n });
  });
}

async function largeMoney(t: Test, fresh: (test: Test) => TestDatabase): Promise<void> {
  await t.test("sums are exact past 2^53 and stop at 2^63 - 1", async (t) => {
    const { store } = open(t, fresh);
    const most = Number.MAX_SAFE_INTEGER;
    const written = [most, most - 1, 1, 2].map((spend) => store.ledger.commit([{ ...counter, spend, release: 0 }]));
    await written[0];
    t.equal(store.ledger.counter(counter).spent, 2n * BigInt(most) + 2n);
    await store.ledger.commit([{ ...counter, spend: 1, release: 0 }]);
    t.equal(store.ledger.counter(counter).spent, 2n * BigInt(most) + 3n);
    for (let i = 0; i < 1023; i += 1) store.ledger.commit([{ ...counter, spend: most, release: 0 }]);
    await store.ledger.commit([]);
    t.equal(store.ledger.counter(counter).spent, 2n ** 63n - 1n);
  });

  await t.test("a lease is exact under a limit past 2^53", async (t) => {
    const { store } = open(t, fresh);
    const limit = 2n ** 62n + 1n;
    await store.ledger.commit([{ ...counter, spend: 1, release: 0 }]);
    const most = Number.MAX_SAFE_INTEGER;
    const answers = Array.from({ length: 512 }, () => store.ledger.lease([wish(most, limit)]).ok);
    t.ok(answers.every(Boolean));
    const left = limit - 1n - 512n * BigInt(most);
    t.match(store.ledger.lease([wish(Number(left) + 1, limit)]), { ok: false });
    t.match(store.ledger.lease([wish(Number(left), limit)]), { ok: true });
    t.equal(store.ledger.counter(counter).leased, limit - 1n);
  });

  await t.test("a budget's limit is kept exactly", async (t) => {
    const { store } = open(t, fresh);
    const limitNanoUsd = 2n ** 63n - 1n;
    store.accounts.createKey(newKey("rich", { budget: { limitNanoUsd, window: "year" } }));
    t.equal(store.accounts.findKey(newKey("rich").hash)?.principal.budgets[0]?.limitNanoUsd, limitNanoUsd);
  });
}

async function requests(t: Test, fresh: (test: Test) => TestDatabase): Promise<void> {
  await t.test("usage sums what was sent to a provider, by each group", async (t) => {
    const { store, clock } = open(t, fresh);
    const day = 86_400_000;
    store.requests.append(accessRecord("1", { receivedMs: clock.nowMs(), costNanoUsd: 100, model: "small" }));
    store.requests.append(
      accessRecord("2", { receivedMs: clock.nowMs() + day, costNanoUsd: 300, teamAlias: null, teamId: null }),
    );
    store.requests.append(accessRecord("2", { receivedMs: clock.nowMs() + day, costNanoUsd: 50, userId: "ada" }));
    store.requests.append(accessRecord("3", { receivedMs: clock.nowMs(), outcome: "not_sent", usage: null }));
    store.requests.append(accessRecord("4", { receivedMs: clock.nowMs() - 1, costNanoUsd: 1_000 }));
    await store.ledger.commit([]);
    const since = clock.nowMs();
    const named = (group: "key" | "team" | "user" | "model" | "day") =>
      store.requests.usage(group, since).map((row) => [row.name, row.requests, row.costNanoUsd]);
    t.same(named("key"), [["demo", 3, 450n]]);
    t.same(named("team"), [
      ["-", 1, 300n],
      ["ml", 2, 150n],
    ]);
    t.same(named("user"), [
      ["-", 2, 400n],
      ["ada", 1, 50n],
    ]);
    t.same(named("model"), [
      ["gpt-4o", 2, 350n],
      ["small", 1, 100n],
    ]);
    t.same(named("day"), [
      ["2026-11-21", 1, 100n],
      ["2026-11-22", 2, 350n],
    ]);
    t.match(store.requests.usage("key", 0), [{ requests: 4, inputTokens: 40, outputTokens: 80, costNanoUsd: 1450n }]);
    t.same(store.requests.usage("key", clock.nowMs() + 2 * day), []);
  });

  await t.test("a row is written without a settlement too, and with those of its turn", async (t) => {
    const database = fresh(t);
    const { store, clock } = open(t, () => database);
    const { store: reader } = open(t, () => database, clock);
    store.requests.append(accessRecord("denied"));
    await new Promise(setImmediate);
    t.equal(reader.requests.usage("key", 0)[0]?.requests, 1);
    const written = store.ledger.commit([{ ...counter, spend: 7, release: 0 }]);
    store.requests.append(accessRecord("served", { costNanoUsd: 7 }));
    t.equal(reader.requests.usage("key", 0)[0]?.requests, 1);
    await written;
    t.equal(reader.requests.usage("key", 0)[0]?.costNanoUsd, 7n);
    t.equal(reader.ledger.counter(counter).spent, 7n);
  });

  await t.test(
    "the table agrees with the counters after a crash, and the difference is what is unaccounted",
    async (t) => {
      const database = fresh(t);
      const { store, clock } = open(t, () => database);
      const ledger = createLedger({ store: store.ledger, clock, timeZone: "UTC" });
      const quotas = [quota("budget:a", 10_000n)];
      for (let i = 0; i < 50; i += 1) {
        const answer = ledger.reserve(quotas, 100);
        if (!answer.ok) throw new Error("refused");
        ledger.settle(answer.hold, i);
        store.requests.append(accessRecord(String(i), { costNanoUsd: i }));
        if (i % 7 === 0) await new Promise(setImmediate);
      }
      ledger.reserve(quotas, 1_000);
      database.crash(store);
      const { store: next } = open(t, () => database, clock);
      next.ledger.heartbeat();
      clock.advance(SILENCE_MS);
      next.ledger.heartbeat();
      const state = next.ledger.counter(counter);
      t.equal(state.leased, 0n);
      t.equal(next.requests.usage("key", 0)[0]?.costNanoUsd, state.spent - state.unaccounted);
      t.ok(state.unaccounted >= 1_000n);
    },
  );
}

const budget = { limitNanoUsd: 5n, window: "month" } as const;

function open(
  t: Test,
  fresh: (test: Test) => TestDatabase,
  clock = new FakeClock(),
): { store: Store; clock: FakeClock } {
  const store = fresh(t).open({ clock });
  t.teardown(() => store.close().catch(() => undefined));
  return { store, clock };
}

function throwsCode(t: Test, code: StoreErrorCode, work: () => unknown): void {
  try {
    work();
    t.fail(`${code} expected`);
  } catch (error) {
    t.ok(error instanceof StoreError, String(error));
    t.equal((error as StoreError).code, code);
  }
}
