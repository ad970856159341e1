// The quota engine on a real SQLite file: exact to the last unit, all or none, settled once.
import t, { type Test } from "tap";
import { createLedger } from "../../src/ledger/engine.ts";
import type { Hold, Quota } from "../../src/ledger/ledger.ts";
import { type LedgerStore, StoreError } from "../../src/store/store.ts";
import { SqliteTestDatabase } from "../store/sqlite-database.ts";
import { committed } from "../support/committed.ts";
import { FakeClock } from "./fake-clock.ts";
import { limit, quota, type UniformLedger, uniform } from "./samples.ts";

const november = { quota: "budget:a", window: "2026-11" };

/** Calls that reach the store, by name. */
type Calls = { lease: number; commit: number; probe: number };

function start(t: Test, database = new SqliteTestDatabase(t), clock = new FakeClock()) {
  const store = database.open({ clock });
  t.teardown(() => store.close().catch(() => undefined));
  const calls: Calls = { lease: 0, commit: 0, probe: 0 };
  const counted = counting(store.ledger, calls);
  return { database, clock, store, calls, ledger: uniform(createLedger({ store: counted, clock, timeZone: "UTC" })) };
}

function counting(store: LedgerStore, calls: Calls): LedgerStore {
  return {
    lease: (wishes) => {
      calls.lease += 1;
      return store.lease(wishes);
    },
    commit: (changes) => {
      calls.commit += 1;
      return store.commit(changes);
    },
    probe: () => {
      calls.probe += 1;
      store.probe();
    },
    counter: (id, span) => store.counter(id, span),
    uses: (id, span) => store.uses(id, span),
    heartbeat: () => store.heartbeat(),
    passTime: (nowMs) => store.passTime(nowMs),
    claimWarning: (id, amount) => store.claimWarning(id, amount),
    recoveries: (sinceMs) => store.recoveries(sinceMs),
    reverse: (which, by) => store.reverse(which, by),
  };
}

function reserved(ledger: UniformLedger, quotas: readonly Quota[], amount: number): Hold {
  const answer = ledger.reserve(quotas, amount);
  if (!answer.ok) throw new Error(`refused by ${answer.refusal.need.quota.id}`);
  return answer.hold;
}

t.test("10,000 reservations against a small budget grant exactly floor(limit / amount)", async (t) => {
  const { ledger, store, calls } = start(t);
  const quotas = [quota("budget:a", 1_000n)];
  const answers = Array.from({ length: 10_000 }, () => ledger.reserve(quotas, 7));
  const holds = answers.filter((answer) => answer.ok);
  t.equal(holds.length, 142);
  t.equal(ledger.holdsOpen, 142);
  t.ok(calls.lease < 150, `${calls.lease} transactions for 10,000 answers`);
  const last = answers.at(-1);
  t.match(last, { ok: false, refusal: { spent: 0n, reserved: 994n, resetsMs: Date.parse("2026-12-01T00:00:00Z") } });
  await Promise.all(holds.map((answer) => ledger.settle(answer.hold, 7)));
  t.match(store.ledger.counter(november), { spent: 994n });
  t.equal(ledger.reserve(quotas, 7).ok, false);
  t.equal(ledger.reserve(quotas, 6).ok, true, "the last unit can be used");
});

t.test("two processes on one file never grant more than the limit, and together use it up", async (t) => {
  const a = start(t);
  const b = start(t, a.database, a.clock);
  const quotas = [quota("budget:a", 10_000n)];
  let granted = 0;
  for (let round = 0; round < 6; round += 1) {
    for (let i = 0; i < 1_000; i += 1) {
      for (const { ledger } of [a, b]) if (ledger.reserve(quotas, 9).ok) granted += 1;
    }
    for (const { ledger, clock } of [a, b]) {
      ledger.releaseIdle();
      clock.advance(1_000);
      await committed();
    }
  }
  t.equal(granted, Math.floor(10_000 / 9));
});

