// IAM rules: what they come to in the rule language, what they mean, what is refused, who may change them.
import fc from "fast-check";
import t from "tap";
import { AccountError } from "../../src/accounts/errors.ts";
import { type IamRuleText, iamText } from "../../src/accounts/iam-text.ts";
import { IAM_RULE_TYPES, type IamRuleType, type PricingValue, readIamRule } from "../../src/accounts/iam-values.ts";
import type { Leaf } from "../../src/rules/checked.ts";
import { readRules } from "../../src/rules/inline-bind.ts";
import { leavesOf } from "../../src/rules/interpret.ts";
import type { Denial, Target } from "../../src/types.ts";
import { CATALOGUE, call, decideBy, principal, target } from "../rules/samples.ts";
import { master, peopledWorld, refused, user } from "./fixture.ts";

let made = 0;

/** A rule as it is stored. */
function rule(ruleType: IamRuleType, ruleValue: unknown, more: Partial<IamRuleText> = {}): IamRuleText {
  made += 1;
  return { ...readIamRule({ ruleType, ruleValue }), id: `iam_${made}`, rank: 3, ...more };
}

const decide = decideBy("default allow\n");

/** What a key's rules deny a call with; null when they let it pass. */
function denial(
  rules: readonly IamRuleText[],
  to: Target,
  more: { ip?: string; requested?: string } = {},
): Denial | null {
  const text = iamText(rules);
  const by = text === null ? principal() : principal({ rules: { key: text } });
  const of = call({ targets: [to], modelRequested: more.requested ?? to.model, ip: more.ip ?? "192.0.2.7" });
  return decide(of, by).denial;
}

const GPT4 = target("gpt-4", 60);
const FREE = target("llama-3:free", 0);
const UNPRICED = target("mystery", null);

t.test("every type of rule denies with the words that LLM Gateway's users know", async (t) => {
  const cases: readonly [IamRuleType, object, string, Target?][] = [
    ["allow_models", { models: ["gpt-4o-mini"] }, "Model gpt-4 is not in the allowed models list"],
    ["deny_models", { models: ["gpt-4*"] }, "Model gpt-4 is in the denied models list"],
    ["allow_providers", { providers: ["anthropic"] }, "Provider openai is not in the allowed providers list"],
    ["deny_providers", { providers: ["openai"] }, "Provider openai is in the denied providers list"],
    ["allow_pricing", { pricingType: "free" }, "Only free models are allowed"],
    ["allow_pricing", { pricingType: "paid" }, "Only paid models are allowed", FREE],
    ["deny_pricing", { pricingType: "paid" }, "Paid models are not allowed"],
    ["deny_pricing", { pricingType: "free" }, "Free models are not allowed", FREE],
    ["allow_pricing", { maxInputPrice: 10 }, "Model input price exceeds maximum allowed ($30/M > $10/M)"],
    ["deny_pricing", { maxInputPrice: 10 }, "Model input price exceeds maximum allowed ($30/M > $10/M)"],
    ["deny_pricing", { maxOutputPrice: "0.5" }, "Model output price exceeds maximum allowed ($60/M > $0.5/M)"],
    ["allow_pricing", { maxInputPrice: 10 }, "Model input price exceeds maximum allowed (unknown > $10/M)", UNPRICED],
    ["allow_ip_cidrs", { ipCidrs: ["10.0.0.0/8"] }, "IP address 192.0.2.7 is not in the allowed IP ranges"],
    ["deny_ip_cidrs", { ipCidrs: ["192.0.2.0/24"] }, "IP address 192.0.2.7 is in the denied IP ranges"],
  ];
  for (const [type, value, message, to = GPT4] of cases) {
    t.equal(denial([rule(type, value)], to)?.message, `Access denied: ${message}`, `${type} ${JSON.stringify(value)}`);
    t.equal(denial([rule(type, value, { status: "inactive" })], to), null, "inactive");
  }
  t.equal(new Set(cases.map(([type]) => type)).size, IAM_RULE_TYPES.length, "every type");
  t.equal(denial([], GPT4), null, "without rules a key is unrestricted");
});

