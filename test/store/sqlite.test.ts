// What is SQLite's own: opening files, and databases that are locked, full or broken.
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import { openDatabase } from "../../src/store/sqlite/database.ts";
import { BEFORE_ACCOUNT_MODEL, migrate } from "../../src/store/sqlite/migrations.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import { type Store, StoreError, type StoreEvent } from "../../src/store/store.ts";
import { FakeClock } from "../ledger/fake-clock.ts";
import { accessRecord, awake, newKey } from "../ledger/samples.ts";
import { committed } from "../support/committed.ts";
import { SqliteTestDatabase } from "./sqlite-database.ts";

const counter = { quota: "budget:a", window: "2026-11" };
const clock = new FakeClock();

t.test("a new database can be read by its owner only, the WAL files too", async (t) => {
  const path = join(t.testdir(), "tollgate.db");
  const store = openSqlite({ path, clock });
  store.accounts.createTeam("ml");
  for (const suffix of ["", "-wal", "-shm"]) t.equal(statSync(path + suffix).mode & 0o777, 0o600, `.db${suffix}`);
  await store.close();
  const again = openSqlite({ path, clock });
  t.ok(again.accounts.hasName("team", "ml"));
  await again.close();
});

t.test(
  "keys, teams and organisations of a database from before the account model are all there after it",
  async (t) => {
    const path = join(t.testdir(), "tollgate.db");
    const old = new Database(path);
    old.pragma("foreign_keys = ON");
    migrate(old, BEFORE_ACCOUNT_MODEL);
    old.exec(`
    INSERT INTO organizations (id, alias, created_ms, rules) VALUES ('org_1', 'acme', 1, 'deny');
    INSERT INTO teams (id, alias, created_ms, org_id) VALUES ('team_2', 'ops', 2, NULL), ('team_1', 'ml', 3, 'org_1');
    INSERT INTO keys (id, alias, hash, prefix, last_four, status, team_id, user_alias, roles, tags, created_ms, expires_ms)
      VALUES ('key_2', 'b', x'02', 'sk-b', 'bbbb', 'disabled', NULL, 'ann', '["r"]', '[]', 4, 9),
        ('key_1', 'a', x'01', 'sk-a', 'aaaa', 'active', 'team_1', 'ann', '[]', '["t"]', 5, NULL);
    INSERT INTO budgets (id, scope, subject_id, win, limit_nano_usd) VALUES ('bud_1', 'team', 'team_1', 'month', 5);`);
    old.close();
    const store = openSqlite({ path, clock });
    t.teardown(() => store.close());
    t.same(
      (await store.directory.list("key", { limit: 9 })).items.map(({ id, fields }) => [
        id,
        ...[fields.status, fields.teamId, fields.expiresMs],
      ]),
      [
        ["key_2", "disabled", null, 9],
        ["key_1", "active", "team_1", null],
      ],
    );
    t.match(store.accounts.findKey(Buffer.from([1]))?.principal, {
      ...{ team: { alias: "ml" }, org: { alias: "acme" }, user: { id: "ann", alias: "ann" }, tags: ["t"] },
      ...{ budgets: [{ id: "bud_1", limitNanoUsd: 5n }], rules: [{ scope: "org", text: "deny" }] },
    });
    t.match(await store.directory.get("user", "ann"), { createdMs: 4, fields: { role: "internal_user" } });
    store.accounts.createKey(newKey("c", { teamAlias: "ops" }));
    t.match(store.accounts.getKey("c").principal.team, { alias: "ops" }, "and references hold");
  },
);

t.test("durability is what was asked for", async (t) => {
  const dir = t.testdir();
  for (const [durability, synchronous] of [
    ["normal", 1],
    ["full", 2],
  ] as const) {
    const db = openDatabase(join(dir, `${durability}.db`), durability);
    t.equal(db.pragma("synchronous", { simple: true }), synchronous);
    t.equal(db.pragma("journal_mode", { simple: true }), "wal");
    db.close();
  }
});

