// The desk on a gateway's admin API, by the typed client.
import type { Submitted } from "../accounts/change.ts";
import { ACCOUNT_ERRORS, AccountError, type AccountErrorCode } from "../accounts/errors.ts";
import { sentFields } from "../accounts/object-json.ts";
import {
  ApiError,
  AuthenticationError,
  type ListAuditReply,
  type MadeKey,
  NotFoundError,
  type Places,
  TollgateAdmin,
  TollgateError,
} from "../client/index.ts";
import { SetupError } from "../errors.ts";
import type { LimitedKind, LimitsJson } from "../limits.ts";
import { momentJson } from "../moment.ts";
import { parseUsd } from "../money.ts";
import type { AccountKind, AuditQuery, Membership, Page } from "../store/directory.ts";
import type { RuleScope, UsageGroup, UsageRow } from "../store/store.ts";
import type { Io } from "./command.ts";
import type { Desk, DeskQuery, Place, Shown, ShownEntry, ShownMember, ShownSecret } from "./desk.ts";
import { countedRules, RefusedRules } from "./rule-checker.ts";

/** Entries of the audit log that are asked for at a time. */
const AUDIT_PAGE = 1_000;
/** Aliases that a wrong name is compared with, of those that begin or end as it does. */
const NEAR_MAX = 100;

/** Runs `work` on the gateway. @throws SetupError 64 without a usable URL or key, 1 when it cannot be asked; AccountError */
export async function withRemoteDesk<T>(io: Io, place: Place, work: (desk: Desk) => Promise<T>): Promise<T> {
  const url = readUrl(place.url ?? "");
  const adminKey = await readKey(io, place);
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    io.stderr.write(`warning: the admin key goes to ${url.host} unencrypted: use https\n`);
  }
  return work(new RemoteDesk(new TollgateAdmin({ baseUrl: url.href, adminKey }), url));
}

function readUrl(text: string): URL {
  const url = URL.parse(text);
  const isWeb = url?.protocol === "http:" || url?.protocol === "https:";
  if (url === null || !isWeb) throw new SetupError("--url takes an address such as http://127.0.0.1:4001", 64);
  if (url.username === "" && url.password === "") return url;
  throw new SetupError("--url must hold no key: set TOLLGATE_ADMIN_KEY, or use --key-stdin", 64);
}

async function readKey(io: Io, { keyStdin }: Place): Promise<string> {
  const key = keyStdin ? await firstLine(io) : (io.env.TOLLGATE_ADMIN_KEY ?? "");
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  if (key !== "") throw new SetupError("the admin key holds what no key can: blanks or characters beyond ASCII", 64);
  const where = keyStdin ? "standard input is empty" : "TOLLGATE_ADMIN_KEY is not set";
  throw new SetupError(`--url needs the gateway's admin key: ${where} (or --key-stdin)`, 64);
}

async function firstLine({ stdin }: Io): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdin ?? []) {
    chunks.push(chunk);
    if (chunk.includes(0x0a)) break;
  }
  return Buffer.concat(chunks).toString("utf8").split("\n", 1)[0]?.trim() ?? "";
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d+){3}$/.test(hostname);
}

/** What the gateway refused is an account error, as it is on a database. */
async function toldBy(error: TollgateError, admin: TollgateAdmin, { origin }: URL): Promise<Error> {
  if (error instanceof AuthenticationError) {
    return new SetupError(
      `${origin} does not take this admin key: it is \`admin.key\` of that gateway's config`,
      1,
      error,
    );
  }
  if (!(error instanceof ApiError)) return new SetupError(error.message, 1, error);
  if (error instanceof NotFoundError && !(await isAdminApi(admin))) {
    const help = "is it the address of `admin.listen`, and is `admin` among its `admin.apis`?";
    return new SetupError(`${origin} answers, but has no admin API: ${help}`, 1, error);
  }
  const { message, code, field, diagnostics } = error;
  if (diagnostics.length > 0) return new RefusedRules(message, diagnostics);
  if (code === null || !Object.hasOwn(ACCOUNT_ERRORS, code)) return new SetupError(message, 1, error);
  // The gateway has said already which field may have been meant.
  return new AccountError(code as AccountErrorCode, message, { field: code === "taken" ? field : null, cause: error });
}

async function isAdminApi(admin: TollgateAdmin): Promise<boolean> {
  try {
    await admin.groups.list({ limit: 1 });
    return true;
  } catch (error) {
    if (error instanceof NotFoundError) return false;
    throw error;
  }
}

/** Kind → the client's objects of it. */
const SEGMENTS = { org: "orgs", team: "teams", user: "users", group: "groups", key: "keys" } as const;

class RemoteDesk implements Desk {
  readonly #admin: TollgateAdmin;
  readonly #url: URL;

  constructor(admin: TollgateAdmin, url: URL) {
    this.#admin = admin;
    this.#url = url;
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

  /** The gateway checks them when they are sent. */
  async checkRules(_scope: RuleScope, _alias: string, text: string): Promise<string> {
    return countedRules(text);
  }

  /** All kinds have the calls that are made here; a team has every one, so its types stand for the others'. */
  #of(kind: AccountKind): Places<"teams"> {
    return this.#admin[SEGMENTS[kind]] as unknown as Places<"teams">;
  }

  async #askSecret(answer: Promise<MadeKey>): Promise<ShownSecret> {
    const { key, ...object } = await this.#ask(answer);
    return { object, secret: key };
  }

  async #ask<Reply>(answer: Promise<Reply>): Promise<Reply> {
    try {
      return await answer;
    } catch (error) {
      throw error instanceof TollgateError ? await toldBy(error, this.#admin, this.#url) : error;
    }
  }
}