t.test("the text is what someone would write", async (t) => {
  const rules = [
    rule("deny_pricing", { maxInputPrice: "$10/M" }, { id: "iam_a" }),
    rule("allow_models", { models: ["gpt-4o", "o3*"] }, { id: "iam_b" }),
    rule("allow_models", { models: ["gpt-4o", "3b"] }, { id: "iam_c" }),
    rule("allow_models", { models: ["gpt-4o"] }, { id: "iam_d", rank: 0 }),
    rule("deny_ip_cidrs", { ipCidrs: ["10.0.0.0/8", "2001:db8::/32"] }, { id: "iam_e" }),
  ];
  const list = '["gpt-4o", o3*, "3b"]';
  const told = (subject: string) => `because "Access denied: ${subject}"`;
  t.same(iamText(rules)?.split("\n"), [
    `deny unless model in ${list} or model.requested in ${list} as iam_b+iam_c ${told("Model {model.requested} is not in the allowed models list")}`,
    `deny unless model in ["gpt-4o"] or model.requested in ["gpt-4o"] as iam_d ${told("Model {model.requested} is not in the allowed models list")}`,
    `deny when price.input > $10/M as iam_a.input ${told("Model input price exceeds maximum allowed ({price.input} > $10/M)")}`,
    `deny when ip in [10.0.0.0/8, 2001:db8::/32] as iam_e ${told("IP address {ip} is in the denied IP ranges")}`,
    "",
  ]);
  t.equal(denial(rules, GPT4)?.ruleId, "key:ci:iam_b+iam_c", "a denial names the rules");
  t.equal(
    denial([rule("allow_models", { models: ["fast"] })], GPT4, { requested: "fast" }),
    null,
    "an alias is a name",
  );
  t.equal(
    denial([rule("deny_models", { models: ["gpt-4"] })], GPT4, { requested: "fast" })?.message,
    "Access denied: Model fast is in the denied models list",
    "which an alias does not dodge",
  );
});

const MODELS = ["gpt-4", "gpt-4o", "o3", "llama-3:free"];
const PROVIDERS = ["openai", "anthropic", "azure"];
const RANGES = { "10.0.0.0/8": "10.1.2.3", "192.0.2.0/24": "192.0.2.9", "2001:db8::/32": "2001:db8:0:0:0:0:0:5" };
const PRICES = [0, 1, 10, 30];

const some = (from: readonly string[]) => fc.subarray([...from], { minLength: 1 });
const price = fc.constantFrom(...PRICES);
const pricing = fc
  .record(
    { pricingType: fc.constantFrom("free", "paid"), maxInputPrice: price, maxOutputPrice: price },
    { requiredKeys: [] },
  )
  .filter((value) => Object.keys(value).length > 0);
const value: fc.Arbitrary<readonly [IamRuleType, object]> = fc.oneof(
  fc.tuple(fc.constantFrom("allow_models", "deny_models"), fc.record({ models: some(MODELS) })),
  fc.tuple(fc.constantFrom("allow_providers", "deny_providers"), fc.record({ providers: some(PROVIDERS) })),
  fc.tuple(fc.constantFrom("allow_pricing", "deny_pricing"), pricing),
  fc.tuple(fc.constantFrom("allow_ip_cidrs", "deny_ip_cidrs"), fc.record({ ipCidrs: some(Object.keys(RANGES)) })),
);
const anyRules = fc.array(
  fc.record({
    wish: value,
    status: fc.constantFrom("active", "active", "active", "inactive"),
    rank: fc.constantFrom(0, 3),
  }),
  { minLength: 1, maxLength: 6 },
);
const asked = fc.record({
  model: fc.constantFrom(...MODELS),
  provider: fc.constantFrom(...PROVIDERS),
  prices: fc.option(fc.tuple(price, price)),
  ip: fc.constantFrom(...Object.values(RANGES), "203.0.113.1"),
});

interface Asked {
  readonly model: string;
  readonly provider: string;
  readonly prices: readonly [number, number] | null;
  readonly ip: string;
}

/** What of a rule on prices the target breaks, in words; a price that is not known breaks all. */
function broken(
  type: string,
  { pricingType, maxInputPrice, maxOutputPrice }: PricingValue,
  { prices }: Asked,
): string[] {
  const isFree = prices === null ? null : Math.max(...prices) === 0;
  const found: string[] = [];
  if (pricingType !== undefined && type === "allow_pricing" && isFree !== (pricingType === "free")) {
    found.push(`Only ${pricingType} models are allowed`);
  }
  if (pricingType !== undefined && type === "deny_pricing" && isFree !== (pricingType !== "free")) {
    found.push(`${pricingType === "free" ? "Free" : "Paid"} models are not allowed`);
  }
  for (const [part, max, is] of [
    ["input", maxInputPrice, prices?.[0]],
    ["output", maxOutputPrice, prices?.[1]],
  ] as const) {
    if (max === undefined || (is !== undefined && is <= Number(max))) continue;
    const seen = is === undefined ? "unknown" : `$${is}/M`;
    found.push(`Model ${part} price exceeds maximum allowed (${seen} > $${max}/M)`);
  }
  return found;
}

