// What a caller is told when a budget stands in the way.
import { formatUsd, GatewayError, type Refusal, type StoreError, type Target } from "../../src/plugin.ts";

/** `retry-after` says no more than this: long-lived clients should ask again when the budget may have been raised. */
const RETRY_AFTER_MAX_SECONDS = 86_400;

/** `budget_exceeded`, with the figures, when the window resets, and the budget's id in `x-tollgate-budget`. */
export function exceeded({ quota, spent, reserved, resetsMs }: Refusal, needed: number, nowMs: number): GatewayError {
  const figures = `spent $${formatUsd(spent)}, reserved $${formatUsd(reserved)}`;
  const reset = resetsMs === null ? "never resets" : `resets ${isoSeconds(resetsMs)}`;
  const message =
    `Budget has been exceeded! ${quota.label} of $${formatUsd(quota.limit)}: ${figures}, ` +
    `this request may cost up to $${formatUsd(needed)}; ${reset}`;
  return new GatewayError("budget_exceeded", message, {
    retry: false,
    ...(resetsMs === null ? {} : { retryAfterSeconds: secondsUntil(resetsMs, nowMs) }),
    headers: { "x-tollgate-budget": quota.id.slice(quota.id.indexOf(":") + 1) },
  });
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

function secondsUntil(resetsMs: number, nowMs: number): number {
  return Math.min(Math.max(Math.ceil((resetsMs - nowMs) / 1000), 1), RETRY_AFTER_MAX_SECONDS);
}

/** `2026-12-01T00:00:00Z`: windows turn on whole seconds. */
function isoSeconds(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}
