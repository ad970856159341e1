// Meters an answer that came in one piece, without parsing all of it where that can be helped.
import type { Usage, Wire } from "../types.ts";
import { SaidUsage } from "./usage.ts";
import { answerTextBytes } from "./usage-text.ts";

const KEY = Buffer.from('"usage"');
const BACKSLASH = 0x5c;
/** A smaller body is parsed whole: that costs microseconds. */
const SMALL_BYTES = 4_096;

/**
 * What an answer in one piece used. A body that is cut off or not JSON is estimated from the text in it, or from its
 * size when no text is found.
 * @param requestBytes size of the request's body, for an estimate
 */
export function meterJson(body: Buffer, wire: Wire, requestBytes: number): Usage {
  const said = new SaidUsage(wire);
  said.read((body.length > SMALL_BYTES ? parseEnd(body) : null) ?? parseJson(body.toString("utf8")));
  const size = { requestBytes, answerBytes: body.length, textBytes: 0 };
  const usage = said.total(size);
  if (!usage.estimated && usage.outputTokens > 0) return usage;
  return said.total({ ...size, textBytes: answerTextBytes(body.toString("latin1")) });
}

/**
 * The last member called `usage` and those after it, as an object; null when that is not the answer's own.
 *
 * Within a JSON string a quotation mark is escaped, so text that mentions `"usage": {}` never matches. Where it is the
 * key of an inner object (a tool's input), the closing brackets that follow are too many, and the parse fails.
 */
function parseEnd(body: Buffer): unknown {
  const start = body.lastIndexOf(KEY);
  if (start <= 0 || body[start - 1] === BACKSLASH) return null;
  return parseJson(`{${body.toString("utf8", start)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
