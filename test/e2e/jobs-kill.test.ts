// Credits of jobs when the gateway is killed: what is open stays open, and nothing is held for ever.
import t from "tap";
import { type GatewayProcess, gatewayFolder, spawnGateway } from "../support/process.ts";
import { until } from "../support/until.ts";
import { CHAT_ANSWER, json, startUpstream } from "../support/upstream.ts";

const ADMIN_KEY = "adm-of-this-test";
const HELLO = { model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }], max_tokens: 1_000 };

async function ask(url: string, method: string, body: object | null, headers: Record<string, string>) {
  const sent =
    body === null ? {} : { body: JSON.stringify(body), headers: { ...headers, "content-type": "application/json" } };
  const answer = await fetch(url, { method, headers, ...sent });
  return (await answer.json()) as Record<string, unknown>;
}

t.test(
  "a killed gateway's jobs go on in the next; a call that was under way counts as the most it could cost",
  async (t) => {
    const upstream = await startUpstream();
    t.teardown(() => upstream.close());
    const { directory } = await gatewayFolder(t, {
      admin: { listen: "127.0.0.1:0", key: ADMIN_KEY },
      providers: [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }],
    });
    const admin = { "x-admin-key": ADMIN_KEY };
    const team = (id: string, mode: string) => ({
      ...{ organization_id: "org", team_id: id, access_groups: [], credits_allocated: 1, budget_mode: mode },
    });
    let gateway: GatewayProcess = await spawnGateway(t, directory);
    const made = async (id: string, mode: string) => {
      const { virtual_key } = await ask(`${gateway.adminUrl}/api/teams/create`, "POST", team(id, mode), admin);
      return { authorization: `Bearer ${virtual_key}` };
    };
    const [byJob, byUse] = [await made("a", "job_based"), await made("b", "consumption_usd")];
    const open = async (as: Record<string, string>) =>
      (await ask(`${gateway.url}/api/jobs/create`, "POST", { job_type: "x" }, as)).job_id as string;
    const [jobA, jobB] = [await open(byJob), await open(byUse)];
    upstream.answer = () => undefined;
    ask(`${gateway.url}/api/jobs/${jobB}/llm-call`, "POST", HELLO, byUse).catch(() => undefined);
    await until("the call is under way", () => upstream.seen.length === 1);
    gateway.child.kill("SIGKILL");
    await gateway.ended;
    gateway = await spawnGateway(t, directory);
    upstream.answer = json(CHAT_ANSWER);
    const balance = (as: Record<string, string>) => ask(`${gateway.url}/api/credits/balance`, "GET", null, as);
    t.match(await balance(byJob), { credits_reserved: 1, credits_remaining: 0 });
    const { credits_reserved: held } = await balance(byUse);
    t.ok(Number(held) > 0.006, "1,000 output tokens at $0.60 per million, ten credits a dollar");
    await ask(`${gateway.url}/api/jobs/${jobA}/llm-call`, "POST", HELLO, byJob);
    const end = (job: string, as: Record<string, string>) =>
      ask(`${gateway.url}/api/jobs/${job}/complete`, "POST", null, as);
    t.match(await end(jobA, byJob), { status: "completed", credits_charged: 1, costs: { total_calls: 1 } });
    t.match(await end(jobB, byUse), { status: "completed", credits_charged: held, credits_reserved: 0 });
  },
);
