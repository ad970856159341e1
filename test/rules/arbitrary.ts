// Random rule sets and calls for property tests: small vocabularies, so that rules and calls often meet.
import fc from "fast-check";
import type { Call, Principal, Target } from "../../src/types.ts";
import { call, NOW_MS, principal, target } from "./samples.ts";

const MODELS = ["gpt-4", "gpt-4o-mini", "claude-opus-4", "__proto__"];
const TEAMS = ["ml", "search", "constructor"];
const ROLES = ["admin", "dev"];
const ENVS = ["prod", "dev"];

const value = (values: readonly string[]): fc.Arbitrary<string> =>
  fc.constantFrom(...values, "*", "g*", "*-4", "?l", '"g*"');
const valueOrList = (values: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    value(values),
    fc.array(value(values), { minLength: 1, maxLength: 3 }).map((all) => `[${all.join(", ")}]`),
  );

const selector = fc
  .tuple(
    fc.constantFrom<[string, readonly string[]]>(
      ["model", MODELS],
      ["provider", ["openai", "anthropic"]],
      ["team", TEAMS],
      ["key", ["ci", "id_ci", "k2"]],
      ["role", ROLES],
      ["tag", ["gold"]],
      ["user", ["ann"]],
    ),
    fc.boolean(),
  )
  .chain(([[subject, values], negated]) =>
    valueOrList(values).map((text) => `${subject} ${negated ? "not " : ""}${text}`),
  );

const order = fc.constantFrom("<", "<=", ">", ">=", "=", "!=");
const has = fc.constantFrom("=", "!=", "has", "not has");

/** A comparison of one attribute. */
const comparison = fc.oneof(
  selector,
  fc.constantFrom(
    "stream",
    "vision",
    "tools",
    "not stream",
    "stream = false",
    "team is set",
    "user is unset",
    "price is set",
    "price is unset",
  ),
  fc
    .tuple(
      fc.constantFrom("price", "price.input", "price.output"),
      order,
      fc.constantFrom("1", "10", "$30/M", "$0.06/k"),
    )
    .map((p) => p.join(" ")),
  fc
    .tuple(fc.constantFrom("model.context", "max_tokens"), order, fc.constantFrom("8k", "16384"))
    .map((p) => p.join(" ")),
  fc
    .tuple(
      fc.constantFrom('header["x-env"]', 'metadata["job"]', "team", "role", "model.family"),
      has,
      value([...ENVS, ...TEAMS]),
    )
    .map((p) => p.join(" ")),
  fc
    .tuple(
      fc.constantFrom("team", "model", "role"),
      fc.constantFrom("in", "not in"),
      fc.constantFrom("@list", "[ml, gpt-4, admin]"),
    )
    .map((p) => p.join(" ")),
  fc.constantFrom(
    "hour in 22:00..06:00",
    "weekday in fri..mon",
    "hour in 9..17",
    "date < 2026-11-22",
    "time >= 12:00",
    "key.age < 2h",
    "day in [1, 21]",
  ),
  fc.constantFrom(
    "ip in [10.0.0.0/8, ::1]",
    "ip not in @nets",
    "temperature in 0..1",
    "n > 1",
    "request.bytes > 1kb",
    "endpoint chat",
  ),
  fc.constantFrom("@busy", "not @busy"),
  fc.constantFrom("sample.answers > 1", "sample.owner = ann", "sample.owner is unset", "tokens.input > 8k"),
);

const condition: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    comparison,
    fc.tuple(tie("node"), fc.constantFrom("and", "or"), tie("node")).map(([a, op, b]) => `(${a} ${op} ${b})`),
    tie("node").map((part) => `not (${part})`),
  ),
})).node;

