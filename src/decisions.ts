// Decisions of several plugins put together, and denials as errors.
import { GatewayError, isErrorCode } from "./errors.ts";
import type { Call, Decision, Denial, RuleQuota, Target } from "./types.ts";

/** The decision where no plugin decides. */
export function unruled(call: Call): Decision {
  return {
    effect: "allow",
    targets: call.targets,
    denial: null,
    ruleIds: [],
    shadowIds: [],
    unknown: [],
    generation: 0,
  };
}

/** Both must allow; the first denial is the one that is told. */
export function both(a: Decision, b: Decision): Decision {
  const targets = a.targets.filter((target) => b.targets.includes(target));
  const denial = a.denial ?? b.denial ?? (targets.length > 0 ? null : NO_COMMON_TARGET);
  return {
    effect: denial === null ? "allow" : "deny",
    targets: denial === null ? targets : [],
    denial,
    ruleIds: [...a.ruleIds, ...b.ruleIds],
    shadowIds: [...a.shadowIds, ...b.shadowIds],
    unknown: [...a.unknown, ...b.unknown],
    ...warningsOfBoth(a, b),
    ...quotasOfBoth(a, b, targets),
    generation: Math.max(a.generation, b.generation),
  };
}

function warningsOfBoth(a: Decision, b: Decision): Pick<Decision, "warnings"> {
  const warnings = [...(a.warnings ?? []), ...(b.warnings ?? [])];
  return warnings.length === 0 ? {} : { warnings };
}

/** What both ask to be counted, each counter once; only for targets that both allow. */
function quotasOfBoth(a: Decision, b: Decision, targets: readonly Target[]): Pick<Decision, "quotas"> {
  if (a.quotas === undefined && b.quotas === undefined) return {};
  const quotas = new Map<Target, readonly RuleQuota[]>();
  for (const target of targets) {
    const byId = new Map([...(a.quotas?.get(target) ?? []), ...(b.quotas?.get(target) ?? [])].map((q) => [q.id, q]));
    if (byId.size > 0) quotas.set(target, [...byId.values()]);
  }
  return quotas.size === 0 ? {} : { quotas };
}

const NO_COMMON_TARGET: Denial = { message: "Access denied: no provider is left that all policies allow" };

/** @throws GatewayError unless the decision allows a target */
export function refuseDenied(decision: Decision | null): void {
  if (decision?.effect === "allow" && decision.targets.length > 0) return;
  throw denied(decision?.denial ?? NO_COMMON_TARGET, "permission_denied");
}

/** A denial as the error that its caller is told. @param usual the code of a denial that names none */
export function denied(denial: Denial, usual: "permission_denied" | "content_denied"): GatewayError {
  const code = denial.code !== undefined && isErrorCode(denial.code) ? denial.code : usual;
  return new GatewayError(code, denial.message, {
    retry: false,
    ...(denial.ruleId === undefined ? {} : { ruleId: denial.ruleId }),
    ...(denial.status === undefined ? {} : { status: denial.status }),
  });
}
