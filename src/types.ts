// The nouns that every part of the gateway shares. Data only: this file imports nothing.

/** A provider's wire format (the shape of its requests, answers and errors). */
export type Wire = "openai" | "anthropic" | "gemini";

/** What a data-plane path asks for; the rule language's `endpoint`. `admin`: a route of the HTTP API, which no rule sees. */
export type Endpoint =
  | "chat"
  | "completions"
  | "responses"
  | "messages"
  | "embeddings"
  | "images"
  | "audio"
  | "moderations"
  | "models"
  | "admin";

/** A JSON object as `JSON.parse` gives it. */
export type JsonObject = { readonly [name: string]: unknown };

/** The two clocks. Windows and records use the wall clock; time-outs and durations the monotonic one. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch; may step either way. */
  nowMs(): number;
  /** Monotonic clock, milliseconds (fractional) since an arbitrary start. */
  monotonicMs(): number;
}

/** An account object as rules and logs name it: the stable id and the name people gave it. */
export interface Subject {
  readonly id: string;
  readonly alias: string;
}

/**
 * Who is calling. One frozen object per key and version: a changed key gets a new object,
 * so its identity is safe to memoise on (WeakMap, decision cache).
 */
export interface Principal {
  readonly key: Subject;
  /** When the key was created, milliseconds since the epoch. */
  readonly keyCreatedMs: number;
  readonly team: Subject | null;
  readonly org: Subject | null;
  readonly user: Subject | null;
  readonly roles: readonly string[];
  readonly tags: readonly string[];
  /** Money budgets on this key and on what it belongs to. */
  readonly budgets: readonly Budget[];
  /** What its requests' model names stand for, before anything else reads them. Left out when there are none. */
  readonly modelAliases?: Readonly<Record<string, string>>;
  /** Rules kept on its organisation, its team and itself, in this order. Left out when there are none. */
  readonly rules?: readonly InlineRules[];
}

/** Rules kept on an account object: they are for that subject only, and narrow what the rule files allow. */
export interface InlineRules {
  readonly scope: "org" | "team" | "user" | "key";
  readonly subject: Subject;
  /** In the rule language. */
  readonly text: string;
  /** What the text is made of, where people have not written it as it is. */
  readonly origin?: "iam";
}

/** A calendar window: resets at local midnight of the time zone it is computed in; `total` never resets. */
export type BudgetWindow = "day" | "week" | "month" | "year" | "total";

/** What a quota is counted in. `concurrent` counts requests in flight: it is given back when they end. */
export type QuotaUnit = "nano-usd" | "tokens" | "requests" | "concurrent";

/**
 * When what was used stops counting. `calendar`: at the period's local start in `zone` (IANA name). `every`: windows of
 * a fixed length that begin at multiples of it since the epoch. `sliding`: whatever was used in the last so many
 * milliseconds counts. `none`: only what is in flight (unit `concurrent`).
 */
export type QuotaWindow =
  | { readonly kind: "calendar"; readonly period: BudgetWindow; readonly zone: string }
  | { readonly kind: "every"; readonly durationMs: number }
  | { readonly kind: "sliding"; readonly durationMs: number }
  | { readonly kind: "none" };

/** One counter of a `limit` or `budget` statement that applies to a request. Frozen; the same object while the rules last. */
export interface RuleQuota {
  /**
   * Stable name of the counter: the same for the same statement, whatever its amount and its place in the file, and
   * for the same values of its `by`.
   */
  readonly id: string;
  readonly ruleId: string;
  /** As people read it: `limit 100 requests per 1m for key ci-bot`. */
  readonly label: string;
  readonly unit: QuotaUnit;
  readonly limit: bigint;
  readonly window: QuotaWindow;
  /** The rule's `because`, shown to the caller; null for a generated sentence. */
  readonly because: string | null;
}

/** A money budget kept on a key, team, user or organisation. */
export interface Budget {
  readonly id: string;
  readonly scope: "key" | "team" | "user" | "org";
  readonly subject: Subject;
  /** Nano-USD (1e-9 USD), an integer; bigint since a yearly budget may pass 2^53. A temporary raise is in it. */
  readonly limitNanoUsd: bigint;
  /** A calendar window in the gateway's zone, or one of a fixed length. */
  readonly window: BudgetWindow | Extract<QuotaWindow, { readonly kind: "every" }>;
  /** Nano-USD; from there on people are warned. Left out where none is set. */
  readonly softNanoUsd?: bigint;
  /** By how much `limitNanoUsd` is raised, and when that ends, milliseconds since the epoch. Left out where it is not. */
  readonly raise?: { readonly nanoUsd: bigint; readonly untilMs: number };
  /** True for one that only warns: its limit is the largest that there is. */
  readonly isSoftOnly?: true;
}

