// From a request's record back to a request that can be decided: at its own time, by other rules.
import { LRUCache } from "lru-cache";
import type { Call, Endpoint, JsonObject, Principal, RecordedRequest, Subject, Target, Wire } from "../types.ts";
import type { Vocabulary } from "./catalogue.ts";
import type { Unrecorded } from "./facts.ts";
import type { RecordedFacts } from "./record.ts";
import type { Scenario } from "./scenario.ts";

/** Principals that are kept, so that what only they and the model fix is worked out once. */
const PRINCIPALS_KEPT = 10_000;

/** What every record holds. */
const ALWAYS: ReadonlySet<string> = new Set([
  ...["model", "provider", "key", "team", "endpoint", "path", "method", "model.requested", "stream"],
  ...["request.bytes", "ip", "time", "hour", "day", "date", "weekday"],
]);
/** What a record with facts holds beside. */
const WITH_FACTS: ReadonlySet<string> = new Set([
  ...["org", "user", "role", "tag", "tools", "tools.count", "vision", "n", "temperature", "reasoning.effort"],
  ...["max_tokens", "messages.count"],
]);
/** What is looked up in today's catalogue. */
const BY_CATALOGUE: ReadonlySet<string> = new Set([
  ...["model.family", "model.context", "price", "price.input", "price.output", "price.cached"],
]);

/** What plugins would read of a request is not recorded. */
const NOTHING_GIVEN: Restored["given"] = new Map();

/** A record as a request: what it lacks is `unrecorded`. */
export interface Restored extends Scenario {
  readonly unrecorded: Unrecorded;
}

/** Restores records. Models, prices and providers are those of the catalogue that it is given: today's. */
export class Restorer {
  private readonly targets: Vocabulary["targets"];
  private readonly principals = new LRUCache<string, Principal>({ max: PRINCIPALS_KEPT });
  /** Targets that the catalogue no longer has, by provider and model. */
  private readonly unlisted = new Map<string, Target>();
  private readonly unlistedTargets = new Set<Target>();

  constructor({ targets }: Pick<Vocabulary, "targets">) {
    this.targets = targets;
  }

  /** @throws SyntaxError when the record's facts are no JSON: the database was changed by another hand */
  restore(record: RecordedRequest): Restored {
    const facts = record.facts === null ? null : (JSON.parse(record.facts) as RecordedFacts);
    const call = callOf(record, facts ?? {}, this.targetsOf(record, facts));
    return {
      call,
      principal: this.principalOf(record, facts),
      nowMs: record.receivedMs,
      given: NOTHING_GIVEN,
      unrecorded: ({ attribute, param }, target) => {
        const { name } = attribute;
        if (ALWAYS.has(name)) return false;
        if (BY_CATALOGUE.has(name)) return this.unlistedTargets.has(target);
        if (name === "key.age") return record.keyCreatedMs === null;
        if (facts === null)
          return !((name === "org" && record.orgId === null) || (name === "user" && record.userId === null));
        if (name === "max_tokens") return facts.max === undefined && this.unlistedTargets.has(target);
        if (name === "header") return !Object.hasOwn(facts.h ?? {}, param ?? "");
        if (name === "metadata") return !Object.hasOwn(facts.m ?? {}, param ?? "");
        return !WITH_FACTS.has(name);
      },
    };
  }

  private principalOf(record: RecordedRequest, facts: RecordedFacts | null): Principal {
    const { keyId, keyAlias, keyCreatedMs, teamId, teamAlias, orgId, userId } = record;
    const { org, user, roles = [], tags = [] } = facts ?? {};
    const key = JSON.stringify([
      facts === null,
      keyId,
      keyAlias,
      keyCreatedMs,
      teamId,
      teamAlias,
      orgId,
      org,
      userId,
      user,
      roles,
      tags,
    ]);
    const known = this.principals.get(key);
    if (known !== undefined) return known;
    const principal: Principal = Object.freeze({
      key: subject(keyId, keyAlias) ?? { id: "", alias: "" },
      keyCreatedMs: keyCreatedMs ?? record.receivedMs,
      team: subject(teamId, teamAlias),
      org: subject(orgId, org),
      user: subject(userId, user),
      roles,
      tags,
      budgets: [],
    });
    this.principals.set(key, principal);
    return principal;
  }

