// Random histories on one and two processes, with crashes, clock steps and limit changes, against a model of the ledger.
import fc from "fast-check";
import t, { type Test } from "tap";
import { createLedger } from "../../src/ledger/engine.ts";
import { everyWindowAt, IN_FLIGHT } from "../../src/ledger/fixed-windows.ts";
import type { Hold, Quota } from "../../src/ledger/ledger.ts";
import { SteadyClock } from "../../src/ledger/steady-clock.ts";
import { type Window, windowAt } from "../../src/ledger/windows.ts";
import type { Store } from "../../src/store/store.ts";
import { SqliteTestDatabase } from "../store/sqlite-database.ts";
import { committed } from "../support/committed.ts";
import { FakeClock } from "./fake-clock.ts";
import { accessRecord, type UniformLedger, uniform } from "./samples.ts";

const RUNS = 120;
const DAY_MS = 86_400_000;
const EVERY_MS = DAY_MS / 4;
const QUOTAS = [
  { id: "budget:day", unit: "nano-usd", window: "day" },
  { id: "rule:month", unit: "tokens", window: { kind: "calendar", period: "month", zone: "America/Santiago" } },
  { id: "budget:total", unit: "nano-usd", window: "total" },
  { id: "rule:every", unit: "requests", window: { kind: "every", durationMs: EVERY_MS } },
  { id: "rule:slots", unit: "concurrent", window: { kind: "none" } },
] as const;
type QuotaIndex = 0 | 1 | 2 | 3 | 4;

type Step =
  | { do: "reserve"; process: number; quotas: QuotaIndex[]; amount: number }
  | { do: "settle"; pick: number; actual: number }
  | { do: "turn" }
  | { do: "second"; process: number }
  | { do: "crash"; process: number }
  | { do: "reverse"; process: number }
  | { do: "reset"; quota: QuotaIndex }
  | { do: "step clock"; days: number }
  | { do: "limit"; quota: QuotaIndex; limit: number };

const which = fc.constantFrom<QuotaIndex>(0, 1, 2, 3, 4);
const process = fc.nat(1);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        do: fc.constant("reserve" as const),
        process,
        quotas: fc.uniqueArray(which, { minLength: 1, maxLength: 4 }),
        amount: fc.oneof(fc.nat(60), fc.constantFrom(0, 1, 1_000)),
      }),
    },
    { weight: 8, arbitrary: fc.record({ do: fc.constant("settle" as const), pick: fc.nat(), actual: fc.nat(90) }) },
    { weight: 3, arbitrary: fc.constant({ do: "turn" as const }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("second" as const), process }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), process }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("reverse" as const), process }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("reset" as const), quota: which }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("step clock" as const), days: fc.constantFrom(-40, -1, 0.4, 1) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("limit" as const), quota: which, limit: fc.nat(1_500) }) },
  ),
  { minLength: 20, maxLength: 80 },
);

interface OpenHold {
  readonly hold: Hold;
  readonly owner: Process;
  readonly counters: readonly ModelCounter[];
}

interface Process {
  store: Store;
  ledger: UniformLedger;
  /** Newest window seen, by kind: an engine stays in it while the clock is back by up to a day or a window's length. */
  windows: Map<Quota["window"], Window>;
  /** Settled, but not yet known to be on disk. */
  readonly queued: Set<{ readonly counters: readonly ModelCounter[]; readonly actual: number }>;
}

/** What one counter must hold. */
interface ModelCounter {
  readonly quota: string;
  readonly window: string;
  /** The database may forget it from then on. */
  readonly expiresMs: number | null;
  spent: number;
  unaccounted: number;
  /** As it was last asked for. */
  limit: number;
  /** Something was taken off that the engine does not know of. */
  isApart: boolean;
  /** What each process posted beyond its holds: others may not know of it while they spend what they leased before. */
  readonly overruns: Map<Process, number>;
}

