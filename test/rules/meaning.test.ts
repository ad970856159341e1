// What rules mean: sections 1 to 8 of Meaning in rules/README.md, on single statements.
import t from "tap";
import type { Call, Decision } from "../../src/types.ts";
import { call, checkedSet, decideBy, GPT4, MINI, NOW_MS, OPUS, principal, target, UNPRICED } from "./samples.ts";

/** The effect of rules on a default call for GPT4 by key `ci`. */
function effect(rules: string, more: Partial<Call> = {}, by: Parameters<typeof principal>[0] = {}): Decision["effect"] {
  return decideBy(`default allow\n${rules}\n`)(call(more), principal(by)).effect;
}

t.test("the rule of the brochure works as written", async (t) => {
  const decide = decideBy("default allow\ndeny model gpt-4 when price > 10\n");
  const { effect, targets, denial, ruleIds } = decide(call(), principal());
  t.equal(effect, "deny");
  t.same(targets, []);
  t.same(ruleIds, ["rules/a.rules:2"]);
  t.same(denial, {
    message: "Access denied: model gpt-4 (price $60/M) is denied by rules/a.rules:2 (price > $10/M)",
    ruleId: "rules/a.rules:2",
  });
  t.equal(decide(call({ targets: [MINI] }), principal()).effect, "allow");
});

t.test("prices compare in their own unit, exactly at the boundary", async (t) => {
  const at = (price: string): string => effect(`deny when price ${price}`, { targets: [target("m", 10)] });
  for (const same of ["10", "$10/M", "$0.01/k", "10.0", "$10.000000/M"]) {
    t.equal(at(`> ${same}`), "allow", `> ${same}`);
    t.equal(at(`>= ${same}`), "deny", `>= ${same}`);
    t.equal(at(`= ${same}`), "deny", `= ${same}`);
  }
  t.equal(at("> 9.999999"), "deny");
  t.equal(effect("deny when price.input > 29.999999"), "deny", "input is half of it in the samples");
  t.equal(effect("deny when price.input > 30"), "allow");
  t.equal(effect("deny when price in 30..60"), "deny", "a range of prices holds its ends");
});

t.test("a deny wins over an allow, an allow over the default, whatever the order", async (t) => {
  const rules = ["default deny", "allow team ml", "deny model gpt-4 for team ml"];
  for (const order of [rules, [...rules].reverse()]) {
    const decide = decideBy(`${order.join("\n")}\n`);
    t.equal(decide(call(), principal({ team: "ml" })).effect, "deny");
    t.equal(decide(call({ targets: [MINI] }), principal({ team: "ml" })).effect, "allow");
    t.equal(decide(call({ targets: [MINI] }), principal()).effect, "deny");
    t.equal(
      decideBy(order)(call({ targets: [MINI] }), principal({ team: "ml" })).effect,
      "allow",
      "in files of their own",
    );
  }
});

t.test("a denial by default says so and names the line", async (t) => {
  const { denial, ruleIds } = decideBy("\ndefault deny\nallow team ml\n")(call(), principal());
  t.same(denial, {
    message: "Access denied: model gpt-4 is not allowed by any rule (default deny, rules/a.rules:2)",
    ruleId: "rules/a.rules:2",
  });
  t.same(ruleIds, ["rules/a.rules:2"]);
});

t.test("the most specific default decides", async (t) => {
  const decide = decideBy(
    "default allow\ndefault deny for team ml\ndefault allow for team ml role admin\ndefault deny for key bad\ndefault deny for endpoint images\n",
  );
  t.equal(decide(call(), principal()).effect, "allow");
  t.equal(decide(call(), principal({ team: "ml" })).effect, "deny");
  t.equal(decide(call(), principal({ team: "ml", roles: ["admin"] })).effect, "allow", "two selectors beat one");
  t.equal(decide(call(), principal({ key: "bad" })).effect, "deny");
  t.equal(decide(call({ endpoint: "images" }), principal()).effect, "deny", "a default may look at the request");
  const tie = decideBy("default allow\ndefault allow for key ci\ndefault deny for key ci\n");
  t.equal(tie(call(), principal()).effect, "deny", "deny wins a tie");
});

