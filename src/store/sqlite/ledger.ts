// The ledger's side of an SQLite database: leases, counters, heartbeat, proof that it can be written.
import type {
  CounterChange,
  CounterId,
  CounterState,
  InFlight,
  LeaseAnswer,
  LeaseWish,
  LedgerStore,
  Recovery,
  Reversal,
  StoreEvent,
  WindowSpan,
  WindowUse,
} from "../store.ts";
import { StoreError } from "../store.ts";
import type { Batch } from "./batch.ts";
import type { Counters } from "./counters.ts";
import { guarded } from "./errors.ts";
import type { Processes } from "./processes.ts";
import type { Recoveries } from "./recoveries.ts";
import type { Reversals } from "./reversals.ts";
import type { Warnings } from "./warnings.ts";

/** A write that succeeded this lately proves that the database can be written. */
const PROOF_MS = 100;

/** What the ledger's side works with. */
export interface SqliteLedgerParts {
  readonly batch: Batch;
  readonly counters: Counters;
  readonly processes: Processes;
  readonly recoveries: Recoveries;
  readonly reversals: Reversals;
  readonly warnings: Warnings;
  readonly onEvent: (event: StoreEvent) => void;
}

/** `LedgerStore` on SQLite. */
export class SqliteLedger implements LedgerStore {
  readonly #parts: SqliteLedgerParts;

  constructor(parts: SqliteLedgerParts) {
    this.#parts = parts;
  }

  lease(wishes: readonly LeaseWish[]): LeaseAnswer {
    const { batch, counters, processes } = this.#parts;
    batch.assertWritable();
    return batch.write(() => {
      processes.beat();
      return counters.grantAll(wishes);
    });
  }

  counter(id: CounterId, span: WindowSpan | null = null): CounterState {
    return guarded(() => this.#parts.counters.state(id, span));
  }

  uses(quota: string, span: WindowSpan): readonly WindowUse[] {
    return guarded(() => this.#parts.counters.uses(quota, span));
  }

  claimWarning(id: CounterId, amount: bigint): boolean {
    const { batch, warnings } = this.#parts;
    batch.assertWritable();
    return batch.write(() => warnings.claim(id, amount));
  }

  recoveries(sinceMs: number): readonly Recovery[] {
    return guarded(() => this.#parts.recoveries.since(sinceMs));
  }

  reverse(
    which: number | "all",
    by: { readonly actor: string; readonly reason: string | null },
  ): readonly Reversal[] | null {
    const { batch, reversals } = this.#parts;
    batch.assertWritable();
    return batch.write(() => reversals.reverse(which, by));
  }

  commit(changes: readonly CounterChange[]): Promise<void> {
    return this.#parts.batch.commit(changes);
  }

  probe(): void {
    const { batch, processes } = this.#parts;
    batch.assertWritable();
    if (batch.provenAgoMs > PROOF_MS) batch.write(() => processes.beat());
  }

  heartbeat(inFlight: readonly InFlight[] | null = null): void {
    const { batch, counters, processes } = this.#parts;
    this.#unlessUnavailable(() => {
      batch.assertWritable();
      const recovered = batch.write(() => {
        processes.beat();
        if (inFlight !== null) processes.tell(inFlight);
        counters.drop("empty");
        return processes.recover();
      });
      this.#report(recovered);
    });
  }

  passTime(nowMs: number): number {
    const { batch, counters } = this.#parts;
    let latestMs = nowMs;
    this.#unlessUnavailable(() => {
      batch.assertWritable();
      latestMs = batch.write(() => counters.passTime(nowMs));
    });
    return latestMs;
  }

  /** At opening: charges the leases of processes that are certainly dead. Writes only when there are some. */
  recover(): void {
    const { batch, processes } = this.#parts;
    this.#unlessUnavailable(() => {
      if (processes.findDead().length > 0) this.#report(batch.write(() => processes.recover()));
    });
  }

  /** At closing: gives everything back. Inside a write transaction. */
  leave(): void {
    this.#parts.counters.drop("all");
    this.#parts.processes.leave();
  }

  #report(recovered: ReturnType<Processes["recover"]>): void {
    for (const one of recovered) this.#parts.onEvent({ kind: "recovered", ...one });
  }

  #unlessUnavailable(work: () => void): void {
    try {
      guarded(work);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
}
