// Sliding windows: by brute force over everything that was admitted, no window holds more than the limit.
import fc from "fast-check";
import t, { type Test } from "tap";
import { createLedger } from "../../src/ledger/engine.ts";
import { slidingStepAt, startOfStep, stepFreedMs } from "../../src/ledger/fixed-windows.ts";
import type { Hold, Ledger, Quota } from "../../src/ledger/ledger.ts";
import type { Store } from "../../src/store/store.ts";
import { SqliteTestDatabase } from "../store/sqlite-database.ts";
import { committed } from "../support/committed.ts";
import { FakeClock } from "./fake-clock.ts";
import { limit } from "./samples.ts";

const RUNS = 120;
const WINDOW_MS = 60_000;
const STEP_MS = WINDOW_MS / 60;
const LIMIT = 100;
const sliding = { kind: "sliding", durationMs: WINDOW_MS } as const;
const tokens = limit("tokens", BigInt(LIMIT), sliding);

type Step =
  | { do: "reserve"; process: number; amount: number }
  | { do: "settle"; pick: number; part: number }
  | { do: "pass"; ms: number }
  | { do: "turn" }
  | { do: "second" }
  | { do: "set the clock"; ms: number }
  | { do: "crash"; process: number };

const process = fc.nat(1);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        do: fc.constant("reserve" as const),
        process,
        amount: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constantFrom(1, LIMIT)),
      }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant("settle" as const), pick: fc.nat(), part: fc.nat(4) }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("pass" as const),
        ms: fc.oneof(fc.nat(2 * STEP_MS), fc.nat(WINDOW_MS), fc.constantFrom(STEP_MS - 1, WINDOW_MS, 0.3)),
      }),
    },
    { weight: 3, arbitrary: fc.constant({ do: "turn" as const }) },
    { weight: 2, arbitrary: fc.constant({ do: "second" as const }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("set the clock" as const),
        ms: fc.constantFrom(-3_600_000, -30_000, 30_000, 3_600_000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), process }) },
  ),
  { minLength: 20, maxLength: 120 },
);

interface Process {
  readonly store: Store;
  readonly ledger: Ledger;
}

interface Admitted {
  readonly atMs: number;
  readonly owner: Process;
  hold: Hold | null;
  /** What it counts for: what was held, then what was used. */
  amount: number;
}

/** Everything that was ever admitted, on a clock that goes with the monotonic one and forward with the wall clock. */
class History {
  readonly clock = new FakeClock();
  readonly #database: SqliteTestDatabase;
  readonly #processes: Process[];
  readonly #admitted: Admitted[] = [];
  /** Until then what a dead process held may count beyond what was admitted. */
  #chargedUntilMs = 0;
  /** The furthest that the wall clock was set ahead of the monotonic one, and where it is now. */
  #aheadMs = 0;
  #offMs = 0;

  constructor(t: Test, processes: number) {
    this.#database = new SqliteTestDatabase(t);
    this.#processes = Array.from({ length: processes }, () => this.#start());
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case "reserve":
        return this.#reserve(step.process % this.#processes.length, step.amount);
      case "settle":
        return this.#settle(step.pick, step.part);
      case "pass":
        return this.clock.advance(step.ms);
      case "turn":
        return void (await committed());
      case "second":
        for (const { ledger, store } of this.#processes) {
          ledger.releaseIdle();
          store.ledger.heartbeat();
        }
        return;
      case "set the clock":
        this.#offMs += step.ms;
        this.#aheadMs = Math.max(this.#aheadMs, this.#offMs);
        this.clock.stepWall(step.ms);
        for (const { ledger } of this.#processes) ledger.releaseIdle();
        return;
      case "crash":
        return this.#crash(step.process % this.#processes.length);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map(({ store }) => store.close().catch(() => undefined)));
  }

  #reserve(index: number, amount: number): void {
    const owner = this.#processes[index] as Process;
    const answer = owner.ledger.reserve([{ quota: tokens, amount }]);
    const atMs = this.clock.monotonicMs() + this.#aheadMs;
    if (answer.ok) {
      this.#admitted.push({ atMs, owner, hold: answer.hold, amount });
      const inWindow = this.#usedSince(atMs - WINDOW_MS);
      if (inWindow > LIMIT) throw new Error(`${inWindow} in the window that ends at ${atMs}`);
      return;
    }
    // One process alone refuses only what does not fit, a step's worth of time included.
    if (this.#processes.length > 1 || atMs < this.#chargedUntilMs) return;
    const counted = this.#usedSince(atMs - WINDOW_MS - STEP_MS);
    if (counted + amount <= LIMIT) throw new Error(`refused ${amount} although only ${counted} is counted`);
    this.#checkAdvice(owner, amount, answer.refusal.fitsInMs);
  }

  /** When nothing else happens the request fits at the time that the refusal named. */
  #checkAdvice({ ledger }: Process, amount: number, fitsInMs: number | null): void {
    if (fitsInMs === null) throw new Error("no time was named");
    if (fitsInMs > WINDOW_MS + STEP_MS) throw new Error(`${fitsInMs} ms is more than the window`);
    this.clock.advance(fitsInMs);
    const answer = ledger.reserve([{ quota: tokens, amount }]);
    if (!answer.ok) throw new Error(`${amount} did not fit after ${fitsInMs} ms`);
    ledger.settle(answer.hold, null);
  }

