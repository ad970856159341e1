// Clocks that move when a test says so.
import type { Clock } from "../../src/types.ts";

/** Both clocks stand still until they are moved. */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs = 1_000;

  constructor(start = "2026-11-21T12:00:00Z") {
    this.#wallMs = Date.parse(start);
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Time passes. */
  advance(ms: number): void {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }

  /** Somebody sets the wall clock. */
  stepWall(ms: number): void {
    this.#wallMs += ms;
  }

  /** Somebody sets the wall clock to an instant. */
  setWall(iso: string): void {
    this.#wallMs = Date.parse(iso);
  }
}
