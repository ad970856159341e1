// Shapes of the API, made from its OpenAPI document by `node test/client/write.ts`. Not edited by hand.

/** `getLimits`, query: every budget and limit that applies to a key, and what is left of each. */
export interface GetLimitsQuery {
  readonly key?: string | undefined;
  readonly team?: string | undefined;
  readonly user?: string | undefined;
  readonly org?: string | undefined;
}

/** `getLimits`, answer: every budget and limit that applies to a key, and what is left of each. */
export interface Limits {
  readonly kind: "key" | "team" | "user" | "org";
  readonly id: string;
  readonly alias: string;
  readonly limits: readonly Limit[];
}

/** `listRecovered`, query: what was charged as unaccounted because a gateway died, newest first. */
export interface ListRecoveredQuery {
  /** A length back from now (7d) or a date; 30d when left out */
  readonly since?: string | undefined;
}

/** `listRecovered`, answer: what was charged as unaccounted because a gateway died, newest first. */
export interface ListRecoveredReply {
  readonly rows: readonly Recovery[];
}

/** `reverseRecovered`, body: takes off what is still charged of one, once, however often it is asked. */
export interface ReverseRecoveredBody {
  /** Why, for the audit log */
  readonly reason?: string | undefined;
}

/** `reverseRecovered`, answer: takes off what is still charged of one, once, however often it is asked. */
export interface Reversal {
  readonly id: number;
  readonly quota: string;
  readonly window: string;
  readonly unit: "usd" | "tokens" | "requests";
  /** Decimal text in `unit` */
  readonly taken_off: string;
  /** Who had reversed it before; null for nobody */
  readonly reversed: {
    readonly at: string;
    readonly by: string;
    readonly reason: string | null;
  } | null;
}

/** `reverseAllRecovered`, answer: takes off all that is still charged for gateways that died. */
export interface ReverseAllRecoveredReply {
  readonly rows: readonly Reversal[];
}

/** `listOrgs`, query: lists the organisations that the caller may see, oldest first. */
export interface ListOrgsQuery {
  /** 1 to 1000; 100 when left out */
  readonly limit?: number | undefined;
  /** `next` of the page before */
  readonly after?: string | undefined;
  /** A part of the alias, in capitals or not; one or two characters: how it begins */
  readonly search?: string | undefined;
  /** How the alias begins; the list is then in the order of aliases */
  readonly prefix?: string | undefined;
  /** Only those with this status */
  readonly status?: string | undefined;
}

/** `listOrgs`, answer: lists the organisations that the caller may see, oldest first. */
export interface ListOrgsReply {
  readonly items: readonly Org[];
  /** `after` of the next page */
  readonly next: string | null;
}

/** `createOrg`, body: makes an organisation. */
export interface CreateOrgBody extends OrgFields {
  /** Made up when left out */
  readonly id?: string | undefined;
}

/** `getOrg`, answer: shows one organisation. */
export interface Org {
  readonly id: string;
  readonly alias: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly models: readonly string[];
  readonly access_groups: readonly string[];
  readonly tpm_limit: number | null;
  readonly rpm_limit: number | null;
  readonly model_tpm_limits: Readonly<Record<string, number>>;
  readonly model_rpm_limits: Readonly<Record<string, number>>;
  readonly max_parallel_requests: number | null;
  readonly budgets: readonly Budget[];
  readonly soft_budget_usd: string | null;
  readonly model_budgets: Readonly<Record<string, Budget>>;
  readonly no_main_budget: boolean;
  readonly ip_ranges: readonly string[];
  readonly rules: string | null;
  readonly status: "active" | "suspended" | "paused";
  readonly restricted_from_above: readonly string[];
  readonly created: string;
  readonly created_by: string;
  readonly updated: string;
  readonly updated_by: string;
}

