// Rule sets and requests of the rule benchmark: the same numbers give the same texts on every machine.
import type { RuleCatalogue } from "../../src/rules/catalogue.ts";
import type { Call, Principal, Target } from "../../src/types.ts";
import { call, principal, target } from "../../test/rules/samples.ts";

export const MODELS = Array.from({ length: 40 }, (_, i) => `${["gpt", "claude", "llama", "gemini"][i % 4]}-${i}`);
export const TEAMS_EACH = 5;

/** Targets of the catalogue. */
export const TARGETS: readonly Target[] = MODELS.map((model, i) => target(model, 1 + (i % 40) * 2));

export const CATALOGUE: RuleCatalogue = { models: () => TARGETS };

/** One model for one team, as every library can say it. */
export interface SimpleRule {
  readonly team: string;
  readonly model: string;
}

/** `size` pairs of a team and a model, none twice. */
export function simpleRules(size: number): SimpleRule[] {
  return Array.from({ length: size }, (_, i) => ({
    team: `t${Math.floor(i / TEAMS_EACH)}`,
    model: MODELS[(i * 7 + Math.floor(i / MODELS.length)) % MODELS.length] ?? "",
  }));
}

/** The simple rules in our language. */
export function simpleText(size: number): string {
  return `default allow\n${simpleRules(size)
    .map(({ team, model }) => `deny model ${model} for team ${team}\n`)
    .join("")}`;
}

/** Rules as people write them: most name a team, a key or a model; one in twenty looks at every request. */
export function mixedText(size: number): string {
  const lines = Array.from({ length: size }, (_, i) => mixedRule(i));
  return `default allow\nlet @office = [10.0.0.0/8, 2001:db8::/32]\n${lines.join("\n")}\n`;
}

function mixedRule(i: number): string {
  const team = `t${Math.floor(i / TEAMS_EACH)}`;
  const model = MODELS[i % MODELS.length];
  switch (i % 20) {
    case 0:
    case 1:
      return `deny for team ${team} when max_tokens > ${4000 + i}`;
    case 2:
      return `deny model ${model}* for team ${team} unless role admin`;
    case 3:
      return `deny for team ${team} when ip not in @office and header["x-env"] != dev`;
    case 4:
      return `deny for team ${team} when price > ${20 + (i % 60)} and stream`;
    case 5:
      return `only model [gpt-*, claude-*, ${model}] for team ${team} when hour in 22:00..06:00`;
    case 6:
      return `shadow deny model ${model} for team ${team} when tools`;
    case 7:
      return `deny for key k${i} when n > 1`;
    case 8:
      return `deny model ${model} for role r${i} when price.output > 30`;
    case 9:
      // What looks at every request: as many of these as there are, so many are tested each time.
      return i < 200
        ? `deny when header["x-abuse-${i}"] is set or request.bytes > ${10 + (i % 7)}MB`
        : `deny tag g${i} when vision`;
    default:
      return `deny model ${model} for team ${team}`;
  }
}

/** A call and its caller. */
export interface Asked {
  readonly call: Call;
  readonly principal: Principal;
}

/** Requests of 200 keys in teams that the rules name, for models of the catalogue. */
export function requestsFor(size: number): Asked[] {
  const teams = Math.max(1, Math.floor(size / TEAMS_EACH));
  const callers = Array.from({ length: 200 }, (_, i) =>
    principal({ key: `k${i * 20 + 7}`, team: `t${(i * 13) % teams}`, roles: i % 3 === 0 ? ["admin"] : [] }),
  );
  return Array.from({ length: 1_000 }, (_, i) => {
    const of = TARGETS[(i * 11) % TARGETS.length];
    if (of === undefined) throw new Error("no target");
    const asked = call({
      targets: [of],
      modelRequested: of.model,
      maxTokens: 500,
      ip: "10.1.2.3",
      headers: { "x-env": "dev" },
    });
    return { call: asked, principal: callers[(i * 17) % callers.length] as Principal };
  });
}
