// Random policies written both in our language and in Cedar's, and a run that compares what each decides.
import * as cedar from "@cedar-policy/cedar-wasm/nodejs";
import { build, snapshotOf } from "../../src/rules/build.ts";
import { compileSet } from "../../src/rules/compile.ts";
import { createDecide } from "../../src/rules/decide.ts";
import { StatementCache } from "../../src/rules/parse.ts";
import { renderText } from "../../src/rules/render.ts";
import type { Call, Principal, Target } from "../../src/types.ts";
import { call, NOW_MS, principal, source, target } from "./samples.ts";

const MODELS = ["gpt-4", "gpt-4o-mini", "claude-opus-4", "meta/llama-3:free"];
const GLOBS = ["gpt-*", "*-4", "*o*", "claude-*-4", "*", "*/*", "g*t*-4*"];
const TEAMS = ["ml", "search", "__proto__"];
const ROLES = ["admin", "dev", "ops"];
const ENVS = ["prod", "dev", "a b"];
const NETS = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "::1"];
const IPS = ["10.1.2.3", "10.2.0.1", "192.0.2.7", "192.0.2.8", "2001:db8::9", "2001:db9::9", "::1"];
const PRICES = [1, 10, 20, 60];
const TOKENS = [100, 8000, 8001, 16_384];

/** xorshift32: the same seed gives the same policies everywhere. */
export class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = (Math.imul(seed, 2_654_435_761) ^ 0x9e3779b9) >>> 0 || 1;
  }

  below(limit: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    this.state >>>= 0;
    return this.state % limit;
  }

  of<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)] as Value;
  }

  some<Value>(values: readonly Value[]): Value[] {
    const found = values.filter(() => this.below(2) === 0);
    return found.length > 0 ? found : [this.of(values)];
  }
}

/** One condition in both languages. */
interface Both {
  readonly ours: string;
  readonly theirs: string;
}

const quoted = (text: string): string => JSON.stringify(text);
/** Both escape alike; a `*` in a value would be a wildcard of `like`, and no value here holds one. */
const like = (attribute: string, value: string): string =>
  value.includes("*") ? `${attribute} like ${quoted(value)}` : `${attribute} == ${quoted(value)}`;
const anyOf = (parts: readonly string[]): string => `(${parts.join(" || ")})`;

/** A value as we write it: quoted where it is no word. */
const word = (value: string): string => (/^[A-Za-z_*][\w.\-/:@+*]*$/.test(value) ? value : quoted(value));

interface Names {
  readonly ours: string;
  readonly theirs: string;
  readonly values: readonly string[];
  /** May be unset: our comparison is then false, and Cedar must ask `has` first. */
  readonly optional: boolean;
}

const NAMES: readonly Names[] = [
  { ours: "model", theirs: "model", values: [...MODELS, ...GLOBS], optional: false },
  { ours: "team", theirs: "team", values: [...TEAMS, "m*", "*"], optional: true },
  { ours: 'header["x-env"]', theirs: "env", values: [...ENVS, "*d*"], optional: true },
];

function nameTest(dice: Dice): Both {
  const { ours, theirs, values, optional } = dice.of(NAMES);
  const chosen = dice.some(values).slice(0, 3);
  const tested = `context.${theirs}`;
  const theirTest = anyOf(chosen.map((value) => like(tested, value)));
  const positive = optional ? `(context has ${theirs} && ${theirTest})` : theirTest;
  const single = chosen.length === 1;
  const negated = dice.below(2) === 0;
  const list = single ? word(chosen[0] ?? "") : `[${chosen.map(word).join(", ")}]`;
  const op = single ? (negated ? "!=" : "=") : negated ? "not in" : "in";
  return { ours: `${ours} ${op} ${list}`, theirs: negated ? `!${positive}` : positive };
}