/** `updateOrg`, body: changes fields of one organisation; those that are left out stay as they are. */
export interface OrgFields {
  readonly alias?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined;
  readonly models?: readonly string[] | null | undefined;
  readonly access_groups?: readonly string[] | null | undefined;
  readonly tpm_limit?: number | null | undefined;
  readonly rpm_limit?: number | null | undefined;
  readonly model_tpm_limits?: Readonly<Record<string, number>> | null | undefined;
  readonly model_rpm_limits?: Readonly<Record<string, number>> | null | undefined;
  readonly max_parallel_requests?: number | null | undefined;
  readonly budgets?: readonly BudgetFields[] | null | undefined;
  readonly soft_budget_usd?: string | number | null | undefined;
  readonly model_budgets?: Readonly<Record<string, BudgetFields>> | null | undefined;
  readonly no_main_budget?: boolean | null | undefined;
  readonly ip_ranges?: readonly string[] | null | undefined;
  readonly rules?: string | null | undefined;
  readonly status?: "active" | "suspended" | "paused" | null | undefined;
}

/** `listTeams`, query: lists the teams that the caller may see, oldest first. */
export interface ListTeamsQuery {
  /** 1 to 1000; 100 when left out */
  readonly limit?: number | undefined;
  /** `next` of the page before */
  readonly after?: string | undefined;
  /** A part of the alias, in capitals or not; one or two characters: how it begins */
  readonly search?: string | undefined;
  /** How the alias begins; the list is then in the order of aliases */
  readonly prefix?: string | undefined;
  /** Only those with this status */
  readonly status?: string | undefined;
  /** The organisation's id */
  readonly org?: string | undefined;
}

/** `listTeams`, answer: lists the teams that the caller may see, oldest first. */
export interface ListTeamsReply {
  readonly items: readonly Team[];
  /** `after` of the next page */
  readonly next: string | null;
}

/** `createTeam`, body: makes a team. */
export interface CreateTeamBody extends TeamFields {
  /** Made up when left out */
  readonly id?: string | undefined;
}

/** `getTeam`, answer: shows one team. */
export interface Team {
  readonly id: string;
  readonly alias: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly models: readonly string[];
  readonly access_groups: readonly string[];
  readonly tpm_limit: number | null;
  readonly rpm_limit: number | null;
  readonly model_tpm_limits: Readonly<Record<string, number>>;
  readonly model_rpm_limits: Readonly<Record<string, number>>;
  readonly max_parallel_requests: number | null;
  readonly budgets: readonly Budget[];
  readonly soft_budget_usd: string | null;
  readonly model_budgets: Readonly<Record<string, Budget>>;
  readonly no_main_budget: boolean;
  readonly ip_ranges: readonly string[];
  readonly rules: string | null;
  readonly model_aliases: Readonly<Record<string, string>>;
  readonly status: "active" | "suspended" | "paused";
  readonly org_id: string | null;
  readonly budget_mode: "none" | "job_based" | "consumption_usd" | "consumption_tokens";
  readonly member_permissions: readonly ("/key/generate" | "/key/update" | "/key/delete" | "/key/regenerate" | "/key/service-account/generate")[];
  readonly restricted_from_above: readonly string[];
  readonly created: string;
  readonly created_by: string;
  readonly updated: string;
  readonly updated_by: string;
}

/** `updateTeam`, body: changes fields of one team; those that are left out stay as they are. */
export interface TeamFields {
  readonly alias?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined;
  readonly models?: readonly string[] | null | undefined;
  readonly access_groups?: readonly string[] | null | undefined;
  readonly tpm_limit?: number | null | undefined;
  readonly rpm_limit?: number | null | undefined;
  readonly model_tpm_limits?: Readonly<Record<string, number>> | null | undefined;
  readonly model_rpm_limits?: Readonly<Record<string, number>> | null | undefined;
  readonly max_parallel_requests?: number | null | undefined;
  readonly budgets?: readonly BudgetFields[] | null | undefined;
  readonly soft_budget_usd?: string | number | null | undefined;
  readonly model_budgets?: Readonly<Record<string, BudgetFields>> | null | undefined;
  readonly no_main_budget?: boolean | null | undefined;
  readonly ip_ranges?: readonly string[] | null | undefined;
  readonly rules?: string | null | undefined;
  readonly model_aliases?: Readonly<Record<string, string>> | null | undefined;
  readonly status?: "active" | "suspended" | "paused" | null | undefined;
  readonly org_id?: string | null | undefined;
  readonly budget_mode?: "none" | "job_based" | "consumption_usd" | "consumption_tokens" | null | undefined;
  readonly member_permissions?: readonly ("/key/generate" | "/key/update" | "/key/delete" | "/key/regenerate" | "/key/service-account/generate")[] | null | undefined;
}