t.test("a refusal by one quota leaves nothing behind in the others", async (t) => {
  const { ledger, store } = start(t);
  const quotas = [quota("budget:a", 1_000n), quota("budget:b", 10n, "total"), quota("budget:c", 1_000n)];
  const answer = ledger.reserve(quotas, 11);
  t.match(answer, {
    ok: false,
    refusal: { need: { quota: { id: "budget:b" } }, spent: 0n, reserved: 0n, resetsMs: null },
  });
  t.equal(ledger.holdsOpen, 0);
  for (const id of ["budget:a", "budget:c"]) t.equal(store.ledger.counter({ ...november, quota: id }).leased, 0n);
  t.ok(ledger.reserve([quota("budget:a", 1_000n)], 1_000).ok);
});

t.test("settling charges what was used: less, nothing, or more than was held", async (t) => {
  const { ledger, store } = start(t);
  const quotas = [quota("budget:a", 100n)];
  const [less, none, more] = [30, 30, 30].map((amount) => reserved(ledger, quotas, amount)) as [Hold, Hold, Hold];
  await ledger.settle(less, 5);
  t.match(store.ledger.counter(november), { spent: 5n });
  await ledger.settle(none, 0);
  t.match(store.ledger.counter(november), { spent: 5n });
  await ledger.settle(more, 250);
  t.match(store.ledger.counter(november), { spent: 255n, leased: 0n }, "an overrun is posted in full");
  t.match(ledger.reserve(quotas, 1), { ok: false, refusal: { spent: 255n, reserved: 0n } });
  t.equal(ledger.reserve(quotas, 0).ok, false, "even a request that costs nothing");
  t.equal(ledger.holdsOpen, 0);
});

t.test("a hold is settled once, and only one of ours", async (t) => {
  const { ledger, store } = start(t);
  const hold = reserved(ledger, [quota("budget:a", 100n)], 10);
  const written = ledger.settle(hold, 10);
  t.throws(() => ledger.settle(hold, 10), /settled once/);
  t.throws(() => ledger.settle({ needs: [] }, 10), /settled once/);
  await written;
  t.match(store.ledger.counter(november), { spent: 10n });
  t.equal(ledger.holdsOpen, 0);
});

