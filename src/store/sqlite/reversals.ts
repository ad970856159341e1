// Takes charges for dead processes back, with a line in the audit log each.
import { formatUsd } from "../../money.ts";
import type { Json } from "../directory.ts";
import type { Recovery, Reversal } from "../store.ts";
import type { AccountChanges, AuditLine } from "./account-changes.ts";
import type { Budgets } from "./budgets.ts";
import type { Counters } from "./counters.ts";
import type { Recoveries } from "./recoveries.ts";

/** What reversals work with. */
export interface ReversalsOptions {
  readonly changes: AccountChanges;
  readonly budgets: Budgets;
  readonly counters: Counters;
  readonly recoveries: Recoveries;
}

/** Reversals. What writes runs inside the caller's transaction, which no other process's overlaps: each is done once. */
export class Reversals {
  readonly #options: ReversalsOptions;

  constructor(options: ReversalsOptions) {
    this.#options = options;
  }

  /** See `LedgerStore.reverse`. */
  reverse(
    which: number | "all",
    { actor, reason }: { readonly actor: string; readonly reason: string | null },
  ): readonly Reversal[] | null {
    const found = this.#find(which);
    if (found === null) return null;
    const open = found.filter((recovery) => recovery.open > 0n);
    if (open.length > 0) {
      this.#options.changes.run(actor, (log, nowMs) => {
        for (const recovery of open) {
          this.#options.counters.uncharge(recovery, recovery.open);
          this.#options.recoveries.reverse(recovery.id, nowMs, actor, reason);
          log(this.#lineOf(recovery, reason));
        }
      });
    }
    return found.map((recovery) => ({ recovery, amount: recovery.open }));
  }

  #find(which: number | "all"): readonly Recovery[] | null {
    if (which === "all") return this.#options.recoveries.allOpen();
    const recovery = this.#options.recoveries.get(which);
    return recovery === null ? null : [recovery];
  }

  /** Under the account whose budget it is; a rule's counter by its own name. */
  #lineOf({ id, quota, window, unit, open }: Recovery, reason: string | null): AuditLine {
    const owner = this.#options.budgets.ownerOf(quota);
    const amount = unit === "nano-usd" ? { usd: formatUsd(open) } : { [unit]: String(open) };
    const old: Json = { recovery: id, quota, window, ...amount };
    const now: Json = reason === null ? null : { reason };
    const subject = owner ?? { kind: "quota", id: quota, alias: quota };
    const line = { kind: subject.kind, objectId: subject.id, objectAlias: subject.alias } as const;
    return { ...line, action: "update", field: "unaccounted", old, new: now };
  }
}