/** `listUsers`, answer: lists the users that the caller may see, oldest first. */
export interface ListUsersReply {
  readonly items: readonly User[];
  /** `after` of the next page */
  readonly next: string | null;
}

/** `createUser`, body: makes a user. */
export interface CreateUserBody extends UserFields {
  /** Made up when left out */
  readonly id?: string | undefined;
}

/** `getUser`, answer: shows one user. */
export interface User {
  readonly id: string;
  readonly alias: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly models: readonly string[];
  readonly access_groups: readonly string[];
  readonly tpm_limit: number | null;
  readonly rpm_limit: number | null;
  readonly model_tpm_limits: Readonly<Record<string, number>>;
  readonly model_rpm_limits: Readonly<Record<string, number>>;
  readonly max_parallel_requests: number | null;
  readonly budgets: readonly Budget[];
  readonly soft_budget_usd: string | null;
  readonly model_budgets: Readonly<Record<string, Budget>>;
  readonly no_main_budget: boolean;
  readonly status: "active" | "suspended" | "paused";
  readonly email: string | null;
  readonly role: "internal_user" | "internal_user_viewer" | "proxy_admin" | "proxy_admin_viewer";
  readonly restricted_from_above: readonly string[];
  readonly created: string;
  readonly created_by: string;
  readonly updated: string;
  readonly updated_by: string;
}

/** `updateUser`, body: changes fields of one user; those that are left out stay as they are. */
export interface UserFields {
  readonly alias?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined;
  readonly models?: readonly string[] | null | undefined;
  readonly access_groups?: readonly string[] | null | undefined;
  readonly tpm_limit?: number | null | undefined;
  readonly rpm_limit?: number | null | undefined;
  readonly model_tpm_limits?: Readonly<Record<string, number>> | null | undefined;
  readonly model_rpm_limits?: Readonly<Record<string, number>> | null | undefined;
  readonly max_parallel_requests?: number | null | undefined;
  readonly budgets?: readonly BudgetFields[] | null | undefined;
  readonly soft_budget_usd?: string | number | null | undefined;
  readonly model_budgets?: Readonly<Record<string, BudgetFields>> | null | undefined;
  readonly no_main_budget?: boolean | null | undefined;
  readonly status?: "active" | "suspended" | "paused" | null | undefined;
  readonly email?: string | null | undefined;
  readonly role?: "internal_user" | "internal_user_viewer" | "proxy_admin" | "proxy_admin_viewer" | null | undefined;
}

/** `listGroups`, query: lists the access groups that the caller may see, oldest first. */
export interface ListGroupsQuery {
  /** 1 to 1000; 100 when left out */
  readonly limit?: number | undefined;
  /** `next` of the page before */
  readonly after?: string | undefined;
  /** A part of the alias, in capitals or not; one or two characters: how it begins */
  readonly search?: string | undefined;
  /** How the alias begins; the list is then in the order of aliases */
  readonly prefix?: string | undefined;
}

/** `listGroups`, answer: lists the access groups that the caller may see, oldest first. */
export interface ListGroupsReply {
  readonly items: readonly Group[];
  /** `after` of the next page */
  readonly next: string | null;
}

/** `createGroup`, body: makes an access group. */
export interface CreateGroupBody extends GroupFields {
  /** Made up when left out */
  readonly id?: string | undefined;
}

