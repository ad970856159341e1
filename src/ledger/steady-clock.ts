// Time for windows without a calendar: the wall clock's, but it never goes back.
import type { Clock } from "../types.ts";

/**
 * When the wall clock is set back this one goes on as the monotonic clock does, so no window is prolonged or granted
 * again. When it is set forward (a machine that slept, or a person) this one follows: windows end, as calendar windows
 * do. Processes tell each other through the store: one that is behind catches up.
 */
export class SteadyClock {
  readonly #clock: Clock;
  /** Of the monotonic clock. */
  #aheadMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#aheadMs = clock.nowMs() - clock.monotonicMs();
  }

  /** Whole milliseconds since the epoch. */
  nowMs(): number {
    const steadyMs = Math.floor(this.#clock.monotonicMs() + this.#aheadMs);
    const wallMs = Math.floor(this.#clock.nowMs());
    if (wallMs <= steadyMs) return steadyMs;
    this.#aheadMs += wallMs - steadyMs;
    return wallMs;
  }

  /** Goes on to a moment, and says so; never back. */
  catchUp(toMs: number): boolean {
    const behindMs = toMs - this.nowMs();
    if (behindMs <= 0) return false;
    this.#aheadMs += behindMs;
    return true;
  }
}
