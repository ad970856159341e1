// Keys, quotas and records as tests need them, and a way to wait for them.
import { hash } from "node:crypto";
import type { Hold, Ledger, Quota, ReserveAnswer } from "../../src/ledger/ledger.ts";
import type { NewKey } from "../../src/store/store.ts";
import type { AccessRecord } from "../../src/types.ts";

/** A key whose hash follows from its alias. */
export function newKey(alias: string, more: Partial<NewKey> = {}): NewKey {
  return { alias, hash: hash("sha256", alias, "buffer"), prefix: "sk-demo", lastFour: "demo", ...more };
}

/** A money quota with a monthly window. */
export function quota(id: string, limit: bigint, window: Quota["window"] = "month"): Quota {
  return { id, label: id, unit: "nano-usd", limit, window };
}

/** A quota as the ledger sees a `limit` statement's. */
export function limit(unit: Quota["unit"], amount: bigint, window: Quota["window"], id = "rule:limit"): Quota {
  return { id, label: id, unit, limit: amount, window };
}

/** A ledger that holds and charges the same amount in all quotas. */
export interface UniformLedger extends Pick<Ledger, "releaseIdle" | "holdsOpen" | "balance" | "standing"> {
  reserve(quotas: readonly Quota[], amount: number): ReserveAnswer;
  settle(hold: Hold, actual: number): Promise<void>;
}

/** The ledger with one amount for all quotas. */
export function uniform(ledger: Ledger): UniformLedger {
  return {
    reserve: (quotas, amount) => ledger.reserve(quotas.map((each) => ({ quota: each, amount }))),
    settle: (hold, actual) => ledger.settle(hold, actual === 0 ? null : hold.needs.map(() => actual)),
    releaseIdle: () => ledger.releaseIdle(),
    balance: (quota) => ledger.balance(quota),
    standing: (hold, index) => ledger.standing(hold, index),
    get holdsOpen() {
      return ledger.holdsOpen;
    },
  };
}

/** A served request of key `demo` in team `ml`: 10 tokens in, 20 out. */
export function accessRecord(id: string, more: Partial<AccessRecord> = {}): AccessRecord {
  return {
    id,
    receivedMs: Date.parse("2026-11-21T12:00:00Z"),
    method: "POST",
    path: "/v1/chat/completions",
    endpoint: "chat",
    ip: "127.0.0.1",
    keyId: "key_demo",
    keyAlias: "demo",
    teamId: "team_ml",
    teamAlias: "ml",
    userId: null,
    orgId: null,
    modelRequested: "gpt-4o",
    model: "gpt-4o",
    provider: "openai",
    stream: false,
    status: 200,
    error: null,
    decision: "allow",
    ruleIds: ["prod.rules:3"],
    shadowIds: [],
    warningIds: [],
    unknown: [],
    generation: 1,
    rulesHash: "0123456789ab",
    facts: "{}",
    usage: { inputTokens: 10, outputTokens: 20, cachedInputTokens: 0, cacheWriteTokens: 0, estimated: false },
    reservedNanoUsd: 0,
    costNanoUsd: 0,
    outcome: "completed",
    requestBytes: 100,
    responseBytes: 200,
    firstByteMs: 1.5,
    totalMs: 2.5,
    ...more,
  };
}

/** Waits while the store's timers, which let a process end, are all that is left to wait for. */
export async function awake<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 1_000);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}
