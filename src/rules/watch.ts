// Notices that a directory may have changed: file events, made quiet, and a poll that trusts neither events nor times.
import { type FSWatcher, watch as watchFiles } from "node:fs";
import { stat } from "node:fs/promises";

/** Bursts of events are answered once, so long after the last, milliseconds. */
const SETTLE_MS = 50;
/** Milliseconds between polls. */
const POLL_MS = 2_000;

/** Told that the directory may have changed; resolves when it has looked. */
export type Look = () => Promise<void>;

/**
 * Calls `look` soon after each event in the directory and on each poll, never twice at once, until the signal aborts.
 * The directory may be missing, be replaced or be a link that is swapped: each poll watches what is there by then.
 */
export function watchDirectory(directory: string, signal: AbortSignal, look: Look): void {
  if (signal.aborted) return;
  new DirectoryWatch(directory, look).run(signal);
}

class DirectoryWatch {
  private readonly directory: string;
  private readonly look: Look;
  private watcher: FSWatcher | null = null;
  /** Which directory `watcher` watches: device and inode. */
  private watched = "";
  private timer: NodeJS.Timeout | null = null;
  private looking = false;
  private again = false;
  private stopped = false;

  constructor(directory: string, look: Look) {
    this.directory = directory;
    this.look = look;
  }

  run(signal: AbortSignal): void {
    const poll = setInterval(() => void this.act(), POLL_MS).unref();
    signal.addEventListener("abort", () => {
      this.stopped = true;
      clearInterval(poll);
      if (this.timer !== null) clearTimeout(this.timer);
      this.close();
    });
    void this.act();
  }

  /** Watches what is there, then looks; what happens meanwhile is looked at afterwards. */
  private async act(): Promise<void> {
    if (this.looking) {
      this.again = true;
      return;
    }
    this.looking = true;
    try {
      do {
        this.again = false;
        await this.arm();
        if (!this.stopped) await this.look();
      } while (this.again && !this.stopped);
    } finally {
      this.looking = false;
    }
  }

  private soon(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.act(), SETTLE_MS).unref();
  }

  /** Watches the directory that the path leads to now. A directory that cannot be watched is left to the poll. */
  private async arm(): Promise<void> {
    const facts = await stat(this.directory).catch(() => null);
    const identity = facts === null ? "" : `${facts.dev}:${facts.ino}`;
    if (this.stopped || (identity === this.watched && this.watcher !== null)) return;
    this.close();
    if (facts === null) return;
    try {
      const watcher = watchFiles(this.directory, { persistent: false }, () => this.soon());
      watcher.on("error", () => this.close());
      this.watcher = watcher;
      this.watched = identity;
    } catch {
      this.close();
    }
  }

  private close(): void {
    this.watcher?.close();
    this.watcher = null;
    this.watched = "";
  }
}