function holds({ ruleValue }: IamRuleText, field: string, it: string): boolean {
  const list = (ruleValue as Record<string, readonly string[]>)[field] ?? [];
  if (field !== "ipCidrs") return list.includes(it);
  return list.some((range) => RANGES[range as keyof typeof RANGES] === it);
}

/** The plain reading of LLM Gateway's rules; the reason of the refusal, or null. */
function reference(rules: readonly IamRuleText[], of: Asked): string | null {
  const live = rules.filter(({ status }) => status === "active");
  const lists = [
    ["models", "models", of.model, `Model ${of.model} is`, "models list"],
    ["providers", "providers", of.provider, `Provider ${of.provider} is`, "providers list"],
    ["ip_cidrs", "ipCidrs", of.ip, `IP address ${of.ip} is`, "IP ranges"],
  ] as const;
  for (const rank of [3, 0]) {
    for (const about of ["models", "providers", "pricing", "ip_cidrs"]) {
      const group = live.filter((one) => one.rank === rank && one.ruleType === `allow_${about}`);
      if (group.length === 0) continue;
      const list = lists.find(([name]) => name === about);
      if (list !== undefined) {
        const [, field, it, subject, what] = list;
        if (!group.some((one) => holds(one, field, it))) return `${subject} not in the allowed ${what}`;
      } else {
        const [first = [], ...more] = group.map((one) => broken("allow_pricing", one.ruleValue as PricingValue, of));
        if (first.length > 0 && more.every((parts) => parts.length > 0)) return first[0] ?? null;
      }
    }
  }
  for (const one of live.filter(({ ruleType }) => ruleType.startsWith("deny_"))) {
    const list = lists.find(([name]) => one.ruleType === `deny_${name}`);
    if (list === undefined) {
      const parts = broken("deny_pricing", one.ruleValue as PricingValue, of);
      if (parts[0] !== undefined) return parts[0];
    } else if (holds(one, list[1], list[2])) return `${list[3]} in the denied ${list[4]}`;
  }
  return null;
}

t.test("the compiled rules mean what a plain reading of them means, message and all", async (t) => {
  let denied = 0;
  let allowed = 0;
  fc.assert(
    fc.property(anyRules, asked, (wishes, of) => {
      const rules = wishes.flatMap(({ wish: [type, ruleValue], ...more }) => {
        try {
          return [rule(type, ruleValue, more as Partial<IamRuleText>)];
        } catch (error) {
          if (error instanceof AccountError) return [];
          throw error;
        }
      });
      const [input = 0, output = 0] = of.prices ?? [];
      const more = {
        inputPicoUsd: input * 1e6,
        outputPicoUsd: output * 1e6,
        cachedInputPicoUsd: 0,
        cacheWritePicoUsd: 0,
      };
      const to = target(of.model, 1, {
        provider: of.provider,
        price: of.prices === null ? null : { ...more, tiers: [] },
      });
      const wanted = reference(rules, of);
      const found = denial(rules, to, { ip: of.ip })?.message ?? null;
      if (wanted === null) allowed += 1;
      else denied += 1;
      return found === (wanted === null ? null : `Access denied: ${wanted}`);
    }),
    { numRuns: 2_000 },
  );
  t.ok(denied > 400 && allowed > 100, `denied ${denied}, allowed ${allowed}`);
});

const ODD = [
  '"',
  "\\",
  "\n",
  "\r",
  "]",
  " or ",
  "{",
  "#",
  "'",
  "\u2028",
  "\u202e",
  "*",
  "?",
  "..",
  "é",
  "🦊",
  "as x",
  "@a",
];
const WORDS = ["gpt-4", "allow", "deny", "and", "in", "-", "1", "*", "?", "..", "/", "@", "10.0.0.0/8", "$5"];
const hostile = fc.oneof(
  fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 3 }).map((all) => all.join("")),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.array(fc.constantFrom(...ODD, ...WORDS), { minLength: 1, maxLength: 6 }).map((all) => all.join("")),
);

