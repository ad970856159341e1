// Budgets under fire: ten thousand requests at once, two budgets on one request, callers and providers that leave.
import { Agent, request } from "node:http";
import t, { type Test } from "tap";
import { systemClock } from "../../src/clock.ts";
import type { CounterState, NewBudget } from "../../src/store/store.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { CHAT_ANSWER, chatEvents, json, type ScriptedUpstream, startUpstream } from "../support/upstream.ts";

const BODY = JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 20 });
/** gpt-4o-mini costs 150 nano-USD an input token, 600 an output token; a byte of the body is at most one token. */
const BOUND = BODY.length * 150 + 20 * 600;
/** The scripted answer's 10 input and 5 output tokens. */
const COST = 10 * 150 + 5 * 600;
/** Half a month before the window ends: the day before would say a shorter `retry-after`. */
const CLOCK = { ...systemClock, nowMs: () => Date.UTC(2026, 10, 15, 12) };
const WINDOW = "2026-11";
const RETRY_AFTER_MAX = "86400";

const SOCKETS = 1_000;
const REQUESTS = 10_000;

interface Setting {
  readonly gateway: TestGateway;
  readonly upstream: ScriptedUpstream;
}

async function setUp(t: Test): Promise<Setting> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }];
  return { gateway: await startTestGateway(t, { providers, clock: CLOCK }), upstream };
}

const monthly = (nanoUsd: number): NewBudget => ({ limitNanoUsd: BigInt(nanoUsd), window: "month" });

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function post(url: string, key: string, agent?: Agent): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, "content-length": BODY.length };
    const options = { method: "POST", headers, ...(agent === undefined ? {} : { agent }) };
    const req = request(`${url}/v1/chat/completions`, options, (res) => {
      let body = "";
      res.setEncoding("utf8").on("data", (text: string) => (body += text));
      res.once("end", () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body }));
      res.once("error", reject);
    });
    req.once("error", reject);
    req.end(BODY);
  });
}

/** What is spent and leased of the budget of a key or a team. */
function counterOf({ store }: TestGateway, alias: string): CounterState {
  const kind = store.accounts.hasName("team", alias) ? "team" : "key";
  const { budgets } = store.accounts.limited(kind, alias);
  return store.ledger.counter({ quota: `budget:${budgets[0]?.id}`, window: WINDOW });
}

/** Idle leases are given back once a second. */
const atRest = (gateway: TestGateway, alias: string): Promise<CounterState> =>
  until(`nothing is reserved for ${alias}`, () => {
    const counter = counterOf(gateway, alias);
    return counter.leased === 0n && counter;
  });

const isRefusal = ({ status, headers, body }: Answered): boolean =>
  status === 429 &&
  headers["retry-after"] === RETRY_AFTER_MAX &&
  headers["x-should-retry"] === "false" &&
  /"code":"budget_exceeded"/.test(body);

const spentInRows = ({ store }: TestGateway): bigint =>
  store.requests.usage("key", 0).reduce((sum, row) => sum + row.costNanoUsd, 0n);

t.test("ten thousand at once against a budget for fifty: fifty are served, not one more", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const affordable = 50;
  const limit = affordable * BOUND + BOUND - 1;
  const key = gateway.makeKey({ alias: "small", budget: monthly(limit) });
  let decided = 0;
  let release = (): void => undefined;
  const allDecided = new Promise<void>((resolve) => (release = resolve));
  // The provider answers nobody until all others are refused: nothing is settled before, so nothing is given back.
  upstream.answer = async (req, res, body) => {
    decided += 1;
    if (decided === REQUESTS || upstream.seen.length > affordable) release();
    await allDecided;
    json(CHAT_ANSWER)(req, res, body);
  };
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS });
  t.teardown(() => agent.destroy());
  const answers = await Promise.all(
    Array.from({ length: REQUESTS }, async () => {
      const answer = await post(gateway.url, key, agent);
      if (answer.status !== 200) decided += 1;
      if (decided === REQUESTS) release();
      return answer;
    }),
  );
  const served = answers.filter(({ status }) => status === 200).length;
  t.equal(served, affordable);
  t.equal(upstream.seen.length, affordable, "what was not served was not forwarded");
  t.equal(answers.filter(isRefusal).length, REQUESTS - affordable, "the rest is told when to come back");
  t.match(answers.find(isRefusal)?.body, /key small's monthly budget of \$.* resets 2026-12-01T00:00:00Z/);
  t.equal(counterOf(gateway, "small").spent, BigInt(served * COST));

  // They cost less than was held: the rest of the budget serves on, down to its last reservation.
  upstream.answer = json(CHAT_ANSWER);
  let more = 0;
  while (more * COST < limit && (await post(gateway.url, key, agent)).status === 200) more += 1;
  const { spent } = await atRest(gateway, "small");
  t.equal(spent, BigInt((served + more) * COST));
  t.ok(spent <= BigInt(limit), "overspend: none");
  t.ok(BigInt(limit) - spent < BigInt(BOUND), "what is left covers no further request");
  t.equal(spentInRows(gateway), spent, "and the rows say the same");
});

