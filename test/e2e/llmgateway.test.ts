// LLM Gateway's shape, as its documentation tells it: keys, usage limits and IAM rules, set over HTTP, met by an OpenAI client.
import OpenAI from "openai";
import t, { type Test } from "tap";
import { tollgate } from "../support/cli.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { CHAT_ANSWER, chatEvents, json, type ScriptedUpstream, startUpstream } from "../support/upstream.ts";

const ADMIN_KEY = "adm-of-this-test";
const SAY_HI = [{ role: "user" as const, content: "Hi" }];

type Json = Record<string, unknown>;

interface Answer {
  readonly status: number;
  readonly json: Json;
  readonly text: string;
}

interface Rig {
  readonly gateway: TestGateway;
  readonly upstream: ScriptedUpstream;
  /** The admin API, as the admin or with another credential. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Makes a key. */
  make(fields?: object): Promise<{ readonly id: string; readonly token: string }>;
  /** Adds a rule and tells its id. */
  rule(place: string, ruleType: string, ruleValue: object): Promise<string>;
  /** Asks for a model with OpenAI's client: the provider that served, else status and message. */
  chat(token: string, model: string): Promise<string>;
}

async function setUp(t: Test, config: object = {}): Promise<Rig> {
  const upstream = await startUpstream(json(CHAT_ANSWER));
  t.teardown(() => upstream.close());
  const base_url = `${upstream.url}/v1`;
  const gateway = await startTestGateway(t, {
    providers: [
      { name: "openai", base_url, wire: "openai", models: ["gpt-4", "gpt-4o", "gpt-4o-mini"] },
      { name: "azure", base_url, wire: "openai", models: ["gpt-4o"] },
      { name: "local", base_url, wire: "openai", models: [] },
    ],
    config: {
      error_format: "llmgateway",
      admin: { listen: "127.0.0.1:0", key: ADMIN_KEY },
      models: { house: { provider: "local", model: "llama-3", price: { input: "$0/M", output: "$0/M" } } },
      ...config,
    },
  });
  const ask: Rig["ask"] = async (method, path, body, headers = { "x-admin-key": ADMIN_KEY }) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
    const answer = await fetch(`${gateway.adminUrl}${path}`, { method, headers: { ...type, ...headers }, ...sent });
    const text = await answer.text();
    return { status: answer.status, text, json: text.startsWith("{") ? (JSON.parse(text) as Json) : {} };
  };
  const make: Rig["make"] = async (fields = {}) => {
    const made = await ask("POST", "/keys/api", { description: "a test", ...fields });
    if (made.status !== 201) throw new Error(made.text);
    return made.json.apiKey as { id: string; token: string };
  };
  const rule: Rig["rule"] = async (place, ruleType, ruleValue) => {
    const made = await ask("POST", `${place}/iam`, { ruleType, ruleValue });
    if (made.status !== 201) throw new Error(made.text);
    return (made.json.rule as { id: string }).id;
  };
  const chat: Rig["chat"] = async (token, model) => {
    const bodies: Json[] = [];
    const client = new OpenAI({
      baseURL: `${gateway.url}/v1`,
      apiKey: token,
      maxRetries: 0,
      fetch: async (url, init) => {
        const answer = await fetch(url, init as RequestInit);
        if (!answer.ok) bodies.push((await answer.clone().json()) as Json);
        return answer;
      },
    });
    try {
      const { response } = await client.chat.completions
        .create({ model, messages: SAY_HI, max_tokens: 20 })
        .withResponse();
      return response.headers.get("x-tollgate-provider") ?? "";
    } catch (error) {
      if (!(error instanceof OpenAI.APIError)) throw error;
      const [body] = bodies;
      t.strictSame(Object.keys(body ?? {}), ["error", "status", "message"], "the shape of every error");
      t.same([body?.error, body?.status], [true, error.status]);
      return `${body?.status} ${body?.message}`;
    }
  };
  return { gateway, upstream, ask, make, rule, chat };
}

const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });

