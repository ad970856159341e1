// Where log lines are gathered and written in batches: a file or stderr, never waited for.
import { closeSync, openSync, write, writeSync } from "node:fs";

/** How lines are gathered. */
export interface SinkOptions {
  /** Path to append to; a number: an open file descriptor; null: stderr. */
  readonly file: string | number | null;
  /** Written once this many bytes are waiting… */
  readonly batchLength: number;
  /** …or this much time has passed, milliseconds. */
  readonly flushMs: number;
  /** What a sink that takes nothing (a stopped pipe) may hold, bytes; lines beyond are dropped and counted. */
  readonly waitingMax: number;
}

const STDERR = 2;
const LINE_FEED = 10;
/** After `EAGAIN`: a pipe whose reader is slow. */
const RETRY_MS = 20;
/** At exit, how long a slow reader is waited for, milliseconds. */
const EXIT_WAIT_MS = 1_000;

/** Lines on their way out. */
interface Batch {
  /** `reopen` does not tear a batch in two. */
  readonly fd: number;
  readonly bytes: Buffer;
  readonly lines: number;
  /** What is written already. */
  offset: number;
}

/** The stream that pino writes to. pino calls `flushSync` after a fatal line. */
export class LogSink {
  readonly #options: SinkOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #onExit = (): void => this.flushSync();
  #fd: number;
  /** Lines become bytes as they come: kept as the ropes that pino builds, each cost the collector some 50 objects. */
  #waiting: Buffer;
  #waitingLength = 0;
  #waitingLines = 0;
  #dropped = 0;
  #writing = false;
  /** Part of what is being written: the reader is slow, and it waits for another attempt. */
  #retrying: Batch | null = null;
  /** The reader has gone, for good. */
  #broken = false;
  #idle: (() => void)[] = [];

  /** Throws what `openSync` throws. */
  constructor(options: SinkOptions) {
    this.#options = options;
    this.#fd = open(options.file);
    this.#waiting = Buffer.allocUnsafe(options.batchLength);
    this.#timer = setInterval(() => this.#begin(), options.flushMs);
    this.#timer.unref();
    process.on("exit", this.#onExit);
  }

  write(line: string): void {
    if (this.#broken) return;
    if (this.#waitingLength + line.length > this.#options.waitingMax) {
      this.#dropped += 1;
      return;
    }
    // A UTF-16 unit is at most three bytes of UTF-8.
    this.#makeRoom(line.length * 3);
    this.#waitingLength += this.#waiting.write(line, this.#waitingLength);
    this.#waitingLines += 1;
    if (this.#waitingLength >= this.#options.batchLength) this.#begin();
  }

  /** Takes whole lines of another process, which has gathered them already. */
  writeLines(bytes: Buffer): void {
    if (this.#broken) return;
    const lines = countLines(bytes);
    if (this.#waitingLength + bytes.length > this.#options.waitingMax) {
      this.#dropped += lines;
      return;
    }
    this.#makeRoom(bytes.length);
    this.#waitingLength += bytes.copy(this.#waiting, this.#waitingLength);
    this.#waitingLines += lines;
    this.#begin();
  }

  /** Resolves once all that was written so far has left, or cannot. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#begin();
    });
  }

  /** Writes what is waiting before it returns. What the system is writing at the moment finishes by itself. */
  flushSync(): void {
    const until = Date.now() + EXIT_WAIT_MS;
    if (this.#retrying !== null) {
      writeWhole(this.#retrying, until);
      this.#retrying = null;
      this.#writing = false;
    }
    if (!this.#broken) writeWhole(this.#take(), until);
  }

  /** Opens the file anew; lines that wait go to the new one. Throws what `openSync` throws, and goes on with the old. */
  reopen(): void {
    if (typeof this.#options.file !== "string") return;
    const old = this.#fd;
    this.#fd = open(this.#options.file);
    void this.flush().then(() => closeSync(old));
  }

  /** Writes what is left and lets go of the file. Nothing may be written afterwards. */
  async close(): Promise<void> {
    await this.flush();
    clearInterval(this.#timer);
    process.off("exit", this.#onExit);
    this.#broken = true;
    if (typeof this.#options.file === "string") closeSync(this.#fd);
  }

  #makeRoom(bytes: number): void {
    const needed = this.#waitingLength + bytes;
    if (needed <= this.#waiting.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#waiting.length * 2));
    this.#waiting.copy(larger, 0, 0, this.#waitingLength);
    this.#waiting = larger;
  }

  #begin(): void {
    if (this.#writing) return;
    if (this.#waitingLength > 0 && !this.#broken) {
      this.#writing = true;
      this.#send(this.#take());
      return;
    }
    const told = this.#idle;
    this.#idle = [];
    for (const resolve of told) resolve();
  }

  #send(batch: Batch): void {
    write(batch.fd, batch.bytes, batch.offset, (error, count) => {
      if (error?.code === "EAGAIN") {
        this.#retrying = batch;
        setTimeout(() => this.#retry(), RETRY_MS).unref();
        return;
      }
      batch.offset += count ?? 0;
      if (error === null && batch.offset < batch.bytes.length) this.#send(batch);
      else this.#sent(batch, error);
    });
  }

  #retry(): void {
    const batch = this.#retrying;
    this.#retrying = null;
    if (batch !== null) this.#send(batch);
  }

  #sent(batch: Batch, error: NodeJS.ErrnoException | null): void {
    this.#writing = false;
    // A full disk loses the batch, which is told later; a reader that has gone does not come back.
    if (error !== null) this.#dropped += batch.lines;
    if (error?.code === "EPIPE") this.#broken = true;
    if (this.#idle.length > 0 || this.#waitingLength >= this.#options.batchLength) this.#begin();
  }

  #take(): Batch {
    this.#addDroppedLine();
    const bytes = this.#waiting.subarray(0, this.#waitingLength);
    const lines = this.#waitingLines;
    this.#waiting = Buffer.allocUnsafe(this.#options.batchLength);
    this.#waitingLength = 0;
    this.#waitingLines = 0;
    return { fd: this.#fd, bytes, lines, offset: 0 };
  }

  #addDroppedLine(): void {
    if (this.#dropped === 0) return;
    const told = { level: "warn", time: new Date().toISOString(), dropped: this.#dropped, msg: "log lines dropped" };
    const line = `${JSON.stringify(told)}\n`;
    this.#makeRoom(line.length);
    this.#waitingLength += this.#waiting.write(line, this.#waitingLength);
    this.#dropped = 0;
  }
}

/** Blocks while the reader is slow, until the given wall-clock time; gives up then, and on any other error. */
function writeWhole(batch: Batch, untilMs: number): void {
  while (batch.offset < batch.bytes.length) {
    try {
      batch.offset += writeSync(batch.fd, batch.bytes, batch.offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN" || Date.now() > untilMs) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, end + 1)) lines += 1;
  return lines;
}

function open(file: string | number | null): number {
  return typeof file === "string" ? openSync(file, "a", 0o640) : (file ?? STDERR);
}
