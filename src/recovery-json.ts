// What was charged because a process died, and what was taken back of it, as JSON.
import { momentJson } from "./moment.ts";
import { formatUsd } from "./money.ts";
import type { Charge, Recovery, Reversal } from "./store/store.ts";

/** Amounts are decimal text: US dollars for money, else in `unit`. */
export function recoveryJson(recovery: Recovery): object {
  const { id, atMs, process, pid, quota, window, unit, amount, open, inFlight, reversed } = recovery;
  return {
    ...{ id, at: momentJson(atMs), process, pid, quota, window, unit: unitJson(unit) },
    ...{ amount: amountJson(unit, amount), open: amountJson(unit, open), in_flight: inFlight },
    reversed: reversedJson(reversed),
  };
}

/** What reversing came to; `taken_off` is 0 when nothing was charged any more, and `reversed` says who was first. */
export function reversalJson({ recovery: { id, quota, window, unit, reversed }, amount }: Reversal): object {
  return {
    id,
    quota,
    window,
    unit: unitJson(unit),
    taken_off: amountJson(unit, amount),
    reversed: reversedJson(reversed),
  };
}

const reversedJson = (reversed: Recovery["reversed"]): object | null =>
  reversed === null ? null : { at: momentJson(reversed.atMs), by: reversed.by, reason: reversed.reason };

const unitJson = (unit: Charge["unit"]): string => (unit === "nano-usd" ? "usd" : unit);

const amountJson = (unit: Charge["unit"], amount: bigint): string =>
  unit === "nano-usd" ? formatUsd(amount) : String(amount);
