// What `limit` and `budget` statements ask to be counted: when they apply, which counter it is, what it is called.
import t from "tap";
import type { Call, Decision, RuleQuota } from "../../src/types.ts";
import { call, decideBy, GPT4, MINI, OPUS, principal, UNPRICED } from "./samples.ts";

const HOURLY = "limit 200k tokens per 1h";

/** What is counted for a call of one target. */
function counted(
  rules: string,
  more: Partial<Call> = {},
  by: Parameters<typeof principal>[0] = {},
): readonly RuleQuota[] {
  const { quotas } = decideBy(`default allow\n${rules}\n`)(call(more), principal(by));
  return quotas?.get((more.targets ?? [GPT4])[0] ?? GPT4) ?? [];
}

const idOf = (rules: string, more?: Partial<Call>, by?: Parameters<typeof principal>[0]): string =>
  counted(rules, more, by)[0]?.id ?? "none";

t.test("each form says its unit, amount and window", async (t) => {
  const forms: readonly (readonly [string, Partial<RuleQuota>])[] = [
    ["limit 100 requests per 1m", { unit: "requests", limit: 100n, window: { kind: "sliding", durationMs: 60_000 } }],
    [
      "limit 1.5k requests per 90s",
      { unit: "requests", limit: 1_500n, window: { kind: "sliding", durationMs: 90_000 } },
    ],
    [HOURLY, { unit: "tokens", limit: 200_000n, window: { kind: "sliding", durationMs: 3_600_000 } }],
    ["limit 8 concurrent", { unit: "concurrent", limit: 8n, window: { kind: "none" } }],
    ["budget $0.000000001 per 12h", { unit: "nano-usd", limit: 1n, window: { kind: "every", durationMs: 43_200_000 } }],
    ["budget $20000000 per year", { unit: "nano-usd", limit: 20_000_000_000_000_000n }],
  ];
  for (const [form, wanted] of forms) {
    const [quota] = counted(`${form} because "Enough"`);
    t.match(quota, { ...wanted, label: form, ruleId: "rules/a.rules:2", because: "Enough" }, form);
    t.ok(Object.isFrozen(quota));
  }
  const [quota] =
    decideBy("timezone Europe/Berlin\ndefault allow\nbudget $5 per month as ours\n")(call(), principal()).quotas?.get(
      GPT4,
    ) ?? [];
  t.same(quota?.window, { kind: "calendar", period: "month", zone: "Europe/Berlin" });
  t.match(quota, { ruleId: "ours", because: null });
});

t.test("one applies when its condition holds or is unknown, and only while it is in force", async (t) => {
  t.equal(counted(`${HOURLY} model gpt-4 for team ml when stream`, { stream: true }, { team: "ml" }).length, 1);
  t.equal(counted(`${HOURLY} for team ml`).length, 0);
  t.equal(counted(`${HOURLY} unless role admin`, {}, { roles: ["admin"] }).length, 0);
  t.equal(counted(`${HOURLY} when price > 10`, { targets: [UNPRICED] }).length, 1, "unknown counts");
  t.equal(counted(`for team ml {\n  ${HOURLY}\n}`, {}, { team: "ml" }).length, 1);
  t.equal(counted(`off ${HOURLY}`).length, 0);
  t.equal(counted(`${HOURLY} until 2026-11-20`).length, 0);
  t.equal(counted(`${HOURLY} until 2026-11-21`).length, 1);
  const { unknown, effect, ruleIds } = decideBy(`default allow\n${HOURLY} when price > 10\n`)(
    call({ targets: [UNPRICED] }),
    principal(),
  );
  t.same({ unknown, effect, ruleIds }, { unknown: ["price"], effect: "allow", ruleIds: [] });
});

t.test("each allowed target has what applies to it; a denied one has nothing", async (t) => {
  const decide = decideBy(
    "default allow\ndeny model claude-*\nlimit 9 requests per 1m as all\nlimit 5 requests per 1m model gpt-4 as dear\n",
  );
  const ids = ({ quotas }: Decision): unknown =>
    [...(quotas ?? [])].map(([{ model }, of]) => [model, ...of.map(({ ruleId }) => ruleId)]);
  t.same(ids(decide(call({ targets: [GPT4, MINI, OPUS] }), principal())), [
    ["gpt-4", "all", "dear"],
    ["gpt-4o-mini", "all"],
  ]);
  t.equal(decide(call({ targets: [OPUS] }), principal()).quotas, undefined);
  const some = decideBy("default allow\nlimit 5 requests per 1m model gpt-4\n");
  t.same(ids(some(call({ targets: [GPT4, MINI] }), principal())), [["gpt-4", "rules/a.rules:2"]]);
  t.equal("quotas" in some(call({ targets: [MINI] }), principal()), false, "left out when there are none");
});

t.test("a counter keeps its name whatever its amount and place, and has another for another meaning", async (t) => {
  const rule = "by key, team model gpt-4 for role dev tag gold when not stream";
  const dev = { roles: ["dev"], tags: ["gold"] };
  const id = idOf(`limit 100 requests per 1m ${rule}`, {}, dev);
  const same = [
    `\n\nlimit 7 requests per 60s ${rule} owner me because "x" until 2030-01-01`,
    "for role dev {\n limit 1k requests per 1m by team, key model gpt-4 for tag gold when not stream\n}",
  ];
  for (const other of same) t.equal(idOf(other, {}, dev), id, other);
  const others = [
    `limit 100 tokens per 1m ${rule}`,
    `limit 100 requests per 2m ${rule}`,
    `limit 100 concurrent ${rule}`,
    `limit 100 requests per 1m ${rule.replace("by key, team", "by key")}`,
    `limit 100 requests per 1m ${rule.replace("not stream", "n = 1")}`,
    `limit 100 requests per 1m ${rule} as named`,
    `budget $5 per day ${rule}`,
    `budget $5 per week ${rule}`,
    `budget $5 per 7d ${rule}`,
  ];
  t.equal(new Set([id, ...others.map((other) => idOf(other, {}, dev))]).size, others.length + 1);
  t.equal(
    idOf("limit 1 requests per 1m by key for team ml as x", {}, { team: "ml" }),
    idOf("limit 2 requests per 1m by key as x"),
  );
});

