// The desk on a gateway's admin API, by the typed client.
import type { Submitted } from "../accounts/change.ts";
import { AccountError } from "../accounts/errors.ts";
import type { IamWish } from "../accounts/iam-values.ts";
import { sentFields } from "../accounts/object-json.ts";
import type {
  ChangedIamRule,
  Credits,
  IamRuleFields,
  IamRules,
  ListAuditReply,
  ListCreditTransactionsReply,
  ListRecoveredReply,
  ListTeamJobsReply,
  MadeKey,
  NewIamRule,
  Places,
  Reversal,
  TeamJob,
  TollgateAdmin,
} from "../client/index.ts";
import type { LimitedKind, LimitsJson } from "../limits.ts";
import { momentJson } from "../moment.ts";
import { parseUsd } from "../money.ts";
import type { AccountKind, AuditQuery, IamKind, Membership, Page } from "../store/directory.ts";
import type { RuleScope, UsageGroup, UsageRow } from "../store/store.ts";
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
import { connect, type RemoteGateway } from "./remote-gateway.ts";
import { counted } from "./rule-files.ts";

/** Entries of the audit log that are asked for at a time. */
const AUDIT_PAGE = 1_000;
/** Aliases that a wrong name is compared with, of those that begin or end as it does. */
const NEAR_MAX = 100;

/** Runs `work` on the gateway. @throws SetupError 64 without a usable URL or key, 1 when it cannot be asked; AccountError */
export async function withRemoteDesk<T>(io: Io, place: Place, work: (desk: Desk) => Promise<T>): Promise<T> {
  return work(new RemoteDesk(await connect(io, place), io));
}

/** Kind → the client's objects of it. */
const SEGMENTS = { org: "orgs", team: "teams", user: "users", group: "groups", key: "keys" } as const;

class RemoteDesk implements Desk {
  readonly #gateway: RemoteGateway;
  readonly #admin: TollgateAdmin;
  readonly #io: Io;

  constructor(gateway: RemoteGateway, io: Io) {
    this.#gateway = gateway;
    this.#admin = gateway.admin;
    this.#io = io;
  }

  get(kind: AccountKind, name: string): Promise<Shown> {
    return this.#ask(this.#of(kind).get(name));
  }

  list(kind: AccountKind, { teamId, ...query }: DeskQuery): Promise<Page<Shown>> {
    return this.#ask(this.#of(kind).list({ ...query, ...(teamId === undefined ? {} : { team: teamId }) }));
  }

  async near(kind: AccountKind, name: string): Promise<readonly string[]> {
    const half = Math.ceil(name.length / 2);
    const queries: Omit<DeskQuery, "limit">[] = [{ prefix: name.slice(0, half) }, { prefix: name.slice(0, 1) }, {}];
    if (half < name.length) queries.push({ search: name.slice(half) });
    const pages = queries.map((query) => this.list(kind, { ...query, limit: NEAR_MAX }));
    return (await Promise.all(pages)).flatMap(({ items }) => items.map(({ alias }) => alias));
  }

  create(kind: Exclude<AccountKind, "key">, id: string | undefined, fields: Submitted): Promise<Shown> {
    return this.#ask(this.#of(kind).create({ ...sentFields(fields), ...(id === undefined ? {} : { id }) }));
  }

  createKey(fields: Submitted): Promise<ShownSecret> {
    return this.#askSecret(this.#admin.keys.create(sentFields(fields)));
  }

  rotateKey(name: string, graceMs: number): Promise<ShownSecret> {
    return this.#askSecret(this.#admin.keys.rotate(name, graceMs === 0 ? {} : { grace_period: `${graceMs}ms` }));
  }

  update(kind: AccountKind, name: string, fields: Submitted): Promise<Shown> {
    return this.#ask(this.#of(kind).update(name, sentFields(fields)));
  }

  remove(kind: AccountKind, name: string): Promise<void> {
    return this.#ask(this.#of(kind).delete(name));
  }

