// The desk on the config's database: it acts as the master, and is called `local` in the audit log.
import { auditJson } from "../accounts/audit-json.ts";
import type { Submitted } from "../accounts/change.ts";
import { creditsJson, jobJson, transactionJson } from "../accounts/credit-json.ts";
import { Credits } from "../accounts/credits.ts";
import { Iam } from "../accounts/iam.ts";
import { iamRuleJson } from "../accounts/iam-json.ts";
import type { IamWish } from "../accounts/iam-values.ts";
import { Jobs } from "../accounts/jobs.ts";
import type { Keys, MadeKey } from "../accounts/keys.ts";
import { objectJson } from "../accounts/object-json.ts";
import type { Accounts } from "../accounts/service.ts";
import type {
  ChangedIamRule,
  IamRules,
  ListCreditTransactionsReply,
  ListRecoveredReply,
  ListTeamJobsReply,
  Reversal,
  Credits as ShownCredits,
  TeamJob,
} from "../client/types.ts";
import { systemClock } from "../clock.ts";
import type { Config } from "../config/model.ts";
import { iamRuleWarnings } from "../kept-rule-check.ts";
import type { LimitedKind, LimitsJson } from "../limits.ts";
import { momentJson } from "../moment.ts";
import { recoveryJson, reversalJson } from "../recovery-json.ts";
import type { AccountKind, AccountObject, AuditQuery, IamKind, IamRule, Membership, Page } from "../store/directory.ts";
import type { RuleScope, Store, UsageGroup, UsageRow } from "../store/store.ts";
import { keysOf, LOCAL, withAccounts } from "./account-service.ts";
import type { Io } from "./command.ts";
import type {
  CreditsQuery,
  Desk,
  DeskQuery,
  JobsQuery,
  Place,
  Shown,
  ShownEntry,
  ShownMember,
  ShownSecret,
} from "./desk.ts";
import { localLimits } from "./local-limits.ts";
import { ruleChecker } from "./rule-checker.ts";
import { configSurroundings } from "./rule-files.ts";

/** Runs `work` on the database. @throws SetupError 78 when it cannot be opened, AccountError */
export function withLocalDesk<T>(io: Io, { config: path }: Place, work: (desk: Desk) => Promise<T>): Promise<T> {
  return withAccounts(io, path, (accounts, store, config) =>
    work(new LocalDesk({ accounts, store, config, configPath: path, io })),
  );
}

interface LocalDeskOptions {
  readonly accounts: Accounts;
  readonly store: Store;
  readonly config: Config;
  readonly configPath: string | undefined;
  readonly io: Io;
}

class LocalDesk implements Desk {
  readonly #options: LocalDeskOptions;

  constructor(options: LocalDeskOptions) {
    this.#options = options;
  }

