// Credits and jobs as services: who may give and use them, what a job costs, how many can be open.

import fc from "fast-check";
import t, { type Test } from "tap";
import type { Actor } from "../../src/accounts/caller.ts";
import { Credits } from "../../src/accounts/credits.ts";
import { AccountError, type AccountErrorCode } from "../../src/accounts/errors.ts";
import { Jobs } from "../../src/accounts/jobs.ts";
import { emptyWorld, master, peopledWorld, user, type World } from "./fixture.ts";

const HOUR = 3_600_000;

interface Rig extends World {
  readonly credits: Credits;
  readonly jobs: Jobs;
}

function services(world: World): Rig {
  const nowMs = (): number => world.clock.nowMs();
  const credits = new Credits({ accounts: world.accounts, store: world.store.credits, nowMs });
  return { ...world, credits, jobs: new Jobs({ accounts: world.accounts, credits, nowMs }) };
}

/** A team with credits, and its key as an actor. */
async function team(rig: Rig, id: string, credits: number, budgetMode = "job_based"): Promise<Actor> {
  await rig.accounts.create(master, "team", { id, fields: { budgetMode } });
  await rig.credits.allocate(master, id, credits);
  const { key } = await rig.keys.create(master, { teamId: id, serviceAccount: true });
  return { kind: "key", keyId: key.id };
}

const call = (most: number) => ({ mostOf: () => most, idleMs: HOUR });
/** Whose key makes a call. */
const by = (key: Actor, teamId = "a") => ({ keyId: (key as { keyId: string }).keyId, teamId });
const wish = { type: "analysis", idleMs: HOUR };

async function refuses(t: Test, code: AccountErrorCode, work: () => Promise<unknown>, message = /./): Promise<void> {
  await t.rejects(work(), { name: "AccountError", code, message });
}

t.test("a team's credits are set and given by admins, shown to its own, and booked with who and why", async (t) => {
  const rig = services(await peopledWorld(t));
  const { credits, accounts } = rig;
  t.match(await credits.balance(master, "ml"), { mode: "none", allocated: 0, remaining: 0 });
  const given = await credits.add(master, "ml", 2.5, "trial");
  t.match(given, { mode: "job_based", allocated: 2.5, used: 0, reserved: 0, remaining: 2.5 });
  t.match(await credits.allocate(user("olga"), "ml", 1_000), { allocated: 1_000 }, "an org admin too");
  t.match(await credits.balance(user("mia"), "ml"), { remaining: 1_000 }, "members see them");
  const { items, total } = await credits.transactions(user("tom"), { team: "ml" });
  t.equal(total, 2);
  t.match(items, [
    { kind: "allocate", amount: 997_500_000, actor: "user:olga" },
    { kind: "add", amount: 2_500_000, actor: "master", reason: "trial" },
  ]);
  t.equal((await accounts.get(master, "team", "ml")).fields.budgetMode, "job_based");
  await refuses(t, "not_permitted", () => credits.add(user("tom"), "ml", 1), /Only proxy admins and org admins/);
  await refuses(t, "not_permitted", () => credits.add(user("vic"), "ml", 1), /viewer/);
  await refuses(t, "not_found", () => credits.add(user("sam"), "ml", 1));
  await refuses(t, "not_found", () => credits.balance(user("sam"), "ml"));
  await refuses(t, "not_permitted", () => credits.transactions(user("tom"), {}));
  t.equal((await credits.transactions(user("vic"), {})).total, 2, "a proxy admin viewer sees all");
  for (const bad of [0, -1, 0.000_000_1, 1_000_000_001, Number.NaN, Number.POSITIVE_INFINITY]) {
    await refuses(t, "invalid_field", () => credits.add(master, "ml", bad));
  }
  await t.rejects(credits.add(master, "ml", 1_000_000_000), { code: "out_of_range" });
});

