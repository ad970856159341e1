// How much a provider has written: the bytes of text in an answer, found without parsing it.

const TEXT_KEYS = "content|text|partial_json|thinking|arguments|refusal|reasoning_content|reasoning";

/** The beginning of a text within a delta. The gap is bounded so that a hostile line cannot cost more than its length. */
const DELTA_TEXT = new RegExp(`delta":[^\\r\\n]{0,256}?"(?:${TEXT_KEYS})": ?"`, "g");
const ANY_TEXT = new RegExp(`"(?:${TEXT_KEYS})": ?"`, "g");

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The bytes of text in the deltas of stream events, as JSON writes them (an escape counts as it is spelt).
 * A quotation mark within a JSON string is escaped, so text that quotes an event is not taken for one.
 * @param latin1 whole events, one character per byte
 * @returns null when there is no text that is known as such
 */
export function deltaTextBytes(latin1: string): number | null {
  return measure(latin1, DELTA_TEXT);
}

/** The same for an answer in one piece, or for what came of it. */
export function answerTextBytes(latin1: string): number | null {
  return measure(latin1, ANY_TEXT);
}

function measure(latin1: string, key: RegExp): number | null {
  let bytes: number | null = null;
  key.lastIndex = 0;
  while (key.test(latin1)) {
    const start = key.lastIndex;
    key.lastIndex = stringEnd(latin1, start);
    bytes = (bytes ?? 0) + key.lastIndex - start;
  }
  return bytes;
}

/** Where a JSON string ends: at its quotation mark, or at the line end or text end that cuts it off. */
function stringEnd(latin1: string, start: number): number {
  let index = start;
  for (; index < latin1.length; index++) {
    const code = latin1.charCodeAt(index);
    if (code === QUOTE || code < 0x20) break;
    if (code === BACKSLASH && latin1.charCodeAt(index + 1) >= 0x20) index++;
  }
  return Math.min(index, latin1.length);
}