class Model {
  readonly clock = new FakeClock();
  readonly steady = new SteadyClock(this.clock);
  readonly limits: [number, number, number, number, number] = [500, 700, 1_000, 400, 300];
  /** How often each was reset: it then goes by another id, as a budget does. */
  readonly resets: [number, number, number, number, number] = [0, 0, 0, 0, 0];
  readonly counters = new Map<string, ModelCounter>();
  readonly processes: Process[];
  readonly #database: SqliteTestDatabase;
  holds: OpenHold[] = [];

  constructor(t: Test, processes: number) {
    this.#database = new SqliteTestDatabase(t);
    this.processes = Array.from({ length: processes }, () => this.#start());
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case "reserve":
        return this.#reserve(this.#process(step.process), step.quotas, step.amount);
      case "settle":
        return this.#settle(step.pick, step.actual);
      case "turn":
        return await this.turn();
      case "second":
        return await this.#second(this.#process(step.process));
      case "crash":
        return await this.#crash(step.process % this.processes.length);
      case "reverse":
        return this.#reverse(this.#process(step.process));
      case "reset":
        this.resets[step.quota] += 1;
        return;
      case "step clock":
        return await this.#stepClock(step.days * DAY_MS);
      case "limit":
        this.limits[step.quota] = step.limit;
    }
  }

  /** The end of a turn: all that was settled in it is on disk, and every counter is what it must be. */
  async turn(): Promise<void> {
    await committed();
    for (const one of this.processes) equal(one.queued.size, 0, "settlements not on disk after their turn");
    for (const counter of this.counters.values()) {
      const state = this.#state(counter);
      equal(Number(state.spent), counter.spent, `${counter.quota} ${counter.window} spent`);
      equal(Number(state.unaccounted), counter.unaccounted, `${counter.quota} ${counter.window} unaccounted`);
      const held = sum(this.holds.filter((open) => open.counters.includes(counter)).map((open) => amountOf(open)));
      if (Number(state.leased) < held) throw new Error(`${counter.quota}: leased ${state.leased}, held ${held}`);
    }
    for (const open of this.holds) this.#checkStanding(open);
  }

  /**
   * Of one process: spent + reserved + free = limit, in the window that the hold is charged to. What was taken off behind
   * the engine's back it learns when it next asks: until then it says less.
   */
  #checkStanding({ hold, owner, counters }: OpenHold): void {
    if (this.processes.length > 1) return;
    for (const [i, counter] of counters.entries()) {
      const { remaining } = owner.ledger.standing(hold, i);
      const free = Math.max(0, counter.limit - this.#taken(counter, owner));
      if (!counter.isApart) equal(remaining, free, `${counter.quota}: free`);
      else if (remaining > free) throw new Error(`${counter.quota}: says that ${remaining} is free, ${free} is`);
    }
  }

