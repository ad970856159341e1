// Recorded requests decided again: as they were, by other rules, and with what was not recorded left open.
import fc from "fast-check";
import t from "tap";
import type { CheckedSet } from "../../src/rules/checked.ts";
import { createFactsOf } from "../../src/rules/record.ts";
import { createReplay, type Replay } from "../../src/rules/replay.ts";
import { Restorer } from "../../src/rules/restore.ts";
import { verdictsOf } from "../../src/rules/run-tests.ts";
import { isAllowed } from "../../src/rules/verdict.ts";
import type { Call, Principal, RecordedRequest, Target } from "../../src/types.ts";
import { caller, callOf, moment, request, statements, targetList } from "./arbitrary.ts";
import { call, checkedSet, GPT4, MINI, NOW_MS, principal, UNPRICED } from "./samples.ts";

const runs = { numRuns: 1_000 };

/** The record of a call, as the pipeline makes it. */
function recordOf(of: Call, by: Principal, facts: string | null, sentTo: Target | null = null): RecordedRequest {
  const { id, receivedMs, method, path, endpoint, ip, modelRequested, stream } = of;
  return {
    ...{ id, receivedMs, method, path, endpoint, ip, modelRequested, stream, facts },
    keyId: by.key.id,
    keyAlias: by.key.alias,
    keyCreatedMs: by.keyCreatedMs,
    teamId: by.team?.id ?? null,
    teamAlias: by.team?.alias ?? null,
    userId: by.user?.id ?? null,
    orgId: by.org?.id ?? null,
    model: (sentTo ?? of.targets[0])?.model ?? null,
    provider: sentTo?.provider ?? null,
    requestBytes: of.body.length,
    ...{ status: 200, error: null, decision: "allow", ruleIds: [], shadowIds: [], warningIds: [], unknown: [] },
    ...{ generation: 1, rulesHash: "0123456789ab", costNanoUsd: 0 },
  };
}

function listed(targets: readonly Target[]): { targets: Map<string, readonly Target[]> } {
  return { targets: new Map(targets.map((target) => [target.model, [target]])) };
}

function effectOf(set: CheckedSet, of: Call, by: Principal): "allow" | "deny" {
  const scenario = { call: of, principal: by, nowMs: of.receivedMs, given: new Map() };
  return verdictsOf(set, scenario).some(isAllowed) ? "allow" : "deny";
}

t.test("a request that is restored from its record is decided as it was, whatever the rules look at", async (t) => {
  fc.assert(
    fc.property(statements, targetList, caller, request, moment, (lines, targets, by, more, receivedMs) => {
      const set = checkedSet(lines.join("\n"));
      const of = callOf({ ...more, receivedMs }, targets);
      const record = recordOf(of, by, createFactsOf(set, true)(of, by, false));
      const restored = new Restorer(listed(targets)).restore(record);
      const seen = verdictsOf(set, restored).map(({ target: _target, ...rest }) => rest);
      const was = verdictsOf(set, { call: of, principal: by, nowMs: receivedMs, given: new Map() });
      t.same(
        seen,
        was.map(({ target: _target, ...rest }) => rest),
      );
      const { effect, missing } = createReplay(set, listed(targets))(record);
      const isOpen = effect === null && missing.every((name) => /^(?:sample|tokens)\./.test(name));
      if (!isOpen && effect !== effectOf(set, of, by)) throw new Error(`${effect} for ${record.facts}`);
    }),
    runs,
  );
});

t.test("what a replay is certain of is true, also where values were not recorded", async (t) => {
  let [certain, open] = [0, 0];
  const kept = fc.constantFrom("all", "those of other rules", "no values", "no facts");
  fc.assert(
    fc.property(statements, targetList, caller, request, kept, (lines, targets, by, more, what) => {
      const set = checkedSet(lines.join("\n"));
      const then = what === "those of other rules" ? checkedSet('default allow\ndeny when header["x-b"] = y\n') : set;
      const of = callOf(more, targets);
      const facts = what === "no facts" ? null : createFactsOf(then, what !== "no values")(of, by, false);
      const only = targets[0] as Target;
      const one = what === "no facts" ? callOf(more, [only]) : of;
      const { effect, missing } = createReplay(
        set,
        listed(targets),
      )(recordOf(one, by, facts, facts === null ? only : null));
      if (effect === null) open += 1;
      else certain += 1;
      if (effect === null && missing.length === 0) throw new Error("nothing is missing");
      if (effect !== null && effect !== effectOf(set, one, by)) throw new Error(`${effect} for ${facts}`);
    }),
    runs,
  );
  t.ok(certain > 500 && open > 20, `${certain} certain, ${open} open`);
});

