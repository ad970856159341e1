// A key as LLM Gateway shows it.
import { type AccountObject, formatUsd, momentJson, type Spent, z } from "../../src/plugin.ts";
import { limitsOf, periodOf } from "./limits.ts";

const decimal = z.string().describe("US dollars");
const moment = z.iso.datetime();

/** The shape of a key. */
export const keySchema = z.object({
  id: z.string(),
  description: z.string(),
  status: z.enum(["active", "inactive"]),
  maskedToken: z.string(),
  projectId: z.string().nullable().describe("The team that it belongs to"),
  userId: z.string().nullable(),
  usage: decimal,
  usageLimit: decimal.nullable(),
  periodUsageLimit: decimal.nullable(),
  periodUsageDurationValue: z.int().nullable(),
  periodUsageDurationUnit: z.string().nullable(),
  currentPeriodUsage: decimal.nullable(),
  currentPeriodResetAt: moment.nullable(),
  expiresAt: moment.nullable(),
  lastUsedAt: moment.nullable(),
  createdAt: moment,
  updatedAt: moment,
});

/** The key with its secret, when that is made. */
export const madeKeySchema = keySchema.extend({ token: z.string().describe("The secret, shown this once") });

/** The key. Its secret is never in it. @param spent what it has spent; nothing when left out */
export function keyJson(key: AccountObject, spent: Spent | undefined): z.input<typeof keySchema> {
  const { fields, secret } = key;
  const { total, period } = limitsOf(fields);
  const length = period === null ? null : periodOf(period.window);
  const ofPeriod = spent?.budgets.find(({ window }) => window === period?.window);
  return {
    id: key.id,
    description: String(fields.description ?? fields.alias),
    status: fields.status === "active" ? "active" : "inactive",
    maskedToken: `${secret?.prefix}…${secret?.lastFour}`,
    projectId: (fields.teamId ?? null) as string | null,
    userId: (fields.userId ?? null) as string | null,
    usage: formatUsd(spent?.totalNanoUsd ?? 0),
    usageLimit: total?.limitUsd ?? null,
    periodUsageLimit: period?.limitUsd ?? null,
    periodUsageDurationValue: length?.value ?? null,
    periodUsageDurationUnit: length?.unit ?? null,
    currentPeriodUsage: period === null ? null : formatUsd(ofPeriod?.spentNanoUsd ?? 0),
    currentPeriodResetAt: momentJson(ofPeriod?.resetsMs ?? null),
    expiresAt: momentJson((fields.expiresMs ?? null) as number | null),
    lastUsedAt: momentJson(secret?.lastUsedMs ?? null),
    createdAt: momentJson(key.createdMs) as string,
    updatedAt: momentJson(key.updatedMs) as string,
  };
}