t.test("only denies whatever is not listed, for its scope, and several intersect", async (t) => {
  const decide = decideBy(
    "default allow\nonly model [gpt-4, gpt-4o-*] for team ml\nonly provider openai model gpt-4* for team ml when stream\nonly model gpt-4o-mini for role small\n",
  );
  t.equal(decide(call(), principal()).effect, "allow", "out of scope");
  t.equal(decide(call(), principal({ team: "ml" })).effect, "allow");
  t.equal(decide(call({ targets: [OPUS] }), principal({ team: "ml" })).effect, "deny");
  t.equal(decide(call(), principal({ team: "ml", roles: ["small"] })).effect, "deny");
  t.equal(decide(call({ targets: [MINI] }), principal({ team: "ml", roles: ["small"] })).effect, "allow");
  t.equal(
    decide(call({ targets: [OPUS] }), principal({ team: "ml" })).denial?.message,
    "Access denied: model claude-opus-4 is denied by rules/a.rules:2 (only model [gpt-4, gpt-4o-*] for team ml)",
  );
  t.equal(effect("only model not gpt-4"), "deny");
  t.equal(effect("only model gpt-4 unless role admin", { targets: [MINI] }), "deny");
  t.equal(effect("only model gpt-4 unless role admin", { targets: [MINI] }, { roles: ["admin"] }), "allow");
});

t.test("an unset name equals no name", async (t) => {
  for (const positive of [
    "team = ml",
    "team in [ml]",
    "team has ml",
    "team = *",
    "team ml",
    'header["x-env"] = prod',
    "team is set",
  ]) {
    t.equal(effect(`deny when ${positive}`), "allow", positive);
    t.equal(effect(`deny when not ${positive}`), "deny", `not ${positive}`);
  }
  for (const negative of [
    "team != ml",
    "team not in [ml]",
    "team not has ml",
    "team not ml",
    "team is unset",
    'metadata["job"] != x',
  ]) {
    t.equal(effect(`deny when ${negative}`), "deny", negative);
  }
});

t.test("subjects match by alias and by id; sets by what they hold", async (t) => {
  const by = { key: "k", team: "ml", org: "acme", user: "ann", roles: ["dev", "admin"], tags: ["gold"] };
  for (const rule of [
    "team ml",
    "team id_ml",
    "org acme",
    "user id_ann",
    "key [x, k]",
    "role admin",
    "tag gold",
    "role not [viewer]",
  ]) {
    t.equal(effect(`deny ${rule}`, {}, by), "deny", rule);
  }
  for (const rule of ["team ML", "team not ml", "role not admin", "tag silver", "user id_ml"]) {
    t.equal(effect(`deny ${rule}`, {}, by), "allow", rule);
  }
  t.equal(effect("deny when role has admin and tag in [gold, silver]", {}, by), "deny");
});

t.test("a quoted value is never a glob, an unquoted one with a star is", async (t) => {
  const slashes = { targets: [target("meta/llama-3:free", 1)] };
  t.equal(effect("deny model meta*free", slashes), "deny", "a star crosses slashes");
  t.equal(effect('deny model "meta*free"', slashes), "allow");
  t.equal(effect("deny model meta/llama-?:free", slashes), "deny");
  t.equal(effect("deny model meta", slashes), "allow", "a word without a star is exact");
});