t.test("whatever a value holds, it is refused or stands for itself alone: nothing gets out of its list", async (t) => {
  let taken = 0;
  let turnedAway = 0;
  fc.assert(
    fc.property(
      fc.array(hostile, { minLength: 1, maxLength: 4 }),
      fc.constantFrom("models", "providers"),
      (names, field) => {
        let read: IamRuleText;
        try {
          read = rule(`deny_${field}` as IamRuleType, { [field]: names }, { id: "iam_x" });
        } catch (error) {
          if (!(error instanceof AccountError)) throw error;
          turnedAway += 1;
          return true;
        }
        taken += 1;
        const set = readRules(iamText([read]) ?? "", CATALOGUE);
        const only = set?.rules[0];
        if (set?.rules.length !== 1 || only === undefined || set.defaults.length !== 1) return false;
        const tests = leavesOf(only.fires).map(({ test }: Leaf) =>
          test.kind === "names" ? [...test.exact, ...test.globs] : [],
        );
        const unique = [...new Set(names)].sort();
        return (
          only.effect === "deny" &&
          only.id === "iam_x" &&
          tests.length > 0 &&
          tests.every((found) => JSON.stringify([...found].sort()) === JSON.stringify(unique))
        );
      },
    ),
    { numRuns: 3_000 },
  );
  t.ok(taken > 100 && turnedAway > 1_000, `taken ${taken}, refused ${turnedAway}`);
  // Were a row of the database spoilt by another hand, its text would be one list still, or no rules at all.
  fc.assert(
    fc.property(
      fc.array(
        hostile.filter((name) => !/[*?]/.test(name)),
        { minLength: 1 },
      ),
      (models) => {
        const spoilt = {
          id: "iam_x",
          ruleType: "deny_models",
          ruleValue: { models },
          rank: 3,
          status: "active",
        } as const;
        const set = readRules(iamText([spoilt]) ?? "", CATALOGUE);
        return set === null || (set.rules.length === 1 && set.rules[0]?.id === "iam_x");
      },
    ),
  );
});

t.test("a rule that would do nothing, or not what it seems to, is refused", async (t) => {
  const cases: readonly [string, unknown, string][] = [
    ["allow_models", {}, "`ruleValue.models` is missing: a list of at least one"],
    ["allow_models", { models: [] }, "`ruleValue.models` is missing: a list of at least one"],
    ["deny_models", { models: ["a b"] }, "`ruleValue.models` must name models: letters, digits and _ . - / : @ + *"],
    ["allow_providers", { providers: ['x"'] }, "`ruleValue.providers` must name providers: letters"],
    [
      "allow_providers",
      { models: ["a"] },
      "`ruleValue.models` does nothing in a rule of type allow_providers: it takes providers",
    ],
    [
      "deny_pricing",
      { maxInputPrise: 1 },
      "`ruleValue.maxInputPrise` does nothing in a rule of type deny_pricing: did you mean `maxInputPrice`?",
    ],
    ["deny_pricing", {}, "`ruleValue` says nothing: give pricingType, maxInputPrice or maxOutputPrice"],
    [
      "deny_pricing",
      { pricingType: "paid", maxInputPrice: 10 },
      "A maximum price does nothing beside `pricingType` paid in deny_pricing",
    ],
    [
      "allow_pricing",
      { pricingType: "free", maxOutputPrice: 10 },
      "A maximum price does nothing beside `pricingType` free in allow_pricing",
    ],
    ["allow_pricing", { pricingType: "cheap" }, "`ruleValue.pricingType` must be free or paid"],
    ["deny_pricing", { maxInputPrice: 0.00001 }, "USD per million tokens: 0.00001 looks like a price per token"],
    ["deny_pricing", { maxInputPrice: 20_000 }, "above 10000 it does nothing"],
    ["deny_pricing", { maxInputPrice: -1 }, "`ruleValue.maxInputPrice` must be USD per million tokens"],
    ["deny_pricing", { maxInputPrice: "ten" }, "`ruleValue.maxInputPrice` must be USD per million tokens"],
    ["deny_ip_cidrs", { ipCidrs: ["10.0.0.0/33"] }, "`ruleValue.ipCidrs` must be addresses or ranges"],
    ["allow_model", { models: ["a"] }, "`ruleType` is not a type of rule: did you mean `allow_models`?"],
    ["x", {}, "`ruleType` must be one of allow_models, deny_models"],
    ["allow_models", ["a"], "`ruleValue` must be an object"],
  ];
  for (const [ruleType, ruleValue, message] of cases) {
    const read = (): unknown => readIamRule({ ruleType, ruleValue });
    t.throws(read, { name: "AccountError", code: "invalid_field" }, message);
    try {
      read();
    } catch (error) {
      t.ok(String(error).includes(message), `${message}: ${String(error)}`);
    }
  }
  const prices = ["10", 10, "$10/M", "$0.01/k", "0.01/k"].map(
    (maxInputPrice) => readIamRule({ ruleType: "deny_pricing", ruleValue: { maxInputPrice } }).ruleValue,
  );
  t.same(prices, Array(5).fill({ maxInputPrice: "10" }), "one price in five spellings");
  const tiny = readIamRule({ ruleType: "deny_pricing", ruleValue: { maxInputPrice: "$0.0001/M" } });
  t.same(tiny.ruleValue, { maxInputPrice: "0.0001" }, "with its unit a small price is taken as it is");
});

