// Warnings of budgets that run out: told once for each window and threshold, in the log, a header and a webhook.
import { createHmac } from "node:crypto";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import pino from "pino";
import t, { type Test } from "tap";
import type { Reserving } from "../../../plugins/budget/attributes.ts";
import budgetPlugin from "../../../plugins/budget/index.ts";
import { percent } from "../../../plugins/budget/thresholds.ts";
import { Webhook, type WebhookTiming } from "../../../plugins/budget/webhook.ts";
import { Accounts } from "../../../src/accounts/service.ts";
import { createLedger } from "../../../src/ledger/engine.ts";
import type { Host, PluginHooks } from "../../../src/plugin.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Call, Decision, Outcome, Principal, RuleQuota, Target } from "../../../src/types.ts";
import { FakeClock } from "../../ledger/fake-clock.ts";
import { newKey } from "../../ledger/samples.ts";
import { SqliteTestDatabase } from "../../store/sqlite-database.ts";
import { committed } from "../../support/committed.ts";
import { startTestGateway } from "../../support/gateway.ts";
import { fakeHost } from "../../support/host.ts";
import { until } from "../../support/until.ts";

const USD = 1_000_000_000;
const DAY_MS = 86_400_000;
const master = { kind: "master" } as const;
const target = { provider: "openai", model: "m" } as Target;
const call = { id: "req_1", wire: "openai" } as Call;

type Line = Record<string, unknown>;

interface Process {
  readonly store: Store;
  readonly hooks: Reserving & Required<Pick<PluginHooks, "stop" | "metrics">>;
  readonly logged: Line[];
  /** Charges that much, and looks at once. Resolves with the answer's warning header. */
  charge(who: Principal, usd: number, quotas?: readonly RuleQuota[]): Promise<string | null>;
}

interface Rig {
  readonly clock: FakeClock;
  readonly accounts: Accounts;
  start(warnAt?: number[]): Process;
  principal(store: Store, alias: string): Principal;
}

function rig(t: Test): Rig {
  const database = new SqliteTestDatabase(t);
  const clock = new FakeClock();
  const first = database.open({ clock });
  t.teardown(() => first.close());
  const start = (warnAt: number[] = [80, 95]): Process => {
    const store = database.open({ clock });
    t.teardown(() => store.close());
    const logged: Line[] = [];
    const log = pino({ level: "debug" }, { write: (line: string) => void logged.push(JSON.parse(line)) });
    const ledger = createLedger({ store: store.ledger, clock, timeZone: "UTC" });
    const costBound: Host["costBound"] = () => ({ inputTokens: 1, outputTokens: 1, costNanoUsd: 1 });
    const host = fakeHost({ ledger, clock, costBound, accounts: store.accounts, log });
    const hooks = budgetPlugin.setup(host, { warn_at: warnAt }) as Process["hooks"];
    const charge = async (who: Principal, usd: number, quotas?: readonly RuleQuota[]): Promise<string | null> => {
      const decision = quotas === undefined ? ALLOWED : { ...ALLOWED, quotas: new Map([[target, quotas]]) };
      const { headers = [], ...reservation } = await hooks.reserve(call, who, decision);
      await hooks.settle(reservation, used(Math.round(usd * USD)));
      await committed();
      // What is due is looked at when the plugin stops too: no test waits for the clock.
      await hooks.stop();
      const at = headers.indexOf("x-tollgate-budget-warning");
      return at === -1 ? null : (headers[at + 1] ?? null);
    };
    return { store, hooks, logged, charge };
  };
  const accounts = new Accounts({ directory: first.directory });
  const principal = (store: Store, alias: string): Principal => {
    const found = store.accounts.findKey(newKey(alias).hash);
    if (found === null) throw new Error(`no key ${alias}`);
    return found.principal;
  };
  first.accounts.createTeam("ml", { limitNanoUsd: BigInt(100 * USD), window: "month" });
  first.accounts.createKey(newKey("demo", { teamAlias: "ml", userAlias: "ann" }));
  return { clock, accounts, start, principal };
}

const ALLOWED: Decision = {
  ...{ effect: "allow", targets: [target], denial: null, generation: 1 },
  ...{ ruleIds: [], shadowIds: [], unknown: [] },
};

function used(costNanoUsd: number): Outcome {
  const usage = { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, cacheWriteTokens: 0, estimated: false };
  return { kind: "completed", target, usage, costNanoUsd };
}

const texts = ({ logged }: Process): unknown[] => logged.map(({ msg }) => msg);

