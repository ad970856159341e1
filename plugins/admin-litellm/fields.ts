// Which of LiteLLM's fields is which of ours, how each is read and shown, and which are refused.
import { type AccountKind, MEMBER_PERMISSIONS, z } from "../../src/plugin.ts";
import { amount, type Budget, modelBudgets, modelBudgetsJson, readModelBudgets } from "./budgets.ts";

/** The kinds that LiteLLM knows. */
export type LiteKind = Exclude<AccountKind, "group">;

/** A field of theirs that is one of ours. */
export interface LiteField {
  /** Our name. */
  readonly ours: string;
  readonly schema: z.ZodType;
  /** Theirs → ours; as it is when left out. @throws TypeError with words for people, without the name */
  read?(value: unknown): unknown;
  /** Ours → theirs; as it is when left out. */
  show?(value: unknown): unknown;
}

const field = (ours: string, schema: z.ZodType, how: Pick<LiteField, "read" | "show"> = {}): LiteField => ({
  ...{ ours, schema },
  ...how,
});
const texts = z.array(z.string());
const whole = z.int().min(0);
const wholeByModel = z.record(z.string(), whole);
const decimal = { show: (value: unknown) => (value === null ? null : Number(value)) };

/** LiteLLM's words for all models that the team or the gateway has. */
const ALL_MODELS: ReadonlySet<unknown> = new Set(["all-team-models", "all-proxy-models"]);

function readModels(value: unknown): unknown {
  const models = value as readonly string[] | null;
  if (models?.includes("no-default-models")) throw new TypeError("cannot be no-default-models: list what may be used");
  return models?.some((model) => ALL_MODELS.has(model)) ? null : models;
}

/** Members may always look at their team's keys: LiteLLM has permissions for it. */
export const ALWAYS_PERMITTED: readonly string[] = ["/key/info", "/key/health"];

const permissions = field("memberPermissions", texts, {
  read: (value) => (value as readonly string[] | null)?.filter((one) => !ALWAYS_PERMITTED.includes(one)) ?? null,
  show: (value) => [ALWAYS_PERMITTED[0], ...(value as readonly string[])],
});

/** What a team can permit its members. */
export const ALL_PERMISSIONS: readonly string[] = ["/key/info", ...MEMBER_PERMISSIONS];

const moment = {
  read: (value: unknown) => (value === null ? null : readMoment(String(value))),
  show: (value: unknown) => (value === null ? null : new Date(value as number).toISOString()),
};

function readMoment(text: string): number {
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new TypeError("must be a date and time: 2027-01-31T00:00:00Z");
  return ms;
}

const SHARED: Readonly<Record<string, LiteField>> = {
  models: field("models", texts.describe("None for all"), { read: readModels }),
  access_group_ids: field("accessGroups", texts.describe("Names of access groups")),
  max_parallel_requests: field("maxParallelRequests", whole),
  tpm_limit: field("tpmLimit", whole),
  rpm_limit: field("rpmLimit", whole),
  model_tpm_limit: field("modelTpmLimits", wholeByModel),
  model_rpm_limit: field("modelRpmLimits", wholeByModel),
  soft_budget: field("softBudgetUsd", amount, decimal),
  model_max_budget: field("modelBudgets", modelBudgets, {
    read: (value) => (value === null ? null : readModelBudgets(value as z.output<typeof modelBudgets>)),
    show: (value) => modelBudgetsJson(value as Readonly<Record<string, Budget>>),
  }),
  metadata: field("metadata", z.record(z.string(), z.unknown())),
};

const aliases = z.record(z.string(), z.string()).describe("Name → the model that it stands for");

/** Their name → the field, by kind. Budgets, `blocked`, `duration` and `key_type` are read elsewhere: they are no single field. */
export const LITE_FIELDS: Readonly<Record<LiteKind, Readonly<Record<string, LiteField>>>> = {
  key: {
    key_alias: field("alias", z.string()),
    ...{ team_id: field("teamId", z.string()), user_id: field("userId", z.string()) },
    ...SHARED,
    aliases: field("modelAliases", aliases),
    tags: field("tags", texts),
    allowed_routes: field("allowedRoutes", texts),
    temp_budget_increase: field("tempBudgetIncreaseUsd", amount, decimal),
    temp_budget_expiry: field("tempBudgetExpiresMs", z.string(), moment),
    service_account: field("serviceAccount", z.boolean()),
  },
  team: {
    team_alias: field("alias", z.string()),
    organization_id: field("orgId", z.string()),
    ...SHARED,
    model_aliases: field("modelAliases", aliases),
    team_member_permissions: permissions,
  },
  user: {
    user_alias: field("alias", z.string()),
    user_email: field("email", z.string()),
    user_role: field("role", z.enum(["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"])),
    ...SHARED,
  },
  org: { organization_alias: field("alias", z.string()), ...SHARED },
};

/** What LiteLLM's id of a kind is called. */
export const ID_NAMES: Readonly<Record<LiteKind, string>> = {
  key: "key",
  team: "team_id",
  user: "user_id",
  org: "organization_id",
};

const RULE = "write a rule for it";
const PLUGIN = "write a plugin with `inspect`";
const GUARDRAILS = { guardrails: PLUGIN, policies: PLUGIN, prompts: PLUGIN, disable_global_guardrails: PLUGIN };

/** What LiteLLM has and this gateway has not, and what to do instead. It is taken when it asks for nothing. */
export const UNSUPPORTED: Readonly<Record<string, string>> = {
  ...GUARDRAILS,
  allowed_cache_controls: "answers are not cached",
  allowed_passthrough_routes: "send `allowed_routes`",
  allowed_vector_store_indexes: RULE,
  auto_rotate: "rotate it with /key/regenerate",
  rotation_interval: "rotate it with /key/regenerate",
  budget_fallbacks: RULE,
  budget_id: "send `max_budget` and `budget_duration`",
  end_user_budget_id: RULE,
  config: "settings stand in the gateway's config",
  default_estimated_output_tokens: "the model's limit is held back",
  default_estimated_output_tokens_per_model: "the model's limit is held back",
  default_team_member_models: RULE,
  denied_passthrough_routes: "send `allowed_routes`",
  enable_prompt_caching: "what providers cache is theirs to say",
  enforced_params: RULE,
  logging: "requests are logged by the gateway's own config",
  max_budget_in_team: "give the member's key a budget",
  mcp_rpm_limit: RULE,
  new_key: "the gateway makes the secret",
  new_master_key: "the admin key stands in the gateway's config",
  object_permission: RULE,
  organizations: "use /organization/member_add",
  permissions: RULE,
  project_id: "use teams",
  router_settings: "routing stands in the gateway's config",
  secret_manager_settings: "secrets stand in the gateway's config",
  send_invite_email: "no mail is sent",
  sso_user_id: "users have keys, no sign-on",
  tag_rpm_limit: "write a rule: limit N requests per 1m when tags has NAME",
  team_member_budget: "give the members' keys budgets",
  team_member_key_duration: "send `duration` with each key",
  team_member_rpm_limit: RULE,
  team_member_tpm_limit: RULE,
  throttle_on_budget_exceeded: "a budget that is used up refuses",
  tpd_limit: "write a rule: limit N tokens per 1d by key",
};

/** Their words that mean what happens here anyway. */
export const NEEDLESS: Readonly<Record<string, readonly unknown[]>> = {
  rpm_limit_type: ["best_effort_throughput"],
  tpm_limit_type: ["best_effort_throughput"],
};