t.test("amounts that are no whole numbers are faults", async (t) => {
  const { ledger } = start(t);
  const quotas = [quota("budget:a", 100n)];
  for (const bad of [-1, 0.1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    t.throws(() => ledger.reserve(quotas, bad), RangeError);
  }
  const hold = reserved(ledger, quotas, 10);
  t.throws(() => ledger.settle(hold, 0.5), RangeError);
  t.throws(() => ledger.reserve([...quotas, ...quotas], 1), /named twice/);
  t.equal(ledger.holdsOpen, 1, "the hold is still open");
  await ledger.settle(hold, 1);
});

t.test("a lowered limit takes effect at the next reservation, a raised one too; what was used stays", async (t) => {
  const { ledger, store } = start(t);
  const limited = (limit: bigint) => [quota("budget:a", limit)];
  await ledger.settle(reserved(ledger, limited(1_000n), 100), 100);
  reserved(ledger, limited(1_000n), 100);
  reserved(ledger, limited(1_000n), 100);
  t.match(ledger.reserve(limited(350n), 51), { ok: false, refusal: { spent: 100n, reserved: 200n } });
  t.ok(ledger.reserve(limited(350n), 50).ok);
  t.equal(ledger.reserve(limited(350n), 1).ok, false);
  t.ok(ledger.reserve(limited(351n), 1).ok);
  await committed();
  t.match(store.ledger.counter(november), { spent: 100n, leased: 251n });
});

t.test("what open holds give back after the limit was lowered or overrun is not granted again unasked", async (t) => {
  for (const [name, limit, actual] of [
    ["lowered", 100n, 0],
    ["overrun", 1_000n, 900],
  ] as const) {
    const { ledger, store } = start(t);
    const holds = Array.from({ length: 8 }, () => reserved(ledger, [quota("budget:a", 1_000n)], 100));
    const [first, second, third] = holds as [Hold, Hold, Hold];
    await ledger.settle(first, actual);
    t.equal(ledger.reserve([quota("budget:a", limit)], 300).ok, false);
    ledger.settle(second, 0);
    ledger.settle(third, 0);
    t.equal(ledger.reserve([quota("budget:a", limit)], 100).ok, false, name);
    const state = store.ledger.counter(november);
    t.equal(state.leased, 500n, "the five that are open");
    await store.close();
  }
});

t.test("a request is charged to the window it was reserved in, and the next window starts afresh", async (t) => {
  const { ledger, store, clock } = start(t);
  const quotas = [quota("budget:a", 100n)];
  const hold = reserved(ledger, quotas, 80);
  clock.setWall("2026-12-01T00:00:00Z");
  t.match(ledger.reserve(quotas, 101), { ok: false, refusal: { resetsMs: Date.parse("2027-01-01T00:00:00Z") } });
  reserved(ledger, quotas, 100);
  await ledger.settle(hold, 60);
  t.match(store.ledger.counter(november), { spent: 60n, leased: 0n }, "the old window keeps no slack");
  t.match(store.ledger.counter({ ...november, window: "2026-12" }), { spent: 0n, leased: 100n });
  clock.setWall("2026-11-30T23:59:59Z");
  t.equal(ledger.reserve(quotas, 1).ok, false, "a clock that steps back does not give the old window's rest");
});

t.test("a warm lease keeps nothing of a window that is over", async (t) => {
  const { ledger, store, clock } = start(t);
  const quotas = [quota("budget:a", 1_000_000n)];
  const holds = Array.from({ length: 40 }, () => reserved(ledger, quotas, 100));
  await committed();
  t.ok(store.ledger.counter(november).leased > 4_000n, "it has slack");
  clock.setWall("2026-12-01T00:00:00Z");
  ledger.settle(reserved(ledger, quotas, 100), 0);
  await committed();
  t.equal(store.ledger.counter(november).leased, 4_000n, "only what is held stays");
  for (const hold of holds) ledger.settle(hold, 1);
  await committed();
  t.match(store.ledger.counter(november), { spent: 40n, leased: 0n });
});

t.test("where the quota runs out a warm lease keeps no more than what the store granted beyond the need", async (t) => {
  const { ledger, store } = start(t);
  const quotas = [quota("budget:a", 4_100n)];
  const holds = Array.from({ length: 41 }, () => reserved(ledger, quotas, 100));
  await Promise.all(holds.slice(0, 10).map((hold) => ledger.settle(hold, 0)));
  t.equal(store.ledger.counter(november).leased, 3_100n);
});

t.test("idle slack goes back, and a lease that is not used at all goes back whole", async (t) => {
  const { ledger, store, clock } = start(t);
  const quotas = [quota("budget:a", 1_000_000n)];
  const holds = Array.from({ length: 40 }, () => reserved(ledger, quotas, 100));
  const open = holds.pop();
  for (const hold of holds) ledger.settle(hold, 10);
  await committed();
  const busy = store.ledger.counter(november);
  t.equal(busy.spent, 390n);
  t.ok(busy.leased >= 100n && busy.leased <= 100n + 6_400n, `leased ${busy.leased}`);
  for (let second = 0; second < 2; second += 1) {
    clock.advance(1_000);
    ledger.releaseIdle();
    await committed();
  }
  t.equal(store.ledger.counter(november).leased, 100n, "what is held stays");
  if (open !== undefined) await ledger.settle(open, 0);
  t.equal(store.ledger.counter(november).leased, 0n);
});

t.test("a single request leaves no slack behind", async (t) => {
  const { ledger, store } = start(t);
  const hold = reserved(ledger, [quota("budget:a", 1_000_000n)], 100);
  t.equal(store.ledger.counter(november).leased, 100n);
  await ledger.settle(hold, 40);
  t.equal(store.ledger.counter(november).leased, 0n);
});

t.test("a warm lease asks the store for nothing but a proof that it can be written", async (t) => {
  const { ledger, calls } = start(t);
  const quotas = [quota("budget:a", 10n ** 12n), quota("budget:b", 10n ** 12n)];
  for (let i = 0; i < 100; i += 1) ledger.settle(reserved(ledger, quotas, 100), 1);
  const before = { ...calls };
  for (let i = 0; i < 100; i += 1) ledger.settle(reserved(ledger, quotas, 100), 1);
  t.equal(calls.probe - before.probe, 100 - (calls.lease - before.lease));
  t.ok(calls.lease - before.lease <= 2);
});

t.test("a known refusal is not asked again until something changes here or 100 ms pass", async (t) => {
  const { ledger, calls, clock, database } = start(t);
  const other = start(t, database, clock);
  const quotas = [quota("budget:a", 100n)];
  const theirs = reserved(other.ledger, quotas, 60);
  const ours = reserved(ledger, quotas, 40);
  for (let i = 0; i < 1_000; i += 1) if (ledger.reserve(quotas, 10).ok) t.fail("granted");
  t.equal(calls.lease, 2);
  await other.ledger.settle(theirs, 0);
  t.equal(ledger.reserve(quotas, 10).ok, false, "what others give back shows after the time-out");
  clock.advance(100);
  t.ok(ledger.reserve(quotas, 10).ok);
  t.equal(ledger.reserve(quotas, 51).ok, false);
  await ledger.settle(ours, 0);
  t.ok(ledger.reserve(quotas, 51).ok, "what is given back here shows at once");
});

t.test("without quotas the store is still asked whether it can be written", async (t) => {
  const { ledger, store, clock } = start(t);
  const hold = reserved(ledger, [], 100);
  await ledger.settle(hold, 50);
  t.equal(ledger.holdsOpen, 0);
  await store.close();
  clock.advance(1_000);
  t.throws(() => ledger.reserve([], 1), { code: "unavailable" });
  t.throws(() => ledger.reserve([quota("budget:a", 1n)], 1), StoreError);
});

t.test("money beyond 2^53 in a limit, and no more than 2^53 - 1 held by one process", async (t) => {
  const { ledger, store } = start(t);
  const limit = 2n ** 62n;
  const quotas = [quota("budget:a", limit)];
  const most = Number.MAX_SAFE_INTEGER;
  const hold = reserved(ledger, quotas, most);
  t.match(ledger.reserve(quotas, 1), { ok: false, refusal: { spent: 0n, reserved: BigInt(most) } });
  await ledger.settle(hold, most);
  await ledger.settle(reserved(ledger, quotas, most - 1), most - 1);
  t.equal(store.ledger.counter(november).spent, 2n * BigInt(most) - 1n);
});

t.test("a balance is what is spent and what is held for requests, without this process's own slack", async (t) => {
  const a = start(t);
  const b = start(t, a.database, a.clock);
  const only = quota("budget:a", 1_000n);
  t.match(a.ledger.balance(only), { spent: 0n, reserved: 0n });
  for (let i = 0; i < 8; i += 1) await a.ledger.settle(reserved(a.ledger, [only], 10), 5);
  const open = reserved(a.ledger, [only], 10);
  t.match(a.ledger.balance(only), { spent: 40n, reserved: 10n });
  const { spent, reserved: held } = b.ledger.balance(only);
  t.equal(spent, 40n);
  t.ok(held >= 10n, "another process's slack may be used at any time");
  await a.ledger.settle(open, 10);
  a.clock.setWall("2026-12-01T00:00:00Z");
  t.match(a.ledger.balance(only), { spent: 0n, reserved: 0n }, "of the window that is open now");
});

t.test(
  "each unit is charged what it used: money, tokens, a request; a slot is given back, and a void gives all back",
  async (t) => {
    const { store, clock } = start(t);
    const ledger = createLedger({ store: store.ledger, clock, timeZone: "UTC" });
    const minute = { kind: "every", durationMs: 60_000 } as const;
    const needs = [
      { quota: limit("nano-usd", 1_000n, "month", "money"), amount: 500 },
      { quota: limit("tokens", 100n, minute, "tokens"), amount: 60 },
      { quota: limit("requests", 2n, minute, "requests"), amount: 1 },
      { quota: limit("concurrent", 2n, { kind: "none" }, "slots"), amount: 1 },
    ];
    const take = (): Hold => {
      const answer = ledger.reserve(needs);
      if (!answer.ok) throw new Error(`refused by ${answer.refusal.need.quota.id}`);
      return answer.hold;
    };
    const balances = () => needs.map(({ quota: each }) => ledger.balance(each));
    const first = take();
    t.same(
      balances().map(({ reserved }) => reserved),
      [500n, 60n, 1n, 1n],
    );
    t.match(ledger.reserve(needs), { ok: false, refusal: { need: needs[1], spent: 0n, reserved: 60n } });
    t.same(balances()[0]?.reserved, 500n, "what one refuses holds nothing of the others");
    await ledger.settle(first, [123, 45, 1, 1]);
    t.same(
      balances().map(({ spent, reserved }) => [spent, reserved]),
      [
        [123n, 0n],
        [45n, 0n],
        [1n, 0n],
        [0n, 0n],
      ],
    );
    clock.advance(60_000);
    await ledger.settle(take(), null);
    t.same(
      balances().map(({ spent, reserved }) => [spent, reserved]),
      [
        [123n, 0n],
        [0n, 0n],
        [0n, 0n],
        [0n, 0n],
      ],
    );
    const over = take();
    await ledger.settle(over, [500, 130, 1, 1]);
    t.match(ledger.reserve([{ quota: limit("tokens", 100n, minute, "tokens"), amount: 0 }]), {
      ok: false,
      refusal: { spent: 130n, fitsInMs: 60_000 },
    });
    t.throws(() => ledger.standing(over, 0), /settled once/);
  },
);

t.test("a quota's own time zone says when its day turns, and moving it keeps what was used", async (t) => {
  const { store, clock } = start(t);
  const ledger = createLedger({ store: store.ledger, clock, timeZone: "UTC" });
  const daily = (zone: string, amount: bigint) => limit("nano-usd", amount, { kind: "calendar", period: "day", zone });
  clock.setWall("2028-02-29T22:30:00Z");
  const answer = ledger.reserve([{ quota: daily("Europe/Vienna", 10n), amount: 10 }]);
  if (!answer.ok) throw new Error("refused");
  await ledger.settle(answer.hold, [10]);
  t.match(ledger.reserve([{ quota: daily("Europe/Vienna", 10n), amount: 1 }]), {
    ok: false,
    refusal: { resetsMs: Date.parse("2028-02-29T23:00:00Z"), fitsInMs: 1_800_000 },
  });
  t.match(ledger.reserve([{ quota: daily("UTC", 10n), amount: 1 }]), {
    ok: false,
    refusal: { spent: 10n, resetsMs: Date.parse("2028-03-01T00:00:00Z") },
  });
  t.ok(ledger.reserve([{ quota: daily("UTC", 11n), amount: 1 }]).ok, "a raised limit keeps what was used");
  clock.setWall("2028-02-29T23:00:00Z");
  t.ok(ledger.reserve([{ quota: daily("Europe/Vienna", 10n), amount: 10 }]).ok, "March begins in Vienna");
  t.throws(() => ledger.reserve([{ quota: daily("Mars/Olympus", 1n), amount: 1 }]), RangeError);
});

t.test("what is left of a limit is known without asking the database", async (t) => {
  const { store, clock, calls } = start(t);
  const counted = counting(store.ledger, calls);
  const ledger = createLedger({ store: counted, clock, timeZone: "UTC" });
  const hourly = limit("tokens", 1_000_000n, { kind: "every", durationMs: 3_600_000 });
  let used = 0;
  for (let i = 0; i < 200; i += 1) {
    const answer = ledger.reserve([{ quota: hourly, amount: 100 }]);
    if (!answer.ok) throw new Error("refused");
    t.match(ledger.standing(answer.hold, 0), { remaining: 1_000_000 - used - 100, resetsInMs: 3_600_000 });
    ledger.settle(answer.hold, [i]);
    used += i;
  }
  t.ok(calls.lease < 30, `${calls.lease} leases for 200 requests`);
});