t.test("each threshold is told once for each window, whichever process passes it, and after a restart", async (t) => {
  const { clock, start, principal } = rig(t);
  const [a, b] = [start(), start()];
  const who = principal(a.store, "demo");
  t.equal(await a.charge(who, 79), null);
  t.same(texts(a), []);
  t.equal(await b.charge(who, 2), null, "not above before it is charged");
  t.same(texts(b), ["team ml's monthly budget is 81% used"]);
  t.match(b.logged, [
    {
      level: 40,
      ...{ budget: "team ml's monthly budget", scope: "team", alias: "ml", threshold: "80%", threshold_usd: "80" },
      ...{ spent_usd: "81", limit_usd: "100", window: "month", in: "2026-11", resets: "2026-12-01T00:00:00.000Z" },
    },
  ]);
  t.equal(await a.charge(who, 1), "team ml's monthly budget is 81% used", "a process that told nothing warns too");
  t.same(texts(a), []);
  t.equal(await a.charge(who, 13.5), "team ml's monthly budget is 82% used");
  t.same(texts(a), ["team ml's monthly budget is 95% used"]);
  const restarted = start();
  t.equal(await restarted.charge(who, 1), "team ml's monthly budget is 95% used", "from the first request on");
  t.same(texts(restarted), [], "told before");
  clock.advance(10 * DAY_MS);
  t.equal(await restarted.charge(who, 0.5), null, "the next window");
  t.equal(await restarted.charge(who, 98), null);
  t.same(texts(restarted), ["team ml's monthly budget is 98% used", "team ml's monthly budget is 98% used"]);
  t.same(
    restarted.logged.map(({ threshold }) => threshold),
    ["80%", "95%"],
  );
  t.equal(await restarted.charge(who, 0.5), "team ml's monthly budget is 98% used");
  t.match(restarted.hooks.metrics(), [{ name: "tollgate_budget_warnings_total", samples: [{ value: 2 }] }, {}]);
});

type Step =
  | { do: "charge"; by: number; usd: number }
  | { do: "restart"; which: number }
  | { do: "reset" }
  | { do: "month" };

const history: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant("charge" as const), by: fc.nat(1), usd: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), which: fc.nat(1) }) },
    { weight: 1, arbitrary: fc.constant({ do: "reset" as const }) },
    { weight: 1, arbitrary: fc.constant({ do: "month" as const }) },
  ),
  { minLength: 5, maxLength: 30 },
);

t.test("whatever two processes charge, reset and restart, each threshold is told once when it is passed", async (t) => {
  const thresholds = [25, 50, 80, 100];
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const { clock, accounts, start, principal } = rig(t);
      const processes = [start(thresholds), start(thresholds)];
      const all = [...processes];
      let [spent, passed] = [0, 0];
      for (const step of steps) {
        if (step.do === "restart") {
          const fresh = start(thresholds);
          processes[step.which] = fresh;
          all.push(fresh);
        } else if (step.do !== "charge") {
          spent = 0;
          if (step.do === "reset") await accounts.resetSpend(master, "team", "ml");
          else clock.advance(31 * DAY_MS);
        } else {
          const one = processes[step.by] as Process;
          const before = thresholds.filter((share) => spent >= share).length;
          try {
            await one.charge(principal(one.store, "demo"), step.usd);
          } catch (error) {
            if ((error as { code?: unknown }).code !== "budget_exceeded") throw error;
            continue;
          }
          spent += step.usd;
          passed += thresholds.filter((share) => spent >= share).length - before;
        }
        const told = all.reduce((sum, { logged }) => sum + logged.length, 0);
        if (told !== passed) throw new Error(`${told} told, ${passed} passed, at $${spent}`);
      }
    }),
    { numRuns: 25 },
  );
  t.pass("25 histories");
});

t.test("another limit has other thresholds: what was raised is warned about anew", async (t) => {
  const { accounts, start, principal } = rig(t);
  const one = start([50]);
  await one.charge(principal(one.store, "demo"), 60);
  t.same(texts(one), ["team ml's monthly budget is 60% used"]);
  await accounts.update(master, "team", "ml", { budgets: [{ limitUsd: "200", window: "month" }] });
  t.equal(await one.charge(principal(one.store, "demo"), 1), null, "30 per cent");
  t.equal(await one.charge(principal(one.store, "demo"), 40), null);
  t.same(texts(one).slice(1), ["team ml's monthly budget is 50% used"]);
  await accounts.update(master, "team", "ml", { budgets: [{ limitUsd: "100", window: "month" }] });
  const error = await one.charge(principal(one.store, "demo"), 1).catch((refusal: { code: string }) => refusal);
  t.match(error, { code: "budget_exceeded" });
});

