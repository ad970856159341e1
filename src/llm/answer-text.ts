// How many tokens an answer's text is likely to be, for answers whose provider does not say.
import { tokensOfBytes } from "./prompt-size.ts";
import { isObject } from "./wire-format.ts";

/** Members that hold names and marks, not text that the model wrote. */
const NOT_TEXT: ReadonlySet<string> = new Set([
  ...["id", "type", "role", "object", "model", "index", "finish_reason", "stop_reason", "signature", "logprobs"],
]);

const DEPTH_MAX = 12;

/** Bytes of all strings in a JSON value that are likely to be the model's own text. */
function textBytes(value: unknown, depth = 0): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return 0;
  let bytes = 0;
  for (const [name, member] of Object.entries(value)) if (!NOT_TEXT.has(name)) bytes += textBytes(member, depth + 1);
  return bytes;
}

/** The text of an answer or of one stream event, in bytes: what is in `choices`, `content`, `delta`, `content_block`. */
export function answerTextBytes(answer: unknown): number {
  if (!isObject(answer)) return 0;
  return textBytes([answer.choices, answer.content, answer.delta, answer.content_block]);
}

/**
 * The tokens of a stream of so many bytes, by the sample of its beginning: each event with text is a token at least,
 * and the rest of the stream is taken to be like the sample.
 * @param sample the JSON of the sample's events, null where one has none
 * @param sampleBytes bytes of the stream that the sample is of
 */
export function streamTokens(sample: readonly unknown[], sampleBytes: number, streamBytes: number): number {
  const lengths = sample.map(answerTextBytes).filter((bytes) => bytes > 0);
  const tokens = Math.max(
    lengths.length,
    tokensOfBytes(lengths.reduce((sum, bytes) => sum + bytes, 0)),
  );
  return tokens > 0 ? Math.ceil((tokens * streamBytes) / sampleBytes) : tokensOfBytes(streamBytes - sampleBytes);
}
