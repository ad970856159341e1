// How much of what is left a wish is granted: one rule for every database.
import type { LeaseWish } from "./store.ts";

/** Slack is at most this part of what is left, so that it shrinks to nothing as the quota runs out. */
const SLACK_PART = 8n;

/**
 * What a wish is granted when `available` (limit - spent - leases; may be negative) is left: its need, and of the rest
 * that it wants at most an eighth of what is then left. null when the need cannot be met.
 */
export function grantFor(wish: LeaseWish, available: bigint): number | null {
  const rest = available - BigInt(wish.need);
  if (rest < 0n) return null;
  const slack = rest / SLACK_PART;
  const wanted = wish.want - wish.need;
  return wish.need + (slack < BigInt(wanted) ? Number(slack) : wanted);
}
