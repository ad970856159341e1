// Why a need does not fit, and when it will.
import { stepFreedMs } from "./fixed-windows.ts";
import type { Lease, StoreRefusal } from "./lease.ts";
import type { Need, Refusal } from "./ledger.ts";
import type { Windows } from "./windows.ts";

/** The refusal that follows from what the store said. This process's own slack is not held for any request. */
export function refusalOf(need: Need, lease: Lease, { state, uses }: StoreRefusal, windows: Windows): Refusal {
  const { spent, leased } = state;
  const reserved = leased - BigInt(lease.free);
  const { quota, amount } = need;
  const resetsInMs = windows.freedInMs(quota.window, lastFreedMs(lease, uses));
  const over = spent + reserved + BigInt(amount) - quota.limit;
  return {
    need,
    spent,
    reserved,
    resetsMs: resetsInMs === null ? null : windows.nowMs() + resetsInMs,
    fitsInMs: BigInt(amount) > quota.limit ? null : windows.freedInMs(quota.window, enoughFreedMs(lease, uses, over)),
  };
}

/** When nothing that is taken now counts any more. */
export function lastFreedMs(
  { quota, window }: Pick<Lease, "quota" | "window">,
  uses: StoreRefusal["uses"],
): number | null {
  const last = uses.at(-1);
  if (last === undefined || typeof quota.window === "string" || quota.window.kind !== "sliding") return window.freedMs;
  return stepFreedMs(quota.window.durationMs, last.window);
}

/** When `over` of what is taken counts no more. */
function enoughFreedMs({ quota, window }: Lease, uses: StoreRefusal["uses"], over: bigint): number | null {
  if (typeof quota.window === "string" || quota.window.kind !== "sliding") return window.freedMs;
  let freed = 0n;
  for (const use of uses) {
    freed += use.taken;
    if (freed >= over) return stepFreedMs(quota.window.durationMs, use.window);
  }
  return window.freedMs;
}