t.test("`by` gives each distinct value its own counter, and no two values run together", async (t) => {
  const byKey = `${HOURLY} by key`;
  t.equal(idOf(byKey), idOf(byKey, { stream: true }, { team: "ml" }));
  t.not(idOf(byKey), idOf(byKey, {}, { key: "other" }));
  t.match(idOf(byKey), '"id_ci"', "a subject is counted by its id");
  const two = `${HOURLY} by header["a"], header["b"]`;
  const headers = [
    {},
    { a: "x" },
    { b: "x" },
    { a: "x", b: "y" },
    { a: "y", b: "x" },
    { a: 'x","y' },
    { a: "null" },
    { a: "" },
  ];
  t.equal(new Set(headers.map((one) => idOf(two, { headers: one }))).size, headers.length);
  t.equal(
    idOf(`${HOURLY} by header["A"]`, { headers: { a: "x" } }),
    idOf(`${HOURLY} by header["a"]`, { headers: { a: "x" } }),
  );
  const roles = `${HOURLY} by role`;
  t.equal(idOf(roles, {}, { roles: ["a", "b"] }), idOf(roles, {}, { roles: ["b", "a", "b"] }), "a set");
  t.not(idOf(roles, {}, { roles: ["a", "b"] }), idOf(roles, {}, { roles: ["a,b"] }));
  t.not(idOf(`${HOURLY} by team`, {}, { team: "x" }), idOf(`${HOURLY} by user`, {}, { user: "x" }));
  t.not(idOf(`${HOURLY} by model`), idOf(`${HOURLY} by model`, { targets: [MINI] }));
  const long = `${HOURLY} by header["a"]`;
  const lengthy = (end: string): string => idOf(long, { headers: { a: "x".repeat(5_000) + end } });
  t.ok(lengthy("a").length < 80, "a long value is hashed");
  t.not(lengthy("a"), lengthy("b"));
});

t.test("addresses are counted one by one, those of IPv6 by their network of 64 bits", async (t) => {
  const by = (ip: string): string => idOf(`${HOURLY} by ip`, { ip });
  t.not(by("10.0.0.1"), by("10.0.0.2"));
  t.equal(by("10.0.0.1"), by("::ffff:10.0.0.1"));
  t.equal(by("2001:db8:1:2::1"), by("2001:db8:1:2:ffff::9"));
  t.not(by("2001:db8:1:2::1"), by("2001:db8:1:3::1"));
  t.equal(by("nonsense"), by("rubbish"), "what cannot be read is counted together");
  t.not(by("nonsense"), by("10.0.0.1"));
});

t.test("a label names the statement and the values", async (t) => {
  const label = (by: string, more?: Partial<Call>, who?: Parameters<typeof principal>[0]): string | undefined =>
    counted(`limit 100 requests per 1m by ${by}`, more, who)[0]?.label;
  t.equal(label("key"), "limit 100 requests per 1m for key ci");
  t.equal(label("team, role", {}, { roles: ["dev", "ops"] }), "limit 100 requests per 1m for no team, role dev, ops");
  t.equal(label("ip", { ip: "nonsense" }), "limit 100 requests per 1m for unknown ip");
  t.equal(label("ip", { ip: "2001:db8:0:1::5" }), "limit 100 requests per 1m for ip 2001:db8:0:1:0:0:0:0/64");
  const loud = label('header["x"]', { headers: { x: `\u0007${"y".repeat(500)}` } }) ?? "";
  t.ok(loud.length < 150 && !loud.includes("\u0007"), "callers choose headers");
});

t.test("rules that share a counter come to the smallest of their amounts", async (t) => {
  const rules = [
    "limit 100 requests per 1m by key",
    "limit 50 requests per 1m by key",
    "limit 70 requests per 1m by key",
  ];
  for (const order of [rules, [...rules].reverse()]) {
    t.match(
      counted(order.join("\n")).map(({ limit }) => limit),
      [50n],
    );
  }
  t.same(
    counted("limit 9 requests per 1m for team ml as x\nlimit 4 requests per 1m as x", {}, { team: "ml" }).map(
      (q) => q.limit,
    ),
    [4n],
    "also where a name is given twice",
  );
});

t.test("what model and key fix is one object; what the request has a part in is kept a while", async (t) => {
  const rules = "default allow\nlimit 9 requests per 1m by key, model\nlimit 9 tokens per 1m when stream\n";
  const decide = decideBy(rules);
  const who = principal();
  const quiet = decide(call(), who);
  t.equal(decide(call(), who), quiet, "the whole decision is shared");
  const loud = decide(call({ stream: true }), who);
  t.equal(loud.quotas?.get(GPT4)?.[0], quiet.quotas?.get(GPT4)?.[0]);
  t.equal(loud.quotas?.get(GPT4)?.length, 2);
  t.equal(decide(call(), who), quiet, "and not spoilt");
  const varying = decideBy('default allow\nlimit 9 requests per 1m by header["x"]\n');
  const of = (x: string): RuleQuota | undefined => varying(call({ headers: { x } }), who).quotas?.get(GPT4)?.[0];
  t.equal(of("a"), of("a"));
  t.not(of("a")?.id, of("b")?.id);
});
