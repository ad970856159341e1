// The machine's clocks; tests bring their own.
import type { Clock } from "./types.ts";

/** The machine's clocks. */
export const systemClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
