// The contract that every store keeps: several processes on one database, dead and alive.
import type { StoreEvent } from "../../src/store/store.ts";
import { counter, open, SILENCE_MS, type Suite, wish } from "./rig.ts";

/** Several processes on one database. */
export const processes: Suite = {
  "two processes together never lease more than the limit": async (t, fresh) => {
    const database = fresh(t);
    const { store: a, clock } = open(t, () => database);
    const { store: b } = open(t, () => database, clock);
    t.match(a.ledger.lease([wish(60, 100n)]), { ok: true });
    t.match(b.ledger.lease([wish(50, 100n)]), { ok: false, state: { leased: 60n } });
    t.match(b.ledger.lease([wish(40, 100n)]), { ok: true });
    await a.ledger.commit([{ ...counter, spend: 60, release: 60 }]);
    t.match(b.ledger.counter(counter), { spent: 60n, leased: 40n });
    t.match(a.ledger.lease([wish(1, 100n)]), { ok: false });
  },

  "a dead process's leases are charged, visibly, once it has been silent; a live one's are not": async (t, fresh) => {
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

  "a dead process's slots are freed, what it held in a window that ends is charged to it and expires with it; both are on record":
    async (t, fresh) => {
      const database = fresh(t);
      const { store: dead, clock } = open(t, () => database);
      const { store: survivor } = open(t, () => database, clock);
      const slots = { quota: "rule:slots", window: "in flight", unit: "concurrent" } as const;
      const minute = { quota: "rule:rate", window: "s60000:1", unit: "requests" } as const;
      dead.ledger.lease([
        { ...slots, need: 3, want: 3, limit: 3n },
        { ...minute, need: 4, want: 4, limit: 9n, expiresMs: 1_000 },
      ]);
      t.match(survivor.ledger.lease([{ ...slots, need: 1, want: 1, limit: 3n }]), { ok: false });
      database.crash(dead);
      survivor.ledger.heartbeat();
      clock.advance(SILENCE_MS);
      survivor.ledger.heartbeat();
      t.match(survivor.ledger.counter(slots), { spent: 0n, unaccounted: 0n, leased: 0n });
      t.match(survivor.ledger.counter(minute), { spent: 4n, unaccounted: 4n, leased: 0n });
      t.match(survivor.ledger.recoveries(clock.nowMs()), [{ ...minute, amount: 4n, atMs: clock.nowMs() }]);
      t.same(survivor.ledger.recoveries(clock.nowMs() + 1), []);
      survivor.ledger.passTime(1_000);
      t.match(survivor.ledger.counter(minute), { spent: 0n });
    },

  "a charge for a dead process is reversed once, whoever asks how often, and the audit log says so": async (
    t,
    fresh,
  ) => {
    const database = fresh(t);
    const { store: dead, clock } = open(t, () => database);
    const { store: a } = open(t, () => database, clock);
    const { store: b } = open(t, () => database, clock);
    const team = a.accounts.createTeam("ml", { limitNanoUsd: 100n, window: "month" });
    const own = { quota: `budget:${team.budgets[0]?.id}`, window: "2026-11" };
    dead.ledger.lease([wish(25, 100n), { ...own, need: 7, want: 7, limit: 100n }]);
    dead.ledger.heartbeat([
      { requestId: "req_1", quotas: [counter.quota, own.quota] },
      { requestId: "req_2", quotas: [own.quota] },
    ]);
    database.crash(dead);
    a.ledger.heartbeat();
    clock.advance(SILENCE_MS);
    a.ledger.heartbeat();
    const [second, first] = a.ledger.recoveries(0);
    t.match(
      [first, second].sort((x, y) => Number((y?.amount ?? 0n) - (x?.amount ?? 0n))),
      [
        { ...counter, amount: 25n, open: 25n, inFlight: ["req_1"], reversed: null },
        { ...own, amount: 7n, open: 7n, inFlight: ["req_1", "req_2"] },
      ],
    );
    const ofTeam = [first, second].find((one) => one?.quota === own.quota);
    const by = { actor: "local", reason: "not billed" };
    t.match(a.ledger.reverse(ofTeam?.id ?? 0, by), [{ amount: 7n }]);
    t.match(b.ledger.reverse(ofTeam?.id ?? 0, by), [{ amount: 0n, recovery: { reversed: { by: "local" } } }]);
    t.match(a.ledger.counter(own), { spent: 0n, unaccounted: 0n, leased: 0n });
    t.match(b.ledger.reverse("all", { actor: "master", reason: null }), [{ amount: 25n }]);
    t.same(a.ledger.reverse("all", by), []);
    t.equal(a.ledger.reverse(99, by), null);
    t.match(b.ledger.counter(counter), { spent: 0n, unaccounted: 0n });
    t.match(a.ledger.recoveries(0), [{ open: 0n }, { open: 0n }]);
    const audit = (await a.directory.audit({ limit: 10 })).filter(({ field }) => field === "unaccounted");
    t.match(audit, [
      { actor: "local", kind: "team", objectId: team.id, objectAlias: "ml", new: { reason: "not billed" } },
      { actor: "master", kind: "quota", objectId: counter.quota, old: { usd: "0.000000025" }, new: null },
    ]);
  },

  "what was reversed is not taken off again by a process that was only asleep": async (t, fresh) => {
    const database = fresh(t);
    const { store: sleeper, clock } = open(t, () => database);
    const { store: other } = open(t, () => database, clock);
    const { store: survivor } = open(t, () => database, clock);
    sleeper.ledger.lease([wish(50, 200n)]);
    other.ledger.lease([wish(40, 200n)]);
    survivor.ledger.heartbeat();
    clock.advance(SILENCE_MS);
    survivor.ledger.heartbeat();
    t.match(survivor.ledger.counter(counter), { spent: 90n, unaccounted: 90n });
    await sleeper.ledger.commit([{ ...counter, spend: 5, release: 20 }]);
    t.match(survivor.ledger.counter(counter), { spent: 75n, unaccounted: 70n });
    const ofSleeper = survivor.ledger.recoveries(0).find(({ amount }) => amount === 50n);
    t.equal(ofSleeper?.open, 30n);
    t.match(survivor.ledger.reverse(ofSleeper?.id ?? 0, { actor: "local", reason: null }), [{ amount: 30n }]);
    t.match(survivor.ledger.counter(counter), { spent: 45n, unaccounted: 40n });
    await sleeper.ledger.commit([{ ...counter, spend: 10, release: 30 }]);
    t.match(survivor.ledger.counter(counter), { spent: 55n, unaccounted: 40n }, "the other's charge stays");
    await other.ledger.commit([{ ...counter, spend: 1, release: 40 }]);
    t.match(survivor.ledger.counter(counter), { spent: 16n, unaccounted: 0n }, "5, 10 and 1");
  },

  "a wall clock that jumps makes nobody dead": async (t, fresh) => {
    const database = fresh(t);
    const { store: a, clock } = open(t, () => database);
    const { store: b } = open(t, () => database, clock);
    a.ledger.lease([wish(25, 100n)]);
    b.ledger.heartbeat();
    clock.stepWall(365 * 86_400_000);
    b.ledger.heartbeat();
    t.match(b.ledger.counter(counter), { spent: 0n, leased: 25n });
  },

  "a process that was wrongly taken for dead reverses what was charged for it": async (t, fresh) => {
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
  },
};
