// Server-sent events as bytes: where events end, and what data they carry.
// Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

const LF = 0x0a;
const CR = 0x0d;
const BOM = 0xfeff;

/**
 * Where the last whole event in `bytes` ends: behind the last blank line that begins at or after `from`; 0 when there
 * is none. Lines end with LF, CR or CRLF. A CR at the very end is undecided, since a LF may follow.
 */
export function endOfLastEvent(bytes: Buffer, from = 0): number {
  for (let at = bytes.length - 1; at >= from; at -= 1) {
    if (endsBlankLine(bytes, at)) return at + 1;
  }
  return 0;
}

/** Whether the byte at `at` is the last of a blank line's end; a line begins at `start` too. */
function endsBlankLine(bytes: Buffer, at: number, start = 0): boolean {
  const code = bytes[at];
  if (code === CR) {
    const next = bytes[at + 1];
    return next !== undefined && next !== LF && startsLine(bytes, at, start);
  }
  if (code !== LF) return false;
  return startsLine(bytes, at > start && bytes[at - 1] === CR ? at - 1 : at, start);
}

function startsLine(bytes: Buffer, at: number, start: number): boolean {
  return at === start || bytes[at - 1] === LF || bytes[at - 1] === CR;
}

/** Whether the bytes end with a blank line's LF: the usual end of a network chunk. */
export function endsWhole(bytes: Buffer): boolean {
  return bytes[bytes.length - 1] === LF && endsBlankLine(bytes, bytes.length - 1);
}

/** Where the first event that ends at or after `from` ends; 0 when none does. */
function endOfFirstEvent(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at += 1) if (endsBlankLine(bytes, at)) return at + 1;
  return 0;
}

/** Splits bytes into events, blank lines included; the last one may be unfinished. */
export function splitEvents(bytes: Buffer): Buffer[] {
  const events: Buffer[] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    if (!endsBlankLine(bytes, at, start)) continue;
    events.push(bytes.subarray(start, at + 1));
    start = at + 1;
  }
  if (start < bytes.length) events.push(bytes.subarray(start));
  return events;
}

/** An event's data: its `data` lines joined by LF; null when it has none. */
export function eventData(event: Buffer): string | null {
  const text = event.toString("utf8");
  const lines = (text.charCodeAt(0) === BOM ? text.slice(1) : text).split(/\r\n|\n|\r/);
  const data = lines.flatMap((line) => dataOf(line) ?? []);
  return data.length === 0 ? null : data.join("\n");
}

function dataOf(line: string): string | null {
  if (line === "data") return "";
  if (!line.startsWith("data:")) return null;
  return line.startsWith("data: ") ? line.slice(6) : line.slice(5);
}

/** A blank line that spans two chunks has at most so many bytes in the first. */
const OVERLAP = 3;
const NOTHING = Buffer.alloc(0);

/** Cuts a stream into runs of whole events, however its chunks come. */
export class EventSplitter {
  readonly #bytesMax: number;
  /** What has come of the event whose end has not. Its capacity doubles, so that tiny chunks cost no more than large. */
  #buffer = NOTHING;
  #length = 0;
  /** Inside an event that is too long to hold: its bytes pass, and only the last few are kept to find its end. */
  #passing = false;

  /** @param bytesMax an event that is longer is given in pieces */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Nothing is held: the next byte begins an event. */
  get idle(): boolean {
    return this.#length === 0;
  }

  /** Takes a chunk; gives the events that it completes, or `null`. Pieces of a too long event come with `whole: false`. */
  push(chunk: Buffer): readonly { readonly bytes: Buffer; readonly whole: boolean }[] {
    return this.#passing ? this.#pass(chunk) : this.#split(chunk);
  }

  #split(chunk: Buffer): ReturnType<EventSplitter["push"]> {
    const from = Math.max(0, this.#length - OVERLAP);
    const bytes = this.#length === 0 ? chunk : this.#append(chunk);
    const end = endOfLastEvent(bytes, from);
    const runs = end === 0 ? [] : [{ bytes: bytes.subarray(0, end), whole: true }];
    if (bytes.length - end > this.#bytesMax) {
      this.#passing = true;
      runs.push({ bytes: bytes.subarray(end), whole: false });
      this.#keep(bytes.subarray(-OVERLAP));
    } else if (end > 0 || this.#length === 0) this.#keep(bytes.subarray(end));
    return runs;
  }

  #pass(chunk: Buffer): ReturnType<EventSplitter["push"]> {
    const kept = this.#length;
    const bytes = Buffer.concat([this.#buffer.subarray(0, kept), chunk]);
    const end = endOfFirstEvent(bytes, Math.max(0, kept - 1));
    if (end <= kept) {
      this.#keep(bytes.subarray(-OVERLAP));
      return [{ bytes: chunk, whole: false }];
    }
    this.#passing = false;
    this.#length = 0;
    const rest = bytes.subarray(end);
    return [{ bytes: bytes.subarray(kept, end), whole: false }, ...(rest.length === 0 ? [] : this.#split(rest))];
  }

  /** Gives what is held and has not been given, at the end of the stream. */
  take(): Buffer {
    const rest = this.#passing ? NOTHING : this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return rest;
  }

  #append(chunk: Buffer): Buffer {
    const length = this.#length + chunk.length;
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#buffer.length));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    chunk.copy(this.#buffer, this.#length);
    this.#length = length;
    return this.#buffer.subarray(0, length);
  }

  /** Starts anew with a copy: what was given must not change. */
  #keep(bytes: Buffer): void {
    this.#buffer = bytes.length === 0 ? NOTHING : Buffer.from(bytes);
    this.#length = bytes.length;
  }
}
