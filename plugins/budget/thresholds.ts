// Which amounts of a budget people are warned at, and the words for it.
import { type Budget, formatUsd, type Quota, z } from "../../src/plugin.ts";

/** `80%` → 80. */
export const percent = z.string().transform((text, context) => {
  const read = /^(\d{1,3}(?:\.\d)?)\s*%$/.exec(text.trim())?.[1];
  if (read !== undefined && Number(read) > 0 && Number(read) <= 100) return Number(read);
  const help = "write a share of the budget from 0.1% to 100%, for example 80%";
  context.issues.push({ code: "custom", input: text, message: "not a percentage", params: { help } });
  return z.NEVER;
});

/** An amount to warn at. */
export interface Threshold {
  /** `80%` or `soft`. */
  readonly name: string;
  readonly nanoUsd: bigint;
}

/** A budget that is watched: of an account, or of a `budget` statement. */
export interface Watched {
  readonly quota: Quota;
  /** null for a statement's. */
  readonly budget: Budget | null;
  /** The smallest first; at least one. */
  readonly thresholds: readonly Threshold[];
}

/** What is watched of a quota; null for what is no money, has no limit, or nothing to warn at. */
export function watchedOf(quota: Quota, budget: Budget | null, percents: readonly number[]): Watched | null {
  if (quota.unit !== "nano-usd" || quota.limit === 0n) return null;
  const shares = budget?.isSoftOnly === true ? [] : percents.map((share) => shareOf(quota.limit, share));
  const soft = budget?.softNanoUsd === undefined ? [] : [{ name: "soft", nanoUsd: budget.softNanoUsd }];
  const thresholds = [...shares, ...soft].sort((a, b) => (a.nanoUsd < b.nanoUsd ? -1 : 1));
  return thresholds.length === 0 ? null : { quota, budget, thresholds };
}

/** `team ml's monthly budget is 82% used`, or what is spent of a soft budget that has no other beside it. */
export function usedText({ quota, budget }: Watched, spentNanoUsd: bigint): string {
  if (budget?.isSoftOnly === true) {
    const soft = formatUsd(budget.softNanoUsd ?? 0n);
    return `${budget.scope} ${budget.subject.alias} has spent $${formatUsd(spentNanoUsd)} of a soft budget of $${soft}`;
  }
  return `${quota.label} is ${(spentNanoUsd * 100n) / quota.limit}% used`;
}

/** A share of the limit, in tenths of a per cent, rounded up. */
function shareOf(limit: bigint, share: number): Threshold {
  return { name: `${share}%`, nanoUsd: (limit * BigInt(Math.round(share * 10)) + 999n) / 1_000n };
}
