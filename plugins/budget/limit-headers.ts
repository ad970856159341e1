// What callers are told of their limits, in the headers that OpenAI's and Anthropic's clients read.
import type { Hold, Ledger, RuleQuota, Wire } from "../../src/plugin.ts";
import { isRuleQuota } from "./quotas.ts";

/** What is left of one limit. */
export interface LimitStanding {
  readonly quota: RuleQuota;
  /** In the quota's unit, >= 0. */
  readonly remaining: number;
  /** Until all of the limit is there again; null for never. */
  readonly resetsInMs: number | null;
}

/** The units that there are headers for. */
const UNITS = ["requests", "tokens"] as const;

/** What is left of each `limit` statement that the hold is charged to. */
export function standingsOf(ledger: Ledger, hold: Hold): readonly LimitStanding[] {
  const standings: LimitStanding[] = [];
  for (const [i, { quota }] of hold.needs.entries()) {
    if (isRuleQuota(quota) && isShown(quota)) standings.push({ quota, ...ledger.standing(hold, i) });
  }
  return standings;
}

/**
 * Headers, flat, for the tightest limit of each unit. OpenAI: `x-ratelimit-limit-requests`, `-remaining-requests` and
 * `-reset-requests` (`6m0s`), the same with tokens (https://platform.openai.com/docs/guides/rate-limits). Anthropic:
 * `anthropic-ratelimit-requests-limit`, `-remaining` and `-reset` (RFC 3339, https://docs.anthropic.com/en/api/rate-limits).
 */
export function limitHeaders(wire: Wire, standings: readonly LimitStanding[], nowMs: number): string[] {
  const headers: string[] = [];
  for (const unit of UNITS) {
    const tightest = tightestOf(standings.filter(({ quota }) => quota.unit === unit));
    if (tightest === null) continue;
    const { quota, remaining, resetsInMs } = tightest;
    const name = wire === "anthropic" ? anthropicName(unit) : openaiName(unit);
    headers.push(name("limit"), String(quota.limit), name("remaining"), String(remaining));
    if (resetsInMs === null) continue;
    headers.push(name("reset"), wire === "anthropic" ? isoSeconds(nowMs + resetsInMs) : duration(resetsInMs));
  }
  return headers;
}

/** True for limits that there are headers for. */
export function isShown({ unit }: RuleQuota): boolean {
  return unit === "requests" || unit === "tokens";
}

/** A duration as OpenAI writes it: `120ms`, `6s`, `1m30s`, `26h0m0s`; rounded up. */
export function duration(ms: number): string {
  const whole = Math.ceil(ms);
  if (whole < 1_000) return `${whole}ms`;
  const seconds = Math.ceil(whole / 1_000);
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const rest = `${seconds % 60}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}

/** `2026-12-01T00:00:00Z`, rounded up. */
export function isoSeconds(atMs: number): string {
  return `${new Date(Math.ceil(atMs / 1_000) * 1_000).toISOString().slice(0, 19)}Z`;
}

/** The one with the least left; of several, the one that is the longest in coming back. */
function tightestOf(standings: readonly LimitStanding[]): LimitStanding | null {
  let tightest: LimitStanding | null = null;
  for (const standing of standings) {
    if (tightest === null || isTighter(standing, tightest)) tightest = standing;
  }
  return tightest;
}

function isTighter(a: LimitStanding, b: LimitStanding): boolean {
  if (a.remaining !== b.remaining) return a.remaining < b.remaining;
  return (a.resetsInMs ?? Infinity) > (b.resetsInMs ?? Infinity);
}

function openaiName(unit: string): (what: string) => string {
  return (what) => `x-ratelimit-${what}-${unit}`;
}

function anthropicName(unit: string): (what: string) => string {
  return (what) => `anthropic-ratelimit-${unit}-${what}`;
}