  async get(kind: AccountKind, name: string): Promise<Shown> {
    return shown(await this.#accounts.get(LOCAL, kind, name));
  }

  async list(kind: AccountKind, { teamId, prefix, ...query }: DeskQuery): Promise<Page<Shown>> {
    const within = teamId === undefined ? undefined : { teamIds: [teamId] };
    const { items, next } = await this.#accounts.list(LOCAL, kind, { ...query, within, aliasPrefix: prefix });
    return { items: items.map(shown), next };
  }

  async near(kind: AccountKind, name: string): Promise<readonly string[]> {
    return this.#options.store.accounts.namesNear(kind, name);
  }

  async create(kind: Exclude<AccountKind, "key">, id: string | undefined, fields: Submitted): Promise<Shown> {
    return shown(await this.#accounts.create(LOCAL, kind, { id, fields }));
  }

  async createKey(fields: Submitted): Promise<ShownSecret> {
    return shownSecret(await this.#keys().create(LOCAL, fields));
  }

  async rotateKey(name: string, graceMs: number): Promise<ShownSecret> {
    return shownSecret(await this.#keys().regenerate(LOCAL, name, graceMs));
  }

  async update(kind: AccountKind, name: string, fields: Submitted): Promise<Shown> {
    return shown(await this.#accounts.update(LOCAL, kind, name, fields));
  }

  async remove(kind: AccountKind, name: string): Promise<void> {
    await this.#accounts.remove(LOCAL, kind, [name]);
  }

  async members(kind: Membership["kind"], name: string): Promise<readonly ShownMember[]> {
    return (await this.#accounts.members(LOCAL, kind, name, { limit: 1_000 })).items.map(shownMember);
  }

  async setMember(
    kind: Membership["kind"],
    name: string,
    user: string,
    role: Membership["role"],
  ): Promise<ShownMember> {
    return shownMember(await this.#accounts.setMember(LOCAL, kind, name, user, role));
  }

  async removeMember(kind: Membership["kind"], name: string, user: string): Promise<void> {
    await this.#accounts.removeMember(LOCAL, kind, name, user);
  }

  async audit(query: AuditQuery): Promise<readonly ShownEntry[]> {
    return (await this.#accounts.audit(LOCAL, query)).map((entry) => auditJson(entry) as ShownEntry);
  }

  async usage(groups: readonly UsageGroup[], sinceMs: number, untilMs: number | null): Promise<readonly UsageRow[]> {
    return this.#options.store.requests.usage(groups, sinceMs, untilMs);
  }

  async resetSpend(kind: Exclude<AccountKind, "group">, name: string): Promise<void> {
    await this.#accounts.resetSpend(LOCAL, kind, name);
  }

  limits(kind: LimitedKind, id: string): Promise<LimitsJson> {
    return localLimits(kind, id, this.#options);
  }

  async checkRules(scope: RuleScope, alias: string, text: string): Promise<string> {
    const { configPath, io, store } = this.#options;
    const check = await ruleChecker(configPath, io);
    return check(store, scope, alias, text);
  }

  async iamRules(kind: IamKind, id: string): Promise<IamRules> {
    const iam = await this.#iam();
    const { rules } = await iam.list(LOCAL, kind, id);
    return { items: rules.map(iamRuleJson), text: await iam.text(LOCAL, kind, id) } as IamRules;
  }

  addIamRule(kind: IamKind, id: string, wish: IamWish): Promise<ChangedIamRule> {
    return this.#changeIam(kind, id, (iam) => iam.add(LOCAL, kind, id, wish));
  }

  changeIamRule(kind: IamKind, id: string, rule: string, wish: IamWish): Promise<ChangedIamRule> {
    return this.#changeIam(kind, id, (iam) => iam.change(LOCAL, kind, id, rule, wish));
  }

  async removeIamRule(kind: IamKind, id: string, rule: string): Promise<void> {
    await (await this.#iam()).remove(LOCAL, kind, id, rule);
  }

  async credits(team: string): Promise<ShownCredits> {
    return creditsJson(await this.#credits().balance(LOCAL, team)) as ShownCredits;
  }

  async addCredits(team: string, credits: number, reason: string | undefined): Promise<ShownCredits> {
    return creditsJson(await this.#credits().add(LOCAL, team, credits, reason ?? null)) as ShownCredits;
  }

  async creditTransactions(query: CreditsQuery): Promise<ListCreditTransactionsReply> {
    const { items, next } = await this.#credits().transactions(LOCAL, query);
    return { items: items.map(transactionJson), next } as ListCreditTransactionsReply;
  }

  async jobs(query: JobsQuery): Promise<ListTeamJobsReply> {
    const { items, next } = await this.#jobs().list(LOCAL, query);
    return { items: items.map(jobJson), next } as ListTeamJobsReply;
  }

  async job(id: string): Promise<TeamJob> {
    return jobJson(await this.#jobs().get(LOCAL, id)) as TeamJob;
  }

  async recovered(sinceMs: number): Promise<ListRecoveredReply> {
    return { rows: this.#options.store.ledger.recoveries(sinceMs).map(recoveryJson) } as ListRecoveredReply;
  }

  async reverse(which: number | "all", reason: string | undefined): Promise<readonly Reversal[] | null> {
    const done = this.#options.store.ledger.reverse(which, { actor: LOCAL.name, reason: reason ?? null });
    return (done?.map(reversalJson) ?? null) as readonly Reversal[] | null;
  }

  get #accounts(): Accounts {
    return this.#options.accounts;
  }

  #keys(): Keys {
    const { accounts, store, config, io } = this.#options;
    return keysOf(accounts, store, config, io);
  }

  #credits(): Credits {
    return new Credits({ accounts: this.#accounts, store: this.#options.store.credits, nowMs });
  }

  #jobs(): Jobs {
    return new Jobs({ accounts: this.#accounts, credits: this.#credits(), nowMs });
  }

  /** Warns by the config's models and providers. */
  async #iam(): Promise<Iam> {
    const { configPath, io } = this.#options;
    const { catalogue } = await configSurroundings(configPath, io);
    return new Iam({ accounts: this.#accounts, warnOf: iamRuleWarnings(catalogue, nowMs) });
  }

  async #changeIam(kind: IamKind, id: string, change: (iam: Iam) => Promise<IamRule>): Promise<ChangedIamRule> {
    const iam = await this.#iam();
    const rule = await change(iam);
    return { rule: iamRuleJson(rule), warnings: await iam.warnings(LOCAL, kind, id) } as ChangedIamRule;
  }
}

function nowMs(): number {
  return systemClock.nowMs();
}

function shown(object: AccountObject): Shown {
  return { ...objectJson(object), id: object.id, alias: String(object.fields.alias) };
}

function shownSecret({ key, secret }: MadeKey): ShownSecret {
  return { object: shown(key), secret };
}

function shownMember({ userId, role, createdMs }: Membership): ShownMember {
  return { user: userId, role, since: momentJson(createdMs) ?? "" };
}