t.test("a job belongs to the team of the key that opened it: no other key sees it, uses it or ends it", async (t) => {
  const rig = services(emptyWorld(t));
  const { jobs } = rig;
  const [a, b] = [await team(rig, "a", 5), await team(rig, "b", 5)];
  const job = await jobs.open(a, { ...wish, team: "a", metadata: { doc: 1 } });
  t.match(job, { teamId: "a", status: "pending", mode: "job_based", metadata: { doc: 1 } });
  const mine = /does not belong to this team/;
  await refuses(t, "not_permitted", () => jobs.open(b, { ...wish, team: "a" }), mine);
  await refuses(t, "not_permitted", () => jobs.open(b, { ...wish, team: "no-such-team" }), mine);
  await refuses(t, "not_permitted", () => jobs.get(b, job.id), mine);
  await refuses(t, "not_permitted", () => jobs.end(b, job.id, { status: "completed" }), mine);
  await refuses(t, "not_permitted", () => jobs.beginCall(by(b, "b"), job.id, call(0)), mine);
  await refuses(t, "not_found", () => jobs.get(b, "5d4ff0b0-0000-4000-8000-000000000000"));
  await refuses(t, "not_permitted", () => jobs.open(master, { ...wish, team: "a" }), /Only a team's key/);
  t.same((await jobs.list(b, { team: "b" })).items, []);
  await refuses(t, "not_found", () => jobs.list(b, { team: "a" }));
  t.equal((await jobs.list(master, {})).total, 1);
  await rig.accounts.create(master, "user", { id: "ada", fields: { role: "proxy_admin" } });
  const { key: adas } = await rig.keys.create(master, { userId: "ada", teamId: "b" });
  const ada: Actor = { kind: "key", keyId: adas.id };
  t.equal((await jobs.get(ada, job.id)).id, job.id, "a proxy admin sees all");
  await refuses(t, "not_permitted", () => jobs.end(ada, job.id, { status: "failed" }), mine);
  await refuses(t, "not_permitted", () => jobs.end(master, job.id, { status: "failed" }), mine);
  const { key } = await rig.keys.create(master, {});
  await refuses(t, "not_permitted", () => jobs.open({ kind: "key", keyId: key.id }, wish), /no team/);
});

t.test(
  "a completed job costs a credit, a failed one none; it ends once, and asking again changes nothing",
  async (t) => {
    const rig = services(emptyWorld(t));
    const { jobs, credits } = rig;
    const key = await team(rig, "a", 2);
    const done = await jobs.open(key, wish);
    const failed = await jobs.open(key, wish);
    await refuses(t, "credits_exhausted", () => jobs.open(key, wish));
    t.match(await credits.balance(key, "a"), { reserved: 2, remaining: 0, used: 0 });
    const held = await jobs.beginCall(by(key), done.id, call(99));
    const used = { inputTokens: 4, outputTokens: 6, costNanoUsd: 10, failed: false };
    await jobs.endCall(held, { ...used, actual: 50 });
    const ended = await jobs.end(key, done.id, { status: "completed", metadata: { pages: 3 } });
    t.match(ended, { status: "completed", charged: 1_000_000, calls: 1, inputTokens: 4, metadata: { pages: 3 } });
    t.same(await jobs.end(key, done.id, { status: "completed" }), ended);
    await refuses(t, "job_ended", () => jobs.end(key, done.id, { status: "failed" }), /completed already/);
    await refuses(t, "job_ended", () => jobs.beginCall(by(key), done.id, call(0)));
    await jobs.end(key, failed.id, { status: "failed", error: "no text found" });
    t.match(await jobs.get(key, failed.id), { status: "failed", error: "no text found", charged: 0 });
    t.match(await credits.balance(key, "a"), { used: 1, reserved: 0, remaining: 1 });
  },
);

t.test("jobs that are paid by use are charged what their calls cost, also when they fail", async (t) => {
  const rig = services(emptyWorld(t));
  const { jobs, credits } = rig;
  const key = await team(rig, "a", 1, "consumption_usd");
  const job = await jobs.open(key, wish);
  t.match(await credits.balance(key, "a"), { mode: "consumption_usd", remaining: 1 });
  const held = await jobs.beginCall(by(key), job.id, call(600_000));
  await refuses(t, "credits_exhausted", () => jobs.beginCall(by(key), job.id, call(500_000)));
  await jobs.endCall(held, {
    actual: 250_000,
    inputTokens: 1,
    outputTokens: 1,
    costNanoUsd: 1,
    failed: false,
  });
  await rig.accounts.update(master, "team", "a", { budgetMode: "job_based" });
  t.match(await jobs.end(key, job.id, { status: "failed" }), { mode: "consumption_usd", charged: 250_000 });
  t.match(await credits.balance(key, "a"), { mode: "job_based", used: 0.25, reserved: 0, remaining: 0.75 });
  await refuses(t, "credits_exhausted", () => jobs.open(key, wish), /not enough/);
});

t.test("a job without calls for too long expires, and its credit opens another without waiting", async (t) => {
  const rig = services(emptyWorld(t));
  const { jobs, credits, clock } = rig;
  const key = await team(rig, "a", 1);
  const first = await jobs.open(key, wish);
  clock.advance(HOUR - 1);
  await jobs.beginCall(by(key), first.id, call(0));
  clock.advance(HOUR - 1);
  await refuses(t, "credits_exhausted", () => jobs.open(key, wish));
  clock.advance(1);
  const second = await jobs.open(key, wish);
  t.match(await jobs.get(key, first.id), { status: "failed", error: "expired" });
  await refuses(t, "job_ended", () => jobs.end(key, first.id, { status: "completed" }), /failed already \(expired\)/);
  clock.advance(HOUR);
  t.equal(await jobs.expire(), 1);
  t.match(await jobs.get(key, second.id), { status: "failed" });
  t.match(await credits.balance(key, "a"), { used: 0, remaining: 1 });
});

t.test("a call outside of a job is a job of its own, which ends with it", async (t) => {
  const rig = services(emptyWorld(t));
  const { jobs, credits } = rig;
  const key = await team(rig, "a", 2);
  const used = { actual: 0, inputTokens: 4, outputTokens: 6, costNanoUsd: 10, failed: false };
  const served = await jobs.beginAlone(by(key), "job_based", call(7));
  const lost = await jobs.beginAlone(by(key), "job_based", call(7));
  t.match(await jobs.get(key, served.jobId), { type: "direct", status: "in_progress", held: 1_000_000 });
  await refuses(t, "credits_exhausted", () => jobs.beginAlone(by(key), "job_based", call(7)));
  await jobs.endCall(served, used, { status: "completed", ...by(key) });
  await jobs.endCall(lost, { ...used, failed: true }, { status: "failed", ...by(key) });
  t.match(await jobs.get(key, served.jobId), { status: "completed", charged: 1_000_000, calls: 1, inputTokens: 4 });
  t.match(await jobs.get(key, lost.jobId), { status: "failed", charged: 0, failedCalls: 1 });
  const byUse = await jobs.beginAlone(by(key), "consumption_usd", call(1_000_000));
  await jobs.endCall(byUse, { ...used, actual: 250_000 }, { status: "failed", ...by(key) });
  t.match(await credits.balance(key, "a"), { used: 1.25, reserved: 0, remaining: 0.75 });
  const { items } = await credits.transactions(key, { team: "a", limit: 1 });
  t.match(items, [{ kind: "job", amount: -250_000, actor: `key:${by(key).keyId}`, jobId: byUse.jobId }]);
});

t.test("what a job is called and keeps has bounds", async (t) => {
  const rig = services(emptyWorld(t));
  const key = await team(rig, "a", 1);
  const big = { text: "x".repeat(70_000) };
  await refuses(t, "invalid_field", () => rig.jobs.open(key, { ...wish, type: "" }));
  await refuses(t, "invalid_field", () => rig.jobs.open(key, { ...wish, type: "x".repeat(1_001) }));
  await refuses(t, "invalid_field", () => rig.jobs.open(key, { ...wish, metadata: big }));
  const job = await rig.jobs.open(key, { ...wish, metadata: { text: "x".repeat(40_000) } });
  const more = { more: "x".repeat(40_000) };
  await refuses(t, "invalid_field", () => rig.jobs.end(key, job.id, { status: "completed", metadata: more }));
  for (const limit of [0, 1_001, 1.5])
    await refuses(t, "invalid_field", () => rig.jobs.list(key, { team: "a", limit }));
});

t.test("a team that is suspended or deleted, or whose key is disabled, opens no job", async (t) => {
  const rig = services(emptyWorld(t));
  const key = await team(rig, "a", 9);
  await rig.keys.setBlocked(master, (key as { keyId: string }).keyId, true);
  await refuses(t, "not_permitted", () => rig.jobs.open(key, wish));
  await rig.keys.setBlocked(master, (key as { keyId: string }).keyId, false);
  t.ok(await rig.jobs.open(key, wish));
  await rig.accounts.remove(master, "team", ["a"]);
  await refuses(t, "not_permitted", () => rig.jobs.open(key, wish));
});

t.test("however many jobs are opened at once, there are never more than there are credits", async (t) => {
  const rig = services(emptyWorld(t));
  let round = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(12), fc.nat(24), async (balance, asked) => {
      round += 1;
      const id = `team-${round}`;
      const key = await team(rig, id, balance);
      const answers = await Promise.allSettled(Array.from({ length: asked }, () => rig.jobs.open(key, wish)));
      const opened = answers.filter(({ status }) => status === "fulfilled");
      t.equal(opened.length, Math.min(balance, asked));
      const refused = answers.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
      t.ok(refused.every((error) => error instanceof AccountError && error.code === "credits_exhausted"));
      const { remaining, reserved } = await rig.credits.balance(key, id);
      t.same([remaining, reserved], [balance - opened.length, opened.length]);
    }),
    { numRuns: 25 },
  );
});
