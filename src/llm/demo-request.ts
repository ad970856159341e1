// What the demo reads of a request, and the text that it answers with.

import type { JsonObject } from "../types.ts";
import { DemoRejection } from "./demo-reply.ts";
import { isObject } from "./usage.ts";

/** A request that can be answered. */
export interface DemoRequest {
  readonly model: string;
  readonly stream: boolean;
  /** The tokens of the answer: pieces of text, in order. */
  readonly pieces: readonly string[];
  /** The output limit cut the text off. */
  readonly cut: boolean;
  readonly inputTokens: number;
  readonly json: JsonObject;
}

const GREETING = "Hello from Tollgate's demo provider! No model was asked.";
const FAREWELL = "Set up a real provider to get real answers.";
/** As much of the caller's message as is said back, in characters. */
const ECHO_CHARS = 80;
/** A word, or as much of a long one as a token may hold. */
const TOKEN = /\s*\S{1,12}/gu;

/**
 * Reads a request of either provider: both have `model`, `messages`, `stream`.
 * @param limitOf the output limit in tokens, or null when there is none
 * @throws DemoRejection
 */
export function readDemoRequest(body: Buffer, limitOf: (json: JsonObject) => number | null): DemoRequest {
  const json = parseBody(body);
  const { model, messages, stream } = json;
  if (typeof model !== "string" || model === "") throw invalid("you must provide a model parameter", "model");
  if (!Array.isArray(messages) || messages.length === 0)
    throw invalid("messages: at least one is required", "messages");
  if (!messages.every((message) => isObject(message) && typeof message.role === "string")) {
    throw invalid("messages: each must be an object with a role", "messages");
  }
  if (!isBooleanOrAbsent(stream)) throw invalid("stream: must be a boolean", "stream");
  const pieces = textFor(lastUserText(messages)).match(TOKEN) ?? [];
  const limit = limitOf(json) ?? pieces.length;
  return {
    model,
    stream: stream === true,
    pieces: pieces.slice(0, limit),
    cut: pieces.length > limit,
    inputTokens: Math.ceil(body.length / 4),
    json,
  };
}

/** A rejection with the status that both providers use for a bad request. */
export function invalid(message: string, param: string): DemoRejection {
  return new DemoRejection(400, message, param);
}

/** A field that is an integer from 1 to `max`, or null when it is left out. @throws DemoRejection */
export function readCount(json: JsonObject, name: string, max = Number.MAX_SAFE_INTEGER): number | null {
  const value = json[name] ?? null;
  if (value === null) return null;
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > max) {
    throw invalid(`${name}: must be an integer from 1 to ${max}`, name);
  }
  return value as number;
}

function parseBody(body: Buffer): JsonObject {
  let json: unknown;
  try {
    json = JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw Object.assign(new DemoRejection(400, "We could not parse the JSON body of your request"), { cause });
  }
  if (!isObject(json)) throw new DemoRejection(400, "The body must be a JSON object");
  return json;
}

const isBooleanOrAbsent = (value: unknown): boolean =>
  value === undefined || value === null || typeof value === "boolean";

function textFor(asked: string): string {
  const start =
    /^.{0,80}/su.exec(
      asked
        .slice(0, 2 * ECHO_CHARS)
        .replace(/\s+/g, " ")
        .trim(),
    )?.[0] ?? "";
  return start === "" ? `${GREETING} ${FAREWELL}` : `${GREETING} You said: "${start}". ${FAREWELL}`;
}

function lastUserText(messages: readonly JsonObject[]): string {
  const content = messages.findLast((message) => message.role === "user")?.content;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  const part = content.find((each) => isObject(each) && typeof each.text === "string");
  return part?.text ?? "";
}
