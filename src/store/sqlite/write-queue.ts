// What waits for the next transaction: changes of counters, summed, and rows of the request table.
import type { AccessRecord } from "../../types.ts";
import type { CounterChange } from "../store.ts";
import type { Counters } from "./counters.ts";
import type { Requests } from "./requests.ts";
import type { RuleHitTable } from "./rule-hits.ts";
import type { SpendTable } from "./spend.ts";

/** Rows that cost nothing are not kept past this many while the database cannot be written. */
const ROWS_MAX = 50_000;

type Sum = { -readonly [Field in keyof CounterChange]: CounterChange[Field] };

/** Changes and rows in memory. Charges are never dropped, and neither is a row with a cost. */
export class WriteQueue {
  readonly #sums = new Map<string, Sum>();
  /** Sums that would not stay exact with more added. */
  #fullSums: Sum[] = [];
  #rows: AccessRecord[] = [];
  #rowsDropped = 0;

  /** True when there is nothing to write. */
  get isEmpty(): boolean {
    return this.#sums.size === 0 && this.#rows.length === 0;
  }

  /** Adds changes; those of one counter are summed. A RangeError, and nothing added, when one is no whole number >= 0. */
  addChanges(changes: readonly CounterChange[]): void {
    for (const change of changes) assertAmounts(change);
    for (const change of changes) this.#add(change);
  }

  /** Adds a row. */
  addRow(record: AccessRecord): void {
    if (this.#rows.length >= ROWS_MAX && record.costNanoUsd === 0) this.#rowsDropped += 1;
    else this.#rows.push(record);
  }

  /** Writes all, inside a transaction; the queue stays as it is until `clear`, for the transaction may fail. */
  writeTo(counters: Counters, requests: Requests, hits: RuleHitTable, spend: SpendTable): void {
    for (const sum of this.#fullSums) counters.apply(sum);
    for (const sum of this.#sums.values()) counters.apply(sum);
    for (const row of this.#rows) requests.insert(row);
    hits.add(this.#rows);
    spend.add(this.#rows);
  }

  /** All has been written. */
  clear(): void {
    this.#sums.clear();
    this.#fullSums = [];
    this.#rows = [];
  }

  /** How many rows were dropped since the last call. */
  takeDropped(): number {
    const dropped = this.#rowsDropped;
    this.#rowsDropped = 0;
    return dropped;
  }

  #add(change: CounterChange): void {
    const key = `${change.window} ${change.quota}`;
    const sum = this.#sums.get(key);
    if (sum !== undefined && staysExact(sum, change)) {
      sum.spend += change.spend;
      sum.release += change.release;
      return;
    }
    if (sum !== undefined) this.#fullSums.push(sum);
    this.#sums.set(key, { ...change });
  }
}

function staysExact(sum: CounterChange, change: CounterChange): boolean {
  return Number.isSafeInteger(sum.spend + change.spend) && Number.isSafeInteger(sum.release + change.release);
}

/** A change that could not be written would hold up the batch for ever. */
function assertAmounts({ quota, spend, release }: CounterChange): void {
  if (Number.isSafeInteger(spend) && Number.isSafeInteger(release) && spend >= 0 && release >= 0) return;
  throw new RangeError(`${quota}: spend ${spend} and release ${release} must be whole numbers >= 0`);
}
