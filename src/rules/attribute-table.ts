// The one table of attributes: name, type, what fixes it, how to read it, which values are known.
import type { Call, Principal, Subject, Target } from "../types.ts";
import type { Attribute, ValueType } from "./attributes.ts";
import type { Names, Vocabulary } from "./catalogue.ts";
import { estimateAttributes } from "./estimate-attributes.ts";
import type { Fact } from "./facts.ts";
import { type LocalTime, WEEKDAYS } from "./local-time.ts";
import * as request from "./request-facts.ts";

const ENDPOINTS = [
  "chat",
  "completions",
  "responses",
  "messages",
  "embeddings",
  "images",
  "audio",
  "moderations",
  "models",
];
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const EFFORTS = new Set(["default", "none", "minimal", "low", "medium", "high", "xhigh", "max"]);

type Known = NonNullable<Attribute["known"]>;
type More = Pick<Attribute, "takesParam" | "mayLack" | "optional" | "known" | "isSubject">;

const closed = (names: readonly string[]): Known => {
  const values = new Set(names);
  return { closed: true, values: () => values };
};
const open = (values: (vocabulary: Vocabulary) => Names): Known => ({ closed: false, values });
const namesOf = (subject: Subject | null): Fact => (subject === null ? null : [subject.alias, subject.id]);
/** A principal without roles or tags has none set. */
const namesIn = (names: readonly string[]): Fact => (names.length === 0 ? null : names);
const moreThanNone = (count: number | undefined): boolean | undefined => (count === undefined ? undefined : count > 0);

const byModel = (
  name: string,
  type: ValueType,
  note: string,
  read: (target: Target) => Fact,
  more: More = {},
): Attribute => ({ name, type, note, fixedBy: "model", read, ...more });
const byKey = (
  name: string,
  type: ValueType,
  note: string,
  read: (principal: Principal) => Fact,
  more: More = {},
): Attribute => ({ name, type, note, fixedBy: "key", read, ...more });
const byRequest = (
  name: string,
  type: ValueType,
  note: string,
  read: (call: Call, target: Target, param: string) => Fact,
  more: More = {},
): Attribute => ({ name, type, note, fixedBy: "request", read, ...more });
const byNow = (
  name: string,
  type: ValueType,
  note: string,
  read: (local: LocalTime, nowMs: number, principal: Principal) => Fact,
  more: More = {},
): Attribute => ({ name, type, note, fixedBy: "now", read, ...more });