t.test("unknown never helps the caller", async (t) => {
  const unpriced = { targets: [UNPRICED] };
  for (const rule of [
    "deny when price > 10",
    "deny when price <= 10",
    "deny when not price > 10",
    "only model gpt-4 when price = 3",
    "deny unless price < 10",
  ]) {
    const decision = decideBy(`default allow\n${rule}\n`)(call(unpriced), principal());
    t.equal(decision.effect, "deny", rule);
    t.same(decision.unknown, ["price"], rule);
  }
  const allow = decideBy("default deny\nallow when price < 10\nallow when price >= 10\n")(call(unpriced), principal());
  t.equal(allow.effect, "deny", "an allow does not count unknown as a match");
  t.same(allow.unknown, ["price"]);
  const idle = decideBy("default allow\ndeny when price > 10 and team ml\ndeny model gpt-4 when price > 10\n")(
    call(unpriced),
    principal(),
  );
  t.equal(idle.effect, "allow", "unknown and false is false");
  t.same(idle.unknown, [], "and then it did not matter");
  t.equal(
    decideBy("default allow\ndeny when price > 10\n")(call(unpriced), principal()).denial?.message,
    "Access denied: model mystery (price unknown) is denied by rules/a.rules:2 (price > $10/M)",
  );
});

t.test("a malformed field is unknown, one that is left out has its declared value", async (t) => {
  t.equal(effect("deny when temperature > 1.5", { json: { temperature: "2" } }), "deny");
  t.equal(effect("deny when temperature > 1.5", { json: {} }), "allow");
  t.equal(effect("deny when temperature = 1", { json: { temperature: null } }), "deny");
  t.equal(effect("deny when tools", { json: { tools: {} } }), "deny");
  t.equal(effect("deny when tools", { json: { tools: [] } }), "allow");
  t.equal(effect("deny when tools.count > 1", { json: { tools: [{}, {}] } }), "deny");
  t.equal(effect("deny when reasoning.effort = default"), "deny");
  t.equal(effect("deny when reasoning.effort = high", { json: { reasoning_effort: "high" } }), "deny");
  t.equal(effect("deny when reasoning.effort = high", { json: { reasoning: { effort: "HIGH" } } }), "deny");
  t.equal(effect('deny when metadata["__proto__"] is set', { json: { metadata: {} } }), "allow");
  t.equal(effect('deny when metadata["job"] = 3', { json: { metadata: { job: 3 } } }), "deny");
  t.equal(effect('deny when metadata["job"] = 3', { json: { metadata: "job" } }), "deny", "no metadata can be read");
});

t.test("max_tokens is what was asked, else the model's limit, else unknown", async (t) => {
  t.equal(effect("deny when max_tokens > 8k", { maxTokens: 8_000 }), "allow");
  t.equal(effect("deny when max_tokens > 8k", { maxTokens: 8_001 }), "deny");
  t.equal(effect("deny when max_tokens > 8k"), "deny", "leaving it out asks for the model's 16,384");
  t.equal(effect("deny when max_tokens > 1M", { targets: [UNPRICED] }), "deny", "no limit is known");
});

t.test("every wire format's images, messages and tools are seen", async (t) => {
  const openai = { json: { messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] } };
  const anthropic: Partial<Call> = {
    wire: "anthropic",
    json: { messages: [{ content: [{ type: "tool_result", content: [{ type: "image", source: {} }] }] }] },
  };
  const gemini: Partial<Call> = {
    wire: "gemini",
    json: {
      contents: [{ parts: [{ inlineData: {} }] }],
      tools: [{ functionDeclarations: [{}, {}, {}] }],
      generationConfig: { temperature: 0.2 },
    },
  };
  const responses: Partial<Call> = { endpoint: "responses", json: { input: [{ content: [{ type: "input_image" }] }] } };
  for (const shape of [openai, anthropic, gemini, responses]) {
    t.equal(effect("deny when vision and messages.count = 1", shape), "deny", JSON.stringify(shape));
  }
  t.equal(effect("deny when vision", { json: { messages: [{ content: "an image_url" }] } }), "allow");
  t.equal(effect("deny when tools.count = 3 and temperature = 0.2", gemini), "deny");
  t.equal(effect("deny when messages.count = 1", { endpoint: "responses", json: { input: "hi" } }), "deny");
});