t.test("API keys without IAM rules have unrestricted access; each rule is met with the documented error", async (t) => {
  const { ask, make, rule, chat } = await setUp(t);
  const cases: readonly [ruleType: string, ruleValue: object, model: string, message: string, other: string][] = [
    ["allow_models", { models: ["gpt-4o"] }, "gpt-4", "Model gpt-4 is not in the allowed models list", "gpt-4o"],
    ["deny_models", { models: ["gpt-4"] }, "gpt-4", "Model gpt-4 is in the denied models list", "gpt-4o"],
    [
      "allow_providers",
      { providers: ["azure"] },
      "gpt-4",
      "Provider openai is not in the allowed providers list",
      "gpt-4o",
    ],
    ["deny_providers", { providers: ["openai"] }, "gpt-4", "Provider openai is in the denied providers list", "gpt-4o"],
    ["allow_pricing", { pricingType: "free" }, "gpt-4", "Only free models are allowed", "house"],
    ["allow_pricing", { pricingType: "paid" }, "house", "Only paid models are allowed", "gpt-4"],
    ["deny_pricing", { pricingType: "paid" }, "gpt-4", "Paid models are not allowed", "house"],
    ["deny_pricing", { pricingType: "free" }, "house", "Free models are not allowed", "gpt-4"],
    [
      "allow_pricing",
      { maxInputPrice: 10 },
      "gpt-4",
      "Model input price exceeds maximum allowed ($30/M > $10/M)",
      "gpt-4o",
    ],
    [
      "deny_pricing",
      { maxInputPrice: 10 },
      "gpt-4",
      "Model input price exceeds maximum allowed ($30/M > $10/M)",
      "gpt-4o",
    ],
    [
      "deny_pricing",
      { maxOutputPrice: 20 },
      "gpt-4",
      "Model output price exceeds maximum allowed ($60/M > $20/M)",
      "gpt-4o",
    ],
    [
      "allow_ip_cidrs",
      { ipCidrs: ["10.0.0.0/8"] },
      "gpt-4",
      "IP address 127.0.0.1 is not in the allowed IP ranges",
      "",
    ],
    ["deny_ip_cidrs", { ipCidrs: ["127.0.0.0/8"] }, "gpt-4", "IP address 127.0.0.1 is in the denied IP ranges", ""],
  ];
  for (const [ruleType, ruleValue, model, message, other] of cases) {
    const { id, token } = await make();
    for (const any of ["gpt-4", "gpt-4o", "house"]) t.not((await chat(token, any)).slice(0, 4), "403 ", any);
    const ruleId = await rule(`/keys/api/${id}`, ruleType, ruleValue);
    t.equal(await chat(token, model), `403 Access denied: ${message}`);
    if (other !== "") t.notMatch(await chat(token, other), /^4/, `${other} is served`);
    await ask("PATCH", `/keys/api/${id}/iam/${ruleId}`, { status: "inactive" });
    t.notMatch(await chat(token, model), /^4/, "an inactive rule restricts nothing");
    await ask("PATCH", `/keys/api/${id}/iam/${ruleId}`, { status: "active" });
    t.match(await chat(token, model), /^403/);
    t.equal((await ask("DELETE", `/keys/api/${id}/iam/${ruleId}`)).json.message, "IAM rule deleted");
    t.notMatch(await chat(token, model), /^4/, "nor does one that is gone");
  }
});

t.test(
  "rules of one type are ORed, types ANDed, denies apply to all; routing uses the providers that survive",
  async (t) => {
    const { ask, make, rule, chat } = await setUp(t);
    const { id, token } = await make();
    t.equal(await chat(token, "gpt-4o"), "openai");
    await rule(`/keys/api/${id}`, "allow_models", { models: ["gpt-4o-mini"] });
    await rule(`/keys/api/${id}`, "allow_models", { models: ["gpt-4o"] });
    await rule(`/keys/api/${id}`, "deny_providers", { providers: ["openai"] });
    t.equal(await chat(token, "gpt-4o"), "azure");
    t.match(await chat(token, "gpt-4o-mini"), "403 Access denied: Provider openai is in the denied providers list");
    t.match(await chat(token, "gpt-4"), "403 Access denied: Model gpt-4 is not in the allowed models list");
    const text = await ask("GET", `/keys/api/${id}/iam?as=rules`);
    t.match(
      text.text,
      /^deny unless model in \["gpt-4o-mini", "gpt-4o"\] .*\ndeny when provider in \["openai"\] as iam_/,
    );
    const { json } = await ask("GET", `/keys/api/${id}/iam`);
    t.match(json.rules, [
      { apiKeyId: id, ruleType: "allow_models", ruleValue: { models: ["gpt-4o-mini"] }, status: "active" },
      { ruleType: "allow_models" },
      { ruleType: "deny_providers" },
    ]);
  },
);

