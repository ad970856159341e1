// For tests: allows everything, under the quotas that its config names, each counted by key.
import { type Call, type Decision, definePlugin, type Principal, type RuleQuota, z } from "tollgate/plugin";

const quota = z.strictObject({
  unit: z.enum(["nano-usd", "tokens", "requests", "concurrent"]),
  limit: z.number().int(),
  slidingMs: z.number().int().optional(),
});

export default definePlugin({
  name: "quotas",
  config: z.strictObject({ quotas: z.array(quota) }),
  setup: (_host, config) => ({
    authorize: (call: Call, { key }: Principal): Decision => {
      const quotas = config.quotas.map((one) => quotaFor(one, key.alias));
      const { targets } = call;
      const decided = { ruleIds: [], shadowIds: [], unknown: [], generation: 1 };
      const byTarget = new Map(targets.map((target) => [target, quotas]));
      return { effect: "allow", targets, denial: null, ...decided, quotas: byTarget };
    },
  }),
});

function quotaFor({ unit, limit, slidingMs }: z.output<typeof quota>, key: string): RuleQuota {
  const label = `limit ${limit} ${unit} for key ${key}`;
  const total = { kind: "calendar", period: "total", zone: "UTC" } as const;
  const window = slidingMs === undefined ? total : ({ kind: "sliding", durationMs: slidingMs } as const);
  return {
    id: `${unit}/key=${key}`,
    ruleId: "quotas:1",
    label,
    unit,
    limit: BigInt(limit),
    window: unit === "concurrent" ? { kind: "none" } : window,
    because: null,
  };
}