/** `getGroup`, answer: shows one access group. */
export interface Group {
  readonly id: string;
  readonly alias: string;
  readonly models: readonly string[];
  readonly restricted_from_above: readonly string[];
  readonly created: string;
  readonly created_by: string;
  readonly updated: string;
  readonly updated_by: string;
}

/** `updateGroup`, body: changes fields of one access group; those that are left out stay as they are. */
export interface GroupFields {
  readonly alias?: string | null | undefined;
  readonly models?: readonly string[] | null | undefined;
}

/** `listKeys`, query: lists the keys that the caller may see, oldest first. */
export interface ListKeysQuery {
  /** 1 to 1000; 100 when left out */
  readonly limit?: number | undefined;
  /** `next` of the page before */
  readonly after?: string | undefined;
  /** A part of the alias, in capitals or not; one or two characters: how it begins */
  readonly search?: string | undefined;
  /** How the alias begins; the list is then in the order of aliases */
  readonly prefix?: string | undefined;
  /** Only those with this status */
  readonly status?: string | undefined;
  /** The team's id */
  readonly team?: string | undefined;
  /** The user's id */
  readonly user?: string | undefined;
}

/** `listKeys`, answer: lists the keys that the caller may see, oldest first. */
export interface ListKeysReply {
  readonly items: readonly Key[];
  /** `after` of the next page */
  readonly next: string | null;
}

/** `createKey`, answer: makes a key; its secret is shown this once. */
export interface MadeKey extends Key {
  /** The secret, shown this once */
  readonly key: string;
}

/** `getKey`, answer: shows one key. */
export interface Key {
  readonly id: string;
  readonly prefix: string;
  readonly last_four: string;
  readonly alias: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly description: string | null;
  readonly models: readonly string[];
  readonly access_groups: readonly string[];
  readonly tpm_limit: number | null;
  readonly rpm_limit: number | null;
  readonly model_tpm_limits: Readonly<Record<string, number>>;
  readonly model_rpm_limits: Readonly<Record<string, number>>;
  readonly max_parallel_requests: number | null;
  readonly budgets: readonly Budget[];
  readonly soft_budget_usd: string | null;
  readonly model_budgets: Readonly<Record<string, Budget>>;
  readonly no_main_budget: boolean;
  readonly ip_ranges: readonly string[];
  readonly rules: string | null;
  readonly model_aliases: Readonly<Record<string, string>>;
  readonly team_id: string | null;
  readonly user_id: string | null;
  readonly service_account: boolean;
  readonly status: "active" | "disabled" | "revoked";
  readonly expires: string | null;
  readonly tags: readonly string[];
  readonly roles: readonly string[];
  readonly allowed_routes: readonly string[];
  readonly temp_budget_increase_usd: string | null;
  readonly temp_budget_expires: string | null;
  readonly last_used: string | null;
  readonly grace_until: string | null;
  readonly restricted_from_above: readonly string[];
  readonly created: string;
  readonly created_by: string;
  readonly updated: string;
  readonly updated_by: string;
}

/** `updateKey`, body: changes fields of one key; those that are left out stay as they are. */
export interface KeyFields {
  readonly alias?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined;
  readonly description?: string | null | undefined;
  readonly models?: readonly string[] | null | undefined;
  readonly access_groups?: readonly string[] | null | undefined;
  readonly tpm_limit?: number | null | undefined;
  readonly rpm_limit?: number | null | undefined;
  readonly model_tpm_limits?: Readonly<Record<string, number>> | null | undefined;
  readonly model_rpm_limits?: Readonly<Record<string, number>> | null | undefined;
  readonly max_parallel_requests?: number | null | undefined;
  readonly budgets?: readonly BudgetFields[] | null | undefined;
  readonly soft_budget_usd?: string | number | null | undefined;
  readonly model_budgets?: Readonly<Record<string, BudgetFields>> | null | undefined;
  readonly no_main_budget?: boolean | null | undefined;
  readonly ip_ranges?: readonly string[] | null | undefined;
  readonly rules?: string | null | undefined;
  readonly model_aliases?: Readonly<Record<string, string>> | null | undefined;
  readonly team_id?: string | null | undefined;
  readonly user_id?: string | null | undefined;
  readonly service_account?: boolean | null | undefined;
  readonly status?: "active" | "disabled" | "revoked" | null | undefined;
  readonly expires?: string | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  readonly roles?: readonly string[] | null | undefined;
  readonly allowed_routes?: readonly string[] | null | undefined;
  readonly temp_budget_increase_usd?: string | number | null | undefined;
  readonly temp_budget_expires?: string | null | undefined;
  /** A preset of allowed_routes */
  readonly key_type?: "default" | "llm_api" | "management" | "read_only" | undefined;
}