t.test("requests: endpoint, method, path, header, body size, address", async (t) => {
  const by = { headers: { "x-env": "prod", "x-many": ["a", "b"] }, ip: "::ffff:10.1.2.3", stream: true, n: 3 };
  for (const rule of [
    "deny endpoint chat",
    'deny when method = POST and path = "/v1/chat/completions"',
    'deny when header["X-Env"] = prod',
    'deny when header["x-many"] has b',
    "deny when request.bytes = 2",
    "deny when request.bytes < 2kb and n >= 3",
    "deny when stream",
    "deny when stream = true and not stream = false and stream != false",
    "deny when ip in [192.168.0.0/16, 10.0.0.0/8]",
    "deny when ip = 10.1.2.3",
    "deny when ip in 10.0.0.0/8",
    "let @office = [10.0.0.0/8]\ndeny when ip in @office",
    "deny when model.requested = gpt-4",
  ]) {
    t.equal(effect(rule, by), "deny", rule);
  }
  t.equal(effect("deny when ip not in [10.0.0.0/8]", by), "allow");
  t.equal(effect("deny when ip in [10.0.0.0/8]", { ip: "not an address" }), "deny", "unknown");
  t.equal(effect("deny when ip in [2001:db8::/33]", { ip: "2001:db8:8000::1" }), "allow");
  t.equal(effect("deny when ip in [2001:db8::/33]", { ip: "2001:db8:7fff::1%eth0" }), "deny");
});

t.test("the clock: times exclude their end, and go round midnight, in the file's zone", async (t) => {
  const at = (rule: string, iso: string): string =>
    decideBy(`timezone Europe/Berlin\ndefault allow\ndeny when ${rule}\n`)(call(), principal(), Date.parse(iso)).effect;
  t.equal(at("hour in 22:00..06:00", "2026-11-21T20:59:59Z"), "allow");
  t.equal(at("hour in 22:00..06:00", "2026-11-21T21:00:00Z"), "deny");
  t.equal(at("hour in 22:00..06:00", "2026-11-22T04:59:59Z"), "deny");
  t.equal(at("hour in 22:00..06:00", "2026-11-22T05:00:00Z"), "allow");
  t.equal(at("time >= 22:00", "2026-07-21T20:00:00Z"), "deny", "summer time");
  t.equal(at("hour in 9..17", "2026-11-21T16:59:00Z"), "deny", "an hour counts to its end");
  t.equal(at("hour in 9..17", "2026-11-21T17:00:00Z"), "allow");
  t.equal(at("weekday in [sat, sun]", "2026-11-20T22:59:59Z"), "allow");
  t.equal(at("weekday in [sat, sun]", "2026-11-20T23:00:00Z"), "deny");
  t.equal(at("weekday in sat..mon", "2026-11-23T12:00:00Z"), "deny");
  t.equal(at("weekday in mon..fri", "2026-11-22T12:00:00Z"), "allow");
  t.equal(at("date >= 2026-11-22 and day = 22", "2026-11-21T23:00:00Z"), "deny");
  t.equal(at("time in 18:00..24:00", "2026-11-21T22:59:59Z"), "deny");
  t.equal(at("hour in 1:00..3:00", "2026-10-25T00:30:00Z"), "deny", "2:30 comes twice");
  t.equal(at("hour in 1:00..3:00", "2026-10-25T01:30:00Z"), "deny");
});

t.test("a rule is in force through the day of its until, in its file's zone", async (t) => {
  const decide = decideBy("timezone Europe/Berlin\ndefault allow\ndeny model gpt-4 until 2026-12-31\n");
  const by = principal();
  t.equal(decide(call(), by, Date.parse("2026-12-31T22:59:59Z")).effect, "deny");
  t.equal(decide(call(), by, Date.parse("2026-12-31T23:00:00Z")).effect, "allow", "also where the plan is memoised");
});

t.test("key.age is read at the time of the request", async (t) => {
  const decide = decideBy("default allow\ndeny when key.age < 7d\n");
  const young = principal({ createdMs: NOW_MS });
  t.equal(decide(call(), young, NOW_MS + 1).effect, "deny");
  t.equal(decide(call(), young, NOW_MS + 7 * 86_400_000).effect, "allow");
});