t.test("a soft budget is of the main budget, on whatever window; alone it counts all that is ever spent", async (t) => {
  const { accounts, clock, start, principal } = rig(t);
  await accounts.update(master, "team", "ml", { budgets: [{ limitUsd: "100", window: "30d" }], softBudgetUsd: "10" });
  await accounts.update(master, "user", "ann", { softBudgetUsd: "15" });
  const one = start([80]);
  const who = principal(one.store, "demo");
  t.equal(await one.charge(who, 9), null);
  t.same(texts(one), []);
  t.equal(await one.charge(who, 2), null);
  t.same(texts(one), ["team ml's 30d budget is 11% used"]);
  t.match(one.logged[0], { threshold: "soft", threshold_usd: "10", limit_usd: "100", window: "30d" });
  t.equal(await one.charge(who, 5), "team ml's 30d budget is 11% used");
  t.same(texts(one).slice(1), ["user ann has spent $16 of a soft budget of $15"]);
  t.match(one.logged[1], {
    scope: "user",
    id: "ann",
    threshold: "soft",
    limit_usd: null,
    window: "total",
    resets: null,
  });
  clock.advance(30 * DAY_MS);
  t.equal(await one.charge(who, 1), "user ann has spent $16 of a soft budget of $15", "it never resets");
  await accounts.resetSpend(master, "user", "ann");
  t.equal(await one.charge(principal(one.store, "demo"), 1), null, "unless it is reset");
});

t.test("a `budget` statement is warned about, a `limit` is not", async (t) => {
  const { start, principal } = rig(t);
  const one = start([50]);
  const common = { ruleId: "a:1", because: null };
  const day = { kind: "calendar", period: "day", zone: "UTC" } as const;
  const budget: RuleQuota = {
    ...common,
    id: "rule:b",
    label: "budget $1 per day",
    unit: "nano-usd",
    limit: BigInt(USD),
    window: day,
  };
  const sliding = { kind: "sliding", durationMs: 60_000 } as const;
  const limit: RuleQuota = { ...common, id: "rule:l", label: "limit", unit: "requests", limit: 2n, window: sliding };
  const who = principal(one.store, "demo");
  t.equal(await one.charge(who, 0.75, [budget, limit]), null);
  t.same(texts(one), ["budget $1 per day is 75% used"]);
  t.match(one.logged, [{ rule: "a:1", quota: "rule:b", in: "2026-11-21" }]);
  t.equal(await one.charge(who, 0, [budget]), "budget $1 per day is 75% used");
});

t.test("a void request, a cheap one and one without thresholds look at nothing", async (t) => {
  const { start, principal } = rig(t);
  const one = start([]);
  const who = principal(one.store, "demo");
  await one.charge(who, 99);
  t.same(texts(one), []);
  const other = start([80]);
  const { headers: _warned, ...reservation } = await other.hooks.reserve(call, who, ALLOWED);
  await other.hooks.settle(reservation, { ...used(0), kind: "not_sent", usage: null });
  await other.hooks.stop();
  t.same(texts(other), [], "what another process passed is told with the next charge");
});

t.test("a header holds no more than a header may", async (t) => {
  const { accounts, start, principal } = rig(t);
  const { id } = await accounts.get(master, "team", "ml");
  await accounts.update(master, "team", id, { alias: "Müller ☃" });
  const one = start([1]);
  await one.charge(principal(one.store, "demo"), 2);
  t.same(texts(one), ["team Müller ☃'s monthly budget is 2% used"]);
  t.equal(await one.charge(principal(one.store, "demo"), 2), "team M?ller ?'s monthly budget is 2% used");
});

t.test("shares are read with their sign", (t) => {
  t.same(
    ["80%", "99.5 %", "100%"].map((text) => percent.safeParse(text).data),
    [80, 99.5, 100],
  );
  for (const text of ["80", "0%", "101%", "-1%", "x"]) t.equal(percent.safeParse(text).success, false, text);
  t.end();
});

