// The contract that every store keeps: credits are never held twice, every booking is explained, jobs end once.
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import type { Test } from "tap";
import { CREDITS_MAX, MICRO_CREDITS } from "../../src/credit-units.ts";
import type { CreditStore, Job, JobEnd, NewJob } from "../../src/store/credits.ts";
import { open, type Suite } from "./rig.ts";

const CREDIT = MICRO_CREDITS;
const booking = { actor: "test", reason: null, atMs: 1 };

const newJob = (more: Partial<NewJob> = {}): NewJob => ({
  ...{ id: randomUUID(), teamId: "ml", keyId: "key_1", type: "x", mode: "job_based", metadata: {} },
  ...{ atMs: 10, expiresMs: 1_000, hold: CREDIT, ...more },
});
const end = (more: Partial<JobEnd> = {}): JobEnd => ({
  ...{
    status: "completed",
    charge: "held",
    error: null,
    metadata: {},
    actor: "key:key_1",
    reason: "x",
    atMs: 20,
    ...more,
  },
});
const used = { inputTokens: 3, outputTokens: 2, costNanoUsd: 7, failed: false, atMs: 15 };

async function opened(credits: CreditStore, more: Partial<NewJob> = {}): Promise<Job> {
  const job = await credits.openJob(newJob(more));
  if (job === null) throw new Error("not enough credits");
  return job;
}

/** What must hold at any time: the bookings add up to the balance, the open jobs' holds to what is reserved. */
async function assertSums(t: Test, credits: CreditStore, teamId: string): Promise<void> {
  const account = await credits.account(teamId);
  const transactions = (await credits.transactions({ teamId, limit: 1_000 })).items;
  const jobs = (await credits.jobs({ teamId, limit: 1_000 })).items;
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  t.equal(sum(transactions.map(({ amount }) => amount)), (account?.allocated ?? 0) - (account?.spent ?? 0));
  t.equal(transactions[0]?.balanceAfter ?? 0, (account?.allocated ?? 0) - (account?.spent ?? 0));
  t.equal(sum(jobs.map(({ held }) => held)), account?.reserved ?? 0);
  t.equal(sum(jobs.map(({ charged }) => charged)), account?.spent ?? 0);
}