/** `rotateKey`, body: gives a key a new secret, shown this once. */
export interface RotateKeyBody {
  /** How long the old one works too; 30d at most */
  readonly grace_period?: string | undefined;
}

/** `listOrgMembers`, query: lists the members of one organisation, by user id. */
export interface ListOrgMembersQuery {
  /** 1 to 1000; 100 when left out */
  readonly limit?: number | undefined;
  /** `next` of the page before */
  readonly after?: string | undefined;
}

/** `listOrgMembers`, answer: lists the members of one organisation, by user id. */
export interface ListOrgMembersReply {
  readonly items: readonly Member[];
  /** `after` of the next page */
  readonly next: string | null;
}

/** `setOrgMember`, body: adds a user to one organisation, or changes the user's role there. */
export interface SetOrgMemberBody {
  readonly role?: "admin" | "user" | undefined;
}

/** `setOrgMember`, answer: adds a user to one organisation, or changes the user's role there. */
export interface Member {
  readonly user: string;
  readonly role: "admin" | "user";
  readonly since: string;
}

/** `listOrgIamRules`, answer: lists the IAM rules of one organisation, oldest first. */
export interface IamRules {
  readonly items: readonly IamRule[];
  /** What they come to in the rule language; empty for none */
  readonly text: string;
}

/** `addOrgIamRule`, body: adds an IAM rule to one organisation. */
export interface NewIamRule {
  readonly rule_type: "allow_models" | "deny_models" | "allow_providers" | "deny_providers" | "allow_pricing" | "deny_pricing" | "allow_ip_cidrs" | "deny_ip_cidrs";
  /** By type: models, providers, ipCidrs; pricingType, maxInputPrice, maxOutputPrice, in USD per million tokens */
  readonly rule_value: Readonly<Record<string, unknown>>;
  readonly status?: "active" | "inactive" | undefined;
}

/** `addOrgIamRule`, answer: adds an IAM rule to one organisation. */
export interface ChangedIamRule {
  readonly rule: IamRule;
  /** What the object's rules name and nothing here has */
  readonly warnings: readonly string[];
}

/** `updateOrgIamRule`, body: changes an IAM rule of one organisation; what is left out stays as it is. */
export interface IamRuleFields {
  readonly rule_type?: "allow_models" | "deny_models" | "allow_providers" | "deny_providers" | "allow_pricing" | "deny_pricing" | "allow_ip_cidrs" | "deny_ip_cidrs" | undefined;
  /** By type: models, providers, ipCidrs; pricingType, maxInputPrice, maxOutputPrice, in USD per million tokens */
  readonly rule_value?: Readonly<Record<string, unknown>> | undefined;
  readonly status?: "active" | "inactive" | undefined;
}

/** `getCredits`, answer: shows one team's credits. */
export interface Credits {
  readonly team: string;
  readonly alias: string;
  readonly budget_mode: "none" | "job_based" | "consumption_usd" | "consumption_tokens";
  /** All that was given, less what was taken back */
  readonly allocated: number;
  /** Charged for jobs that have ended */
  readonly used: number;
  /** Held by open jobs */
  readonly reserved: number;
  readonly remaining: number;
}

/** `addCredits`, body: gives one team more credits. */
export interface AddCreditsBody {
  /** More than 0, with at most six decimals */
  readonly credits: number;
  /** Why, for the list of bookings */
  readonly reason?: string | undefined;
}