t.test("a database of the first version is brought up to date, and what was in it stays", async (t) => {
  const path = join(t.testdir(), "tollgate.db");
  const old = new Database(path);
  old.exec(readFileSync(join(import.meta.dirname, "version-1.sql"), "utf8"));
  old.close();
  const store = openSqlite({ path, clock });
  const { accounts } = store;
  t.match(accounts.getKey("demo"), { principal: { key: { id: "key_old" }, team: { id: "team_old" }, org: null } });
  accounts.setRules("team", "ml", "deny when stream\n");
  t.match(accounts.findKey(Buffer.from([0]))?.principal.rules, [{ scope: "team", subject: { id: "team_old" } }]);
  t.equal(accounts.revision(), 4);
  await store.close();
  await openSqlite({ path, clock }).close();
});

t.test("what cannot be opened is refused with a sentence that says why", async (t) => {
  const dir = t.testdir();
  mkdirSync(join(dir, "folder.db"));
  writeFileSync(join(dir, "text.db"), "not a database, but long enough to be looked at ".repeat(20));
  writeFileSync(join(dir, "file"), "");
  const foreign = new Database(join(dir, "foreign.db"));
  foreign.exec("CREATE TABLE theirs (x)");
  foreign.close();
  const newer = openDatabase(join(dir, "newer.db"), "normal");
  newer.pragma("user_version = 999");
  newer.close();
  const cases = [
    ["missing/tollgate.db", /directory .*missing does not exist/],
    ["file/tollgate.db", /directory .*file does not exist/],
    ["folder.db", /folder.db cannot be written: it is a directory/],
    ["text.db", /text.db cannot be opened as a database: it is not an SQLite database/],
    ["foreign.db", /foreign.db is an SQLite database, but not one of Tollgate's/],
    ["newer.db", /written by a newer Tollgate .*version 999/],
  ] as const;
  for (const [name, message] of cases) {
    t.throws(() => openSqlite({ path: join(dir, name), clock }), { code: "cannot_open", message }, name);
  }
  t.throws(() => openSqlite({ path: ":memory:", clock }), { code: "cannot_open" });
  const check = new Database(join(dir, "foreign.db"));
  t.equal(check.pragma("user_version", { simple: true }), 0, "a foreign database is left as it was");
  check.close();
});

t.test(
  "a database of the first version is brought up to date, and its rows' rule hits and costs are counted",
  async (t) => {
    const path = join(t.testdir(), "old.db");
    const { receivedMs } = accessRecord("1");
    const old = new Database(path);
    old.exec(readFileSync(join(import.meta.dirname, "version-1.sql"), "utf8"));
    const row = old.prepare(
      "INSERT INTO requests (id, received_ms, decision, rule_ids, shadow_ids) VALUES (?, ?, 'allow', ?, ?)",
    );
    row.run("1", receivedMs, '["a","b"]', '["s"]');
    row.run("2", receivedMs + 60_000, '["a"]', null);
    row.run("3", receivedMs, null, null);
    old.exec("UPDATE requests SET key_id = 'k', cost_nano_usd = 5");
    old.close();
    const next = openSqlite({ path, clock });
    t.teardown(() => next.close());
    t.strictSame([...next.requests.ruleHits(0)].sort(), [
      ["a", { hits: 2, refused: 0, lastMs: receivedMs + 60_000 }],
      ["b", { hits: 1, refused: 0, lastMs: receivedMs }],
      ["s", { hits: 1, refused: 0, lastMs: receivedMs }],
    ]);
    t.same([...next.requests.spend("key", ["k"])], [["k", 15n]]);
    t.match(next.requests.find("1", receivedMs), { facts: null, rulesHash: null, warningIds: [], ruleIds: ["a", "b"] });
  },
);

t.test("an existing file keeps its mode", async (t) => {
  const path = join(t.testdir({ "tollgate.db": "" }), "tollgate.db");
  chmodSync(path, 0o640);
  await openSqlite({ path, clock }).close();
  t.equal(statSync(path).mode & 0o777, 0o640);
});

t.test(
  "a locked database is unavailable within the busy time-out, then recovers and has all that was queued",
  async (t) => {
    const { store, locker, events } = lockable(t, { busyTimeoutMs: 60 });
    const written = store.ledger.commit([{ ...counter, spend: 5, release: 0 }]);
    store.requests.append(accessRecord("1", { costNanoUsd: 5 }));
    locker.exec("BEGIN IMMEDIATE");
    const startMs = performance.now();
    t.throws(() => store.ledger.lease([{ ...counter, need: 1, want: 1, limit: 10n }]), { code: "unavailable" });
    const waitedMs = performance.now() - startMs;
    t.ok(waitedMs >= 40 && waitedMs < 1_000, `waited ${waitedMs} ms`);
    const againMs = performance.now();
    for (let i = 0; i < 100; i += 1) {
      t.throws(() => store.ledger.probe(), StoreError) || t.bailout();
      store.ledger.heartbeat();
    }
    t.ok(performance.now() - againMs < 40, "while it fails nobody waits");
    const more = store.ledger.commit([{ ...counter, spend: 2, release: 0 }]);
    t.equal(store.requests.usage("key", 0).length, 0, "reads go on");
    locker.exec("ROLLBACK");
    await awake(Promise.all([written, more]));
    store.ledger.probe();
    t.match(store.ledger.counter(counter), { spent: 7n });
    t.equal(store.requests.usage("key", 0)[0]?.requests, 1);
    t.same(
      events.map((event) => event.kind),
      ["unavailable", "available"],
    );
  },
);

t.test(
  "a settlement that is not through within the commit time-out says so, and is written all the same",
  async (t) => {
    const { store, locker } = lockable(t, { busyTimeoutMs: 1, commitTimeoutMs: 50 });
    locker.exec("BEGIN IMMEDIATE");
    const written = store.ledger.commit([{ ...counter, spend: 5, release: 0 }]);
    await t.rejects(awake(written), { code: "unavailable" });
    const ignored = store.ledger.commit([{ ...counter, spend: 1, release: 0 }]);
    await t.rejects(awake(ignored), { code: "unavailable" });
    locker.exec("ROLLBACK");
    await writable(store);
    t.match(store.ledger.counter(counter), { spent: 6n }, "once each");
  },
);

t.test(
  "a close that cannot write gives up after the commit time-out, and leaves the leases to be charged",
  async (t) => {
    const { store, locker, database } = lockable(t, { busyTimeoutMs: 1, commitTimeoutMs: 60 });
    store.ledger.lease([{ ...counter, need: 9, want: 9, limit: 10n }]);
    locker.exec("BEGIN IMMEDIATE");
    const written = store.ledger.commit([{ ...counter, spend: 5, release: 5 }]);
    await t.rejects(store.close(), { code: "unavailable" });
    await t.rejects(awake(written), { code: "unavailable" });
    locker.exec("ROLLBACK");
    const next = database.open({ clock });
    t.match(next.ledger.counter(counter), { spent: 0n, leased: 9n });
    await next.close();
  },
);

t.test("a process that only read closes without a write, so a locked database does not hold it up", async (t) => {
  const { database, locker } = lockable(t, {});
  const reader = database.open({ clock });
  reader.requests.usage("key", 0);
  locker.exec("BEGIN IMMEDIATE");
  const startMs = performance.now();
  await reader.close();
  t.ok(performance.now() - startMs < 200);
  locker.exec("ROLLBACK");
});

t.test("a full database is unavailable; what was queued is written once when there is space", async (t) => {
  const { store, database, events } = lockable(t, {});
  const db = database.connection(store);
  const pages = Number(db.pragma("page_count", { simple: true }));
  const long = { path: "x".repeat(3_000), costNanoUsd: 1 };
  store.ledger.lease([{ ...counter, need: 50, want: 50, limit: 100n }]);
  db.pragma(`max_page_count = ${pages + 5}`);
  const written: Promise<void>[] = [];
  for (let i = 0; i < 50; i += 1) {
    written.push(store.ledger.commit([{ ...counter, spend: 1, release: 1 }]));
    store.requests.append(accessRecord(String(i), long));
    if (i % 2 === 0) await committed();
  }
  t.throws(() => store.ledger.probe(), { code: "unavailable", message: /no space left/ });
  t.throws(() => store.ledger.lease([{ ...counter, need: 1, want: 1, limit: 100n }]), { code: "unavailable" });
  t.equal(events[0]?.kind, "unavailable");
  const half = store.ledger.counter(counter);
  t.ok(half.spent < 50n, `${half.spent} of 50 were written before it was full`);
  t.equal(half.spent + half.leased, 50n);
  db.pragma("max_page_count = 1000000");
  await awake(Promise.all(written));
  t.match(store.ledger.counter(counter), { spent: 50n, leased: 0n });
  t.match(store.requests.usage("key", 0), [{ requests: 50, costNanoUsd: 50n }]);
});

t.test(
  "while the database cannot be written, rows of refused requests are bounded and those with a cost kept",
  async (t) => {
    const { store, locker, events } = lockable(t, { busyTimeoutMs: 1 });
    locker.exec("BEGIN IMMEDIATE");
    for (let i = 0; i < 50_010; i += 1) store.requests.append(accessRecord("refused", { outcome: "not_sent" }));
    for (let i = 0; i < 3; i += 1) store.requests.append(accessRecord("served", { costNanoUsd: 1 }));
    await committed();
    locker.exec("ROLLBACK");
    await writable(store);
    t.match(events.at(-1), { kind: "rows_dropped", count: 10 });
    t.match(store.requests.usage("key", 0), [{ requests: 3, costNanoUsd: 3n }]);
  },
);

t.test("a locked or broken database refuses accounts too, as unavailable", async (t) => {
  const { store, locker, database } = lockable(t, { busyTimeoutMs: 1 });
  locker.exec("BEGIN IMMEDIATE");
  t.throws(() => store.accounts.createKey(newKey("demo")), { code: "unavailable", message: /locked/ });
  locker.exec("ROLLBACK");
  t.ok(store.accounts.createKey(newKey("demo")));
  database.connection(store).exec("DROP TABLE budgets");
  t.throws(() => store.accounts.findKey(newKey("demo").hash), { code: "unavailable" });
});

t.test("leases that are given back leave no rows behind", async (t) => {
  const { store, database } = lockable(t, {});
  const rows = database.connection(store).prepare("SELECT count(*) FROM leases").pluck();
  store.ledger.lease([{ ...counter, need: 1, want: 1, limit: 10n }]);
  store.ledger.lease([{ ...counter, quota: "budget:b", need: 1, want: 1, limit: 10n }]);
  await store.ledger.commit([{ ...counter, spend: 0, release: 1 }]);
  t.equal(rows.get(), 2);
  store.ledger.heartbeat();
  t.equal(rows.get(), 1);
});

t.test("a probe is proof for 100 ms, then it writes; a heartbeat sees a lost database", async (t) => {
  const own = new FakeClock();
  const { store, locker } = lockable(t, { busyTimeoutMs: 1, clock: own });
  store.ledger.probe();
  locker.exec("BEGIN IMMEDIATE");
  t.doesNotThrow(() => store.ledger.probe());
  own.advance(101);
  t.throws(() => store.ledger.probe(), { code: "unavailable" });
  locker.exec("ROLLBACK");
  await writable(store);
  locker.exec("BEGIN IMMEDIATE");
  store.ledger.heartbeat();
  t.throws(() => store.ledger.probe(), { code: "unavailable" });
  locker.exec("ROLLBACK");
});

interface Lockable {
  store: Store;
  database: SqliteTestDatabase;
  /** Another connection, to hold locks with. */
  locker: Database.Database;
  events: StoreEvent[];
}

function lockable(t: Test, options: { busyTimeoutMs?: number; commitTimeoutMs?: number; clock?: FakeClock }): Lockable {
  const database = new SqliteTestDatabase(t);
  const events: StoreEvent[] = [];
  const store = database.open({ clock, onEvent: (event) => events.push(event), ...options });
  const locker = new Database(database.path);
  t.teardown(async () => {
    locker.close();
    await store.close().catch(() => undefined);
  });
  return { store, database, locker, events };
}

/** Resolves once the store can be written again. */
async function writable(store: Store): Promise<void> {
  for (;;) {
    try {
      return store.ledger.probe();
    } catch {
      await new Promise((done) => setTimeout(done, 5));
    }
  }
}