t.test("a shadow rule is told and decides nothing; an off rule is only checked", async (t) => {
  const { effect, shadowIds, ruleIds } = decideBy(
    "default allow\nshadow deny model gpt-4 as trial\nshadow only model x as fence\noff deny model gpt-4\n",
  )(call(), principal());
  t.equal(effect, "allow");
  t.same(shadowIds, ["trial", "fence"]);
  t.same(ruleIds, []);
  t.throws(() => checkedSet("default allow\noff deny when pric > 10\n"), /E201/);
});

t.test("targets that are denied drop out; the request is denied when none is left", async (t) => {
  const decide = decideBy("default allow\ndeny model gpt-4 as no-gpt-4\ndeny model claude-* when stream\n");
  const both = decide(call({ targets: [GPT4, OPUS, MINI] }), principal());
  t.same(
    [both.effect, both.targets.map(({ model }) => model), both.ruleIds],
    ["allow", ["claude-opus-4", "gpt-4o-mini"], ["no-gpt-4"]],
  );
  const none = decide(call({ targets: [OPUS, GPT4], stream: true }), principal());
  t.same([none.effect, none.targets, none.denial?.ruleId], ["deny", [], "no-gpt-4"], "the first line is shown");
  t.same(none.ruleIds, ["rules/a.rules:3", "no-gpt-4"]);
});

t.test("the caller is shown the first deny by file and line, the log all", async (t) => {
  const decide = decideBy([
    "default allow\n\ndeny model gpt-4 as second\ndeny when stream as first\n",
    "deny model gpt-4 as third\ndeny key nobody\nonly model nothing as fourth\n",
  ]);
  const quiet = decide(call(), principal());
  t.same([quiet.denial?.ruleId, quiet.ruleIds], ["second", ["second", "third", "fourth"]]);
  const loud = decideBy(["default allow\n", "deny when stream as late\n", "deny model gpt-4 as later\n"])(
    call({ stream: true }),
    principal(),
  );
  t.same(
    [loud.denial?.ruleId, loud.ruleIds],
    ["late", ["late", "later"]],
    "also where one is fixed by the model and one is not",
  );
});

t.test("a because tells the values of what its rule compares, and of what model and key fix", async (t) => {
  const said = (rule: string, of: Call, by = principal({ team: "ml" })) =>
    decideBy(`default allow\n${rule}\n`)(of, by).denial?.message;
  const dear = 'deny when price.input > $10/M because "{model} of {provider} is {price.input}, {team}: {nothing} {"';
  t.equal(said(dear, call()), "gpt-4 of openai is $30/M, ml: {nothing} {");
  t.equal(said(dear, call({ targets: [UNPRICED] })), "mystery of openai is unknown, ml: {nothing} {");
  const ip = 'deny when ip not in [10.0.0.0/8] because "not from {ip}"';
  const decide = decideBy(`default allow\n${ip}\n`);
  for (const from of ["192.0.2.7", "192.0.2.8"]) {
    t.equal(decide(call({ ip: from }), principal()).denial?.message, `not from ${from}`, "each caller its own");
  }
  t.equal(said('deny model gpt-4 because "{ip} {header}"', call()), "{ip} {header}", "what the rule does not look at");
  const header = String.raw`deny when header["x-env"] = prod because "{header[\"x-env\"]}"`;
  t.equal(said(header, call({ headers: { "x-env": "prod" } })), "prod");
});

t.test("a because replaces the sentence; a status replaces the code's", async (t) => {
  const { denial } = decideBy('default allow\ndeny model gpt-4 as x because "Use \\"gpt-4o-mini\\"" status 451\n')(
    call(),
    principal(),
  );
  t.same(denial, { message: 'Use "gpt-4o-mini"', ruleId: "x", status: 451 });
});

