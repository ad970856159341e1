// Targets, principals and calls as the rule tests need them, and a rule set from text.
import { BUDGET_ATTRIBUTES } from "../../plugins/budget/attributes.ts";
import { build, snapshotOf } from "../../src/rules/build.ts";
import type { RuleCatalogue } from "../../src/rules/catalogue.ts";
import type { CheckedSet } from "../../src/rules/checked.ts";
import { compileSet } from "../../src/rules/compile.ts";
import { createDecide } from "../../src/rules/decide.ts";
import { checkText, inlineSource } from "../../src/rules/inline-text.ts";
import { outsideAttribute } from "../../src/rules/outside-attributes.ts";
import { StatementCache } from "../../src/rules/parse.ts";
import { renderText } from "../../src/rules/render.ts";
import type { Source } from "../../src/rules/source.ts";
import type { Call, Decision, InlineRules, JsonObject, Principal, Target } from "../../src/types.ts";

/** 2026-11-21, a Saturday, 12:00 UTC. */
export const NOW_MS = Date.parse("2026-11-21T12:00:00Z");

/** A target; `outputUsd` is USD per million output tokens, half of it for input, null for no price. */
export function target(model: string, outputUsd: number | null, more: Partial<Target> = {}): Target {
  const picoUsd = (outputUsd ?? 0) * 1e6;
  return Object.freeze({
    provider: model.startsWith("claude") ? "anthropic" : "openai",
    wire: "openai",
    model,
    upstreamModel: model,
    family: model.split("-")[0] ?? null,
    contextTokens: 128_000,
    outputTokensMax: 16_384,
    price:
      outputUsd === null
        ? null
        : {
            inputPicoUsd: picoUsd / 2,
            outputPicoUsd: picoUsd,
            cachedInputPicoUsd: picoUsd / 20,
            cacheWritePicoUsd: picoUsd,
            tiers: [],
          },
    ...more,
  });
}

export const GPT4 = target("gpt-4", 60);
export const MINI = target("gpt-4o-mini", 0.6);
export const OPUS = target("claude-opus-4", 75);
export const UNPRICED = target("mystery", null, { family: null, contextTokens: null, outputTokensMax: null });

/** Two attributes as plugins register them: of the request, at times unknown, and of the key, at times unset. */
const REGISTERED = [
  outsideAttribute(
    { name: "sample.answers", type: "number", note: "answers asked for, unless streamed", fixedBy: "request" },
    ({ n, stream }) => (stream ? undefined : n),
  ),
  outsideAttribute(
    { name: "sample.owner", type: "name", note: "the key's user", fixedBy: "key", mayLack: true },
    (_call, { user }) => user?.alias ?? null,
  ),
];

export const CATALOGUE: RuleCatalogue = {
  models: () => [GPT4, MINI, OPUS],
  attributes: () => [...REGISTERED, ...BUDGET_ATTRIBUTES.map((one) => outsideAttribute(one, null))],
  teams: () => ["ml", "search", "batch", "contractors", "everyone", "allow"],
  keys: () => ["ci"],
};

/** A key `ci` without anything. Subjects are given by alias; their id is `id_<alias>`. */
export function principal(
  more: {
    key?: string;
    team?: string;
    org?: string;
    user?: string;
    roles?: string[];
    tags?: string[];
    createdMs?: number;
    /** Texts kept on its organisation, team and key. */
    rules?: Partial<Record<InlineRules["scope"], string>>;
  } = {},
): Principal {
  const subject = (alias: string | undefined): Principal["team"] =>
    alias === undefined ? null : { id: `id_${alias}`, alias };
  const rules = Object.entries(more.rules ?? {}).map(([scope, text]) =>
    keptOn(scope as InlineRules["scope"], text, more[scope as "key"]),
  );
  return Object.freeze({
    key: { id: `id_${more.key ?? "ci"}`, alias: more.key ?? "ci" },
    keyCreatedMs: more.createdMs ?? NOW_MS - 3_600_000,
    team: subject(more.team),
    org: subject(more.org),
    user: subject(more.user),
    roles: more.roles ?? [],
    tags: more.tags ?? [],
    budgets: [],
    ...(rules.length === 0 ? {} : { rules }),
  });
}

/** Rules kept on a subject; a key is called `ci` unless it is named. */
export function keptOn(scope: InlineRules["scope"], text: string, alias = "ci"): InlineRules {
  return Object.freeze({ scope, subject: { id: `id_${alias}`, alias }, text });
}

/** The report that a check of rules kept on the team `ml` gives, at NOW_MS. */
export function inlineReport(text: string): string {
  return renderText(checkText(inlineSource(keptOn("team", text, "ml")), CATALOGUE, NOW_MS).diagnostics);
}

/** A chat call for GPT4 with an empty body. */
export function call(more: Partial<Call> = {}): Call {
  const json: JsonObject = more.json ?? {};
  return {
    id: "req_1",
    method: "POST",
    path: "/v1/chat/completions",
    wire: "openai",
    endpoint: "chat",
    headers: {},
    ip: "192.0.2.7",
    receivedMs: NOW_MS,
    modelRequested: "gpt-4",
    targets: [GPT4],
    body: Buffer.from(JSON.stringify(json)),
    json,
    stream: false,
    streamUsage: false,
    maxTokens: null,
    n: 1,
    ...more,
  };
}

/** A rule file called `rules/a.rules`. */
export function source(text: string, name = "rules/a.rules"): Source {
  return { name, label: name, text };
}

/** The report that a check of the texts gives, at NOW_MS; files are called a, b, … */
export function report(...texts: readonly string[]): string {
  return renderText(built(texts).diagnostics);
}

/** A rule set that must have no error. */
export function checkedSet(...texts: readonly string[]): CheckedSet {
  const { set, diagnostics } = built(texts);
  if (set === null) throw new Error(renderText(diagnostics));
  return set;
}

/** Decides by rules given as text. */
export function decideBy(
  texts: string | readonly string[],
): (call: Call, principal: Principal, nowMs?: number) => Decision {
  const decide = createDecide(compileSet(checkedSet(...(typeof texts === "string" ? [texts] : texts))), 1);
  return (of, by, nowMs = NOW_MS) => decide(of, by, () => nowMs);
}

function built(texts: readonly string[]): ReturnType<typeof build> {
  const sources = texts.map((text, i) => source(text, `rules/${String.fromCharCode(97 + i)}.rules`));
  return build(snapshotOf(sources), CATALOGUE, new StatementCache(), NOW_MS);
}