  async members(kind: Membership["kind"], name: string): Promise<readonly ShownMember[]> {
    return (await this.#ask(this.#of(kind).members(name, { limit: 1_000 }))).items;
  }

  setMember(kind: Membership["kind"], name: string, user: string, role: Membership["role"]): Promise<ShownMember> {
    return this.#ask(this.#of(kind).setMember(name, user, { role }));
  }

  removeMember(kind: Membership["kind"], name: string, user: string): Promise<void> {
    return this.#ask(this.#of(kind).removeMember(name, user));
  }

  async audit({ sinceMs, object, afterSeq = 0, limit }: AuditQuery): Promise<readonly ShownEntry[]> {
    const entries: ShownEntry[] = [];
    const since = momentJson(sinceMs ?? null) ?? undefined;
    let after: number | null = afterSeq;
    while (after !== null && entries.length < limit) {
      const query = { since, object, after, limit: Math.min(AUDIT_PAGE, limit - entries.length) };
      const page: ListAuditReply = await this.#ask(this.#admin.audit(query));
      entries.push(...page.items);
      after = page.next;
    }
    return entries;
  }

  async usage(groups: readonly UsageGroup[], sinceMs: number, untilMs: number | null): Promise<readonly UsageRow[]> {
    const [since, until] = [sinceMs, untilMs].map((ms) => momentJson(ms) ?? undefined);
    const { rows } = await this.#ask(this.#admin.usage({ by: groups.join(","), since, until }));
    return rows.map((row) => ({
      ...{ name: row.name, names: row.names },
      requests: row.requests,
      inputTokens: row.input_tokens,
      outputTokens: row.output_tokens,
      costNanoUsd: parseUsd(row.cost_usd) ?? 0n,
    }));
  }

  resetSpend(kind: Exclude<AccountKind, "group">, name: string): Promise<void> {
    return this.#ask(this.#of(kind).resetSpend(name));
  }

  limits(kind: LimitedKind, id: string): Promise<LimitsJson> {
    return this.#ask(this.#admin.limits({ [kind]: id }));
  }

  async checkRules(scope: RuleScope, alias: string, text: string): Promise<string> {
    const { count, warnings } = await this.#ask(this.#admin.checkRules({ scope, alias, rules: text }));
    this.#io.stderr.write(warnings);
    return counted(count, "rule");
  }

  iamRules(kind: IamKind, id: string): Promise<IamRules> {
    return this.#ask(this.#admin.iamRules(SEGMENTS[kind], id));
  }

  addIamRule(kind: IamKind, id: string, wish: IamWish): Promise<ChangedIamRule> {
    return this.#ask(this.#admin.addIamRule(SEGMENTS[kind], id, sentWish(wish) as NewIamRule));
  }

  changeIamRule(kind: IamKind, id: string, rule: string, wish: IamWish): Promise<ChangedIamRule> {
    return this.#ask(this.#admin.updateIamRule(SEGMENTS[kind], id, rule, sentWish(wish)));
  }

  removeIamRule(kind: IamKind, id: string, rule: string): Promise<void> {
    return this.#ask(this.#admin.removeIamRule(SEGMENTS[kind], id, rule));
  }

  credits(team: string): Promise<Credits> {
    return this.#ask(this.#admin.credits(team));
  }

  addCredits(team: string, credits: number, reason: string | undefined): Promise<Credits> {
    return this.#ask(this.#admin.addCredits(team, { credits, reason }));
  }

  creditTransactions(query: CreditsQuery): Promise<ListCreditTransactionsReply> {
    return this.#ask(this.#admin.creditTransactions(query));
  }

  jobs(query: JobsQuery): Promise<ListTeamJobsReply> {
    return this.#ask(this.#admin.jobs(query));
  }

  job(id: string): Promise<TeamJob> {
    return this.#ask(this.#admin.job(id));
  }

  recovered(sinceMs: number): Promise<ListRecoveredReply> {
    return this.#ask(this.#admin.recovered({ since: momentJson(sinceMs) ?? undefined }));
  }

  async reverse(which: number | "all", reason: string | undefined): Promise<readonly Reversal[] | null> {
    if (which === "all") return (await this.#ask(this.#admin.reverseAllRecovered({ reason }))).rows;
    try {
      return [await this.#ask(this.#admin.reverseRecovered(which, { reason }))];
    } catch (error) {
      if (error instanceof AccountError && error.code === "not_found") return null;
      throw error;
    }
  }

  /** All kinds have the calls that are made here; a team has every one, so its types stand for the others'. */
  #of(kind: AccountKind): Places<"teams"> {
    return this.#admin[SEGMENTS[kind]] as unknown as Places<"teams">;
  }

  async #askSecret(answer: Promise<MadeKey>): Promise<ShownSecret> {
    const { key, ...object } = await this.#ask(answer);
    return { object, secret: key };
  }

  #ask<Reply>(answer: Promise<Reply>): Promise<Reply> {
    return this.#gateway.ask(answer);
  }
}

/** The gateway says what of the wish cannot be. */
function sentWish({ ruleType, ruleValue, status }: IamWish): IamRuleFields {
  return { rule_type: ruleType, rule_value: ruleValue, status } as IamRuleFields;
}