function test(dice: Dice): Both {
  switch (dice.below(8)) {
    case 0: {
      const role = dice.of(ROLES);
      return { ours: `role ${role}`, theirs: `context.roles.contains(${quoted(role)})` };
    }
    case 1: {
      const roles = dice.some(ROLES);
      const list = roles.map(quoted).join(", ");
      return { ours: `role in [${list}]`, theirs: `context.roles.containsAny([${list}])` };
    }
    case 2: {
      const [op, usd] = [dice.of(["<", "<=", ">", ">=", "=", "!="]), dice.of(PRICES)];
      return { ours: `price ${op} $${usd}/M`, theirs: `context.price ${op === "=" ? "==" : op} ${usd * 1_000_000}` };
    }
    case 3: {
      const [op, tokens] = [dice.of(["<", "<=", ">", ">="]), dice.of(TOKENS)];
      return { ours: `max_tokens ${op} ${tokens}`, theirs: `context.tokens ${op} ${tokens}` };
    }
    case 4: {
      const nets = dice.some(NETS);
      const negated = dice.below(2) === 0;
      const theirs = anyOf(nets.map((net) => `context.ip.isInRange(ip(${quoted(net)}))`));
      return { ours: `ip ${negated ? "not " : ""}in [${nets.join(", ")}]`, theirs: negated ? `!${theirs}` : theirs };
    }
    case 5: {
      const [low, high] = [dice.of([1, 2]), dice.of([2, 3])];
      return { ours: `n in ${low}..${high}`, theirs: `(context.n >= ${low} && context.n <= ${high})` };
    }
    case 6:
      return dice.below(2) === 0
        ? { ours: "stream", theirs: "context.stream" }
        : { ours: "team is unset", theirs: "!(context has team)" };
    default:
      return nameTest(dice);
  }
}

function condition(dice: Dice, depth: number): Both {
  const kind = dice.below(depth > 0 ? 6 : 3);
  if (kind < 3) return test(dice);
  if (kind === 3) {
    const part = condition(dice, depth - 1);
    return { ours: `not (${part.ours})`, theirs: `!(${part.theirs})` };
  }
  const [a, b] = [condition(dice, depth - 1), condition(dice, depth - 1)];
  const [ours, theirs] = kind === 4 ? ["and", "&&"] : ["or", "||"];
  return { ours: `(${a.ours} ${ours} ${b.ours})`, theirs: `(${a.theirs} ${theirs} ${b.theirs})` };
}

/** `model [a, b*]` or `team not x`. */
function selector(dice: Dice, subjects: readonly Names[]): Both {
  const { ours, theirs, values, optional } = dice.of(subjects);
  const chosen = dice.some(values).slice(0, 3);
  const negated = dice.below(3) === 0;
  const test = anyOf(chosen.map((value) => like(`context.${theirs}`, value)));
  const positive = optional ? `(context has ${theirs} && ${test})` : test;
  const list = chosen.length === 1 ? word(chosen[0] ?? "") : `[${chosen.map(word).join(", ")}]`;
  return { ours: `${ours} ${negated ? "not " : ""}${list}`, theirs: negated ? `!${positive}` : positive };
}

interface Policy extends Both {
  readonly id: string;
}

function rule(dice: Dice, index: number): Policy {
  const effect = dice.of(["deny", "deny", "allow", "only"]);
  const selectors = effect === "only" || dice.below(2) === 0 ? [selector(dice, NAMES.slice(0, 2))] : [];
  const scope = dice.below(3) === 0 ? [selector(dice, NAMES.slice(1, 2))] : [];
  const when = dice.below(3) > 0 ? condition(dice, 2) : null;
  const unless = dice.below(3) === 0 ? condition(dice, 1) : null;
  const theirs = [...scope.map((one) => one.theirs)];
  theirs.push(...selectors.map((one) => (effect === "only" ? `!(${one.theirs})` : one.theirs)));
  const ours = [effect, ...selectors.map((one) => one.ours)];
  if (scope.length > 0) ours.push("for", ...scope.map((one) => one.ours));
  if (when !== null) ours.push("when", when.ours);
  if (unless !== null) ours.push("unless", unless.ours);
  if (when !== null) theirs.push(when.theirs);
  const clauses = [
    ...theirs.map((one) => `when { ${one} }`),
    ...(unless === null ? [] : [`unless { ${unless.theirs} }`]),
  ];
  return {
    id: `r${index}`,
    ours: `${ours.join(" ")} as r${index}`,
    theirs: `${effect === "allow" ? "permit" : "forbid"} (principal, action, resource) ${clauses.join(" ")};`,
  };
}

/** Part of a request, and what Cedar is told of it. */
interface Part<Value> {
  readonly value: Value;
  readonly context: Record<string, cedar.CedarValueJson>;
}

function caller(dice: Dice): Part<Principal> {
  const team = dice.below(3) === 0 ? undefined : dice.of(TEAMS);
  const roles = ROLES.filter(() => dice.below(2) === 0);
  const given = team === undefined ? {} : { team };
  return { value: principal({ roles, ...given }), context: { roles, ...given } };
}