t.test("the sentence names what was compared, with the value seen", async (t) => {
  const says = (rule: string, more: Partial<Call> = {}, by: Parameters<typeof principal>[0] = {}): string | undefined =>
    decideBy(`default allow\n${rule}\n`)(call(more), principal(by)).denial?.message.replace(
      "Access denied: model gpt-4",
      "…",
    );
  t.equal(says("deny model gpt-4"), "… is denied by rules/a.rules:2");
  t.equal(
    says("deny team ml for role dev unless role admin", {}, { team: "ml", roles: ["dev", "x"] }),
    "… (role dev, x) is denied by rules/a.rules:2 (team ml for role dev unless role admin)",
  );
  t.equal(says('deny when (stream or vision) and team not in [a, "b c"]'), undefined);
  t.equal(
    says('deny when (stream or vision) and team not in [a, "b c"]', { stream: true }),
    '… (stream true, vision false, team unset) is denied by rules/a.rules:2 ((stream or vision) and team not in [a, "b c"])',
  );
  t.equal(
    says("deny when hour in 10:00..14:00 and weekday = sat and date = 2026-11-21 and key.age > 5m"),
    "… (hour 12:00, weekday sat, date 2026-11-21, key.age 1h) is denied by rules/a.rules:2 (hour in 10:00..14:00 and weekday = sat and date = 2026-11-21 and key.age > 5m)",
  );
  t.equal(
    says("deny when max_tokens > 8k and ip = 192.0.2.7"),
    "… (max_tokens 16384, ip 192.0.2.7) is denied by rules/a.rules:2 (max_tokens > 8k and ip = 192.0.2.7)",
  );
  t.equal(says("let @busy = price > 10\ndeny when @busy"), "… (price $60/M) is denied by rules/a.rules:3 (@busy)");
  const hostile = says('deny when header["x"] is set', { headers: { x: `\u001b[2J${"a".repeat(500)}` } }) ?? "";
  t.ok(hostile.length < 250 && !hostile.includes("\u001b"), "what the caller sent is clipped and clean");
});

t.test("names that JavaScript objects inherit are names like any other", async (t) => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  for (const name of names) {
    t.equal(effect(`deny team ${name}`, {}, { team: name }), "deny", name);
    t.equal(effect(`deny team ${name}`, {}, { team: "ml" }), "allow", name);
    t.equal(effect(`deny when header["${name}"] is set`), "allow", name);
  }
  t.equal(effect("let @__proto__ = [gpt-4]\ndeny model @__proto__"), "deny");
  t.throws(() => checkedSet("default allow\ndeny model @constructor\n"), /E202/);
});

t.test("scopes apply their selectors to each rule in them", async (t) => {
  const rules = "for team ml role dev {\n  deny model gpt-4\n  only provider openai\n    for key ci\n}\n";
  t.equal(effect(rules, {}, { team: "ml", roles: ["dev"] }), "deny");
  t.equal(effect(rules, {}, { team: "ml" }), "allow");
  t.equal(effect(rules, { targets: [OPUS] }, { team: "ml", roles: ["dev"] }), "deny");
  t.equal(effect(rules, { targets: [OPUS] }, { team: "ml", roles: ["dev"], key: "other" }), "allow");
});

t.test("lists and conditions made in one file serve all files", async (t) => {
  const decide = decideBy([
    "deny model @big when @late\n",
    "default allow\nlet @big = [gpt-4]\n",
    "timezone Asia/Tokyo\nlet @late = time >= 20:00\n",
  ]);
  t.equal(
    decide(call(), principal(), Date.parse("2026-11-21T11:00:00Z")).effect,
    "deny",
    "a condition keeps its own file's zone",
  );
  t.equal(decide(call(), principal(), Date.parse("2026-11-21T10:59:00Z")).effect, "allow");
});

t.test("an allowed call with nothing left to test shares one frozen decision", async (t) => {
  const decide = decideBy("default allow\ndeny model gpt-4 when price > 100\ndeny when stream\n");
  const by = principal();
  const first = decide(call(), by);
  t.ok(Object.isFrozen(first) && Object.isFrozen(first.targets));
  t.equal(decide(call({ n: 2 }), by), first);
  t.equal(decide(call({ stream: true }), by).effect, "deny", "an open rule is still tested");
  t.equal(decide(call(), by), first);
  t.not(decide(call(), principal({ team: "ml" })), first, "another principal has its own");
});
