// How long to wait before a worker that ended is replaced.

/** After a second end in a row; then twice as long each time. */
const FIRST_MS = 100;
const LONGEST_MS = 10_000;
/** A worker that has served this long has started well. */
const STEADY_MS = 2_000;

/** The waits of one worker's place: none at first, longer with each that ends soon after its start. */
export class Backoff {
  #failures = 0;

  /** Milliseconds to wait now. @param servedMs how long the one that ended had served; 0 when it never did */
  next(servedMs: number): number {
    if (servedMs >= STEADY_MS) this.#failures = 0;
    const waitMs = this.#failures === 0 ? 0 : Math.min(FIRST_MS * 2 ** (this.#failures - 1), LONGEST_MS);
    this.#failures += 1;
    return waitMs;
  }
}
