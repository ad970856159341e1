// Faults at the n-th call, n = 1, 2, … until a run passes: whatever fails, the sums are right in the end.
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import { createLedger } from "../../src/ledger/engine.ts";
import type { Hold } from "../../src/ledger/ledger.ts";
import { openDatabase } from "../../src/store/sqlite/database.ts";
import { createSqliteStore } from "../../src/store/sqlite/open.ts";
import { type LedgerStore, type Store, StoreError } from "../../src/store/store.ts";
import { SqliteTestDatabase } from "../store/sqlite-database.ts";
import { committed } from "../support/committed.ts";
import { FakeClock } from "./fake-clock.ts";
import { accessRecord, awake, limit, quota, type UniformLedger, uniform } from "./samples.ts";

const small = quota("budget:small", 900n, "total");
const large = quota("budget:large", 10_000n, "total");
const rate = limit("tokens", 100_000n, { kind: "sliding", durationMs: 60_000 }, "rule:rate");
const slots = limit("concurrent", 10_000n, { kind: "none" }, "rule:slots");
const clock = new FakeClock();

/** Throws at the n-th call that passes it. */
class Fault {
  #calls = 0;
  readonly #at: number;
  readonly #error: Error;

  constructor(at: number, error: Error) {
    this.#at = at;
    this.#error = error;
  }

  pass(): void {
    this.#calls += 1;
    if (this.#calls === this.#at) throw this.#error;
  }

  get hasStruck(): boolean {
    return this.#calls >= this.#at;
  }
}

t.test("any call of the store may throw: the engine is left as it was, and the call can be made again", async (t) => {
  for (let n = 1; ; n += 1) {
    const fault = new Fault(n, new StoreError("unavailable", "injected"));
    const store = new SqliteTestDatabase(t).open({ clock });
    const ledger = uniform(createLedger({ store: faulty(store.ledger, fault), clock, timeZone: "UTC" }));
    const spent = await work(ledger, store);
    await check(t, store, ledger, spent, `fault at call ${n}`);
    await store.close();
    if (!fault.hasStruck) break;
    if (n > 1_000) throw new Error("the work never passes");
  }
});

t.test("any statement may fail: the transaction is undone whole and written once", async (t) => {
  for (let n = 1; ; n += 1) {
    const error = new Database.SqliteError("disk I/O error (injected)", "SQLITE_IOERR_WRITE");
    const database = new SqliteTestDatabase(t);
    const db = openDatabase(database.path, "normal");
    const fault = { current: new Fault(0, error) };
    const store = createSqliteStore(failing(db, fault), { clock });
    fault.current = new Fault(n, error);
    const ledger = uniform(createLedger({ store: store.ledger, clock, timeZone: "UTC" }));
    const spent = await work(ledger, store);
    const { hasStruck } = fault.current;
    fault.current = new Fault(0, error);
    await again(() => store.ledger.probe());
    await check(t, store, ledger, spent, `fault at statement ${n}`);
    await store.close();
    if (!hasStruck) break;
    if (n > 1_000) throw new Error("the work never passes");
  }
});

/** Reserves and settles a little of everything; what throws is tried again. Resolves with what was spent. */
async function work(ledger: UniformLedger, store: Store): Promise<{ small: number; large: number }> {
  const spent = { small: 0, large: 0 };
  const holds: { hold: Hold; isSmall: boolean }[] = [];
  for (let i = 0; i < 12; i += 1) {
    const isSmall = i % 3 !== 0;
    const answer = await again(() => ledger.reserve(isSmall ? [large, rate, small, slots] : [large, rate], 100));
    if (answer.ok) holds.push({ hold: answer.hold, isSmall });
    if (i % 4 === 3) await again(() => ledger.releaseIdle());
    if (i % 2 === 0) continue;
    const [next] = holds.splice(0, 1);
    if (next === undefined) continue;
    const actual = i * 15;
    await again(() => void ledger.settle(next.hold, actual));
    store.requests.append(accessRecord(String(i), { costNanoUsd: actual }));
    spent.large += actual;
    if (next.isSmall) spent.small += actual;
    if (i % 5 === 0) await committed();
  }
  for (const { hold } of holds) await again(() => void ledger.settle(hold, 0));
  return spent;
}

async function again<T>(call: () => T): Promise<T> {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      await new Promise((done) => setTimeout(done, 2));
    }
  }
}

async function check(
  t: Test,
  store: Store,
  ledger: UniformLedger,
  spent: { small: number; large: number },
  name: string,
): Promise<void> {
  await again(() => ledger.releaseIdle());
  await again(() => ledger.releaseIdle());
  await awake(store.ledger.commit([]));
  const found = [small, large].map(({ id }) => {
    const state = store.ledger.counter({ quota: id, window: "total" });
    return [state.spent, state.unaccounted, state.leased];
  });
  const uses = store.ledger.uses(rate.id, { from: "", to: "~" }).map(({ taken }) => taken);
  const held = store.ledger.uses(slots.id, { from: "", to: "~" });
  const rows = store.requests.usage("key", 0)[0]?.costNanoUsd;
  t.same(
    { found, uses, held, rows, open: ledger.holdsOpen },
    {
      found: [
        [BigInt(spent.small), 0n, 0n],
        [BigInt(spent.large), 0n, 0n],
      ],
      uses: [BigInt(spent.large)],
      held: [],
      rows: BigInt(spent.large),
      open: 0,
    },
    name,
  );
}

function faulty(store: LedgerStore, fault: Fault): LedgerStore {
  return {
    lease: (wishes) => {
      fault.pass();
      return store.lease(wishes);
    },
    commit: (changes) => {
      fault.pass();
      return store.commit(changes);
    },
    probe: () => {
      fault.pass();
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

/** The connection with statements that pass the fault before they run. BEGIN and COMMIT are the library's own. */
function failing(db: Database.Database, fault: { current: Fault }): Database.Database {
  const prepare = (sql: string) => {
    const statement = db.prepare(sql);
    for (const method of ["run", "get", "all"] as const) {
      const original = statement[method].bind(statement) as (...values: unknown[]) => unknown;
      Object.defineProperty(statement, method, {
        value: (...values: unknown[]) => {
          fault.current.pass();
          return original(...values);
        },
      });
    }
    return statement;
  };
  return new Proxy(db, {
    get(target, name) {
      if (name === "prepare") return prepare;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
