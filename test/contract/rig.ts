// What the contract's suites share: a database made for one test, and stores on it.
import type { Test } from "tap";
import { type Store, StoreError, type StoreErrorCode, type StoreEvent } from "../../src/store/store.ts";
import type { Clock } from "../../src/types.ts";
import { FakeClock } from "../ledger/fake-clock.ts";

/** A database that is made for one test and removed with it. */
export interface TestDatabase {
  /** Opens it as another process would. */
  open(options: { readonly clock: Clock; readonly onEvent?: (event: StoreEvent) => void }): Store;
  /** Ends a store as kill -9 would: what is queued is lost, leases stay. */
  crash(store: Store): void;
}

/** Makes a fresh database for a test. */
export type Fresh = (test: Test) => TestDatabase;

/** Tests by name. */
export type Suite = Readonly<Record<string, (t: Test, fresh: Fresh) => Promise<void>>>;

/** Longer than any store waits before it takes a silent process for dead. */
export const SILENCE_MS = 60_000;

/** The counter that most tests use. */
export const counter = { quota: "budget:a", window: "2026-11" };

/** A wish for a lease on it. */
export const wish = (need: number, limit: bigint, want = need) => ({ ...counter, need, want, limit });

/** Opens a store that is closed with the test. */
export function open(t: Test, fresh: Fresh, clock = new FakeClock()): { store: Store; clock: FakeClock } {
  const store = fresh(t).open({ clock });
  t.teardown(() => store.close().catch(() => undefined));
  return { store, clock };
}

/** Expects a StoreError with that code. */
export function throwsCode(t: Test, code: StoreErrorCode, work: () => unknown): void {
  try {
    work();
    t.fail(`${code} expected`);
  } catch (error) {
    t.ok(error instanceof StoreError, String(error));
    t.equal((error as StoreError).code, code);
  }
}