/**
 * Prices in whole pico-USD (1e-12 USD) per token, so that $0.0375 per million tokens is 37,500.
 * Each is an integer; `$X per million tokens` is `X * 1e6` pico-USD per token.
 */
export interface Price {
  readonly inputPicoUsd: number;
  readonly outputPicoUsd: number;
  /** Input tokens read from the provider's prompt cache. */
  readonly cachedInputPicoUsd: number;
  /** Input tokens written to the provider's prompt cache (the dearest rate where there are several). */
  readonly cacheWritePicoUsd: number;
  /** Longest first: rates from `fromInputTokens` input tokens on replace all the rates above. */
  readonly tiers: readonly PriceTier[];
}

/** The rates of a price that apply to a request with at least `fromInputTokens` input tokens. */
export interface PriceTier extends Omit<Price, "tiers"> {
  readonly fromInputTokens: number;
}

/** One (provider, model) that could serve a request. Frozen and shared: one object per catalogue entry. */
export interface Target {
  readonly provider: string;
  readonly wire: Wire;
  /** Canonical model id, after aliases: what rules, budgets and logs call it. */
  readonly model: string;
  /** What the provider calls it: what is sent upstream. */
  readonly upstreamModel: string;
  /** Model family from the price catalogue, or null where it has none. */
  readonly family: string | null;
  /** Context window in tokens, or null where the catalogue has none. */
  readonly contextTokens: number | null;
  /** Most output tokens the model will write, or null where unknown. */
  readonly outputTokensMax: number | null;
  /** null: unpriced, and so refused by the budget plugin. */
  readonly price: Price | null;
}

/** What a plugin may know of a request before its body is read. */
export interface RequestHead {
  /** `x-request-id` of the answer; the gateway's own, unique. */
  readonly id: string;
  readonly method: string;
  /** The normalised path, without the query. */
  readonly path: string;
  readonly wire: Wire;
  readonly endpoint: Endpoint;
  /** Lower-case names, as node:http gives them. Holds the credential: never log it whole. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The client's address, after the trusted-proxy list. */
  readonly ip: string;
  /** Wall clock at arrival, milliseconds since the epoch. */
  readonly receivedMs: number;
}

/** A parsed request, as rules and guardrails see it. */
export interface Call extends RequestHead {
  /** What the caller wrote in `model`, or what that stands for by the key's or team's own aliases. */
  readonly modelRequested: string;
  /** The targets that could serve it, best first; never empty. */
  readonly targets: readonly Target[];
  /** The body's bytes exactly as received. */
  readonly body: Buffer;
  /** The body, parsed. */
  readonly json: JsonObject;
  readonly stream: boolean;
  /** The caller asked for usage in the stream (OpenAI `stream_options.include_usage`). */
  readonly streamUsage: boolean;
  /** The output cap that the caller asked for, in tokens; null when left out. */
  readonly maxTokens: number | null;
  /** How many answers are asked for; 1 when left out. */
  readonly n: number;
}

/** Why a request is refused, as its caller may be told. */
export interface Denial {
  /** Error code from errors.ts; `permission_denied` when left out. */
  readonly code?: string;
  /** Shown to the caller: must hold no secret. */
  readonly message: string;
  /** The rule that decided, where a rule did. */
  readonly ruleId?: string;
  /** HTTP status of the answer, 400 to 499; the code's own when left out. */
  readonly status?: number;
}

/** A guardrail's new body for the request; it is parsed and checked again before it is sent. */
export interface Rewrite {
  readonly body: Buffer;
}

/** What `authorize` says of a call. */
export interface Decision {
  readonly effect: "allow" | "deny";
  /** The targets that are allowed, best first; empty on a denial. */
  readonly targets: readonly Target[];
  readonly denial: Denial | null;
  /** Ids of every live rule that matched, deciding ones first. */
  readonly ruleIds: readonly string[];
  /** Ids of `shadow` rules that would have denied. */
  readonly shadowIds: readonly string[];
  /** Attributes whose value was unknown and mattered. */
  readonly unknown: readonly string[];
  /** Ids of `warn` rules that matched: they decide nothing. Left out when there are none. */
  readonly warnings?: readonly string[];
  /**
   * The `limit` and `budget` statements that apply, by allowed target; each id once a target. Left out when there are
   * none.
   */
  readonly quotas?: ReadonlyMap<Target, readonly RuleQuota[]>;
  /** Generation of the rule set that decided; 0 when none did. */
  readonly generation: number;
}

