// The client of the admin API: accounts, audit log, usage.
import { Keys, MadeObjects, Places, Users } from "./objects.ts";
import { type CallOptions, type ClientOptions, pathOf, Transport } from "./transport.ts";
import type {
  AddCreditsBody,
  AuditEntry,
  ChangedIamRule,
  CheckRulesBody,
  CheckRulesReply,
  Credits,
  GetLimitsQuery,
  IamRuleFields,
  IamRules,
  Limits,
  ListAuditQuery,
  ListAuditReply,
  ListCreditTransactionsQuery,
  ListCreditTransactionsReply,
  ListRecoveredQuery,
  ListRecoveredReply,
  ListTeamJobsQuery,
  ListTeamJobsReply,
  NewIamRule,
  Reversal,
  ReverseAllRecoveredReply,
  ReverseRecoveredBody,
  TeamJob,
  UsageQuery,
  UsageReply,
} from "./types.ts";

/** The kinds that have IAM rules. */
export type IamKindName = "orgs" | "teams" | "keys";

/** What the admin client is made with. */
export interface AdminOptions extends ClientOptions {
  /** The gateway's admin key; or a virtual key, which has its owner's rights. */
  readonly adminKey: string;
}

/**
 * Manages the accounts of a gateway by its admin listener.
 *
 * @example
 * const admin = new TollgateAdmin({ baseUrl: "http://127.0.0.1:4001", adminKey });
 * const { key } = await admin.keys.create({ alias: "ci", budgets: [{ limit_usd: 5, window: "month" }] });
 * for await (const key of admin.keys.all({ search: "ci" })) console.log(key.alias, key.status);
 */
export class TollgateAdmin {
  readonly orgs: Places<"orgs">;
  readonly teams: Places<"teams">;
  readonly users: Users;
  readonly groups: MadeObjects<"groups">;
  readonly keys: Keys;
  readonly #transport: Transport;

  constructor({ adminKey, ...options }: AdminOptions) {
    this.#transport = new Transport(options, { authorization: `Bearer ${adminKey}` });
    this.orgs = new Places(this.#transport, "orgs");
    this.teams = new Places(this.#transport, "teams");
    this.users = new Users(this.#transport, "users");
    this.groups = new MadeObjects(this.#transport, "groups");
    this.keys = new Keys(this.#transport, "keys");
  }

  /** Who changed what, oldest first. */
  audit(query: ListAuditQuery = {}, options?: CallOptions): Promise<ListAuditReply> {
    return this.#transport.json({ method: "GET", path: "/-/audit", query: { ...query } }, options);
  }

  /** All that `audit` gives, asked for page by page. */
  async *auditAll(query: ListAuditQuery = {}, options?: CallOptions): AsyncGenerator<AuditEntry, void> {
    let after = query.after;
    do {
      const page = await this.audit({ ...query, after }, options);
      yield* page.items;
      after = page.next ?? undefined;
    } while (after !== undefined);
  }

  /** Every budget and limit of one object, and what is left of each; of the calling key where the query names none. */
  limits(query: GetLimitsQuery, options?: CallOptions): Promise<Limits> {
    return this.#transport.json({ method: "GET", path: "/-/limits", query: { ...query } }, options);
  }

  /** Whether rules may be kept on an object; those with an error are refused, with `diagnostics`. Nothing is changed. */
  checkRules(body: CheckRulesBody, options?: CallOptions): Promise<CheckRulesReply> {
    return this.#transport.json({ method: "POST", path: "/-/rules/check", body, isRepeatable: true }, options);
  }

  /** The IAM rules of one object, oldest first, and what they come to in the rule language. */
  iamRules(kind: IamKindName, name: string, options?: CallOptions): Promise<IamRules> {
    return this.#transport.json({ method: "GET", path: pathOf(`/-/${kind}/{name}/iam`, { name }) }, options);
  }

  addIamRule(kind: IamKindName, name: string, body: NewIamRule, options?: CallOptions): Promise<ChangedIamRule> {
    return this.#transport.json({ method: "POST", path: pathOf(`/-/${kind}/{name}/iam`, { name }), body }, options);
  }

  /** What is left out stays as it is. */
  updateIamRule(
    kind: IamKindName,
    name: string,
    rule: string,
    body: IamRuleFields,
    options?: CallOptions,
  ): Promise<ChangedIamRule> {
    const path = pathOf(`/-/${kind}/{name}/iam/{rule}`, { name, rule });
    return this.#transport.json({ method: "PATCH", path, body, isRepeatable: true }, options);
  }

  removeIamRule(kind: IamKindName, name: string, rule: string, options?: CallOptions): Promise<void> {
    const path = pathOf(`/-/${kind}/{name}/iam/{rule}`, { name, rule });
    return this.#transport.json({ method: "DELETE", path, isRepeatable: false }, options);
  }

  /** What a team has in credits. */
  credits(team: string, options?: CallOptions): Promise<Credits> {
    return this.#transport.json({ method: "GET", path: pathOf("/-/teams/{team}/credits", { team }) }, options);
  }

  addCredits(team: string, body: AddCreditsBody, options?: CallOptions): Promise<Credits> {
    return this.#transport.json({ method: "POST", path: pathOf("/-/teams/{team}/credits", { team }), body }, options);
  }

  /** What was booked, newest first. */
  creditTransactions(
    query: ListCreditTransactionsQuery = {},
    options?: CallOptions,
  ): Promise<ListCreditTransactionsReply> {
    return this.#transport.json({ method: "GET", path: "/-/credits/transactions", query: { ...query } }, options);
  }

  /** Teams' jobs, newest first. */
  jobs(query: ListTeamJobsQuery = {}, options?: CallOptions): Promise<ListTeamJobsReply> {
    return this.#transport.json({ method: "GET", path: "/-/jobs", query: { ...query } }, options);
  }

  job(id: string, options?: CallOptions): Promise<TeamJob> {
    return this.#transport.json({ method: "GET", path: pathOf("/-/jobs/{id}", { id }) }, options);
  }

  /** What was charged as unaccounted because a gateway died, newest first. */
  recovered(query: ListRecoveredQuery = {}, options?: CallOptions): Promise<ListRecoveredReply> {
    return this.#transport.json({ method: "GET", path: "/-/ledger/recovered", query: { ...query } }, options);
  }

  /** Takes off what is still charged of one, once, however often it is asked. */
  reverseRecovered(id: number, body: ReverseRecoveredBody = {}, options?: CallOptions): Promise<Reversal> {
    const path = pathOf("/-/ledger/recovered/{id}/reverse", { id: String(id) });
    return this.#transport.json({ method: "POST", path, body, isRepeatable: true }, options);
  }

  /** The same of all that is still charged. */
  reverseAllRecovered(body: ReverseRecoveredBody = {}, options?: CallOptions): Promise<ReverseAllRecoveredReply> {
    return this.#transport.json({ method: "POST", path: "/-/ledger/recovered/reverse", body }, options);
  }

  /** What was used, dearest first. */
  usage(query: UsageQuery = {}, options?: CallOptions): Promise<UsageReply> {
    return this.#transport.json({ method: "GET", path: "/-/usage", query: { ...query } }, options);
  }
}