  /** Settles what is open and closes all: nothing is leased, and the rows sum to what was spent. */
  async end(): Promise<void> {
    while (this.holds.length > 0) this.#settle(0, 1);
    await this.turn();
    await Promise.all(this.processes.map((one) => one.store.close()));
    this.processes.splice(0, this.processes.length, this.#start());
    for (const counter of this.#expired()) {
      if (this.#state(counter).spent === 0n) Object.assign(counter, { spent: 0, unaccounted: 0 });
    }
    await this.turn();
    for (const counter of this.counters.values())
      equal(Number(this.#state(counter).leased), 0, `${counter.quota} leased`);
    await this.processes[0]?.store.close();
  }

  async abandon(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.store.close().catch(() => undefined)));
  }

  #reserve(one: Process, indexes: readonly QuotaIndex[], amount: number): void {
    const quotas = indexes.map((i) => ({
      ...QUOTAS[i],
      id: `${QUOTAS[i].id}/${this.resets[i]}`,
      label: QUOTAS[i].id,
      limit: BigInt(this.limits[i]),
    }));
    const counters = quotas.map((each) => this.#counterNow(one, each));
    const answer = one.ledger.reserve(quotas, amount);
    if (answer.ok) {
      const limits = quotas.map((each) => Number(each.limit));
      const isBeyond = counters.some((counter, i) => this.#taken(counter, one) + amount > (limits[i] ?? 0));
      if (amount > 0 && isBeyond) throw new Error(`granted ${amount} beyond a limit`);
      this.holds.push({ hold: answer.hold, owner: one, counters });
      return;
    }
    const { spent, reserved } = answer.refusal;
    const by = answer.refusal.need.quota;
    if (spent + reserved + BigInt(amount) <= by.limit) throw new Error(`refused ${amount} although it fits`);
    const refusing = counters[quotas.findIndex((each) => each.id === by.id)];
    if (this.processes.length > 1 || refusing === undefined) return;
    equal(Number(spent + reserved), this.#taken(refusing, one), `${by.id}: spent and reserved in the refusal`);
  }

  #settle(pick: number, actual: number): void {
    const [open] = this.holds.splice(pick % Math.max(this.holds.length, 1), 1);
    if (open === undefined) return;
    const { store, ledger, queued } = open.owner;
    const settlement = { counters: open.counters, actual };
    queued.add(settlement);
    const written = ledger.settle(open.hold, actual);
    written.then(() => queued.delete(settlement)).catch(() => undefined);
    store.requests.append(accessRecord("x", { costNanoUsd: actual }));
    const overrun = Math.max(0, actual - amountOf(open));
    for (const counter of open.counters.filter(isSpent)) {
      counter.spent += actual;
      counter.overruns.set(open.owner, (counter.overruns.get(open.owner) ?? 0) + overrun);
    }
  }

  /** Nothing is queued while it runs, so that what the database forgets can be told from what is not there yet. */
  async #second({ store, ledger }: Process): Promise<void> {
    await committed();
    this.clock.advance(100);
    store.ledger.heartbeat();
    this.#mayForget(() => ledger.releaseIdle());
  }

  /** Every process sees that the clock was set before it is set again. */
  async #stepClock(ms: number): Promise<void> {
    await committed();
    this.clock.stepWall(ms);
    this.steady.nowMs();
    for (const { ledger } of this.processes) this.#mayForget(() => ledger.releaseIdle());
  }

  /** What the database forgets of counters that have expired, the model forgets. */
  #mayForget(work: () => void): void {
    const counters = this.#expired();
    const before = counters.map((counter) => this.#state(counter));
    work();
    for (const [i, counter] of counters.entries()) {
      if (this.#state(counter).spent !== 0n) continue;
      counter.isApart = true;
      counter.spent -= Number(before[i]?.spent ?? 0n);
      counter.unaccounted -= Number(before[i]?.unaccounted ?? 0n);
    }
  }

  #expired(): readonly ModelCounter[] {
    const nowMs = this.steady.nowMs();
    return [...this.counters.values()].filter(({ expiresMs }) => expiresMs !== null && expiresMs <= nowMs);
  }

  /** One process is killed and another started; once the dead one has been silent for long its leases are charged. */
  async #crash(index: number): Promise<void> {
    const dead = this.#process(index);
    this.#mayForget(() => {
      this.#database.crash(dead.store);
      this.processes[index] = this.#start();
    });
    for (const { counters, actual } of dead.queued) {
      for (const counter of counters.filter(isSpent)) counter.spent -= actual;
    }
    const lost = this.holds.filter((open) => open.owner === dead);
    this.holds = this.holds.filter((open) => open.owner !== dead);
    for (const counter of this.counters.values()) if (this.processes.length === 1) counter.overruns.clear();
    for (let second = 0; second < 16; second += 1) {
      for (const { store } of this.processes) store.ledger.heartbeat();
      this.clock.advance(1_000);
    }
    for (const { store } of this.processes) store.ledger.heartbeat();
    await committed();
    for (const counter of this.counters.values()) this.#accept(counter, lost);
  }

  /** What was charged for dead processes is taken off, once; what the database has forgotten is not there to take. */
  #reverse({ store }: Process): void {
    for (const { recovery, amount } of store.ledger.reverse("all", { actor: "model", reason: null }) ?? []) {
      const counter = this.counters.get(`${recovery.quota} ${recovery.window}`);
      if (counter === undefined) throw new Error(`charged to ${recovery.quota}, which nobody used`);
      const taken = Math.min(Number(amount), counter.unaccounted);
      counter.spent -= taken;
      counter.unaccounted -= taken;
      counter.isApart = true;
    }
    // A refusal is believed for as long.
    this.clock.advance(100);
    equal(store.ledger.reverse("all", { actor: "model", reason: null })?.length ?? -1, 0, "reversed twice");
  }

  /** The charge must cover what was in flight; how much slack came with it is the engine's affair. */
  #accept(counter: ModelCounter, lost: readonly OpenHold[]): void {
    const charged = Number(this.#state(counter).unaccounted) - counter.unaccounted;
    if (!isSpent(counter)) {
      equal(charged, 0, `${counter.quota}: charged for slots`);
      return;
    }
    const held = sum(lost.filter((open) => open.counters.includes(counter)).map((open) => amountOf(open)));
    if (charged < held) throw new Error(`${counter.quota}: held ${held}, charged only ${charged}`);
    counter.unaccounted += charged;
    counter.spent += charged;
  }

  /** Spent and held, as far as that process can know. */
  #taken(counter: ModelCounter, by: Process): number {
    const held = this.holds.filter((open) => open.counters.includes(counter)).map((open) => amountOf(open));
    const unknown = [...counter.overruns].filter(([process]) => process !== by).map(([, amount]) => amount);
    return counter.spent + sum(held) - sum(unknown);
  }

  #counterNow(one: Process, { id, limit, window: kind }: Quota): ModelCounter {
    const nowMs = (id.startsWith("rule:every") ? this.steady : this.clock).nowMs();
    let window = one.windows.get(kind);
    if (window === undefined || nowMs >= window.endMs || nowMs < window.startMs - DAY_MS) {
      window = windowOf(kind, nowMs);
      one.windows.set(kind, window);
    }
    const key = `${id} ${window.index}`;
    const counter = this.counters.get(key) ?? {
      quota: id,
      window: window.index,
      expiresMs: window.expiresMs,
      spent: 0,
      unaccounted: 0,
      limit: 0,
      isApart: false,
      overruns: new Map(),
    };
    counter.limit = Number(limit);
    this.counters.set(key, counter);
    return counter;
  }

  #state(counter: ModelCounter) {
    return this.#process(0).store.ledger.counter(counter);
  }

  #process(index: number): Process {
    const one = this.processes[index % this.processes.length];
    if (one === undefined) throw new Error("no process");
    return one;
  }

  #start(): Process {
    const store = this.#database.open({ clock: this.clock });
    const ledger = uniform(createLedger({ store: store.ledger, clock: this.clock, timeZone: "UTC" }));
    return { store, ledger, windows: new Map(), queued: new Set() };
  }
}

function windowOf(kind: Quota["window"], nowMs: number): Window {
  if (typeof kind === "string") return windowAt(kind, nowMs, "UTC");
  if (kind.kind === "calendar") return windowAt(kind.period, nowMs, kind.zone);
  return kind.kind === "every" ? everyWindowAt(kind.durationMs, nowMs) : IN_FLIGHT;
}

/** False for what is only in flight. */
function isSpent({ window }: ModelCounter): boolean {
  return window !== IN_FLIGHT.index;
}

/** Held in each of its quotas. */
function amountOf({ hold }: OpenHold): number {
  return hold.needs[0]?.amount ?? 0;
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}

function equal(found: number, wanted: number, what: string): void {
  if (found !== wanted) throw new Error(`${what}: ${found}, should be ${wanted}`);
}

for (const processes of [1, 2]) {
  t.test(`the ledger is what the model says, with ${processes} process(es) on one file`, async (t) => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const model = new Model(t, processes);
        try {
          for (const step of history) await model.run(step);
          await model.end();
        } finally {
          await model.abandon();
        }
      }),
      { numRuns: RUNS },
    );
    t.pass(`${RUNS} histories`);
  });
}
