// The plugin contract: all that a plugin may import from the gateway. Third-party plugins import it as `tollgate/plugin`.
import type { Logger } from "pino";
import type { z } from "zod";
import type { Credits } from "./accounts/credits.ts";
import type { Iam } from "./accounts/iam.ts";
import type { Jobs } from "./accounts/jobs.ts";
import type { Keys } from "./accounts/keys.ts";
import type { Accounts } from "./accounts/service.ts";
import type { ApiRequest, RouteSet } from "./api/route.ts";
import type { RuleCheck } from "./kept-rule-check.ts";
import type { Ledger } from "./ledger/ledger.ts";
import type { AttributeDeclaration, AttributeReader } from "./rules/outside-attributes.ts";
import type { RuleService } from "./rules/service.ts";
import type { Spending } from "./spending.ts";
import type { AccountStore, RequestStore } from "./store/store.ts";
import type {
  AccessRecord,
  Call,
  Clock,
  CostBound,
  Decision,
  Denial,
  Outcome,
  Principal,
  RequestHead,
  Reservation,
  Rewrite,
  Target,
} from "./types.ts";

export { z } from "zod";
export { auditJson } from "./accounts/audit-json.ts";
export type { Actor } from "./accounts/caller.ts";
export type { Submitted } from "./accounts/change.ts";
export {
  creditsJson,
  jobJson as teamJobJson,
  transactionJson as creditTransactionJson,
} from "./accounts/credit-json.ts";
export type { TeamCredits } from "./accounts/credits.ts";
export { AccountError } from "./accounts/errors.ts";
export { NOUNS, wireName } from "./accounts/fields.ts";
export { iamRuleJson } from "./accounts/iam-json.ts";
export { IAM_RULE_TYPES } from "./accounts/iam-values.ts";
export { type CallHold, notOfTeam } from "./accounts/jobs.ts";
export { fieldsSchema, objectJson, objectSchema, readObjectFields } from "./accounts/object-json.ts";
export { MEMBER_PERMISSIONS } from "./accounts/rights.ts";
export { keyTypeOf, routeIsAllowed, routeRefusal } from "./accounts/routes.ts";
export {
  type ApiProblem,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  type CallRoute,
  type ErrorDialect,
  type RouteSet,
  type RouteSpec,
  route,
} from "./api/route.ts";
export { durationShape, sinceShape } from "./api/shapes.ts";
export { budgetQuota } from "./budget-quota.ts";
export { budgetWindowText } from "./budget-window.ts";
export { parseDuration } from "./config/units.ts";
export { creditsOf } from "./credit-units.ts";
export { detailText } from "./detail-text.ts";
export type { ErrorCode, ErrorDetails } from "./errors.ts";
export { GatewayError, SetupError } from "./errors.ts";
export { hashKey, looksLikeKey } from "./key-secret.ts";
export type { Balance, Hold, Ledger, Need, Quota, Refusal, Standing } from "./ledger/ledger.ts";
export { type LimitedKind, limitsOf } from "./limits.ts";
export { momentJson } from "./moment.ts";
export { formatUsd } from "./money.ts";
export { recoveryJson, reversalJson } from "./recovery-json.ts";
export type { AttributeDeclaration, AttributeReader, AttributeValue } from "./rules/outside-attributes.ts";
export type { RuleLoad, RuleService, RuleStatus } from "./rules/service.ts";
export type { Spent, SpentBudget } from "./spending.ts";
export type { CreditTransaction, Job } from "./store/credits.ts";
export type { AccountKind, AccountObject, Fields, IamKind, IamRule, Membership } from "./store/directory.ts";
export type { AccountStore, KeyLookup, ListedRequest, RequestStore, UsageRow } from "./store/store.ts";
export { StoreError } from "./store/store.ts";
export type * from "./types.ts";

/** What the gateway lends a plugin. */
export interface Host {
  /** A child logger that carries the plugin's name. Never log a credential or a body. */
  readonly log: Logger;
  readonly clock: Clock;
  /** Keys and teams, as requests need them. */
  readonly accounts: AccountStore;
  /** Account objects, for those who manage them: every operation asks the table of rights. */
  readonly management: Management;
  /** HMAC key for virtual keys' secrets. */
  readonly pepper: Buffer;
  /** The compiled rules. */
  readonly rules: RuleService;
  /** Quotas: reserve and settle. */
  readonly ledger: Ledger;
  /** The request table. */
  readonly requests: RequestStore;
  /** The models that whoever asks may use, by the names that it may write; all for the admin key. */
  models(request: Pick<ApiRequest, "principal" | "headers" | "ip" | "id">): Promise<ReadonlyMap<string, Target>>;
  /** An upper bound on what a call can cost at a target, in tokens and nano-USD. */
  costBound(call: Call, target: Target): CostBound;
}