t.test("a change by another process counts from the next request on; a name that nothing has is told", async (t) => {
  const { gateway, ask, make, chat } = await setUp(t);
  const { id, token } = await make();
  const run = async (line: string): Promise<Json> => {
    const ran = await tollgate(gateway.directory, [...line.split(" "), "--json"]);
    if (ran.code !== 0) throw new Error(ran.stderr);
    return JSON.parse(ran.stdout) as Json;
  };
  t.equal(await chat(token, "gpt-4"), "openai");
  const { id: ruleId } = await run(`iam add key ${id} allow_models --models gpt-4o`);
  t.match(await chat(token, "gpt-4"), /^403 Access denied: Model gpt-4 is not/);
  const listed = await fetch(`${gateway.url}/v1/models`, { headers: bearer(token) });
  t.same(
    ((await listed.json()) as { data: { id: string }[] }).data.map((model) => model.id),
    ["gpt-4o"],
    "and what it may not use is not listed",
  );
  await run(`iam set key ${id} ${ruleId} --models gpt-4`);
  t.equal(await chat(token, "gpt-4"), "openai");
  t.match(await chat(token, "gpt-4o"), /^403 /);
  await run(`iam remove key ${id} ${ruleId}`);
  t.equal(await chat(token, "gpt-4o"), "openai");
  const wish = { ruleType: "deny_models", ruleValue: { models: ["gtp-4"] } };
  const { json } = await ask("POST", `/keys/api/${id}/iam`, wish);
  t.same(json.warnings, ["unknown model `gtp-4`: did you mean `gpt-4`?"]);
  t.notOk(
    "warnings" in (await ask("POST", "/keys/api/tester/iam", { ...wish, ruleValue: { models: ["gpt-4"] } })).json,
  );
});

t.test("organisation, then team, then key: each only narrows, from the next request on", async (t) => {
  const { ask, make, rule, chat } = await setUp(t);
  await ask("POST", "/-/orgs", { id: "acme", alias: "acme" });
  await ask("POST", "/-/teams", { id: "ml", alias: "ml", org_id: "acme" });
  const { id, token } = await make({ projectId: "ml" });
  await rule("/orgs/acme", "allow_models", { models: ["gpt-4", "gpt-4o"] });
  const ofTeam = await rule("/projects/ml", "deny_pricing", { maxInputPrice: "$10/M" });
  await rule(`/keys/api/${id}`, "allow_models", { models: ["gpt-4o", "gpt-4o-mini"] });
  t.equal(await chat(token, "gpt-4o"), "openai");
  t.match(
    await chat(token, "gpt-4o-mini"),
    /not in the allowed models list/,
    "the key cannot widen its organisation's",
  );
  t.match(await chat(token, "gpt-4"), /input price exceeds/, "the team's stands before the key's");
  await ask("PATCH", `/projects/ml/iam/${ofTeam}`, { ruleValue: { maxInputPrice: 1 } });
  t.equal(await chat(token, "gpt-4o"), "403 Access denied: Model input price exceeds maximum allowed ($2.5/M > $1/M)");
  const shown = await ask("GET", "/projects/ml/iam");
  t.match(shown.json.rules, [
    { projectId: "ml", ruleValue: { maxInputPrice: 1 }, priceUnit: "USD per million tokens" },
  ]);
  t.match((await ask("GET", "/orgs/acme/iam")).json.rules, [{ organizationId: "acme" }]);
  const listed = (await ask("GET", "/keys/api")).json.apiKeys as Json[];
  const { rules } = (await ask("GET", `/keys/api/${id}/iam`)).json;
  t.same(
    listed.map(({ iamRules }) => iamRules),
    [[], rules],
    "each key is listed with its own",
  );
});