t.test("what an admin set, the owner narrows and does not lift; a rule is changed where it is", async (t) => {
  const { iam, keys, accounts } = await peopledWorld(t);
  const { key } = await keys.create(master, { userId: "ann", teamId: "ml" });
  const models = (...names: string[]) => ({ ruleType: "allow_models", ruleValue: { models: names } });
  const set = await iam.add(master, "key", key.id, models("gpt-4o-mini"));
  const ann = user("ann");
  const refusal = "The IAM rule was set by an admin: add one that narrows it, for it cannot be changed or removed";
  await refused(t, "not_permitted", iam.change(ann, "key", key.id, set.id, models("gpt-4")), refusal);
  await refused(t, "not_permitted", iam.change(ann, "key", key.id, set.id, { status: "inactive" }), refusal);
  await refused(t, "not_permitted", iam.remove(ann, "key", key.id, set.id), refusal);
  const own = await iam.add(ann, "key", key.id, models("gpt-4"));
  const text = await iam.text(ann, "key", key.id);
  t.same(text.match(/ as \S+/g), [` as ${set.id}`, ` as ${own.id}`], "beside the admin's, not in its place");
  t.match(await iam.change(ann, "key", key.id, own.id, { status: "inactive" }), {
    ...{ id: own.id, status: "inactive", ruleType: "allow_models", ruleValue: { models: ["gpt-4"] }, rank: 0 },
  });
  t.match(await iam.change(user("tom"), "key", key.id, own.id, { status: "active" }), { rank: 1 });
  await refused(t, "not_permitted", iam.remove(ann, "key", key.id, own.id), refusal);
  await iam.remove(user("olga"), "key", key.id, own.id);
  const member =
    "Only proxy admins, org admins, team admins, permitted team members and the owner can change the IAM rules of this key";
  await refused(t, "not_permitted", iam.add(user("mia"), "key", key.id, models("a")), member);
  await refused(
    t,
    "not_permitted",
    iam.add(user("vic"), "key", key.id, models("a")),
    "A viewer cannot change the IAM rules of keys",
  );

  const other = await keys.create(master, { userId: "sam", teamId: "spies" });
  for (const rules of [
    iam.change(user("sam"), "key", other.key.id, set.id, { status: "inactive" }),
    iam.remove(user("sam"), "key", other.key.id, set.id),
  ]) {
    await refused(t, "not_found", rules, "There is no such IAM rule", "a rule's bare id opens nothing");
  }
  await refused(t, "not_found", iam.list(user("sam"), "key", key.id), "There is no such key");
  t.match(await iam.list(ann, "key", key.id), { id: key.id, rules: [{ id: set.id }] });
  for (let i = 1; i < 50; i += 1) await iam.add(master, "key", key.id, models("a"));
  await refused(
    t,
    "invalid_field",
    iam.add(master, "key", key.id, models("a")),
    "There can be up to 50 IAM rules on an object",
  );
  const long = models(...Array.from({ length: 1_000 }, (_, i) => `${"m".repeat(100)}${i}`));
  await refused(
    t,
    "invalid_field",
    iam.add(master, "team", "ml", long),
    "The IAM rules of an object are up to 64 KiB long as rules",
  );
  t.match(
    (await accounts.audit(master, { limit: 1_000, object: key.id })).filter(({ field }) => field === `iam ${own.id}`),
    [{ actor: "user:ann" }, { actor: "user:ann" }, { actor: "user:tom" }, { actor: "user:olga", new: null }],
  );
});

t.test("changes at one moment are all kept: each is worked out on what the other left", async (t) => {
  const { iam, keys } = await peopledWorld(t);
  const { key } = await keys.create(master, {});
  const wish = { ruleType: "deny_models", ruleValue: { models: ["a"] } };
  await Promise.all([1, 2, 3].map(() => iam.add(master, "key", key.id, wish)));
  t.equal((await iam.list(master, "key", key.id)).rules.length, 3);
});