const clause = (word: string, body: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.option(body, { freq: 2 }).map((text) => (text === null ? "" : ` ${word} ${text}`));

const selectors = (minLength: number): fc.Arbitrary<string> =>
  fc.array(selector, { minLength, maxLength: 2 }).map((all) => all.join(" "));

/** `limit …` or `budget …` with what it counts by. */
const counting = fc
  .tuple(
    fc.constantFrom(
      "limit 100 requests per 1m",
      "limit 9 requests per 1m",
      "limit 200k tokens per 1h",
      "limit 8 concurrent",
      "budget $5 per month",
      "budget $0.50 per 12h",
    ),
    fc.uniqueArray(
      fc.constantFrom(
        "key",
        "team",
        "role",
        "tag",
        "model",
        "provider",
        "ip",
        "sample.owner",
        'header["x-env"]',
        'metadata["job"]',
      ),
      { maxLength: 3 },
    ),
  )
  .map(([what, by]) => `${what}${by.length === 0 ? "" : ` by ${by.join(", ")}`} `);

/** A rule with an id of its own, so that moving it does not rename it. */
const rule = fc
  .tuple(
    fc.constantFrom("", "", "", "shadow ", "off "),
    fc.oneof(
      { weight: 2, arbitrary: fc.tuple(fc.constantFrom("deny ", "allow "), selectors(0)) },
      { weight: 1, arbitrary: fc.tuple(fc.constant("only "), selectors(1)) },
      { weight: 2, arbitrary: fc.tuple(counting, selectors(0)) },
    ),
    clause("for", selectors(1)),
    clause("when", condition),
    clause("unless", condition),
    clause("until", fc.constantFrom("2026-11-20", "2026-11-21", "2027-01-01")),
  )
  .map(([mode, effect, ...clauses]) => {
    const isCounting = /^(limit|budget)/.test(effect[0]);
    return `${mode === "shadow " && isCounting ? "" : mode}${effect.join("")}${clauses.join("")}`;
  });

const scoped = fc
  .tuple(fc.constantFrom("allow", "deny"), selectors(1))
  .map(([effect, scope]) => `default ${effect} for ${scope}`);

/** More headers than are looked up one by one. */
export const HEADERS = Array.from({ length: 12 }, (_, i) => `x-${i}`);

const header = fc.constantFrom(...HEADERS).map((name) => `header["${name}"]`);

/** A comparison that model and key do not fix: few attributes, values that meet and values that are thresholds. */
const openTest = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(header, fc.constantFrom("= a", "= b", "is set", "in [a, b]", "= c*")).map((p) => p.join(" ")),
  },
  { weight: 1, arbitrary: header.map((name) => `${name} != a`) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom("n", "max_tokens"), order, fc.constantFrom("1", "2", "100", "16384"))
      .map((p) => p.join(" ")),
  },
  fc.constantFrom(
    "temperature > 0.5",
    "not temperature <= 0.5",
    "max_tokens is set",
    'metadata["job"] = ml',
    "hour in 22:00..06:00",
  ),
  fc.constantFrom(
    "stream",
    "not stream",
    "stream = false",
    "tools",
    "ip in [10.0.0.0/8]",
    "ip not in [::1, 2001:db8::/32]",
  ),
);

/** A rule of few parts that look only at the request and the clock. */
export const openRule: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom("deny", "deny", "allow", "shadow deny", "warn"),
    fc.array(openTest, { minLength: 1, maxLength: 3 }),
    fc.constantFrom("and", "and", "and", "or"),
    fc.constantFrom("", "", " until 2026-11-21"),
  )
  .map(([effect, tests, op, until]) => `${effect} when ${tests.join(` ${op} `)}${until}`);

export const LETS = [
  "let @list = [gpt-4, ml, dev]",
  "let @nets = [10.0.0.0/8, 2001:db8::/32]",
  "let @busy = hour in 9..17 and not team ml",
];

/** Statements of a rule set, `lets` and the unscoped default included; each rule has an id `r0`, `r1`, … */
export const statements: fc.Arbitrary<string[]> = fc
  .tuple(
    fc.constantFrom("default allow", "default deny"),
    fc.array(fc.oneof({ weight: 8, arbitrary: rule }, { weight: 1, arbitrary: scoped }), { maxLength: 8 }),
  )
  .map(([line, rules]) => [
    ...LETS,
    line,
    ...rules.map((text, i) => (text.startsWith("default") ? text : `${text} as r${i}`)),
  ]);

const targets = fc.uniqueArray(
  fc.record({ model: fc.constantFrom(...MODELS), usd: fc.constantFrom(null, 0.6, 10, 20, 60), bare: fc.boolean() }),
  { minLength: 1, maxLength: 3, selector: ({ model }) => model },
);

/** Targets with some prices and limits missing. */
export const targetList: fc.Arbitrary<Target[]> = targets.map((all) =>
  all.map(({ model, usd, bare }) =>
    target(model, usd, bare ? { family: null, contextTokens: null, outputTokensMax: null } : {}),
  ),
);

/** Someone who calls. */
export const caller: fc.Arbitrary<Principal> = fc
  .record({
    team: fc.constantFrom(undefined, ...TEAMS),
    user: fc.constantFrom(undefined, "ann"),
    roles: fc.subarray(ROLES),
    tags: fc.subarray(["gold"]),
    createdMs: fc.constantFrom(NOW_MS - 1, NOW_MS - 10 * 3_600_000),
  })
  .map(({ team, user, ...rest }) =>
    principal({ ...rest, ...(team === undefined ? {} : { team }), ...(user === undefined ? {} : { user }) }),
  );

/** What is called, without its targets. */
export const request: fc.Arbitrary<Partial<Call>> = fc.record({
  stream: fc.boolean(),
  n: fc.constantFrom(1, 2),
  maxTokens: fc.constantFrom(null, 100, 16_384),
  ip: fc.constantFrom("10.1.2.3", "::1", "2001:db8::9", "nonsense"),
  headers: fc.constantFrom({}, { "x-env": "prod" }, { "x-env": "dev" }),
  json: fc.constantFrom(
    {},
    { metadata: { job: "ml" } },
    { metadata: 3 },
    { tools: [{}] },
    { temperature: "hot" },
    { temperature: 0.5 },
  ),
});

/** Moments around the edges that the rules look at. */
export const moment: fc.Arbitrary<number> = fc.constantFrom(
  NOW_MS,
  NOW_MS + 11 * 3_600_000,
  NOW_MS + 13 * 3_600_000,
  NOW_MS - 86_400_000,
);

/** A call of the targets. */
export function callOf(more: Partial<Call>, of: readonly Target[]): Call {
  return call({ ...more, targets: of });
}
