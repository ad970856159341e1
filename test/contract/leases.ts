// The contract that every store keeps: leases, counters, batches, money beyond 2^53.
import { accessRecord, newKey } from "../ledger/samples.ts";
import { counter, open, type Suite, throwsCode, wish } from "./rig.ts";

/** Leases and counters. */
export const leases: Suite = {
  "a wish is granted its need, and of the rest at most an eighth of what is left": async (t, fresh) => {
    const { store } = open(t, fresh);
    t.match(store.ledger.counter(counter), { ...counter, spent: 0n, unaccounted: 0n, leased: 0n });
    t.match(store.ledger.lease([wish(200, 1000n, 10_000)]), { ok: true, granted: [300] });
    t.match(store.ledger.lease([wish(100, 1000n, 110)]), { ok: true, granted: [110] });
    t.match(store.ledger.lease([wish(590, 1000n, 10_000)]), { ok: true, granted: [590] });
    t.equal(store.ledger.counter(counter).leased, 1000n);
    t.match(store.ledger.lease([wish(1, 1000n)]), { ok: false, refused: 0, state: { leased: 1000n } });
    t.match(store.ledger.lease([wish(0, 1000n)]), { ok: true, granted: [0] });
    t.match(store.ledger.lease([wish(0, 999n)]), { ok: false, refused: 0 });
  },

  "of several wishes all are granted or none": async (t, fresh) => {
    const { store } = open(t, fresh);
    const small = { quota: "budget:small", window: "total", need: 11, want: 11, limit: 10n };
    const refused = store.ledger.lease([wish(5, 100n), small]);
    t.match(refused, { ok: false, refused: 1, state: { quota: "budget:small", window: "total", leased: 0n } });
    t.equal(store.ledger.counter(counter).leased, 0n);
    t.match(store.ledger.lease([wish(5, 100n), { ...small, need: 10 }]), { ok: true });
  },

  "all that is committed in one turn is one batch with one promise": async (t, fresh) => {
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
  },

  "what was given back this turn can be leased this turn, also when another wish is refused": async (t, fresh) => {
    const { store } = open(t, fresh);
    store.ledger.lease([wish(100, 100n)]);
    const written = store.ledger.commit([{ ...counter, spend: 10, release: 100 }]);
    t.match(store.ledger.lease([wish(91, 100n)]), { ok: false, state: { spent: 10n, leased: 0n } });
    t.match(store.ledger.lease([wish(90, 100n)]), { ok: true });
    await written;
    t.match(store.ledger.counter(counter), { spent: 10n, leased: 90n });
  },

  "a change that is no whole number is refused before it is queued": async (t, fresh) => {
    const { store } = open(t, fresh);
    for (const bad of [-1, 0.5, Number.NaN, 2 ** 53]) {
      t.throws(() => store.ledger.commit([{ ...counter, spend: bad, release: 0 }]), RangeError);
      t.throws(() => store.ledger.commit([{ ...counter, spend: 0, release: bad }]), RangeError);
    }
    await store.ledger.commit([{ ...counter, spend: 1, release: 0 }]);
    t.equal(store.ledger.counter(counter).spent, 1n);
  },

  "closing commits what is queued and gives leases back; a closed store is unavailable": async (t, fresh) => {
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
  },
};

const bucket = (n: number): string => `s60000:${String(n).padStart(4, "0")}`;
const rate = "rule:rate";
/** A wish for a lease on the bucket `at`, of which four count. */
const rateWish = (at: number, need: number, limit: bigint, want = need) => ({
  quota: rate,
  window: bucket(at),
  need,
  want,
  limit,
  span: { from: bucket(at - 3), to: "s60000:~" },
  expiresMs: at * 100,
});

