// What the rule benchmark compares: each takes the rules once and then decides requests.
import * as cedar from "@cedar-policy/cedar-wasm/nodejs";
import { Environment } from "@marcbachmann/cel-js";
import { newEnforcer, newModelFromString, StringAdapter } from "casbin";
import { Engine } from "json-rules-engine";
import { build, snapshotOf } from "../../src/rules/build.ts";
import type { CheckedSet } from "../../src/rules/checked.ts";
import { compileSet } from "../../src/rules/compile.ts";
import { createDecide } from "../../src/rules/decide.ts";
import { interpret } from "../../src/rules/interpret.ts";
import { StatementCache } from "../../src/rules/parse.ts";
import { renderText } from "../../src/rules/render.ts";
import { isAllowed } from "../../src/rules/verdict.ts";
import { type Asked, CATALOGUE, type SimpleRule } from "./sets.ts";

/** Whether a request is allowed. */
export type Decider = (asked: Asked) => boolean | Promise<boolean>;

const NOW_MS = Date.parse("2026-11-21T12:00:00Z");

export function checkedOf(text: string): CheckedSet {
  const source = { name: "rules/bench.rules", label: "rules/bench.rules", text };
  const { set, diagnostics } = build(snapshotOf([source]), CATALOGUE, new StatementCache(), NOW_MS);
  if (set === null) throw new Error(renderText(diagnostics.slice(0, 5)));
  return set;
}

export function tollgate(text: string): Decider {
  const decide = createDecide(compileSet(checkedOf(text)), 1);
  const nowMs = (): number => NOW_MS;
  return ({ call, principal }) => decide(call, principal, nowMs).effect === "allow";
}

export function plainWalk(text: string): Decider {
  const set = checkedOf(text);
  return ({ call, principal }) =>
    call.targets.some((target) => isAllowed(interpret(set, { call, principal, target, nowMs: NOW_MS })));
}

const teamOf = ({ principal }: Asked): string => principal.team?.alias ?? "";
const modelOf = ({ call }: Asked): string => call.modelRequested;

export function cedarWasm(rules: readonly SimpleRule[]): Decider {
  const forbids = rules.map(
    ({ team, model }) => `forbid (principal == T::"${team}", action, resource == M::"${model}");`,
  );
  const parsed = cedar.preparsePolicySet("bench", {
    staticPolicies: ["permit (principal, action, resource);", ...forbids].join("\n"),
  });
  if (parsed.type === "failure") throw new Error(JSON.stringify(parsed.errors));
  return (asked) => {
    const answer = cedar.statefulIsAuthorized({
      principal: { type: "T", id: teamOf(asked) },
      action: { type: "A", id: "call" },
      resource: { type: "M", id: modelOf(asked) },
      context: {},
      preparsedPolicySetId: "bench",
      entities: [],
    });
    if (answer.type === "failure") throw new Error(JSON.stringify(answer.errors));
    return answer.response.decision === "allow";
  };
}

export function jsonRulesEngine(rules: readonly SimpleRule[]): Decider {
  const engine = new Engine();
  for (const { team, model } of rules) {
    const all = [
      { fact: "team", operator: "equal", value: team },
      { fact: "model", operator: "equal", value: model },
    ];
    engine.addRule({ conditions: { all }, event: { type: "deny" } });
  }
  return async (asked) => (await engine.run({ team: teamOf(asked), model: modelOf(asked) })).events.length === 0;
}

export async function casbin(rules: readonly SimpleRule[]): Promise<Decider> {
  const model = newModelFromString(`
[request_definition]
r = sub, obj
[policy_definition]
p = sub, obj, eft
[policy_effect]
e = !some(where (p.eft == deny))
[matchers]
m = r.sub == p.sub && r.obj == p.obj
`);
  const lines = rules.map(({ team, model: of }) => `p, ${team}, ${of}, deny`);
  const enforcer = await newEnforcer(model, new StringAdapter(lines.join("\n")));
  return (asked) => enforcer.enforceSync(teamOf(asked), modelOf(asked));
}

export function celJs(rules: readonly SimpleRule[]): Decider {
  const environment = new Environment().registerVariable("team", "string").registerVariable("model", "string");
  const parsed = rules.map(({ team, model }) => environment.parse(`team == "${team}" && model == "${model}"`));
  return (asked) => {
    const facts = { team: teamOf(asked), model: modelOf(asked) };
    return !parsed.some((holds) => holds(facts) === true);
  };
}
