// What an account object has spent: of each of its budgets in the window that is open now, and in all.
import { parseBudgetWindow } from "./budget-window.ts";
import type { Ledger, Quota } from "./ledger/ledger.ts";
import { parseUsd } from "./money.ts";
import type { AccountKind, AccountObject, Directory } from "./store/directory.ts";
import type { RequestStore } from "./store/store.ts";

/** What it works with. */
export interface SpendingOptions {
  readonly directory: Pick<Directory, "budgetIds">;
  readonly ledger: Pick<Ledger, "balance">;
  readonly requests: Pick<RequestStore, "spend">;
}

/** A budget and what was spent of it. */
export interface SpentBudget {
  readonly limitUsd: string;
  readonly window: string;
  /** Committed in the window that is open now, nano-USD. */
  readonly spentNanoUsd: bigint;
  /** When the window ends, milliseconds since the epoch; null for never. */
  readonly resetsMs: number | null;
}

/** What an object has spent. */
export interface Spent {
  /** Since it was made or last reset, whatever its budgets; nano-USD. */
  readonly totalNanoUsd: bigint;
  /** In the order of its field. */
  readonly budgets: readonly SpentBudget[];
}

/** Reads what was spent. Asks nobody for rights: the caller has the objects, so it may see them. */
export class Spending {
  readonly #options: SpendingOptions;

  constructor(options: SpendingOptions) {
    this.#options = options;
  }

  /** Of objects of one kind, by id. */
  async of(
    kind: Exclude<AccountKind, "group">,
    objects: readonly AccountObject[],
  ): Promise<ReadonlyMap<string, Spent>> {
    const ids = objects.map(({ id }) => id);
    const totals = this.#options.requests.spend(kind, ids);
    const all = new Map<string, Spent>();
    for (const object of objects) {
      const spent = { totalNanoUsd: totals.get(object.id) ?? 0n, budgets: await this.#budgetsOf(object) };
      all.set(object.id, spent);
    }
    return all;
  }

  async #budgetsOf({ kind, id, fields }: AccountObject): Promise<readonly SpentBudget[]> {
    const budgets = (fields.budgets ?? []) as readonly { readonly limitUsd: string; readonly window: string }[];
    if (budgets.length === 0) return [];
    const { directory, ledger } = this.#options;
    const ids = await directory.budgetIds(kind, id);
    return budgets.map((budget, i) => {
      const { spent, resetsMs } = ledger.balance(quotaOf(ids[i] ?? "", budget));
      return { ...budget, spentNanoUsd: spent, resetsMs };
    });
  }
}

/** The quota that the budget's requests are charged to. */
function quotaOf(id: string, { limitUsd, window }: { readonly limitUsd: string; readonly window: string }): Quota {
  const parsed = parseBudgetWindow(window);
  if (parsed === null) throw new Error(`the database has a budget on \`${window}\``);
  return { id: `budget:${id}`, label: "", unit: "nano-usd", limit: parseUsd(limitUsd) ?? 0n, window: parsed };
}
