// The contract that every store keeps: the request table, and that it agrees with the counters.
import { createLedger } from "../../src/ledger/engine.ts";
import { accessRecord, quota, uniform } from "../ledger/samples.ts";
import { counter, open, SILENCE_MS, type Suite } from "./rig.ts";

/** The request table. */
export const requests: Suite = {
  "usage sums what was sent to a provider, by each group": async (t, fresh) => {
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
  },

  "a row is written without a settlement too, and with those of its turn": async (t, fresh) => {
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
  },

  "the table agrees with the counters after a crash, and the difference is what is unaccounted": async (t, fresh) => {
    const database = fresh(t);
    const { store, clock } = open(t, () => database);
    const ledger = uniform(createLedger({ store: store.ledger, clock, timeZone: "UTC" }));
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
};
