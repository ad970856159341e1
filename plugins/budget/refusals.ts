// What a caller is told when a budget or a limit stands in the way.
import {
  type ErrorDetails,
  formatUsd,
  GatewayError,
  type Refusal,
  type RuleQuota,
  type StoreError,
  type Target,
  type Wire,
} from "../../src/plugin.ts";
import { duration, isoSeconds, isShown, limitHeaders } from "./limit-headers.ts";
import { isRuleQuota } from "./quotas.ts";

/** `retry-after` says no more than this: long-lived clients should ask again when the budget may have been raised. */
const RETRY_AFTER_MAX_SECONDS = 86_400;
/** When a slot comes free nobody knows: ask again soon. */
const SLOT_RETRY_MS = 1_000;

/** The refusal's error: `budget_exceeded` for money, `rate_limit_exceeded` for the rest. */
export function refused(refusal: Refusal, wire: Wire, nowMs: number): GatewayError {
  const { quota } = refusal.need;
  if (!isRuleQuota(quota)) {
    return exceeded(refusal, nowMs, null, {
      headers: { "x-tollgate-budget": quota.id.slice(quota.id.indexOf(":") + 1) },
    });
  }
  const { ruleId, because } = quota;
  if (quota.unit === "nano-usd") return exceeded(refusal, nowMs, because, { ruleId });
  return limited(refusal, quota, wire, nowMs);
}

/** `model_unpriced`, with the config that prices the model. */
export function unpriced({ provider, model, upstreamModel }: Target): GatewayError {
  const price = "price: { input: $…/M, output: $…/M }";
  return new GatewayError(
    "model_unpriced",
    `Model ${model} of provider ${provider} has no price, so its cost cannot be held to a budget. ` +
      `Price it in the config: models: { ${model}: { provider: ${provider}, model: ${upstreamModel}, ${price} } }`,
    { retry: false },
  );
}

/** `store_unavailable`: worth another try soon. */
export function storeUnavailable(cause: StoreError): GatewayError {
  return new GatewayError("store_unavailable", undefined, { retryAfterSeconds: 1, cause });
}

/** LiteLLM's sentence, then all figures, and when the window resets. Clients are told not to try again by themselves. */
function exceeded(refusal: Refusal, nowMs: number, because: string | null, details: ErrorDetails): GatewayError {
  const { need, spent, reserved, resetsMs } = refusal;
  const { label, limit } = need.quota;
  const figures = `spent $${formatUsd(spent)}, reserved $${formatUsd(reserved)}`;
  const reset = resetsMs === null ? "never resets" : `resets ${isoSeconds(resetsMs)}`;
  // A statement's label says its amount.
  const what = isRuleQuota(need.quota) ? label : `${label} of $${formatUsd(limit)}`;
  const message =
    `Budget has been exceeded! Current cost: ${formatUsd(spent)}, Max budget: ${formatUsd(limit)}. ${what}: ${figures}, ` +
    `this request may cost up to $${formatUsd(need.amount)}; ${reset}`;
  return new GatewayError("budget_exceeded", withReason(because, message), {
    retry: false,
    ...(resetsMs === null ? {} : { retryAfterSeconds: seconds(resetsMs - nowMs) }),
    ...details,
  });
}

/** A request that is larger than the whole limit never fits: only then clients are told not to try again. */
function limited(refusal: Refusal, quota: RuleQuota, wire: Wire, nowMs: number): GatewayError {
  const retryMs = quota.unit === "concurrent" ? SLOT_RETRY_MS : refusal.fitsInMs;
  const message = `Rate limit has been reached! ${quota.label}: ${figuresOf(refusal, quota)}; ${advice(retryMs, quota)}`;
  return new GatewayError("rate_limit_exceeded", withReason(quota.because, message), {
    ruleId: quota.ruleId,
    ...(retryMs === null ? { retry: false as const } : { retryAfterSeconds: seconds(retryMs) }),
    headers: standingHeaders(refusal, quota, wire, nowMs),
  });
}

function figuresOf({ need, spent, reserved }: Refusal, { unit }: RuleQuota): string {
  if (unit === "concurrent") return `${reserved} in flight`;
  const used = `${spent} used, ${reserved} reserved for requests in flight`;
  return unit === "tokens" ? `${used}, this request may use up to ${need.amount}` : used;
}

function advice(retryMs: number | null, { unit }: RuleQuota): string {
  if (unit === "concurrent") return "try again when a request has ended";
  if (retryMs !== null) return `try again in ${duration(seconds(retryMs) * 1_000)}`;
  return unit === "tokens" ? "it never fits: lower `max_tokens` or send less" : "it never fits";
}

function standingHeaders(refusal: Refusal, quota: RuleQuota, wire: Wire, nowMs: number): Record<string, string> {
  if (!isShown(quota)) return {};
  const { spent, reserved, resetsMs } = refusal;
  const remaining = Math.max(0, Number(quota.limit - spent - reserved));
  const flat = limitHeaders(
    wire,
    [{ quota, remaining, resetsInMs: resetsMs === null ? null : resetsMs - nowMs }],
    nowMs,
  );
  const headers: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) headers[flat[i] ?? ""] = flat[i + 1] ?? "";
  return headers;
}

/** The rule's own words first; the figures are what callers can act on. */
function withReason(because: string | null, message: string): string {
  return because === null ? message : `${because} (${message})`;
}

function seconds(ms: number): number {
  return Math.min(Math.max(Math.ceil(ms / 1_000), 1), RETRY_AFTER_MAX_SECONDS);
}