interface Posted {
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

async function receiver(
  t: Test,
  answer: (posted: readonly Posted[], res: ServerResponse, req: IncomingMessage) => void,
): Promise<{ url: string; posted: Posted[] }> {
  const posted: Posted[] = [];
  const server = http.createServer((req, res) => {
    let body = "";
    req.setEncoding("utf8").on("data", (text: string) => (body += text));
    req.once("end", () => {
      posted.push({ headers: req.headers, body });
      answer(posted, res, req);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/s3cret`, posted };
}

const TIMING: WebhookTiming = { retryMs: [5, 5], stopMs: 50 };

function webhook(url: string, timing = TIMING, secret?: string): { hook: Webhook; logged: Line[] } {
  const logged: Line[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const hook = new Webhook({ url, secret, timeout: 500 }, { log, clock: new FakeClock() }, timing);
  return { hook, logged };
}

t.test("a message is signed as standard webhooks are, and tried again under its id until it is taken", async (t) => {
  const { url, posted } = await receiver(t, (all, res) => res.writeHead(all.length < 3 ? 503 : 204).end());
  const secret = `whsec_${Buffer.from("a secret").toString("base64")}`;
  const { hook, logged } = webhook(url, TIMING, secret);
  hook.send({ type: "budget.threshold", data: { alias: "ml" } });
  await until("it is delivered", () => hook.counts.delivered === 1);
  t.equal(posted.length, 3);
  const ids = new Set(posted.map(({ headers }) => headers["webhook-id"]));
  t.equal(ids.size, 1);
  const { headers, body } = posted[2] as Posted;
  t.same(JSON.parse(body), { type: "budget.threshold", data: { alias: "ml" } });
  const { "webhook-id": id, "webhook-timestamp": timestamp } = headers;
  t.equal(timestamp, String(Date.parse("2026-11-21T12:00:00Z") / 1_000));
  const expected = createHmac("sha256", "a secret").update(`${id}.${timestamp}.${body}`).digest("base64");
  t.equal(headers["webhook-signature"], `v1,${expected}`);
  t.same(logged, []);
  await hook.stop();
});

t.test(
  "what is refused for good is not tried again; nothing that is logged holds the URL or the message",
  async (t) => {
    const { url, posted } = await receiver(t, (_all, res) => res.writeHead(400).end("no"));
    const { hook, logged } = webhook(url);
    hook.send({ text: "who spends" });
    await until("it has failed", () => hook.counts.failed === 1);
    t.equal(posted.length, 1);
    t.equal(posted[0]?.headers["webhook-signature"], undefined);
    await hook.stop();
    const nobody = webhook("http://127.0.0.1:1/s3cret");
    nobody.hook.send({ text: "who spends" });
    await until("it is given up", () => nobody.hook.counts.failed === 1);
    t.match([...logged, ...nobody.logged], [{ problem: "status 400" }, { problem: /^[A-Za-z_]+$/, result: "failed" }]);
    t.notMatch(JSON.stringify([...logged, ...nobody.logged]), /s3cret|who spends/);
    const away = await receiver(t, (_all, res) => res.writeHead(302, { location: url }).end());
    const redirected = webhook(away.url, { ...TIMING, retryMs: [] });
    redirected.hook.send({});
    await until("it has failed", () => redirected.hook.counts.failed === 1);
    t.equal(posted.length, 1, "a redirect is not followed");
  },
);

t.test("a receiver that hangs holds up neither the senders nor the end for long", async (t) => {
  const { url, posted } = await receiver(t, () => undefined);
  const { hook } = webhook(url);
  for (let i = 0; i < 1_010; i += 1) hook.send({ i });
  t.equal(hook.counts.dropped, 6, "of 1,010 four are under way and 1,000 wait");
  await until("four are there", () => posted.length === 4);
  const beganMs = performance.now();
  await hook.stop();
  t.ok(performance.now() - beganMs < 400);
  t.same(hook.counts, { delivered: 0, failed: 0, dropped: 1_010 });
  hook.send({});
  await committed();
  t.equal(posted.length, 4, "after the end nothing begins");
});

t.test("a gateway warns in log, header and webhook, as its config says", async (t) => {
  const { url, posted } = await receiver(t, (_all, res) => res.writeHead(204).end());
  const webhook = { url, secret: "shh", timeout: "2s" };
  const plugins = ["auth", { use: "budget", config: { warn_at: ["10%"], webhook } }, "logging"];
  const providers = [{ name: "demo", base_url: "demo:", wire: "openai" }];
  const gateway = await startTestGateway(t, { providers, config: { plugins } });
  const secret = gateway.makeKey({ alias: "app", budget: { limitNanoUsd: 100_000n, window: "total" } });
  const ask = async (): Promise<string | null> => {
    const body = { model: "gpt-4o-mini", max_tokens: 20, messages: [{ role: "user", content: "hi" }] };
    const answer = await gateway.chat(body, { authorization: `Bearer ${secret}` });
    t.equal(answer.status, 200);
    await answer.text();
    return answer.headers.get("x-tollgate-budget-warning");
  };
  t.equal(await ask(), null);
  while ((await ask()) === null) await new Promise((resolve) => setTimeout(resolve, 60));
  await until("the webhook is told", () => posted.length === 1);
  const { type, data } = JSON.parse(posted[0]?.body ?? "");
  t.match({ type, data }, { type: "budget.threshold", data: { alias: "app", threshold: "10%", limit_usd: "0.0001" } });
  const lines = gateway.logged.filter(({ plugin, level }) => plugin === "budget" && level === 40);
  t.match(lines, [{ msg: /^key app's total budget is \d\d% used$/ }]);
  t.notMatch(JSON.stringify(gateway.logged), /s3cret|shh/);
});
