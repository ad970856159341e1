// What credits are counted in.

/** A credit is a million micro-credits: amounts are whole numbers of them. */
export const MICRO_CREDITS = 1_000_000;

/** The most credits that a team can have been given: sums of micro-credits stay exact. */
export const CREDITS_MAX = 1_000_000_000;

/** Micro-credits as credits. */
export function creditsOf(micro: number): number {
  return micro / MICRO_CREDITS;
}