t.test("a key is described, disabled, enabled, given an end, rolled, deleted", async (t) => {
  const { gateway, ask, make, chat } = await setUp(t);
  const { id, token } = await make({ description: "CI", usageLimit: "5" });
  t.match(token, /^sk-/);
  const twin = await make({ description: "CI" });
  const listed = (await ask("GET", "/keys/api")).json.apiKeys as Json[];
  t.same(
    listed.map(({ description }) => description),
    ["tester", "CI", "CI"],
    "descriptions may be alike",
  );
  t.notOk(JSON.stringify(listed).includes(token), "it is shown in full only once");
  t.match(listed[1]?.maskedToken, /^sk-.+…\w{4}$/);
  const off = await ask("PATCH", `/keys/api/${id}`, { status: "inactive", description: "CI, old" });
  t.match(off, { status: 200, json: { apiKey: { id, status: "inactive", description: "CI, old" } } });
  t.equal(await chat(token, "gpt-4o"), "401 The virtual key is disabled");
  await ask("PATCH", `/keys/api/${id}`, { status: "active" });
  t.equal(await chat(token, "gpt-4o"), "openai");
  const rolled = await ask("POST", `/keys/api/${id}/roll`);
  t.match(await chat(token, "gpt-4o"), /^401 /, "the old secret");
  const now = (rolled.json.apiKey as { token: string }).token;
  t.equal(await chat(now, "gpt-4o"), "openai");
  t.match((await ask("PATCH", `/keys/api/${id}`, { expiresAt: "2020-01-01T00:00:00Z" })).json, {
    apiKey: { expiresAt: "2020-01-01T00:00:00.000Z" },
  });
  t.equal(await chat(now, "gpt-4o"), "401 The virtual key has expired");
  await ask("PATCH", `/keys/api/${id}`, { expiresAt: null });
  t.equal(await chat(now, "gpt-4o"), "openai");
  t.same((await ask("DELETE", `/keys/api/${id}`)).json, { message: "API key deleted" });
  t.match(await chat(now, "gpt-4o"), /^401 /);
  t.strictSame(await ask("GET", `/keys/api/${id}`).then(({ json }) => json), {
    ...{ error: true, status: 404, message: "There is no such key" },
  });
  t.ok(
    gateway.store.requests.usage("key", 0).some(({ name }) => name === "CI"),
    "what it used is kept",
  );
  t.equal(await chat(twin.token, "gpt-4o"), "openai");
});

t.test("usage is tracked per key; at the limit requests are refused with 429", async (t) => {
  const { gateway, ask, make, chat } = await setUp(t);
  const { id, token } = await make();
  await chat(token, "gpt-4o");
  // 10 input tokens at $2.50 a million, 5 output tokens at $10.
  const usage = async () => ((await ask("GET", `/keys/api/${id}`)).json.apiKey as Json).usage;
  await until("the row", () => gateway.store.requests.usage("key", 0).length > 0);
  t.equal(await usage(), "0.000075");
  const limited = await ask("PATCH", `/keys/api/limit/${id}`, {
    ...{ usageLimit: "0.0001", periodUsageLimit: "2.50", periodUsageDurationValue: 2, periodUsageDurationUnit: "week" },
  });
  t.match(limited.json, {
    message: "API key usage limit updated",
    apiKey: {
      ...{ usageLimit: "0.0001", periodUsageLimit: "2.5", periodUsageDurationValue: 2 },
      ...{ periodUsageDurationUnit: "week", currentPeriodUsage: "0", currentPeriodResetAt: /^20/ },
    },
  });
  t.match(await chat(token, "gpt-4o"), /^429 /);
  await ask("PATCH", `/keys/api/limit/${id}`, { usageLimit: null, periodUsageLimit: "0.001" });
  t.equal(await chat(token, "gpt-4o"), "openai", "within the period's");
  const shown = (await ask("GET", `/keys/api/${id}`)).json.apiKey;
  t.match(shown, { usageLimit: null, usage: "0.00015", currentPeriodUsage: "0.000075", periodUsageDurationValue: 2 });
  for (const [value, unit] of [
    [1, "hour"],
    [1, "day"],
    [1, "week"],
    [1, "month"],
    [12, "month"],
    [36, "hour"],
    [3, "day"],
  ] as const) {
    const wish = { periodUsageLimit: "0", periodUsageDurationValue: value, periodUsageDurationUnit: unit };
    const { json } = await ask("PATCH", `/keys/api/limit/${id}`, wish);
    t.match(json.apiKey, { periodUsageDurationValue: value, periodUsageDurationUnit: unit }, `${value} ${unit}`);
    t.match(await chat(token, "gpt-4o"), /^429 /);
  }
  const refused: readonly [object, RegExp][] = [
    [{}, /Say what to set/],
    [{ usageLimit: "-1" }, /usageLimit.*decimal/],
    [{ periodUsageLimit: "1", periodUsageDurationValue: 3 }, /go together/],
    [{ periodUsageLimit: "1", periodUsageDurationValue: 3, periodUsageDurationUnit: "month" }, /1 or 12/],
    [{ periodUsageLimit: "1", periodUsageDurationValue: 53, periodUsageDurationUnit: "week" }, /366 days/],
    [{ usageLimt: "1" }, /did you mean `usageLimit`/],
  ];
  for (const [wish, message] of refused) {
    t.match(await ask("PATCH", `/keys/api/limit/${id}`, wish), { status: 400, json: { error: true, message } });
  }
});