/** `listCreditTransactions`, query: lists what was booked, newest first. */
export interface ListCreditTransactionsQuery {
  /** 1 to 1000; 100 when left out */
  readonly limit?: number | undefined;
  /** `next` of the page before */
  readonly after?: string | undefined;
  /** A team's id or alias; all teams when left out */
  readonly team?: string | undefined;
}

/** `listCreditTransactions`, answer: lists what was booked, newest first. */
export interface ListCreditTransactionsReply {
  readonly items: readonly CreditTransaction[];
  /** `after` of the next page */
  readonly next: string | null;
}

/** `listTeamJobs`, query: lists teams' jobs, newest first. */
export interface ListTeamJobsQuery {
  /** 1 to 1000; 100 when left out */
  readonly limit?: number | undefined;
  /** `next` of the page before */
  readonly after?: string | undefined;
  /** A team's id or alias; all teams when left out */
  readonly team?: string | undefined;
  readonly status?: "pending" | "in_progress" | "completed" | "failed" | undefined;
}

/** `listTeamJobs`, answer: lists teams' jobs, newest first. */
export interface ListTeamJobsReply {
  readonly items: readonly TeamJob[];
  /** `after` of the next page */
  readonly next: string | null;
}

/** `getTeamJob`, answer: shows one job. */
export interface TeamJob {
  readonly id: string;
  readonly team: string;
  readonly key: string;
  readonly type: string;
  readonly status: "pending" | "in_progress" | "completed" | "failed";
  readonly budget_mode: "job_based" | "consumption_usd" | "consumption_tokens";
  readonly calls: number;
  readonly failed_calls: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  /** Decimal */
  readonly cost_usd: string;
  readonly credits_held: number;
  readonly credits_charged: number;
  readonly error: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly created: string;
  readonly updated: string;
  readonly completed: string | null;
  /** When it is taken for abandoned, unless another call comes first */
  readonly expires: string;
}

/** `checkRules`, body: checks rules that are to be kept on an organisation, a team or a key. */
export interface CheckRulesBody {
  readonly scope: "org" | "team" | "key";
  /** What the object is called, or is to be */
  readonly alias: string;
  readonly rules: string;
}

/** `checkRules`, answer: checks rules that are to be kept on an organisation, a team or a key. */
export interface CheckRulesReply {
  /** How many rules there are */
  readonly count: number;
  /** As `tollgate check` prints them; empty for none, and for a virtual key */
  readonly warnings: string;
}

/** `listAudit`, query: who changed what, oldest first; secrets are masked. */
export interface ListAuditQuery {
  /** 1 to 1000; 100 when left out */
  readonly limit?: number | undefined;
  /** `next` of the page before */
  readonly after?: number | undefined;
  /** A length back from now (7d) or a date */
  readonly since?: string | undefined;
  /** Only what has this id, or had this alias */
  readonly object?: string | undefined;
}

/** `listAudit`, answer: who changed what, oldest first; secrets are masked. */
export interface ListAuditReply {
  readonly items: readonly AuditEntry[];
  readonly next: number | null;
}

/** `usage`, query: what was used, dearest first (days in order, in UTC). */
export interface UsageQuery {
  /** key, team, user, model or day, or several: `team,model` */
  readonly by?: string | undefined;
  /** A length back from now (7d) or a date; 30d when left out */
  readonly since?: string | undefined;
  /** The same; requests that arrived before it; now when left out */
  readonly until?: string | undefined;
}

/** `usage`, answer: what was used, dearest first (days in order, in UTC). */
export interface UsageReply {
  readonly rows: readonly UsageRow[];
}

/** `saasGetTeam`, answer: shows one team; a team's own key shows it its own. */
export interface OwnTeam {
  readonly team_id: string;
  readonly organization_id: string | null;
  readonly team_alias: string;
  /** Masked, but for the one time when it is made */
  readonly virtual_key: string | null;
  readonly status: "active" | "suspended" | "paused";
  readonly access_groups: readonly string[];
  readonly budget_mode: "none" | "job_based" | "consumption_usd" | "consumption_tokens";
  readonly credits_allocated: number;
  readonly credits_used: number;
  /** Held by open jobs */
  readonly credits_reserved: number;
  /** What is left to open jobs with */
  readonly credits_remaining: number;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  readonly notes?: readonly string[];
}