  #settle(pick: number, part: number): void {
    const open = this.#admitted.filter(({ hold }) => hold !== null);
    const one = open[pick % Math.max(open.length, 1)];
    if (one?.hold == null) return;
    one.amount = Math.floor((one.amount * part) / 4);
    one.owner.ledger.settle(one.hold, [one.amount]);
    one.hold = null;
  }

  /** What was in flight may have been used in full: it stays in the history as it is. */
  #crash(index: number): void {
    const dead = this.#processes[index] as Process;
    // As every process does each second: the one that starts now begins where the others are.
    for (const { ledger } of this.#processes) ledger.releaseIdle();
    this.#database.crash(dead.store);
    for (const one of this.#admitted) if (one.owner === dead) one.hold = null;
    this.#processes[index] = this.#start();
    this.#chargedUntilMs = Infinity;
  }

  #usedSince(sinceMs: number): number {
    return this.#admitted.filter(({ atMs }) => atMs > sinceMs).reduce((sum, { amount }) => sum + amount, 0);
  }

  #start(): Process {
    const store = this.#database.open({ clock: this.clock });
    return { store, ledger: createLedger({ store: store.ledger, clock: this.clock, timeZone: "UTC" }) };
  }
}

for (const processes of [1, 2]) {
  t.test(`no window of the length holds more than the limit, with ${processes} process(es)`, async (t) => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const model = new History(t, processes);
        try {
          for (const step of history) await model.run(step);
        } finally {
          await model.close();
        }
      }),
      { numRuns: RUNS },
    );
    t.pass(`${RUNS} histories`);
  });
}

t.test(
  "steps follow each other without gap, and their use counts for the window and at most a step more",
  async (t) => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.constantFrom(1_000, 60_000, 3_600_000, 30 * 86_400_000)),
        fc.integer({ min: 0, max: 4e12 }),
        (durationMs, atMs) => {
          const step = slidingStepAt(durationMs, atMs);
          const next = slidingStepAt(durationMs, step.endMs);
          const isIn = step.startMs <= atMs && atMs < step.endMs && next.startMs === step.endMs;
          const isLong = (step.freedMs ?? 0) - (step.endMs - 1) >= durationMs;
          const isShort = (step.freedMs ?? 0) - step.startMs <= durationMs + durationMs / 60 + 1;
          const isNamed =
            stepFreedMs(durationMs, step.index) === step.freedMs &&
            startOfStep(durationMs, step.index) === step.startMs;
          return isIn && isLong && isShort && isNamed && step.index < next.index;
        },
      ),
    );
    t.pass("for windows of a millisecond to a month");
  },
);

function start(t: Test, database = new SqliteTestDatabase(t), clock = new FakeClock()) {
  const store = database.open({ clock });
  t.teardown(() => store.close().catch(() => undefined));
  return { database, clock, store, ledger: createLedger({ store: store.ledger, clock, timeZone: "UTC" }) };
}

const one = (quota: Quota) => [{ quota, amount: 1 }];

t.test("a limit is used to its last request, refuses the next one and says when it fits", async (t) => {
  const { ledger, clock } = start(t);
  const quota = limit("requests", 100n, sliding);
  const holds: Hold[] = [];
  for (let i = 0; i < 100; i += 1) {
    const answer = ledger.reserve(one(quota));
    if (!answer.ok) throw new Error(`refused at ${i}`);
    if (i === 0) t.match(ledger.standing(answer.hold, 0), { remaining: 99, resetsInMs: 61_000 });
    holds.push(answer.hold);
    clock.advance(100);
  }
  const last = holds.at(-1);
  t.equal(last && ledger.standing(last, 0).remaining, 0);
  t.match(ledger.reserve(one(quota)), { ok: false, refusal: { reserved: 100n, fitsInMs: 51_000 } });
  for (const hold of holds) ledger.settle(hold, [1]);
  await committed();
  t.match(ledger.balance(quota), { spent: 100n, reserved: 0n });
  clock.advance(51_000);
  t.equal(Array.from({ length: 20 }, () => ledger.reserve(one(quota))).filter(({ ok }) => ok).length, 10);
});

