// Gateways with two workers: clients that make a connection a request, and what health, metrics and database say of all.
import { existsSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import type { Test } from "tap";
import { systemClock } from "../../src/clock.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import { type GatewayProcess, gatewayFolder } from "./process.ts";
import { until } from "./until.ts";
import { json, type ScriptedUpstream, startUpstream } from "./upstream.ts";

export const TWO = ["--workers", "2"];
export const CHAT = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_tokens: 50 };
export const BODY = JSON.stringify(CHAT);
export const STREAMED = JSON.stringify({ ...CHAT, stream: true, stream_options: { include_usage: true } });
/** The most that BODY can cost, nano-USD: a byte is at most a token. */
export const BOUND = BODY.length * 150 + CHAT.max_tokens * 600;
/** Leases that nobody uses are given back within two seconds. */
export const IDLE_MS = 10_000;

export interface Setting {
  readonly upstream: ScriptedUpstream;
  readonly directory: string;
  readonly key: string;
}

export async function setUp(t: Test, config: object = {}, budget?: string): Promise<Setting> {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const providers = [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }];
  return { upstream, ...(await gatewayFolder(t, { providers, ...config }, budget)) };
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Asks on a connection of its own, so that the workers take turns. */
export function ask({ url }: Pick<GatewayProcess, "url">, key: string, body = BODY): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}` };
    const agent = new Agent({ keepAlive: false });
    const req = request(`${url}/v1/chat/completions`, { method: "POST", headers, agent }, (res: IncomingMessage) => {
      let text = "";
      res.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      res.once("end", () => resolve({ status: res.statusCode ?? 0, text }));
      res.once("error", reject);
    });
    req.once("error", reject);
    req.end(body);
  });
}

export const askMany = (gateway: GatewayProcess, key: string, count: number, body?: string): Promise<Answer[]> =>
  Promise.all(Array.from({ length: count }, () => ask(gateway, key, body)));

/** One after the other, each once the one before has reached the provider: idle workers take turns. */
export async function askInTurn(
  gateway: GatewayProcess,
  { upstream, key }: Setting,
  count: number,
  body = BODY,
): Promise<Promise<Answer>[]> {
  const answers: Promise<Answer>[] = [];
  const seen = upstream.seen.length;
  for (let i = 1; i <= count; i += 1) {
    const answer = ask(gateway, key, body);
    answer.catch(() => undefined);
    answers.push(answer);
    await until("it is at the provider", () => upstream.seen.length === seen + i);
  }
  return answers;
}

export const withStatus = (answers: readonly Answer[], status: number): number =>
  answers.filter((answer) => answer.status === status).length;

export interface WorkerFacts {
  readonly worker: number;
  readonly pid: number;
  readonly ready: boolean;
  readonly rules: { readonly hash: string } | null;
}

export async function workersOf({ adminUrl }: GatewayProcess): Promise<readonly WorkerFacts[]> {
  const answer = await fetch(`${adminUrl}/readyz?verbose`);
  return ((await answer.json()) as { workers: WorkerFacts[] }).workers;
}

/** A metric's numbers by the label `worker`; those of several lines are summed. */
export async function metric({ adminUrl, adminKey }: GatewayProcess, name: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${adminUrl}/metrics`, { headers: { "x-admin-key": adminKey } })).text();
  const sums: Record<string, number> = {};
  for (const [, worker = "", value] of text.matchAll(new RegExp(`^${name}\\{.*worker="(\\d+)".*\\} (.*)$`, "gm"))) {
    sums[worker] = (sums[worker] ?? 0) + Number(value);
  }
  return sums;
}

export async function stopWell(t: Test, gateway: GatewayProcess): Promise<void> {
  gateway.child.kill("SIGTERM");
  t.same(await gateway.ended, { code: 0, signal: null });
}

/** The key's budget as committed, with the sum of the rows. */
export async function charged(directory: string) {
  const store = openSqlite({ path: join(directory, "tollgate.db"), clock: systemClock });
  const [budget] = store.accounts.getKey("app").principal.budgets;
  const window = new Date().toISOString().slice(0, 7);
  const counter = store.ledger.counter({ quota: `budget:${budget?.id}`, window });
  const [row] = store.requests.usage("key", 0);
  await store.close();
  return { ...counter, rows: row?.costNanoUsd ?? 0n };
}

export const isGone = (pid: number): boolean => !existsSync(`/proc/${pid}`);

/** Answers as if all that was reserved was used. */
export function useAll(upstream: ScriptedUpstream): void {
  const [prompt_tokens, completion_tokens] = [BODY.length, CHAT.max_tokens];
  const usage = { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  upstream.answer = json({ ...CHAT, choices: [], usage });
}

/** A provider that answers when it is told to. */
export function holdAnswers(upstream: ScriptedUpstream): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const answer = upstream.answer;
  upstream.answer = async (req, res, body) => {
    await promise;
    answer(req, res, body);
  };
  return resolve;
}

export const sum = (numbers: Record<string, number>): number =>
  Object.values(numbers).reduce((all, one) => all + one, 0);