/** Windows that are held against one limit together. */
export const spans: Suite = {
  "a span's windows are held against the limit together, those of other processes too": async (t, fresh) => {
    const database = fresh(t);
    const { store: a, clock } = open(t, () => database);
    const { store: b } = open(t, () => database, clock);
    t.match(a.ledger.lease([rateWish(1, 40, 100n)]), { ok: true, states: [{ spent: 0n, leased: 0n, newest: null }] });
    await a.ledger.commit([{ quota: rate, window: bucket(1), spend: 30, release: 40 }]);
    t.match(b.ledger.lease([rateWish(2, 50, 100n)]), { ok: true, states: [{ spent: 30n, newest: bucket(1) }] });
    const refused = { ok: false, refused: 0, state: { spent: 30n, leased: 50n, newest: bucket(2) } };
    t.match(a.ledger.lease([rateWish(4, 21, 100n)]), refused);
    t.match(a.ledger.lease([rateWish(4, 20, 100n)]), { ok: true });
    t.match(a.ledger.lease([rateWish(5, 31, 100n)]), {
      ok: false,
      state: { spent: 0n, leased: 70n, newest: bucket(4) },
    });
    t.match(a.ledger.lease([rateWish(5, 30, 100n)]), { ok: true }, "the first bucket has left the window");
    t.same(a.ledger.uses(rate, { from: bucket(1), to: "s60000:~" }), [
      { window: bucket(1), taken: 30n },
      { window: bucket(2), taken: 50n },
      { window: bucket(4), taken: 20n },
      { window: bucket(5), taken: 30n },
    ]);
    t.match(a.ledger.counter({ quota: rate, window: bucket(5) }, { from: bucket(2), to: "s60000:~" }), {
      leased: 100n,
    });
    t.match(a.ledger.counter({ quota: rate, window: bucket(5) }), { spent: 0n, leased: 30n, newest: null });
  },

  "a process that is behind is told which window the others are in, and their use counts": async (t, fresh) => {
    const { store } = open(t, fresh);
    store.ledger.lease([rateWish(9, 60, 100n)]);
    t.match(store.ledger.lease([rateWish(7, 41, 100n)]), { ok: false, state: { newest: bucket(9), leased: 60n } });
    t.match(store.ledger.lease([rateWish(7, 40, 100n)]), { ok: true, states: [{ newest: bucket(9) }] });
  },

  "slack of a lease is an eighth of what the whole span leaves": async (t, fresh) => {
    const { store } = open(t, fresh);
    t.match(store.ledger.lease([rateWish(1, 20, 100n)]), { ok: true, granted: [20] });
    t.match(store.ledger.lease([rateWish(2, 40, 100n, 80)]), { ok: true, granted: [45] });
  },

  "sums of a span stay exact to the end of what can be counted": async (t, fresh) => {
    const { store } = open(t, fresh);
    for (let at = 1; at <= 4; at += 1) {
      const most = { quota: rate, window: bucket(at), spend: Number.MAX_SAFE_INTEGER, release: 0 };
      for (let i = 0; i < 1_030; i += 1) store.ledger.commit([most]);
    }
    await store.ledger.commit([]);
    t.match(store.ledger.lease([rateWish(4, 1, 2n ** 60n)]), { ok: true });
    t.match(store.ledger.lease([rateWish(4, 1, 2n ** 50n)]), { ok: false });
  },

  "counters are forgotten once they expire, what has no end is kept": async (t, fresh) => {
    const { store } = open(t, fresh);
    const spent = (window: string) => store.ledger.counter({ quota: rate, window }).spent;
    store.ledger.commit(
      [1, 2].map((at) => ({ quota: rate, window: bucket(at), spend: 5, release: 0, expiresMs: at * 100 })),
    );
    await store.ledger.commit([{ ...counter, spend: 7, release: 0 }]);
    store.ledger.passTime(99);
    t.same([spent(bucket(1)), spent(bucket(2))], [5n, 5n]);
    store.ledger.passTime(100.5);
    t.same([spent(bucket(1)), spent(bucket(2))], [0n, 5n]);
    store.ledger.passTime(1e15);
    t.same([spent(bucket(2)), store.ledger.counter(counter).spent], [0n, 7n]);
    await store.close();
    t.equal(store.ledger.passTime(1), 1, "a store that is closed tells no other time");
  },

  "time never goes back, for no process": async (t, fresh) => {
    const database = fresh(t);
    const { store: a, clock } = open(t, () => database);
    const { store: b } = open(t, () => database, clock);
    t.equal(a.ledger.passTime(1_000.7), 1_000);
    t.equal(b.ledger.passTime(900), 1_000);
    t.equal(b.ledger.passTime(1_100), 1_100);
    t.equal(a.ledger.passTime(0), 1_100);
  },
};

/** Money beyond 2^53. */
export const largeMoney: Suite = {
  "sums are exact past 2^53 and stop at 2^63 - 1": async (t, fresh) => {
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
  },

  "a lease is exact under a limit past 2^53": async (t, fresh) => {
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
  },

  "a budget's limit is kept exactly": async (t, fresh) => {
    const { store } = open(t, fresh);
    const limitNanoUsd = 2n ** 63n - 1n;
    store.accounts.createKey(newKey("rich", { budget: { limitNanoUsd, window: "year" } }));
    t.equal(store.accounts.findKey(newKey("rich").hash)?.principal.budgets[0]?.limitNanoUsd, limitNanoUsd);
  },
};