t.test(
  "what LLM Gateway takes without effect is refused here; another tenant's rule is none of one's own",
  async (t) => {
    const { ask, make, rule } = await setUp(t);
    const { id } = await make();
    const cases: readonly [string, object, RegExp][] = [
      ["allow_models", {}, /`ruleValue.models` is missing/],
      ["allow_models", { providers: ["openai"] }, /does nothing in a rule of type allow_models/],
      ["deny_pricing", { pricingType: "paid", maxInputPrice: 10 }, /A maximum price does nothing beside/],
      ["deny_pricing", { maxInputPrice: 0.00001 }, /looks like a price per token/],
    ];
    for (const [ruleType, ruleValue, message] of cases) {
      const answer = await ask("POST", `/keys/api/${id}/iam`, { ruleType, ruleValue });
      t.match(answer, { status: 400, json: { error: true, status: 400, message } });
    }
    const ruleId = await rule(`/keys/api/${id}`, "allow_models", { models: ["gpt-4o"] });
    await ask("POST", "/-/users", { id: "sam", alias: "sam" });
    await ask("POST", "/-/users", { id: "ann", alias: "ann" });
    const keyOf = async (user: string): Promise<string> =>
      String((await ask("POST", "/-/keys", { user_id: user, alias: `${user}'s` })).json.key);
    const sam = await keyOf("sam");
    const own = (await ask("GET", "/keys/api", undefined, bearer(sam))).json.apiKeys as Json[];
    t.same(
      own.map(({ userId }) => userId),
      ["sam"],
    );
    for (const place of [id, String(own[0]?.id)]) {
      const path = `/keys/api/${place}/iam/${ruleId}`;
      t.equal((await ask("PATCH", path, { status: "inactive" }, bearer(sam))).status, 404);
      t.equal((await ask("DELETE", path, undefined, bearer(sam))).status, 404);
    }
    const added = await ask(
      "POST",
      `/keys/api/${own[0]?.id}/iam`,
      {
        ...{ ruleType: "deny_models", ruleValue: { models: ["gpt-4"] } },
      },
      bearer(sam),
    );
    t.equal(added.status, 201, "the owner narrows its own key");
    t.match(await ask("GET", "/keys/api", undefined, bearer("sk-nonsense")), {
      status: 401,
      json: { error: true, status: 401 },
    });
    t.equal((await ask("GET", `/keys/api/${id}/iam`, undefined, bearer(await keyOf("ann")))).status, 404);
  },
);

t.test("an error in a stream that has begun has the same shape", async (t) => {
  const { gateway, upstream, make } = await setUp(t);
  const { token } = await make();
  const [first = ""] = chatEvents(["one"]);
  upstream.answer = (_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(first, () => setTimeout(() => res.destroy(), 20));
  };
  const body = { model: "gpt-4o", messages: SAY_HI, max_tokens: 20, stream: true };
  const answer = await gateway.chat(body, bearer(token));
  let text = "";
  await t.rejects(async () => {
    for await (const chunk of answer.body ?? []) text += Buffer.from(chunk).toString();
  });
  t.match(text, /data: \{"error":true,"status":502,"message":".*broke off/);
});
