// Windows without a calendar, all by the steady clock: of a fixed length since the epoch, the steps of a sliding window, and what is in flight.
import type { Window } from "./windows.ts";

/** A sliding window moves in this many steps; what was used is free again at most one step late. */
const STEPS = 60;

/** Only what is in flight: it never turns. */
export const IN_FLIGHT: Window = Object.freeze({
  index: "in flight",
  startMs: Number.NEGATIVE_INFINITY,
  endMs: Infinity,
  freedMs: null,
  span: null,
  expiresMs: null,
});

/** The window that holds an instant of those that begin at multiples of `durationMs` since the epoch. */
export function everyWindowAt(durationMs: number, atMs: number): Window {
  const number = Math.floor(atMs / durationMs);
  const startMs = number * durationMs;
  const endMs = startMs + durationMs;
  return {
    index: `e${durationMs}:${padded(number)}`,
    startMs,
    endMs,
    freedMs: endMs,
    span: null,
    expiresMs: endMs + durationMs,
  };
}

/**
 * The step that holds an instant of a window of the last `durationMs`. Steps are numbered from the epoch on; what is
 * used is charged to the step it is reserved in. Counted are the step and the 60 before it: the whole window, and of
 * its first step what has left already, so that no window of that length, wherever it begins, holds more than the limit.
 */
export function slidingStepAt(durationMs: number, atMs: number): Window {
  const step = Math.floor((atMs * STEPS) / durationMs);
  const freedMs = stepStart(durationMs, step + STEPS + 1);
  const prefix = prefixOf(durationMs);
  return {
    index: `${prefix}${padded(step)}`,
    startMs: stepStart(durationMs, step),
    endMs: stepStart(durationMs, step + 1),
    freedMs,
    // Later steps count too: another process may be ahead.
    span: { from: `${prefix}${padded(Math.max(step - STEPS, 0))}`, to: `${prefix}~` },
    expiresMs: freedMs + durationMs,
  };
}

/** When the step of that index begins. */
export function startOfStep(durationMs: number, index: string): number {
  return stepStart(durationMs, numberOf(durationMs, index));
}

/** When nothing of the step of that index counts any more. */
export function stepFreedMs(durationMs: number, index: string): number {
  return stepStart(durationMs, numberOf(durationMs, index) + STEPS + 1);
}

/** The first whole millisecond of a step. */
function stepStart(durationMs: number, step: number): number {
  return Math.ceil((step * durationMs) / STEPS);
}

function numberOf(durationMs: number, index: string): number {
  return Number(index.slice(prefixOf(durationMs).length));
}

function prefixOf(durationMs: number): string {
  return `s${durationMs}:`;
}

/** Sortable as text. */
function padded(number: number): string {
  return String(number).padStart(16, "0");
}
