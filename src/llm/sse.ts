// Server-sent events as bytes: where one ends in a stream that is cut anywhere, and what it says.

/** The largest event that is kept whole and parsed, in bytes. */
export const EVENT_BYTES_MAX = 1_048_576;

const LF = 0x0a;
const CR = 0x0d;

/** A run of bytes of an event stream. All pieces together are the stream, byte for byte. */
export interface Piece {
  /**
   * `event`: one whole event up to the LF or CR that ends it, at most EVENT_BYTES_MAX.
   * `oversized`: all or part of a larger one.
   * `line-end`: the LF of the CRLF whose CR ended the event before.
   */
  readonly role: "event" | "oversized" | "line-end";
  readonly bytes: Buffer;
}

/**
 * Splits an event stream at its blank lines (LF, CRLF or CR).
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class EventSplitter {
  readonly #pending = new ByteStore();
  #oversized = false;
  #afterCr = false;
  #lineEmpty = true;

  /** Nothing is pending: the next byte begins an event. */
  get atBoundary(): boolean {
    return this.#between && !this.#afterCr;
  }

  get #between(): boolean {
    return this.#pending.length === 0 && !this.#oversized;
  }

  /** The pieces that `chunk` completes; the bytes of an event that has not ended are kept for the next call. */
  split(chunk: Buffer): readonly Piece[] {
    const pieces: Piece[] = [];
    let start = 0;
    while (start < chunk.length) {
      start = this.#lineEnd(chunk, start, pieces);
      const end = this.#eventEnd(chunk, start);
      if (end === -1) this.#keep(chunk.subarray(start), pieces);
      else this.#complete(chunk.subarray(start, end), pieces);
      start = end === -1 ? chunk.length : end;
    }
    return pieces;
  }

  /** The event that the end of the stream cut off, or null. */
  flush(): Buffer | null {
    return this.#pending.length === 0 ? null : this.#pending.take();
  }

  /** Takes the LF of a CRLF whose CR ended an event; returns where the next event begins. */
  #lineEnd(chunk: Buffer, start: number, pieces: Piece[]): number {
    if (!this.#afterCr || !this.#between || chunk[start] !== LF) return start;
    this.#afterCr = false;
    pieces.push({ role: "line-end", bytes: chunk.subarray(start, start + 1) });
    return start + 1;
  }

  /** The index after the LF or CR that ends the event, or -1 when the chunk does not hold it. */
  #eventEnd(chunk: Buffer, from: number): number {
    for (let index = from; index < chunk.length; index++) {
      const byte = chunk[index];
      const endsCrLf = this.#afterCr && byte === LF;
      this.#afterCr = byte === CR;
      if (endsCrLf) continue;
      if (byte !== LF && byte !== CR) this.#lineEmpty = false;
      else if (this.#lineEmpty) return index + 1;
      else this.#lineEmpty = true;
    }
    return -1;
  }

  #complete(end: Buffer, pieces: Piece[]): void {
    const bytes = this.#pending.length === 0 ? end : this.#pending.append(end).take();
    const role = this.#oversized || bytes.length > EVENT_BYTES_MAX ? "oversized" : "event";
    this.#oversized = false;
    pieces.push({ role, bytes });
  }

  #keep(tail: Buffer, pieces: Piece[]): void {
    if (tail.length === 0) return;
    if (!this.#oversized && this.#pending.append(tail).length <= EVENT_BYTES_MAX) return;
    pieces.push({ role: "oversized", bytes: this.#oversized ? tail : this.#pending.take() });
    this.#oversized = true;
  }
}

/** Bytes that are gathered bit by bit, in memory of at most twice their size however small the bits are. */
export class ByteStore {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(bytes: Buffer): this {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) this.#grow(Math.max(length, 2 * this.#bytes.length));
    bytes.copy(this.#bytes, this.#length);
    this.#length = length;
    return this;
  }

  #grow(capacity: number): void {
    const grown = Buffer.allocUnsafe(capacity);
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }

  /** All the bytes; the store is empty after. */
  take(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.alloc(0);
    this.#length = 0;
    return bytes;
  }
}

/** What an event says. */
export interface ServerSentEvent {
  /** The last `event` field, or an empty string. */
  readonly name: string;
  /** The `data` fields, joined by LF. */
  readonly data: string;
}

/** Reads one event. Comments, `id`, `retry` and unknown fields are passed over, and a byte order mark is. */
export function parseEvent(bytes: Buffer): ServerSentEvent {
  const text = bytes.toString("utf8").replace(/^\uFEFF/, "");
  const data: string[] = [];
  let name = "";
  for (const line of text.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") data.push(value);
    else if (field === "event") name = value;
  }
  return { name, data: data.join("\n") };
}