export const credits: Suite = {
  "credits are given, set and listed, newest booking first": async (t, fresh) => {
    const { store } = open(t, fresh);
    const { credits } = store;
    t.equal(await credits.account("ml"), null);
    await credits.allocate("ml", 10 * CREDIT, { ...booking, reason: "start" });
    await credits.add("ml", 5 * CREDIT, booking);
    const account = await credits.allocate("ml", 4 * CREDIT, { ...booking, actor: "master" });
    t.same(account, { teamId: "ml", allocated: 4 * CREDIT, spent: 0, reserved: 0 });
    await credits.add("ops", CREDIT, booking);
    const { items, next } = await credits.transactions({ teamId: "ml", limit: 2 });
    t.match(items, [
      { teamId: "ml", kind: "allocate", amount: -11 * CREDIT, balanceAfter: 4 * CREDIT, jobId: null, actor: "master" },
      { kind: "add", amount: 5 * CREDIT, balanceAfter: 15 * CREDIT },
    ]);
    const last = await credits.transactions({ teamId: "ml", limit: 2, after: next ?? "" });
    t.match(last, { items: [{ amount: 10 * CREDIT, reason: "start", atMs: 1 }], next: null });
    t.match(
      (await credits.transactions({ limit: 9, skip: 1 })).items,
      [{ amount: -11 * CREDIT }, {}, {}],
      "of all teams",
    );
    t.same([await credits.countTransactions({ teamId: "ml" }), await credits.countTransactions({})], [3, 4]);
    await t.rejects(credits.add("ml", CREDITS_MAX * CREDIT, booking), { name: "StoreError", code: "out_of_range" });
    await assertSums(t, credits, "ml");
  },

  "a job holds its credit from when it is opened, and is charged it when it completes": async (t, fresh) => {
    const { credits } = open(t, fresh).store;
    await credits.allocate("ml", 2 * CREDIT, booking);
    const job = await opened(credits, { metadata: { a: 1 } });
    t.match(job, {
      status: "pending",
      held: CREDIT,
      charged: 0,
      createdMs: 10,
      completedMs: null,
      calls: 0,
      error: null,
    });
    t.match(await credits.account("ml"), { reserved: CREDIT, spent: 0 });
    t.equal(await credits.beginCall(job.id, { hold: 0, atMs: 11, expiresMs: 2_000 }), "begun");
    await credits.endCall(job.id, { ...used, hold: 0, actual: 0 });
    await credits.endCall(job.id, { ...used, hold: 0, actual: 0, failed: true, inputTokens: 0 });
    const answer = await credits.endJob(job.id, end({ metadata: { b: 2 } }));
    t.ok(answer.changed);
    t.match(answer.job, {
      ...{ status: "completed", held: 0, charged: CREDIT, completedMs: 20, expiresMs: 2_000 },
      ...{ calls: 2, failedCalls: 1, inputTokens: 3, outputTokens: 4, costNanoUsd: 14, metadata: { a: 1, b: 2 } },
    });
    t.same(await credits.job(job.id), answer.job);
    t.match((await credits.transactions({ limit: 1 })).items, [{ kind: "job", amount: -CREDIT, jobId: job.id }]);
    t.same(await credits.endJob(job.id, end({ status: "failed" })), { job: answer.job, changed: false }, "only once");
    t.equal(await credits.beginCall(job.id, { hold: 0, atMs: 30, expiresMs: 2_000 }), "ended");
    await assertSums(t, credits, "ml");
  },

  "a failed job gives its credit back, and another can be opened with it": async (t, fresh) => {
    const { credits } = open(t, fresh).store;
    await credits.allocate("ml", CREDIT, booking);
    const job = await opened(credits);
    t.equal(await credits.openJob(newJob()), null, "the one credit is held");
    await credits.endJob(job.id, end({ status: "failed", error: "boom" }));
    t.match(await credits.job(job.id), { status: "failed", error: "boom", charged: 0, held: 0 });
    t.ok(await credits.openJob(newJob()));
    t.equal(await credits.countTransactions({}), 1, "nothing was booked");
    t.equal(await credits.openJob(newJob({ teamId: "ops" })), null, "a team without an account has none");
    await assertSums(t, credits, "ml");
  },

  "calls that cost credits hold the most they can cost, and then what they did": async (t, fresh) => {
    const { credits } = open(t, fresh).store;
    await credits.allocate("ml", 100, booking);
    const job = await opened(credits, { mode: "consumption_usd", hold: 0 });
    const call = (hold: number) => credits.beginCall(job.id, { hold, atMs: 11, expiresMs: 1_000 });
    t.same([await call(60), await call(60), await call(40)], ["begun", "no_credits", "begun"]);
    t.equal(await credits.openJob(newJob({ mode: "consumption_usd", hold: 0 })), null, "nothing is left");
    await credits.endCall(job.id, { ...used, hold: 60, actual: 10 });
    t.equal((await credits.job(job.id))?.held, 50);
    await credits.endCall(job.id, { ...used, hold: 40, actual: 95 });
    t.match((await credits.endJob(job.id, end())).job, { charged: 105, held: 0 }, "what was used is charged in full");
    t.match(await credits.account("ml"), { allocated: 100, spent: 105, reserved: 0 });
    t.equal(await credits.openJob(newJob({ hold: 0 })), null);
    await assertSums(t, credits, "ml");
  },

  "a call that ends after its job corrects what the job was charged": async (t, fresh) => {
    const { credits } = open(t, fresh).store;
    await credits.allocate("ml", 100, booking);
    const job = await opened(credits, { mode: "consumption_tokens", hold: 0 });
    for (const hold of [30, 20]) await credits.beginCall(job.id, { hold, atMs: 11, expiresMs: 1_000 });
    t.equal((await credits.endJob(job.id, end())).job.charged, 50, "what is under way counts as used");
    await credits.endCall(job.id, { ...used, hold: 30, actual: 5 });
    await credits.endCall(job.id, { ...used, hold: 20, actual: 21 });
    t.equal((await credits.job(job.id))?.charged, 26);
    t.match((await credits.transactions({ limit: 2 })).items, [
      { kind: "job", amount: -1, jobId: job.id },
      { kind: "refund", amount: 25, jobId: job.id },
    ]);
    await assertSums(t, credits, "ml");
  },

  "a job that is left open ends by itself; a process that died held nothing for ever": async (t, fresh) => {
    const database = fresh(t);
    const { store, clock } = open(t, () => database);
    await store.credits.allocate("ml", CREDIT + 100, booking);
    const byJob = await opened(store.credits, { expiresMs: 500 });
    const byUse = await opened(store.credits, { mode: "consumption_usd", hold: 0, expiresMs: 400 });
    await store.credits.beginCall(byUse.id, { hold: 70, atMs: 11, expiresMs: 450 });
    database.crash(store);
    const { credits } = open(t, () => database, clock).store;
    t.match(await credits.account("ml"), { reserved: CREDIT + 70 }, "it is all in the database");
    t.equal(await credits.expireJobs(449), 0);
    t.equal(await credits.expireJobs(500), 2);
    t.match(await credits.job(byJob.id), { status: "failed", error: "expired", charged: 0, completedMs: 500 });
    t.match(await credits.job(byUse.id), { status: "failed", charged: 70 }, "the provider may have billed the call");
    t.match((await credits.transactions({ limit: 1 })).items, [{ actor: "expiry", amount: -70 }]);
    t.equal(await credits.expireJobs(9_999), 0);
    await assertSums(t, credits, "ml");
  },

  "jobs are listed newest first, by team and status": async (t, fresh) => {
    const { credits } = open(t, fresh).store;
    for (const team of ["ml", "ops"]) await credits.allocate(team, 9 * CREDIT, booking);
    const ids: string[] = [];
    for (const teamId of ["ml", "ml", "ops", "ml"]) ids.unshift((await opened(credits, { teamId })).id);
    await credits.endJob(ids[0] ?? "", end());
    const listed = async (query: Partial<Parameters<CreditStore["jobs"]>[0]>) => {
      const { items } = await credits.jobs({ limit: 9, ...query });
      return items.map(({ id }) => ids.indexOf(id));
    };
    t.same(await listed({}), [0, 1, 2, 3]);
    t.same(await listed({ teamId: "ml" }), [0, 2, 3]);
    t.same(await listed({ teamId: "ml", status: "pending" }), [2, 3]);
    t.same(await listed({ limit: 1, after: ids[1] }), [2]);
    t.same(await listed({ skip: 3 }), [3]);
    t.equal((await credits.jobs({ limit: 1 })).next, ids[0]);
    t.same([await credits.countJobs({}), await credits.countJobs({ teamId: "ml", status: "pending" })], [4, 2]);
    t.equal(await credits.job("nothing"), null);
    const nowhere: Promise<unknown>[] = [
      credits.beginCall("nothing", { hold: 0, atMs: 1, expiresMs: 1 }),
      credits.endCall("nothing", { ...used, hold: 0, actual: 0 }),
      credits.endJob("nothing", end()),
    ];
    for (const work of nowhere) await t.rejects(work, { name: "StoreError", code: "no_such_object" });
  },

  "whatever jobs and calls do side by side, in two processes, no more is held than there is": async (t, fresh) => {
    const database = fresh(t);
    const { store, clock } = open(t, () => database);
    const stores = [store.credits, open(t, () => database, clock).store.credits];
    const steps = fc.array(fc.tuple(fc.nat(1), fc.nat(5), fc.nat(40), fc.nat(60)), { maxLength: 40 });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(300), steps, async (balance, plan) => {
        round += 1;
        const teamId = `team-${round}`;
        await store.credits.allocate(teamId, balance, booking);
        const calls: { id: string; hold: number }[] = [];
        const ids: string[] = [];
        await Promise.all(
          plan.map(async ([at, what, hold, actual]) => {
            const credits = stores[at] as CreditStore;
            const job = ids[actual % Math.max(ids.length, 1)];
            if (what < 2 || job === undefined) {
              const mode = what === 0 ? "job_based" : "consumption_usd";
              const made = await credits.openJob(newJob({ teamId, mode, hold: what === 0 ? hold : 0 }));
              if (made !== null) ids.push(made.id);
            } else if (what === 2) {
              const begun = await credits.beginCall(job, { hold, atMs: 11, expiresMs: 1_000 });
              if (begun === "begun") calls.push({ id: job, hold });
            } else if (what === 3) {
              const call = calls.pop();
              if (call === undefined) return;
              await credits.endCall(call.id, { ...used, hold: call.hold, actual: Math.min(actual, call.hold) });
            } else await credits.endJob(job, end({ status: what === 4 ? "completed" : "failed" }));
            const { allocated, spent, reserved } = (await credits.account(teamId)) ?? {};
            t.ok((spent ?? 0) + (reserved ?? 0) <= (allocated ?? 0), "what is held and spent is within what was given");
          }),
        );
        await assertSums(t, store.credits, teamId);
      }),
      { numRuns: 40 },
    );
  },
};