t.test("the deciding rule is named, and what is missing where it is open", async (t) => {
  const by = principal({ team: "ml" });
  const of = call({ headers: { "x-env": "prod" }, maxTokens: 9_000 });
  const facts = createFactsOf(checkedSet('default allow\ndeny when header["x-env"] = dev\n'), true)(of, by, true);
  t.equal(facts, '{"max":9000,"msgs":0,"h":{"x-env":"prod"}}');
  const catalogue = listed([GPT4, MINI]);
  const replay = (text: string, kept: string | null = facts): ReturnType<Replay> =>
    createReplay(checkedSet(text), catalogue)(recordOf(of, by, kept, GPT4));
  t.same(replay('default allow\ndeny when header["x-env"] = prod as p\n'), {
    effect: "deny",
    ruleId: "p",
    missing: [],
  });
  t.same(replay('default allow\ndeny when header["x-other"] = prod as p\n'), {
    effect: null,
    ruleId: null,
    missing: ['header["x-other"]'],
  });
  t.same(replay('default allow\ndeny for team ml as ml\ndeny when header["x-other"] = a\n').ruleId, "ml");
  t.match(replay("default deny\nallow for team ml when max_tokens > 8k as big\n"), { effect: "allow", ruleId: "big" });
  t.match(replay("default deny\nallow when max_tokens > 8k as big\n", null), { effect: null, missing: ["max_tokens"] });
  t.match(replay("default deny for team ml\ndefault allow\n"), { effect: "deny", ruleId: "rules/a.rules:1" });
  t.match(replay("default allow\nshadow deny\nwarn\n"), { effect: "allow" }, "only what decides is replayed");
  const retired = createReplay(checkedSet("default allow\ndeny when price > 10\n"), catalogue);
  t.match(retired(recordOf(call({ targets: [UNPRICED] }), by, "{}", UNPRICED)), { effect: null, missing: ["price"] });
});

t.test("a record says little of most requests, and never a long value or a header that no rule reads", async (t) => {
  const none = createFactsOf(checkedSet("default allow\n"), true);
  const json = { messages: [{ role: "user", content: "hello" }], temperature: 1 };
  t.equal(none(call({ json, headers: { "x-env": "prod" } }), principal(), true), "{}");
  const reads = checkedSet(
    'default allow\nshadow deny when header["x-env"] = a\noff deny when header["x-off"] = a\ndeny when metadata["job"] = b\n',
  );
  const of = call({
    json: { ...json, metadata: { job: "x".repeat(201), other: "y" } },
    headers: { "x-env": "prod", "x-off": "z", authorization: "Bearer sk-secret" },
  });
  t.equal(createFactsOf(reads, true)(of, principal(), true), '{"h":{"x-env":"prod"}}');
  t.equal(createFactsOf(reads, false)(of, principal(), true), "{}", "values may be switched off");
  const who = principal({ roles: ["admin"], tags: ["t"], user: "ann", org: "acme" });
  t.equal(
    none(call({ json, targets: [GPT4, MINI], n: 2 }), who, true),
    '{"n":2,"roles":["admin"],"tags":["t"],"org":"acme","user":"ann","at":[["openai","gpt-4"],["openai","gpt-4o-mini"]]}',
  );
  t.equal(none(call({ json }), principal(), false), '{"at":[["openai","gpt-4"]]}', "a denied one has no provider yet");
  const odd = { tools: 3, temperature: "hot", reasoning_effort: 4, messages: "hi", n: 1 };
  t.equal(none(call({ json: odd, receivedMs: NOW_MS }), principal(), true), '{"tools":null,"temp":null,"effort":null}');
});
