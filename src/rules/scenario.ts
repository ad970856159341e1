// A request made of a few facts, for `test` blocks and `explain`: what is not given has its declared value.
import type { Call, Endpoint, JsonObject, Price, Principal, Subject, Target, Wire } from "../types.ts";
import type { Vocabulary } from "./catalogue.ts";
import type { Given } from "./checked.ts";
import type { Fact, Unrecorded } from "./facts.ts";
import { parseIp } from "./ip.ts";
import { momentOf, type Zone } from "./local-time.ts";

/** 2026-01-07, a Wednesday: tests without a date always run on the same day. */
const DATE = Date.UTC(2026, 0, 7) / 86_400_000;
const NOON = 12 * 60;
/** A day that is given by weekday or day of the month lies within so many days. */
const DAYS_MAX = 366;
/** Age of a key when none is given, milliseconds: 30 days. */
const KEY_AGE_MS = 30 * 86_400_000;
/** What a model is called that is not given. */
const UNNAMED = "unspecified";

const PATHS: Readonly<Record<Exclude<Endpoint, "admin">, string>> = {
  chat: "/v1/chat/completions",
  completions: "/v1/completions",
  responses: "/v1/responses",
  messages: "/v1/messages",
  embeddings: "/v1/embeddings",
  images: "/v1/images/generations",
  audio: "/v1/audio/speech",
  moderations: "/v1/moderations",
  models: "/v1/models",
};

/** What is given, and for when. */
export interface Description {
  readonly given: readonly Given[];
  readonly zone: Zone;
  /** Wall clock, milliseconds since the epoch; null for noon of the given day. */
  readonly atMs: number | null;
}

/** A request that can be decided. */
export interface Scenario {
  readonly call: Call;
  readonly principal: Principal;
  readonly nowMs: number;
  /** The attributes that others would read, as they are given. */
  readonly given: ReadonlyMap<string, Fact>;
  /** For a request that is restored from its record. */
  readonly unrecorded?: Unrecorded;
}

/** Makes the request. The targets are the catalogue's for the given model and provider, with what else is given of them. */
export function scenarioOf(description: Description, { targets }: Pick<Vocabulary, "targets">): Scenario {
  const facts = new GivenFacts(description.given);
  const nowMs = description.atMs ?? momentGiven(facts, description.zone);
  const found = targetsOf(facts, targets);
  return {
    call: callOf(facts, found, nowMs),
    principal: principalOf(facts, nowMs),
    nowMs,
    given: outsideOf(description),
  };
}

/** What is given of attributes that no request holds. */
function outsideOf({ given }: Description): Map<string, Fact> {
  const outside = given.filter(({ ref }) => ref.attribute.outside !== undefined);
  return new Map(
    outside.map(({ ref: { attribute }, value }) => [
      attribute.name,
      attribute.type === "ip" ? (parseIp(String(value)) ?? undefined) : value,
    ]),
  );
}

/** What is given, by attribute. */
class GivenFacts {
  private readonly byName: ReadonlyMap<string, Given["value"]>;
  private readonly given: readonly Given[];

  constructor(given: readonly Given[]) {
    this.given = given;
    this.byName = new Map(given.map(({ ref, value }) => [ref.attribute.name, value]));
  }

  text(name: string): string | undefined {
    return this.byName.get(name) as string | undefined;
  }

  number(name: string): number | undefined {
    return this.byName.get(name) as number | undefined;
  }

  truth(name: string): boolean {
    return this.byName.get(name) === true;
  }

  names(name: string): readonly string[] {
    const value = this.byName.get(name) ?? [];
    return Array.isArray(value) ? value : [String(value)];
  }

  /** `header` or `metadata`, by what stands in brackets. */
  params(name: string): Readonly<Record<string, string | readonly string[]>> {
    const of = this.given.filter(({ ref }) => ref.attribute.name === name);
    return Object.fromEntries(of.map(({ ref, value }) => [ref.param ?? "", value as string | readonly string[]]));
  }
}

/** Noon, or the time given, of the date given, or of the first day from DATE on that is the weekday and day given. */
function momentGiven(facts: GivenFacts, zone: Zone): number {
  const hour = facts.number("hour");
  const minute = facts.number("time") ?? (hour === undefined ? NOON : hour * 60);
  const weekday = facts.number("weekday");
  const day = facts.number("day");
  const first = facts.number("date") ?? DATE;
  for (let date = first; date < first + DAYS_MAX; date += 1) {
    const moment = momentOf(zone, date, minute);
    const local = zone.at(moment);
    if ((weekday ?? local.weekday) === local.weekday && (day ?? local.day) === local.day) return moment;
  }
  return momentOf(zone, first, minute);
}

function targetsOf(facts: GivenFacts, catalogue: Vocabulary["targets"]): Target[] {
  const model = facts.text("model") ?? UNNAMED;
  const provider = facts.text("provider");
  const serving = (catalogue.get(model) ?? []).filter(
    (target) => provider === undefined || target.provider === provider,
  );
  const wire = wireOf(facts, serving);
  const speaking = serving.filter((target) => target.wire === wire);
  const known = speaking.length > 0 ? speaking : serving;
  const bare: Target = {
    provider: provider ?? UNNAMED,
    wire,
    model,
    upstreamModel: model,
    family: null,
    contextTokens: null,
    outputTokensMax: null,
    price: null,
  };
  return (known.length > 0 ? known : [bare]).map((target) => overridden(target, facts));
}

