// Does something again whenever rule files change, until Ctrl-C.
import { setTimeout as delay } from "node:timers/promises";
import { SetupError } from "../errors.ts";
import type { Snapshot } from "../rules/build.ts";
import { watchDirectory } from "../rules/watch.ts";
import type { Io } from "./command.ts";

/** Files that are being written are read again after so long, until two readings agree, milliseconds. */
const STEADY_MS = 50;
/** The watch itself keeps no process alive: this does, at no cost. */
const IDLE_MS = 2 ** 30;

/** What is watched, how it is read, and what is done with it. */
export interface OnChange {
  readonly directories: readonly string[];
  /** @throws SetupError for what cannot be read, which is told and waited out */
  read(): Promise<Snapshot>;
  /** Gives an exit code. */
  act(snapshot: Snapshot): number;
}

/** Acts at once and after each change; resolves with the last exit code on SIGINT or SIGTERM. */
export function onChange(work: OnChange, io: Io): Promise<number> {
  const abort = new AbortController();
  const rerun = new Rerun(work, io, abort.signal);
  return new Promise((resolve) => {
    const idle = setInterval(() => undefined, IDLE_MS);
    const end = (): void => {
      process.off("SIGINT", end).off("SIGTERM", end);
      clearInterval(idle);
      abort.abort();
      resolve(rerun.code);
    };
    process.on("SIGINT", end).on("SIGTERM", end);
    for (const directory of new Set(work.directories)) watchDirectory(directory, abort.signal, () => rerun.look());
  });
}

class Rerun {
  code = 0;
  private readonly work: OnChange;
  private readonly io: Io;
  private readonly signal: AbortSignal;
  private queue: Promise<void> = Promise.resolve();
  /** What was acted on, or the trouble that was told. */
  private last: string | null = null;

  constructor(work: OnChange, io: Io, signal: AbortSignal) {
    this.work = work;
    this.io = io;
    this.signal = signal;
  }

  /** Looks never overlap: several directories may be watched. */
  look(): Promise<void> {
    this.queue = this.queue.then(() => this.lookOnce());
    return this.queue;
  }

  private async lookOnce(): Promise<void> {
    try {
      const snapshot = await this.steady();
      if (snapshot === null || this.signal.aborted) return;
      this.announce(snapshot.hash);
      this.code = this.work.act(snapshot);
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      if (this.last === error.message) return;
      this.announce(error.message);
      this.io.stderr.write(`${error.message}\n`);
      this.code = 2;
    }
    this.io.stderr.write("waiting for a change; Ctrl-C ends\n");
  }

  /** What is there once it has stopped changing; null when it is what it was. */
  private async steady(): Promise<Snapshot | null> {
    let before = await this.work.read();
    while (before.hash !== this.last && !this.signal.aborted) {
      if (this.last === null) return before;
      await delay(STEADY_MS);
      const after = await this.work.read();
      if (after.hash === before.hash) return after;
      before = after;
    }
    return null;
  }

  private announce(what: string): void {
    if (this.last !== null) this.io.stderr.write(`\n== changed, ${new Date().toTimeString().slice(0, 8)}\n`);
    this.last = what;
  }
}
