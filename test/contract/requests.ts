// The contract that every store keeps: the request table, and that it agrees with the counters.
import { createLedger } from "../../src/ledger/engine.ts";
import type { AccessRecord } from "../../src/types.ts";
import { accessRecord, newKey, quota, uniform } from "../ledger/samples.ts";
import { committed } from "../support/committed.ts";
import { counter, open, SILENCE_MS, type Suite } from "./rig.ts";

/** The request table. */
export const requests: Suite = {
  "what was spent is summed by key, team, user and organisation; a reset forgets it for that one alone": async (
    t,
    fresh,
  ) => {
    const { store } = open(t, fresh);
    const by = { actor: "test" };
    await store.directory.insert({ kind: "team", id: "ml", fields: { alias: "ml" }, bounds: {} }, by);
    const append = (keyId: string, teamId: string | null, costNanoUsd: number, userId: string | null = null): void =>
      store.requests.append(accessRecord("1", { keyId, teamId, costNanoUsd, userId, orgId: null }));
    append("a", "ml", 5);
    append("a", "ml", 7);
    append("a", null, 100);
    append("b", "ml", 1_000, "ann");
    append("b", "ml", 0, "ann");
    await store.ledger.commit([]);
    append("b", "ml", 1, "ann");
    await store.ledger.commit([]);
    const spent = (kind: "key" | "team" | "user" | "org", ...ids: string[]): unknown =>
      Object.fromEntries(store.requests.spend(kind, ids));
    t.same(spent("key", "a", "b", "c"), { a: 112n, b: 1_001n });
    t.same([spent("team", "ml"), spent("user", "ann"), spent("org", "ml")], [{ ml: 1_013n }, { ann: 1_001n }, {}]);
    await store.directory.resetSpend("team", "ml", by);
    append("a", "ml", 3);
    await store.ledger.commit([]);
    t.same([spent("team", "ml"), spent("key", "a")], [{ ml: 3n }, { a: 115n }]);
    await store.directory.resetSpend("team", "ml", by);
    t.same(spent("team", "ml"), { ml: 0n });
  },

  "rows are listed newest first, by what is asked and by what may be seen": async (t, fresh) => {
    const { store, clock } = open(t, fresh);
    const at = clock.nowMs();
    const rows = [
      { keyId: "a", teamId: "ml", userId: "ann", orgId: "acme", receivedMs: at },
      { keyId: "b", teamId: "ml", userId: null, orgId: "acme", receivedMs: at + 1 },
      { keyId: "c", teamId: null, userId: "ann", orgId: null, receivedMs: at + 2, usage: null, error: "key_expired" },
      { keyId: null, teamId: null, userId: null, orgId: null, receivedMs: at + 2 },
    ];
    for (const [i, row] of rows.entries()) store.requests.append(accessRecord(`r${i}`, row));
    await store.ledger.commit([]);
    const ids = (query: object): string[] => store.requests.list({ limit: 9, ...query }).map(({ id }) => id);
    t.same(ids({}), ["r3", "r2", "r1", "r0"]);
    t.same(ids({ limit: 2, skip: 1 }), ["r2", "r1"]);
    t.same(ids({ id: "r1" }), ["r1"]);
    t.same(ids({ keyId: "a" }), ["r0"]);
    t.same(ids({ userId: "ann" }), ["r2", "r0"]);
    t.same(ids({ fromMs: at + 1, untilMs: at + 2 }), ["r1"]);
    t.same(ids({ within: { ids: ["b"], userId: "ann" } }), ["r2", "r1", "r0"], "of any of them");
    t.same(ids({ within: { teamIds: ["ml"] }, userId: "ann" }), ["r0"]);
    t.same(ids({ within: { orgIds: ["acme"] } }), ["r1", "r0"]);
    t.same(ids({ within: {} }), [], "nobody's rows are nobody's");
    t.match(store.requests.list({ limit: 1, id: "r2" }), [
      { inputTokens: null, outputTokens: null, error: "key_expired" },
    ]);
    t.match(store.requests.list({ limit: 1, id: "r0" }), [
      { inputTokens: 10, outputTokens: 20, modelRequested: "gpt-4o" },
    ]);
  },

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

  "usage ends before an instant, and sums each combination of several groups": async (t, fresh) => {
    const { store, clock } = open(t, fresh);
    const now = clock.nowMs();
    const add = (receivedMs: number, model: string, teamAlias: string | null, costNanoUsd: number): void => {
      const teamId = teamAlias === null ? null : `team_${teamAlias}`;
      store.requests.append(accessRecord("r", { receivedMs, model, teamAlias, teamId, costNanoUsd }));
    };
    add(now, "small", "ml", 1);
    add(now + 1, "small", "ml", 10);
    add(now + 2, "large", null, 100);
    add(now + 86_400_000, "small", null, 1_000);
    await store.ledger.commit([]);
    const sums = (groups: Parameters<typeof store.requests.usage>[0], untilMs?: number | null) =>
      store.requests.usage(groups, now, untilMs).map(({ names, costNanoUsd }) => [...names, costNanoUsd]);
    t.same(sums("model", now + 1), [["small", 1n]], "at the end is not in");
    t.same(sums("model", now + 2), [["small", 11n]]);
    t.same(sums("model", now), []);
    t.same(sums("model", null), sums("model"));
    t.same(sums(["team", "model"]), [
      ["-", "small", 1_000n],
      ["-", "large", 100n],
      ["ml", "small", 11n],
    ]);
    t.same(sums(["model", "day"]), [
      ["large", "2026-11-21", 100n],
      ["small", "2026-11-21", 11n],
      ["small", "2026-11-22", 1_000n],
    ]);
    t.equal(store.requests.usage(["day", "team"], now)[0]?.name, "2026-11-21");
  },

  "decided requests come back as they were recorded, newest first, across pages": async (t, fresh) => {
    const { store, clock } = open(t, fresh);
    const key = store.accounts.createKey(newKey("made"));
    const full = accessRecord("full", {
      keyId: key.id,
      stream: true,
      shadowIds: ["s"],
      warningIds: ["w", "v"],
      unknown: ["price"],
      facts: '{"max":9}',
      costNanoUsd: 7,
    });
    store.requests.append(full);
    store.requests.append(accessRecord("undecided", { decision: null }));
    store.requests.append(accessRecord("old", { receivedMs: clock.nowMs() - 1 }));
    // Some share their millisecond, as the requests of a busy gateway do.
    for (let i = 0; i < 2_500; i += 1) {
      store.requests.append(accessRecord(`later ${i}`, { receivedMs: clock.nowMs() + 1 + Math.floor(i / 7) }));
    }
    await store.ledger.commit([]);
    const found = [...store.requests.decided(clock.nowMs())];
    const later = Array.from({ length: 2_500 }, (_, i) => `later ${i}`).reverse();
    t.same(
      found.map(({ id }) => id),
      [...later, "full"],
    );
    const { reservedNanoUsd, usage, outcome, responseBytes, firstByteMs, totalMs, ...kept } = full;
    t.strictSame(found.at(-1), { ...kept, keyCreatedMs: key.createdMs });
    t.equal(found[0]?.keyCreatedMs, null, "its key is not there");
    t.same(store.requests.find("full", full.receivedMs), found.at(-1));
    t.same(store.requests.find("full", null), found.at(-1));
    t.equal(store.requests.find("full", full.receivedMs + 1), null);
    t.equal(store.requests.find("undecided", null), null);
  },

  "rules' hits are counted by day, once a request, with the rows' transaction": async (t, fresh) => {
    const database = fresh(t);
    const { store, clock } = open(t, () => database);
    const day = 86_400_000;
    const hit = (receivedMs: number, more: Partial<AccessRecord>): void =>
      store.requests.append(accessRecord("r", { receivedMs, ruleIds: [], ...more }));
    hit(clock.nowMs(), { ruleIds: ["a", "b"] });
    hit(clock.nowMs() + 5, { ruleIds: ["a"], shadowIds: ["s"], warningIds: ["w"] });
    hit(clock.nowMs() + 3, { ruleIds: ["a"] });
    hit(clock.nowMs() + day, { ruleIds: ["a"] });
    hit(clock.nowMs(), { ruleIds: ["a"], countedIds: ["l"] });
    hit(clock.nowMs() + 1, { refusedById: "l", outcome: "not_sent" });
    t.equal(store.requests.ruleHits(0).size, 0, "not before they are written");
    await store.ledger.commit([]);
    hit(clock.nowMs(), { ruleIds: ["b"] });
    await store.ledger.commit([]);
    const now = clock.nowMs();
    const all = {
      a: { hits: 5, refused: 0, lastMs: now + day },
      b: { hits: 2, refused: 0, lastMs: now },
      l: { hits: 2, refused: 1, lastMs: now + 1 },
      s: { hits: 1, refused: 0, lastMs: now + 5 },
      w: { hits: 1, refused: 0, lastMs: now + 5 },
    };
    t.same(Object.fromEntries(store.requests.ruleHits(now + 3_600_000)), all, "a day counts whole");
    t.same(Object.fromEntries(store.requests.ruleHits(now + day)), { a: { hits: 1, refused: 0, lastMs: now + day } });
    hit(now, { ruleIds: ["lost"] });
    database.crash(store);
    const { store: next } = open(t, () => database, clock);
    t.same(Object.fromEntries(next.requests.ruleHits(0)), all);
  },

  "a row is written without a settlement too, and with those of its turn": async (t, fresh) => {
    const database = fresh(t);
    const { store, clock } = open(t, () => database);
    const { store: reader } = open(t, () => database, clock);
    store.requests.append(accessRecord("denied"));
    await committed();
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
      if (i % 7 === 0) await committed();
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