/** The services that manage accounts. */
export interface Management {
  readonly accounts: Accounts;
  readonly keys: Keys;
  readonly credits: Credits;
  readonly jobs: Jobs;
  readonly iam: Iam;
  /** Checks rules that are to be kept. @throws AccountError `invalid_field` with the report */
  readonly checkRules: RuleCheck;
  /** What objects have spent. Asks nobody for rights: what was got from `accounts` may be asked about. */
  readonly spending: Spending;
}

/** One metric, with its numbers at the moment it was asked for. */
export interface Metric {
  /** As Prometheus has it: `tollgate_spend_usd_total`; counters end in `_total`, units are in the name. */
  readonly name: string;
  readonly help: string;
  /** A counter only grows. */
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: readonly (MetricSample | HistogramSample)[];
}

/** One number. */
export interface MetricSample {
  /** Never what a caller may make up without bound. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One distribution. */
export interface HistogramSample {
  readonly labels?: Readonly<Record<string, string>>;
  /** Inclusive, ascending. */
  readonly upperBounds: readonly number[];
  /** How many fell in each bucket; one more than there are bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/**
 * The phases of a request, in this order; a plugin implements one or more. Plugins run in config order
 * within a phase. A phase may answer at once or with a promise. auth, authorize, inspect and reserve fail
 * closed: what they throw ends the request (a `GatewayError` with its own code, anything else as 500).
 * settle and record fail open, loudly: what they throw is logged.
 */
export interface PluginHooks {
  /** Opens what the plugin needs; a throw stops the gateway from starting. The signal aborts at shutdown. */
  start?(signal: AbortSignal): void | Promise<void>;
  /** Undoes `start`, also after a `start` that failed half-way. */
  stop?(): void | Promise<void>;
  /** Credential → principal; null when the credential is not of this plugin's kind. */
  authenticate?(request: RequestHead): Principal | null | Promise<Principal | null>;
  /** Every plugin must allow; the targets left are those that all allow. */
  authorize?(call: Call, principal: Principal): Decision | Promise<Decision>;
  /** Looks at the body: nothing to let it pass, a `Denial` to refuse it, a `Rewrite` to replace it. */
  inspect?(call: Call, principal: Principal): InspectResult | Promise<InspectResult>;
  /**
   * Holds back what the call may cost at the dearest of `decision.targets`. All plugins' reservations, or none. A
   * reservation's `headers` go on the answer. null: there is nothing to hold, and nothing will be settled.
   */
  reserve?(call: Call, principal: Principal, decision: Decision): Reservation | null | Promise<Reservation | null>;
  /** Told exactly once for each reservation. A promise delays the answer's last byte until it resolves. */
  settle?(reservation: Reservation, outcome: Outcome): void | Promise<void>;
  /** Told of every request, refused ones too. Must not wait. */
  record?(entry: AccessRecord): void;
  /** What `GET /metrics` of the admin listener shows; asked for at each scrape, so that counting costs little. */
  metrics?(): readonly Metric[];
  /** Routes on the admin listener, and on the data plane those that ask for it. */
  readonly routes?: RouteSet;
  /** Reads each of the attributes that the plugin declares, by name, when a rule compares it. */
  readonly readAttributes?: Readonly<Record<string, AttributeReader>>;
}

/** What `inspect` may say: nothing, a denial (has `message`) or a rewrite (has `body`). */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that says nothing returns nothing
export type InspectResult = void | Denial | Rewrite;

/** A plugin: a name, the schema of its config, and a `setup` without side effects. */
export interface Plugin<Schema extends z.ZodType = z.ZodType> {
  /** Lower-case letters, digits and dashes. */
  readonly name: string;
  /** Schema of the plugin's own config; unknown keys are refused when it is a `z.strictObject`. */
  readonly config?: Schema;
  /**
   * Attributes that rules may compare. Declared here and not by `setup`, so that `tollgate check` knows them without
   * setting anything up.
   */
  readonly attributes?: readonly AttributeDeclaration[];
  setup(host: Host, config: z.output<Schema>): PluginHooks;
}

/**
 * Declares a plugin; a plugin file's default export.
 *
 * @example
 * import { definePlugin, z } from "tollgate/plugin";
 * export default definePlugin({
 *   name: "no-secrets",
 *   config: z.strictObject({ words: z.array(z.string()).min(1) }),
 *   setup: (_host, config) => ({
 *     inspect: (call) =>
 *       config.words.some((word) => call.body.includes(word)) ? { message: "That word may not leave the house" } : undefined,
 *   }),
 * });
 */
export function definePlugin<Schema extends z.ZodType>(plugin: Plugin<Schema>): Plugin<Schema> {
  return Object.freeze(plugin);
}