t.test("a need above the limit never fits, and no time is named", async (t) => {
  const { ledger } = start(t);
  t.match(ledger.reserve([{ quota: tokens, amount: LIMIT + 1 }]), {
    ok: false,
    refusal: { fitsInMs: null, spent: 0n },
  });
});

t.test(
  "a wall clock that is set back grants nothing again and prolongs nothing; set forward it ends windows",
  async (t) => {
    const { ledger, clock } = start(t);
    const quota = limit("requests", 5n, sliding);
    const granted = (): number =>
      Array.from({ length: 9 }, () => ledger.reserve(one(quota))).filter(({ ok }) => ok).length;
    t.equal(granted(), 5);
    for (const ms of [-1, -3_600_000, -86_400_000]) {
      clock.stepWall(ms);
      t.equal(granted(), 0);
    }
    clock.advance(61_000);
    t.equal(granted(), 5);
    clock.stepWall(2 * 86_400_000);
    t.equal(granted(), 5);
    clock.stepWall(-86_400_000);
    t.equal(granted(), 0);
  },
);

t.test("a process that was started after the wall clock was set back agrees with the one before", async (t) => {
  const a = start(t);
  const quota = limit("requests", 5n, sliding);
  for (let i = 0; i < 3; i += 1) t.ok(a.ledger.reserve(one(quota)).ok);
  a.clock.stepWall(-3_600_000);
  const b = start(t, a.database, a.clock);
  let granted = 3;
  for (let i = 0; i < 10; i += 1) {
    for (const { ledger } of [b, a]) if (ledger.reserve(one(quota)).ok) granted += 1;
  }
  t.equal(granted, 5);
  a.clock.advance(62_000);
  t.ok(a.ledger.reserve(one(quota)).ok && b.ledger.reserve(one(quota)).ok, "and together they go on");
});

t.test("two processes share slots to the last one, and a request that ends gives its slot to either", async (t) => {
  const a = start(t);
  const b = start(t, a.database, a.clock);
  const slots = limit("concurrent", 3n, { kind: "none" });
  const holds = [a, b, a].map(({ ledger }) => {
    const answer = ledger.reserve(one(slots));
    if (!answer.ok) throw new Error("refused");
    return answer.hold;
  });
  t.match(b.ledger.reserve(one(slots)), { ok: false, refusal: { reserved: 3n, resetsMs: null, fitsInMs: null } });
  await a.ledger.settle(holds[0] as Hold, [1]);
  a.clock.advance(100);
  t.ok(b.ledger.reserve(one(slots)).ok);
  t.match(b.ledger.balance(slots), { spent: 0n, reserved: 3n });
});

t.test("what no limit counts any more is forgotten, by the ledger and by the database", async (t) => {
  const { ledger, store, clock } = start(t);
  const quota = limit("requests", 1_000n, sliding);
  const every = limit("requests", 1_000n, { kind: "every", durationMs: WINDOW_MS }, "rule:every");
  for (let minute = 0; minute < 60 * 24 * 3; minute += 7) {
    const answer = ledger.reserve([...one(quota), ...one(every)]);
    if (!answer.ok) throw new Error("refused");
    await ledger.settle(answer.hold, [1, 1]);
    clock.advance(7 * WINDOW_MS);
    ledger.releaseIdle();
  }
  ledger.releaseIdle();
  const all = (id: string) => store.ledger.uses(id, { from: "", to: "~" }).length;
  t.ok(all(quota.id) <= 2, `${all(quota.id)} rows of the sliding window`);
  t.ok(all(every.id) <= 2, `${all(every.id)} rows of windows of a fixed length`);
});

t.test("callers who make up names cannot fill the memory", async (t) => {
  const { ledger, store } = start(t);
  const answers = Array.from({ length: 12_000 }, (_, i) => {
    const answer = ledger.reserve(one(limit("requests", 10n, sliding, `rule:by=${i}`)));
    if (!answer.ok) throw new Error("refused");
    if (i > 100) ledger.settle(answer.hold, null);
    return answer.hold;
  });
  await committed();
  const held = store.ledger.uses("rule:by=7", { from: "", to: "~" });
  t.match(held, [{ taken: 1n }], "what is held is not given up");
  for (const hold of answers.slice(0, 101)) ledger.settle(hold, [1]);
  t.equal(ledger.holdsOpen, 0);
});