t.test("two thousand at once that settle as they go: all that fit are served, and nothing is overspent", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const limit = 200 * BOUND;
  const key = gateway.makeKey({ alias: "small", budget: monthly(limit) });
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS });
  t.teardown(() => agent.destroy());
  const answers = await Promise.all(Array.from({ length: 2_000 }, () => post(gateway.url, key, agent)));
  const served = answers.filter(({ status }) => status === 200).length;
  t.ok(served >= limit / BOUND, `${served} served of at least 200`);
  t.equal(upstream.seen.length, served);
  t.equal(answers.filter(isRefusal).length, 2_000 - served);
  const { spent, unaccounted } = await atRest(gateway, "small");
  t.equal(spent, BigInt(served * COST));
  t.equal(unaccounted, 0n);
  t.ok(spent <= BigInt(limit), "overspend: none");
  t.equal(spentInRows(gateway), spent);
});

t.test("a key's and its team's budget: both are held or none is, and both are charged", async (t) => {
  const { gateway, upstream } = await setUp(t);
  gateway.store.accounts.createTeam("ml", monthly(3 * BOUND));
  const rich = gateway.makeKey({ alias: "rich", teamAlias: "ml", budget: monthly(1_000 * BOUND) });
  const poor = gateway.makeKey({ alias: "poor", teamAlias: "ml", budget: monthly(BOUND) });
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  upstream.answer = async (req, res, body) => {
    await held;
    json(CHAT_ANSWER)(req, res, body);
  };
  const first = Array.from({ length: 3 }, () => post(gateway.url, rich));
  await until("three are under way", () => upstream.seen.length === 3);
  const refused = await Promise.all(Array.from({ length: 20 }, () => post(gateway.url, rich)));
  t.ok(refused.every(isRefusal));
  t.match(refused[0]?.body, /team ml's monthly budget/);
  t.ok((await Promise.all([post(gateway.url, poor), post(gateway.url, poor)])).every(isRefusal));
  release();
  t.ok((await Promise.all(first)).every(({ status }) => status === 200));
  const team = await atRest(gateway, "ml");
  const key = await atRest(gateway, "rich");
  t.equal(team.spent, BigInt(3 * COST));
  t.equal(key.spent, BigInt(3 * COST));
  t.equal((await atRest(gateway, "poor")).spent, 0n, "what the team's budget refused holds nothing of the key's");

  t.equal((await post(gateway.url, poor)).status, 200, "neither is used up");
  const exhausted = await post(gateway.url, poor);
  t.ok(isRefusal(exhausted));
  t.match(exhausted.body, /key poor's monthly budget/);
  t.equal((await atRest(gateway, "ml")).spent, BigInt(4 * COST), "what the key's budget refused is not the team's");
  t.equal(upstream.seen.length, 4);
});

t.test("callers that leave and providers that die are settled once, whenever it happens", async (t) => {
  const { gateway, upstream } = await setUp(t);
  const key = gateway.makeKey({ alias: "leaver", budget: monthly(100_000 * BOUND) });
  const [word = ""] = chatEvents(["word "]);
  const leave = new AbortController();
  const stream = (signal: AbortSignal | null): Promise<string> =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: BODY.replace("{", '{"stream":true,'),
      signal,
    }).then((answer) => answer.text());

  // Ten callers leave in the middle of a stream, ten before a byte has come.
  upstream.answer = (_req, res) => {
    if (upstream.seen.length > 10) return;
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(word);
  };
  const leaving = Array.from({ length: 20 }, () => stream(leave.signal).catch(() => "gone"));
  await until("all are under way", () => upstream.seen.length === 20);
  leave.abort();
  t.same(await Promise.all(leaving), Array(20).fill("gone"));
  const lines = (outcome: string) => gateway.logged.filter((line) => line.outcome === outcome);
  await until("all are settled", () => lines("client_closed").length === 20);
  await until("the provider is told", () => upstream.sockets.size === 0);

  // Ten providers die in the middle of a stream, ten before a byte.
  upstream.answer = (_req, res) => {
    if (upstream.seen.length > 30) return void res.destroy();
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(word, () => res.destroy());
  };
  await Promise.all(Array.from({ length: 20 }, () => stream(null).catch(() => "broken")));
  await until("all are settled", () => lines("upstream_error").length === 20);

  const { spent } = await atRest(gateway, "leaver");
  t.ok(spent > 0n, "what a provider may have billed is charged");
  t.ok(spent <= BigInt(40 * BOUND));
  t.equal(spentInRows(gateway), spent, "once");
  t.match(gateway.store.requests.usage("key", 0), [{ requests: 40 }]);
  const cost = (line: Record<string, unknown>): number => Number(line.cost_usd);
  t.equal(lines("client_closed").filter((line) => cost(line) > 0).length, 20, "the provider had all twenty requests");
  t.ok(lines("upstream_error").filter((line) => cost(line) > 0).length >= 10);
});