/** `saasVerifyKey`, answer: tells whose the virtual key is. */
export interface VerifiedKey {
  readonly team_id: string;
  readonly status: "active";
}

/** `saasGetBalance`, query: shows a team's credits. */
export interface GetBalanceQuery {
  /** The key's own team when left out */
  readonly team_id?: string | undefined;
}

/** `saasGetBalance`, answer: shows a team's credits. */
export interface Balance {
  readonly team_id: string;
  readonly budget_mode: string;
  readonly credits_allocated: number;
  readonly credits_used: number;
  /** Held by open jobs */
  readonly credits_reserved: number;
  /** What is left to open jobs with */
  readonly credits_remaining: number;
}

/** `saasListTransactions`, query: lists what was booked, newest first. */
export interface ListTransactionsQuery {
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
  /** The key's own team when left out */
  readonly team_id?: string | undefined;
}

/** `saasListTransactions`, answer: lists what was booked, newest first. */
export interface ListTransactionsReply {
  readonly total_transactions: number;
  readonly transactions: readonly Transaction[];
}

/** `saasCreateJob`, body: opens a job. */
export interface CreateJobBody {
  /** The key's own team when left out */
  readonly team_id?: string | undefined;
  readonly job_type: string;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Of your own; kept in the job's metadata */
  readonly user_id?: string | undefined;
}

/** `saasCreateJob`, answer: opens a job. */
export interface CreateJobReply {
  readonly job_id: string;
  readonly status: "pending";
  readonly created_at: string;
}

/** `saasListJobs`, query: lists the team's jobs, newest first. */
export interface ListJobsQuery {
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
  readonly team_id?: string | undefined;
  readonly status?: "pending" | "in_progress" | "completed" | "failed" | undefined;
}

/** `saasListJobs`, answer: lists the team's jobs, newest first. */
export interface ListJobsReply {
  readonly total: number;
  readonly jobs: readonly Job[];
}

/** `saasGetJob`, answer: shows one job. */
export interface Job {
  readonly job_id: string;
  readonly team_id: string;
  readonly job_type: string;
  readonly status: "pending" | "in_progress" | "completed" | "failed";
  readonly created_at: string;
  readonly updated_at: string;
  readonly completed_at: string | null;
  /** When it is taken for abandoned, unless another call comes first */
  readonly expires_at: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly error_message: string | null;
  /** What a completed job costs: one credit, its dollars or its tokens */
  readonly budget_mode: "job_based" | "consumption_usd" | "consumption_tokens";
  readonly credits_reserved: number;
  readonly credits_charged: number;
  readonly costs: {
    readonly total_calls: number;
    readonly successful_calls: number;
    readonly failed_calls: number;
    readonly input_tokens: number;
    readonly output_tokens: number;
    readonly total_tokens: number;
    /** Decimal */
    readonly total_cost_usd: string;
  };
}

/** `saasCompleteJob`, body: ends a job: it costs its credits. Asking again changes nothing. */
export interface CompleteJobBody {
  readonly status?: "completed" | "failed" | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly error_message?: string | null | undefined;
}

/** `saasCompleteJob`, answer: ends a job: it costs its credits. Asking again changes nothing. */
export interface CompleteJobReply extends Job {
  readonly credits_remaining: number;
}

