// What is kept of a decided request so that other rules can decide it again, as compact JSON.
import type { Call, Principal, Target } from "../types.ts";
import type { CheckedSet, Cond } from "./checked.ts";
import { leavesOf } from "./interpret.ts";
import * as request from "./request-facts.ts";

/**
 * The facts of one request. What has its declared value is left out, so that most requests come to `{}`; null is a
 * value that the gateway could not read. All else that rules look at is in the request's record.
 */
export interface RecordedFacts {
  /** The output cap that was asked for. */
  readonly max?: number;
  readonly n?: number;
  readonly tools?: number | null;
  readonly temp?: number | null;
  readonly effort?: string | null;
  /** Messages, where there is not just one. */
  readonly msgs?: number | null;
  readonly vision?: true;
  /** (provider, model), where there were several or none was sent the request. */
  readonly at?: readonly (readonly [provider: string, model: string])[];
  readonly roles?: readonly string[];
  readonly tags?: readonly string[];
  /** Aliases. */
  readonly org?: string;
  readonly user?: string;
  /** Headers that the rules in force read, by name; null was not sent. One that is missing here was not kept. */
  readonly h?: Readonly<Record<string, string | readonly string[] | null>>;
  /** Likewise of the body's metadata; false is a value that is no text. */
  readonly m?: Readonly<Record<string, string | null | false>>;
}

/** Tells a request's facts. @param sent whether a provider was sent the request: its record then names it */
export type FactsOf = (call: Call, principal: Principal, sent: boolean) => string;

/** Longer values of headers and metadata are not kept: a part of one would be compared as if it were the whole. */
const VALUE_LENGTH_MAX = 200;

/** Makes the function for a rule set. @param keepValues whether values of headers and metadata may be kept */
export function createFactsOf(set: CheckedSet, keepValues: boolean): FactsOf {
  const headers = keepValues ? paramsRead(set, "header") : [];
  const metadata = keepValues ? paramsRead(set, "metadata") : [];
  return (call, principal, sent) => {
    let text = bodyFacts(call) + principalFacts(principal);
    if (!sent || call.targets.length > 1) text += targetFacts(call.targets);
    if (headers.length > 0) text += valueFacts("h", headers, (name) => request.headerOf(call, name));
    if (metadata.length > 0) text += valueFacts("m", metadata, (name) => request.metadataOf(call, name));
    return text === "" ? "{}" : `{${text.slice(1)}}`;
  };
}

/** The names in brackets that rules of the set, `shadow` ones too, read of `header` or `metadata`. */
function paramsRead({ rules, defaults }: CheckedSet, attribute: "header" | "metadata"): readonly string[] {
  const conds: Cond[] = rules.filter(({ mode }) => mode !== "off").map(({ fires }) => fires);
  const leaves = [...conds.flatMap(leavesOf), ...defaults.flatMap(({ scope }) => scope)];
  const refs = leaves.map(({ ref }) => ref).filter((ref) => ref.attribute.name === attribute);
  return [...new Set(refs.map(({ param }) => param ?? ""))];
}

/** Each as `,"name":value`. Written out: it runs for every request, and an object made for JSON.stringify costs more. */
function bodyFacts(call: Call): string {
  let text = call.maxTokens === null ? "" : `,"max":${call.maxTokens}`;
  if (call.n !== 1) text += `,"n":${call.n}`;
  const tools = request.toolCountOf(call);
  if (tools !== 0) text += `,"tools":${tools ?? null}`;
  const temperature = request.temperatureOf(call);
  if (temperature !== 1) text += `,"temp":${temperature ?? null}`;
  const effort = request.reasoningEffortOf(call);
  if (effort !== "default") text += `,"effort":${JSON.stringify(fitting(effort ?? null) ?? null)}`;
  const messages = request.messageCountOf(call);
  if (messages !== 1) text += `,"msgs":${messages ?? null}`;
  if (request.visionOf(call)) text += ',"vision":true';
  return text;
}

const principals = new WeakMap<Principal, string>();

/** A principal is one frozen object while its key does not change. */
function principalFacts(principal: Principal): string {
  const { roles, tags, org, user } = principal;
  if (roles.length === 0 && tags.length === 0 && org === null && user === null) return "";
  let text = principals.get(principal);
  if (text === undefined) {
    const facts: RecordedFacts = {
      ...(roles.length > 0 ? { roles } : {}),
      ...(tags.length > 0 ? { tags } : {}),
      ...(org !== null ? { org: org.alias } : {}),
      ...(user !== null ? { user: user.alias } : {}),
    };
    text = `,${JSON.stringify(facts).slice(1, -1)}`;
    principals.set(principal, text);
  }
  return text;
}

const targetLists = new WeakMap<readonly Target[], string>();

/** The catalogue gives the same list for the same spelling. */
function targetFacts(targets: readonly Target[]): string {
  let text = targetLists.get(targets);
  if (text === undefined) {
    text = `,"at":${JSON.stringify(targets.map(({ provider, model }) => [provider, model]))}`;
    targetLists.set(targets, text);
  }
  return text;
}

type Value = string | readonly string[] | null | undefined;

function valueFacts(field: "h" | "m", names: readonly string[], read: (name: string) => Value): string {
  const values: [string, Value | false][] = [];
  for (const name of names) {
    const value = read(name);
    if (value === undefined) values.push([name, false]);
    else if (fitting(value) !== undefined) values.push([name, value]);
  }
  return values.length === 0 ? "" : `,"${field}":${JSON.stringify(Object.fromEntries(values))}`;
}

function fitting<Kind extends Value>(value: Kind): Kind | undefined {
  const length = typeof value === "string" ? value.length : (value?.join().length ?? 0);
  return length > VALUE_LENGTH_MAX ? undefined : value;
}
