// The promises of those who wait for a batch to be on disk: one promise a batch, shared by all who joined it.

interface Waiter {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** Runs once the batch has failed for the first time. */
  timer: NodeJS.Timeout | null;
}

/** The waiters of the batch that is being filled, and of earlier ones that could not be written yet. */
export class Waiters {
  readonly #timeoutMs: number;
  #current: Waiter | null = null;
  #earlier: Waiter[] = [];

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** The promise of the batch that is being filled. Ignoring it is safe: its rejection is never an unhandled one. */
  join(): Promise<void> {
    this.#current ??= newWaiter();
    return this.#current.promise;
  }

  /** All is on disk. */
  resolve(): void {
    this.#end((waiter) => waiter.resolve());
  }

  /** Nothing more will be written. */
  reject(error: unknown): void {
    this.#end((waiter) => waiter.reject(error));
  }

  /** The batch could not be written: its waiters are told so unless a retry succeeds within the time-out. */
  expire(error: unknown): void {
    const waiter = this.#current;
    if (waiter === null) return;
    this.#current = null;
    this.#earlier.push(waiter);
    waiter.timer = setTimeout(() => {
      this.#earlier = this.#earlier.filter((other) => other !== waiter);
      waiter.reject(error);
    }, this.#timeoutMs).unref();
  }

  #end(settle: (waiter: Waiter) => void): void {
    for (const waiter of this.#earlier) {
      if (waiter.timer !== null) clearTimeout(waiter.timer);
      settle(waiter);
    }
    if (this.#current !== null) settle(this.#current);
    this.#earlier = [];
    this.#current = null;
  }
}

function newWaiter(): Waiter {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  return { promise, resolve, reject, timer: null };
}