  private targetsOf(record: RecordedRequest, facts: RecordedFacts | null): readonly Target[] {
    const model = record.model ?? "";
    if (facts?.at !== undefined) return facts.at.map(([provider, name]) => this.target(provider, name, record));
    if (record.provider !== null) return [this.target(record.provider, model, record)];
    const wire = wireOf(record);
    const serving = (this.targets.get(model) ?? []).filter((target) => target.wire === wire);
    return serving.length > 0 ? serving : [this.target("", model, record)];
  }

  private target(provider: string, model: string, record: RecordedRequest): Target {
    const serving = (this.targets.get(model) ?? []).filter((target) => target.provider === provider);
    const wire = wireOf(record);
    return serving.find((target) => target.wire === wire) ?? serving[0] ?? this.unlistedTarget(provider, model, wire);
  }

  private unlistedTarget(provider: string, model: string, wire: Wire): Target {
    const key = JSON.stringify([provider, model]);
    let target = this.unlisted.get(key);
    if (target === undefined) {
      const nothing = { family: null, contextTokens: null, outputTokensMax: null, price: null };
      target = Object.freeze({ provider, wire, model, upstreamModel: model, ...nothing });
      this.unlisted.set(key, target);
      this.unlistedTargets.add(target);
    }
    return target;
  }
}

function subject(id: string | null, alias: string | null | undefined): Subject | null {
  return id === null ? null : { id, alias: alias ?? id };
}

function wireOf({ path, endpoint }: RecordedRequest): Wire {
  if (path.startsWith("/v1beta/")) return "gemini";
  return endpoint === "messages" ? "anthropic" : "openai";
}

function callOf(record: RecordedRequest, facts: RecordedFacts, targets: readonly Target[]): Call {
  const endpoint: Endpoint = record.endpoint ?? "chat";
  const headers = Object.entries(facts.h ?? {}).filter(
    (entry): entry is [string, string | string[]] => entry[1] !== null,
  );
  return {
    id: record.id,
    method: record.method,
    path: record.path,
    // The body is restored in OpenAI's words, whatever the caller's were.
    wire: "openai",
    endpoint,
    headers: Object.fromEntries(headers),
    ip: record.ip,
    receivedMs: record.receivedMs,
    modelRequested: record.modelRequested ?? record.model ?? "",
    targets,
    body: { length: record.requestBytes } as Buffer,
    json: bodyOf(facts, endpoint),
    stream: record.stream,
    streamUsage: false,
    maxTokens: facts.max ?? null,
    n: facts.n ?? 1,
  };
}

/** What request-facts.ts reads; a value that could not be read then is one that cannot be read now. */
function bodyOf(
  { tools = 0, temp = 1, effort, msgs = 1, vision, m = {} }: RecordedFacts,
  endpoint: Endpoint,
): JsonObject {
  const image = vision ? { type: "image" } : {};
  const json: Record<string, unknown> = { metadata: metadataOf(m) };
  if (tools !== 0) json.tools = tools === null ? {} : Array.from({ length: tools });
  if (temp !== 1) json.temperature = temp ?? {};
  if (effort !== undefined) json.reasoning_effort = effort ?? {};
  const messages = msgs === null ? image : Array.from({ length: msgs }, () => image);
  json[endpoint === "responses" || endpoint === "moderations" ? "input" : "messages"] = messages;
  return json;
}

/** What was no text is a structure again. */
function metadataOf(values: NonNullable<RecordedFacts["m"]>): JsonObject {
  const entries = Object.entries(values).filter(([, value]) => value !== null);
  return Object.fromEntries(entries.map(([name, value]) => [name, value === false ? {} : value]));
}