function served(dice: Dice): Part<Target> {
  const [model, usd] = [dice.of(MODELS), dice.of(PRICES)];
  return { value: target(model, usd), context: { model, price: usd * 1_000_000 } };
}

function asked(dice: Dice): Part<Partial<Call>> {
  const [ip, n, maxTokens] = [dice.of(IPS), dice.of([1, 2, 3]), dice.of(TOKENS)];
  const env = dice.below(3) === 0 ? undefined : dice.of(ENVS);
  const stream = dice.below(2) === 0;
  return {
    value: { ip, n, maxTokens, stream, headers: env === undefined ? {} : { "x-env": env } },
    context: {
      tokens: maxTokens,
      n,
      stream,
      ip: { __extn: { fn: "ip", arg: ip } },
      ...(env === undefined ? {} : { env }),
    },
  };
}

/** What a run came to. */
export interface CedarRun {
  readonly compared: number;
  readonly denied: number;
  /** The first case in which the two differ, or null. */
  readonly mismatch: string | null;
}

/**
 * Compares decision and determining policies of `sets` random sets from a seed on, each for some requests. The requests
 * of a set are by two callers for two targets and go through one memo, so that most of them find it warm.
 */
export function compareWithCedar(seed: number, sets: number, requestsPerSet: number): CedarRun {
  let [compared, denied] = [0, 0];
  for (let at = seed; at < seed + sets; at += 1) {
    const dice = new Dice(at);
    const defaultAllow = dice.below(2) === 0;
    const policies = Array.from({ length: 1 + dice.below(6) }, (_, i) => rule(dice, i));
    const ours = `default ${defaultAllow ? "allow" : "deny"}\n${policies.map((one) => one.ours).join("\n")}\n`;
    const theirs = Object.fromEntries(policies.map(({ id, theirs }) => [id, theirs]));
    if (defaultAllow) theirs.default = "permit (principal, action, resource);";
    const parsed = cedar.preparsePolicySet("set", { staticPolicies: theirs });
    if (parsed.type === "failure")
      return { compared, denied, mismatch: `${JSON.stringify(parsed.errors)}\n${JSON.stringify(theirs)}` };
    const { set, diagnostics } = build(snapshotOf([source(ours)]), { models: () => [] }, new StatementCache(), NOW_MS);
    if (set === null) return { compared, denied, mismatch: renderText(diagnostics) };
    const decide = createDecide(compileSet(set), 1);
    const callers = [caller(dice), caller(dice)];
    const targets = [served(dice), served(dice)];
    for (let i = 0; i < requestsPerSet; i += 1) {
      const [by, of, how] = [dice.of(callers), dice.of(targets), asked(dice)];
      const context = { ...by.context, ...of.context, ...how.context };
      const decision = decide(call({ ...how.value, targets: [of.value] }), by.value, () => NOW_MS);
      const theirAnswer = askCedar(context);
      const found = decision.effect === "deny" ? decision.ruleIds.filter((id) => denies(policies, id)) : [];
      const [mine, yours] = [
        summary(decision.effect, found),
        summary(theirAnswer.decision, theirAnswer.decision === "deny" ? theirAnswer.reason : []),
      ];
      compared += 1;
      if (decision.effect === "deny") denied += 1;
      if (mine !== yours) {
        return {
          compared,
          denied,
          mismatch: `seed ${at}: we ${mine}, Cedar ${yours}\n${ours}\n${Object.values(theirs).join("\n")}\n${JSON.stringify(context)}`,
        };
      }
    }
  }
  return { compared, denied, mismatch: null };
}

function denies(policies: readonly Policy[], id: string): boolean {
  return policies.some((policy) => policy.id === id && policy.theirs.startsWith("forbid"));
}

function summary(effect: string, ids: readonly string[]): string {
  return `${effect} ${[...ids].sort().join(",")}`.trim();
}

function askCedar(context: Part<unknown>["context"]): { decision: string; reason: readonly string[] } {
  const answer = cedar.statefulIsAuthorized({
    principal: { type: "U", id: "u" },
    action: { type: "Action", id: "call" },
    resource: { type: "R", id: "r" },
    context,
    preparsedPolicySetId: "set",
    entities: [],
  });
  if (answer.type === "failure") throw new Error(JSON.stringify(answer.errors));
  const { decision, diagnostics } = answer.response;
  if (diagnostics.errors.length > 0) throw new Error(JSON.stringify(diagnostics.errors));
  return { decision, reason: diagnostics.reason };
}
