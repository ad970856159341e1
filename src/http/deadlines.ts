// Many time-outs on one timer: exchanges wait minutes, so looking twice a second costs less than a timer each.

/** Something that must show life before a moment. */
export interface Deadline {
  /** On the monotonic clock, milliseconds; moved forward at each sign of life. */
  deadlineMs: number;
  /** Its place among those waiting, kept by `Deadlines`; -1 when it is not waiting. */
  slot: number;
  /** Called once when the moment has passed; the entry is dropped first. Must not throw. */
  expire(): void;
}

/**
 * The exchanges that are waiting. Slots in an array, reused: a `Set` with this much coming and going cost 15 us
 * a request, since its outgrown tables keep dead exchanges alive until an old-space collection.
 */
export class Deadlines {
  readonly #slots: (Deadline | null)[] = [];
  readonly #free: number[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #monotonicMs: () => number;

  /** @param periodMs how late an expiry may be noticed */
  constructor(monotonicMs: () => number, periodMs = 500) {
    this.#monotonicMs = monotonicMs;
    this.#timer = setInterval(() => this.sweep(), periodMs);
    this.#timer.unref();
  }

  add(entry: Deadline): void {
    entry.slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[entry.slot] = entry;
  }

  /** Harmless for an entry that is not waiting. */
  remove(entry: Deadline): void {
    if (entry.slot === -1) return;
    this.#slots[entry.slot] = null;
    this.#free.push(entry.slot);
    entry.slot = -1;
  }

  /** Expires what is due. The timer calls it; a test with a clock of its own may too. */
  sweep(): void {
    const now = this.#monotonicMs();
    for (const entry of this.#slots) {
      if (entry === null || entry.deadlineMs > now) continue;
      this.remove(entry);
      entry.expire();
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