/** The catalogue's own object where nothing else is given of it. */
function overridden(target: Target, facts: GivenFacts): Target {
  const family = facts.text("model.family") ?? target.family;
  const contextTokens = facts.number("model.context") ?? target.contextTokens;
  const price = priceOf(facts, target.price);
  const same = family === target.family && contextTokens === target.contextTokens && price === target.price;
  return same ? target : Object.freeze({ ...target, family, contextTokens, price });
}

/** A rate that is neither given nor in the catalogue is the dearest of those given. */
function priceOf(facts: GivenFacts, known: Price | null): Price | null {
  const all = facts.number("price");
  const input = facts.number("price.input") ?? all;
  const output = facts.number("price.output") ?? all;
  const cached = facts.number("price.cached");
  const given = [input, output, cached].filter((rate) => rate !== undefined);
  if (given.length === 0) return known;
  const dearest = Math.max(...given);
  return {
    inputPicoUsd: input ?? known?.inputPicoUsd ?? dearest,
    outputPicoUsd: output ?? known?.outputPicoUsd ?? dearest,
    cachedInputPicoUsd: cached ?? known?.cachedInputPicoUsd ?? dearest,
    cacheWritePicoUsd: known?.cacheWritePicoUsd ?? dearest,
    tiers: known?.tiers ?? [],
  };
}

function wireOf(facts: GivenFacts, serving: readonly Target[]): Wire {
  if (facts.text("endpoint") === "messages") return "anthropic";
  if (facts.text("endpoint") !== undefined) return "openai";
  return serving.find(({ wire }) => wire === "openai")?.wire ?? serving[0]?.wire ?? "openai";
}

function principalOf(facts: GivenFacts, nowMs: number): Principal {
  const subject = (name: string): Subject | null => {
    const alias = facts.text(name);
    return alias === undefined ? null : { id: alias, alias };
  };
  return Object.freeze({
    key: subject("key") ?? { id: UNNAMED, alias: UNNAMED },
    keyCreatedMs: nowMs - (facts.number("key.age") ?? KEY_AGE_MS),
    team: subject("team"),
    org: subject("org"),
    user: subject("user"),
    roles: facts.names("role"),
    tags: facts.names("tag"),
    budgets: [],
  });
}

function callOf(facts: GivenFacts, targets: readonly Target[], nowMs: number): Call {
  const wire = targets[0]?.wire ?? "openai";
  const endpoint = (facts.text("endpoint") ?? (wire === "anthropic" ? "messages" : "chat")) as keyof typeof PATHS;
  const json = bodyOf(facts, wire, endpoint);
  return {
    id: "req_described",
    method: facts.text("method") ?? (endpoint === "models" ? "GET" : "POST"),
    path: facts.text("path") ?? PATHS[endpoint],
    wire,
    endpoint,
    headers: facts.params("header"),
    ip: facts.text("ip") ?? "192.0.2.1",
    receivedMs: nowMs,
    modelRequested: facts.text("model.requested") ?? targets[0]?.model ?? UNNAMED,
    targets,
    body: bytesOf(facts, json),
    json,
    stream: facts.truth("stream"),
    streamUsage: false,
    maxTokens: facts.number("max_tokens") ?? null,
    n: facts.number("n") ?? 1,
  };
}

/** A size that is given may be larger than memory: rules read nothing but the length. */
function bytesOf(facts: GivenFacts, json: JsonObject): Buffer {
  const length = facts.number("request.bytes");
  return length === undefined ? Buffer.from(JSON.stringify(json)) : ({ length } as Buffer);
}

/** The body in the wire's own words, as request-facts.ts reads it. */
function bodyOf(facts: GivenFacts, wire: Wire, endpoint: Endpoint): JsonObject {
  const temperature = facts.number("temperature");
  const effort = facts.text("reasoning.effort");
  const tools = facts.number("tools.count") ?? (facts.truth("tools") ? 1 : 0);
  const json: Record<string, unknown> = {};
  if (Object.keys(facts.params("metadata")).length > 0) json.metadata = facts.params("metadata");
  if (tools > 0) json.tools = Array.from({ length: tools }, () => ({}));
  json[messagesField(wire, endpoint)] = messagesOf(facts);
  if (wire === "gemini") {
    const thinkingConfig = effort === undefined ? {} : { thinkingLevel: effort };
    json.generationConfig = { ...(temperature === undefined ? {} : { temperature }), thinkingConfig };
    return json;
  }
  if (temperature !== undefined) json.temperature = temperature;
  if (effort !== undefined && wire === "anthropic") json.output_config = { effort };
  else if (effort !== undefined) json.reasoning_effort = effort;
  return json;
}

function messagesField(wire: Wire, endpoint: Endpoint): string {
  if (wire === "gemini") return "contents";
  return endpoint === "responses" || endpoint === "moderations" ? "input" : "messages";
}

function messagesOf(facts: GivenFacts): readonly object[] {
  const vision = facts.truth("vision");
  const count = facts.number("messages.count") ?? 1;
  const content = vision ? [{ type: "image" }] : [];
  return Array.from({ length: count }, () => ({ role: "user", content }));
}
