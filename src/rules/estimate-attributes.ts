// The attributes that estimate what a request will use: worked out only when a rule reads them, once a target.
import type { Call, CostBound, Target } from "../types.ts";
import type { Attribute } from "./attributes.ts";
import { oncePerTarget, outsideAttribute } from "./outside-attributes.ts";

/** `tokens.input` and `cost.estimate`. @param boundOf null where nothing is served: then both are unknown */
export function estimateAttributes(boundOf: ((call: Call, target: Target) => CostBound) | null): Attribute[] {
  const once = boundOf === null ? null : oncePerTarget((call, _principal, target) => boundOf(call, target));
  return [
    outsideAttribute(
      {
        name: "tokens.input",
        type: "tokens",
        note: "an upper bound, by the size of the prompt",
        fixedBy: "request",
      },
      once && ((...of) => once(of[0], of[1], of[2]).inputTokens),
    ),
    outsideAttribute(
      {
        name: "cost.estimate",
        type: "money",
        note: "the most that the request can cost, as budgets reserve it; unknown when unpriced",
        fixedBy: "request",
        mayLack: true,
      },
      once && ((...of) => once(of[0], of[1], of[2]).costNanoUsd ?? undefined),
    ),
  ];
}