/** `saasFailJob`, body: ends a job that came to nothing: one that is paid by the job gives its credit back. */
export interface FailJobBody {
  readonly error_message?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** `saasCallInJob`, body: makes a call to a model in a job. */
export interface CallInJobBody {
  readonly model: string;
  readonly messages: readonly unknown[];
  readonly stream?: boolean | undefined;
}

/** One of `limits`. */
export interface Limit {
  /** `budget`: of money */
  readonly kind: "budget" | "limit";
  readonly label: string;
  readonly scope: "key" | "team" | "user" | "org" | null;
  readonly id: string | null;
  readonly alias: string | null;
  /** Id of the rule; null for an account's budget */
  readonly rule: string | null;
  /** The rule */
  readonly text: string | null;
  /** The models that it is for; null for all */
  readonly models: readonly string[] | null;
  /** Whether request or time decide if it counts */
  readonly sometimes: boolean;
  /** What of the request it counts apart: then there is not one figure */
  readonly counted_by: readonly string[];
  readonly unit: "usd" | "tokens" | "requests" | "concurrent";
  /** Decimal text in `unit`; null where there is none */
  readonly limit: string | null;
  /** Decimal text in `unit`; null where there is none */
  readonly spent: string | null;
  /** Decimal text in `unit`; null where there is none */
  readonly reserved: string | null;
  /** Decimal text in `unit`; null where there is none */
  readonly remaining: string | null;
  readonly window: string | null;
  readonly resets_at: string | null;
  /** Decimal text in `unit`; null where there is none */
  readonly soft_limit: string | null;
  readonly raise: {
    readonly amount: string;
    readonly until: string | null;
  } | null;
}

/** One of `rows`. */
export interface Recovery {
  readonly id: number;
  readonly quota: string;
  readonly window: string;
  readonly unit: "usd" | "tokens" | "requests";
  readonly at: string;
  readonly process: string;
  readonly pid: number;
  /** Decimal text in `unit` */
  readonly amount: string;
  /** Of `amount`: what is still charged */
  readonly open: string;
  /** Requests that were in flight up to a second before, as far as known */
  readonly in_flight: readonly string[];
  readonly reversed: {
    readonly at: string;
    readonly by: string;
    readonly reason: string | null;
  } | null;
}

/** One of `budgets`. */
export interface Budget {
  /** US dollars, as a decimal */
  readonly limit_usd: string;
  readonly window: string;
}

/** One of `budgets`. */
export interface BudgetFields {
  /** US dollars, as a decimal */
  readonly limit_usd: string | number;
  /** day, week, month, year, total or a length such as 30d */
  readonly window?: string | undefined;
}

/** One of `items`. */
export interface IamRule {
  readonly id: string;
  readonly rule_type: "allow_models" | "deny_models" | "allow_providers" | "deny_providers" | "allow_pricing" | "deny_pricing" | "allow_ip_cidrs" | "deny_ip_cidrs";
  /** By type: models, providers, ipCidrs; pricingType, maxInputPrice, maxOutputPrice, in USD per million tokens */
  readonly rule_value: Readonly<Record<string, unknown>>;
  readonly status: "active" | "inactive";
  readonly created: string;
  readonly updated: string;
}

/** One of `items`. */
export interface CreditTransaction {
  readonly id: string;
  readonly team: string;
  readonly at: string;
  readonly kind: "allocate" | "add" | "job" | "refund";
  /** Negative for a charge */
  readonly amount: number;
  readonly balance_after: number;
  readonly job: string | null;
  readonly actor: string;
  readonly reason: string | null;
}

/** One of `items`. */
export interface AuditEntry {
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly kind: string;
  readonly id: string;
  readonly alias: string;
  readonly field: string | null;
  readonly old: unknown;
  readonly new: unknown;
}

/** One of `rows`. */
export interface UsageRow {
  /** The group's; of several groups the first one's */
  readonly name: string;
  /** All groups', in the order of `by` */
  readonly names: readonly string[];
  readonly requests: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  /** Decimal */
  readonly cost_usd: string;
}

/** One of `transactions`. */
export interface Transaction {
  readonly transaction_id: string;
  readonly team_id: string;
  readonly transaction_type: "allocate" | "add" | "job" | "refund";
  /** Negative for a charge */
  readonly credits_amount: number;
  readonly balance_after: number;
  readonly job_id: string | null;
  readonly actor: string;
  readonly reason: string | null;
  readonly created_at: string;
}