const TABLE: readonly Attribute[] = [
  byModel("model", "name", "canonical model id, after aliases", (target) => target.model, {
    known: open((known) => known.models),
  }),
  byModel("provider", "name", "who would serve it", (target) => target.provider, {
    known: open((known) => known.providers),
  }),
  byModel(
    "model.family",
    "name",
    "from the price catalogue; unknown when it has none",
    (target) => target.family ?? undefined,
    { mayLack: true },
  ),
  byModel(
    "model.context",
    "tokens",
    "context window; unknown when the catalogue has none",
    (target) => target.contextTokens ?? undefined,
    { mayLack: true },
  ),
  byModel(
    "price",
    "price",
    "the base rate, the larger of input and output; some models charge more for long prompts; unknown when unpriced",
    ({ price }) => (price === null ? undefined : Math.max(price.inputPicoUsd, price.outputPicoUsd)),
    { mayLack: true },
  ),
  byModel("price.input", "price", "unknown when unpriced", (target) => target.price?.inputPicoUsd, { mayLack: true }),
  byModel("price.output", "price", "unknown when unpriced", (target) => target.price?.outputPicoUsd, { mayLack: true }),
  byModel(
    "price.cached",
    "price",
    "input read from the provider's cache; unknown when unpriced",
    (target) => target.price?.cachedInputPicoUsd,
    { mayLack: true },
  ),
  byKey("key", "name", "alias or id of the virtual key", (principal) => namesOf(principal.key), {
    isSubject: true,
    known: open((known) => known.keys),
  }),
  byKey("team", "name", "alias or id; unset for a key without a team", (principal) => namesOf(principal.team), {
    isSubject: true,
    mayLack: true,
    known: open((known) => known.teams),
  }),
  byKey("org", "name", "alias or id; may be unset", (principal) => namesOf(principal.org), {
    isSubject: true,
    mayLack: true,
  }),
  byKey("user", "name", "alias or id; may be unset", (principal) => namesOf(principal.user), {
    isSubject: true,
    mayLack: true,
  }),
  byKey("role", "name", "a set: `role admin` means that it holds admin", (principal) => namesIn(principal.roles), {
    mayLack: true,
  }),
  byKey("tag", "name", "a set, like role", (principal) => namesIn(principal.tags), { mayLack: true }),
  byNow("key.age", "duration", "since the key was made", (_local, nowMs, principal) =>
    Math.max(0, nowMs - principal.keyCreatedMs),
  ),
  byRequest("endpoint", "name", ENDPOINTS.join(", "), (call) => call.endpoint, { known: closed(ENDPOINTS) }),
  byRequest("path", "name", "without the query; write it in quotes", (call) => call.path),
  byRequest("method", "name", "in capitals", (call) => call.method, { known: closed(METHODS) }),
  byRequest("model.requested", "name", "what the caller wrote", (call) => call.modelRequested),
  byRequest("stream", "bool", "false when left out", (call) => call.stream),
  byRequest("tools", "bool", "the model is offered tools", (call) => moreThanNone(request.toolCountOf(call))),
  byRequest("tools.count", "number", "0 when left out", (call) => request.toolCountOf(call)),
  byRequest("vision", "bool", "a message holds an image", (call) => request.visionOf(call)),
  byRequest("n", "number", "answers asked for; 1 when left out", (call) => call.n),
  byRequest("temperature", "number", "1 when left out", (call) => request.temperatureOf(call)),
  byRequest("reasoning.effort", "name", "`default` when left out", (call) => request.reasoningEffortOf(call), {
    known: open(() => EFFORTS),
  }),
  byRequest(
    "max_tokens",
    "tokens",
    "what was asked, else the model's output limit, else unknown",
    (call, target) => request.maxTokensOf(call, target),
    { mayLack: true },
  ),
  byRequest("messages.count", "number", "0 where there are none", (call) => request.messageCountOf(call)),
  byRequest("request.bytes", "bytes", "size of the body", (call) => call.body.length),
  ...estimateAttributes(null),
  byRequest(
    "header",
    "name",
    '`header["x-env"]`; may be unset; credentials cannot be read',
    (call, _target, param) => request.headerOf(call, param),
    { takesParam: true, mayLack: true, optional: true },
  ),
  byRequest(
    "metadata",
    "name",
    '`metadata["k"]` of the body; may be unset',
    (call, _target, param) => request.metadataOf(call, param),
    { takesParam: true, mayLack: true, optional: true },
  ),
  byRequest("ip", "ip", "the client's address, after trusted proxies", (call) => request.ipOf(call), {
    mayLack: true,
  }),
  byNow("time", "time", "local time of day", (local) => local.minute),
  byNow("hour", "number", "0 to 23; compared with a time it is read as `time`", (local) =>
    Math.floor(local.minute / 60),
  ),
  byNow("day", "number", "day of the month", (local) => local.day),
  byNow("date", "date", "local date", (local) => local.date),
  byNow("weekday", "weekday", WEEKDAYS.join(", "), (local) => local.weekday),
];

/** Every attribute that the language itself has, by name. */
export const ATTRIBUTES: ReadonlyMap<string, Attribute> = new Map(TABLE.map((entry) => [entry.name, entry]));

/** Headers that carry credentials: no rule may read them, so that none can end up in an answer or a log. */
export const SECRET_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "cookie",
]);