/** Tokens that the answer says it used. Integers >= 0. */
export interface Usage {
  /** All input tokens, cached and cache-writing ones included. */
  readonly inputTokens: number;
  /** All output tokens, reasoning ones included. */
  readonly outputTokens: number;
  /** Part of `inputTokens` that was read from the provider's cache. */
  readonly cachedInputTokens: number;
  /** Part of `inputTokens` that was written to the provider's cache. */
  readonly cacheWriteTokens: number;
  /** True when the provider did not say (or said nonsense) and the gateway estimated. */
  readonly estimated: boolean;
}

/** An upper bound on what a call can cost, before it is sent. */
export interface CostBound {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Nano-USD, an integer; null when a target is unpriced. */
  readonly costNanoUsd: number | null;
}

/** What a plugin holds for a request from `reserve` until `settle`. Its meaning is the plugin's own. */
export interface Reservation {
  /** Nano-USD held back, for the log; 0 when the plugin reserves something else. */
  readonly amountNanoUsd: number;
  /** Headers for the provider's answer as it goes to the caller: name, value, name, value …, names in lower case. */
  readonly headers?: readonly string[];
}

/** How a request ended. */
export type OutcomeKind =
  | "completed" // the provider answered in full with a success
  | "upstream_error" // the provider answered with an error, or its answer broke off
  | "client_closed" // the caller left before the end
  | "timeout" // a time-out of ours ended it
  | "not_sent"; // it never reached a provider

/** What `settle` is told. */
export interface Outcome {
  readonly kind: OutcomeKind;
  /** The target that was dialled, or null. */
  readonly target: Target | null;
  /** What was used; null when nothing was (the reservation is void). */
  readonly usage: Usage | null;
  /** Nano-USD, an integer >= 0; what `usage` costs at the target's price. */
  readonly costNanoUsd: number;
}

/** One line of the access log and one row of the request table. Holds no secret and no body. */
export interface AccessRecord {
  readonly id: string;
  /** Wall clock at arrival, milliseconds since the epoch. */
  readonly receivedMs: number;
  readonly method: string;
  readonly path: string;
  readonly endpoint: Endpoint | null;
  readonly ip: string;
  readonly keyId: string | null;
  readonly keyAlias: string | null;
  readonly teamId: string | null;
  readonly teamAlias: string | null;
  readonly userId: string | null;
  readonly orgId: string | null;
  readonly modelRequested: string | null;
  readonly model: string | null;
  readonly provider: string | null;
  readonly stream: boolean;
  /** The HTTP status sent to the caller; 499 when the caller left first. */
  readonly status: number;
  /** Error code from errors.ts, or null on success. */
  readonly error: string | null;
  readonly decision: "allow" | "deny" | null;
  readonly ruleIds: readonly string[];
  readonly shadowIds: readonly string[];
  /** Ids of `warn` rules that matched. */
  readonly warningIds: readonly string[];
  /** Ids of the `limit` and `budget` statements that counted the request; left out where there are none. */
  readonly countedIds?: readonly string[];
  /** Id of the `limit` or `budget` statement that refused it, which is in no other list; left out where none did. */
  readonly refusedById?: string;
  readonly unknown: readonly string[];
  readonly generation: number;
  /** Hash of the rule files that decided; null where none did. */
  readonly rulesHash: string | null;
  /** What rules can read and no other field holds, as JSON (rules/record.ts); null where no rules decided. */
  readonly facts: string | null;
  readonly usage: Usage | null;
  readonly reservedNanoUsd: number;
  readonly costNanoUsd: number;
  readonly outcome: OutcomeKind;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** From arrival to the first byte from upstream, milliseconds; null when none came. */
  readonly firstByteMs: number | null;
  /** From arrival to settlement, milliseconds. */
  readonly totalMs: number;
}

/** A request that rules decided, as it was recorded: enough to decide it again. */
export interface RecordedRequest
  extends Pick<
    AccessRecord,
    | "id"
    | "receivedMs"
    | "method"
    | "path"
    | "endpoint"
    | "ip"
    | "keyId"
    | "keyAlias"
    | "teamId"
    | "teamAlias"
    | "userId"
    | "orgId"
    | "modelRequested"
    | "model"
    | "provider"
    | "stream"
    | "status"
    | "error"
    | "ruleIds"
    | "shadowIds"
    | "warningIds"
    | "unknown"
    | "generation"
    | "rulesHash"
    | "facts"
    | "costNanoUsd"
    | "requestBytes"
  > {
  readonly decision: "allow" | "deny";
  /** When the key was made, milliseconds since the epoch; null when the database no longer has the key. */
  readonly keyCreatedMs: number | null;
}
