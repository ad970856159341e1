// The contract that every store keeps: leases, counters, batches, money beyond 2^53.
import { accessRecord, newKey } from "../ledger/samples.ts";
import { counter, open, type Suite, throwsCode, wish } from "./rig.ts";

/** Leases and counters. */
export const leases: Suite = {
  "a wish is granted its need, and of the rest at most an eighth of what is left": async (t, fresh) => {
    const { store } = open(t, fresh);
    t.same(store.ledger.counter(counter), { ...counter, spent: 0n, unaccounted: 0n, leased: 0n });
    t.same(store.ledger.lease([wish(200, 1000n, 10_000)]), { ok: true, granted: [300] });
    t.same(store.ledger.lease([wish(100, 1000n, 110)]), { ok: true, granted: [110] });
    t.same(store.ledger.lease([wish(590, 1000n, 10_000)]), { ok: true, granted: [590] });
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
