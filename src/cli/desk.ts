// Where account commands do their work: on the config's database, or on a gateway's admin API (`--url`).
import type { Submitted } from "../accounts/change.ts";
import { AccountError } from "../accounts/errors.ts";
import { FIELDS, wireName } from "../accounts/fields.ts";
import type { IamWish } from "../accounts/iam-values.ts";
import type {
  ChangedIamRule,
  Credits,
  IamRules,
  ListCreditTransactionsReply,
  ListRecoveredReply,
  ListTeamJobsReply,
  Reversal,
  TeamJob,
} from "../client/types.ts";
import { SetupError } from "../errors.ts";
import type { LimitedKind, LimitsJson } from "../limits.ts";
import type { JobStatus } from "../store/credits.ts";
import type { AccountKind, AuditQuery, IamKind, Page } from "../store/directory.ts";
import type { RuleScope, UsageGroup, UsageRow } from "../store/store.ts";
import { suggest } from "../suggest.ts";
import type { Io } from "./command.ts";
import { noSuch } from "./no-such.ts";
import { type OptionSyntax, type OptionValues, parseOptions, type Specs, usage } from "./options.ts";

/** An object as `--json` shows it and as the admin API answers: see `objectJson`. Its other fields go by its kind. */
export interface Shown {
  readonly id: string;
  readonly alias: string;
}

/** A key with its secret, which is shown this once. */
export interface ShownSecret {
  readonly object: Shown;
  readonly secret: string;
}

/** A member as `--json` shows it. */
export interface ShownMember {
  readonly user: string;
  readonly role: string;
  readonly since: string;
}

/** A line of the audit log: see `auditJson`. */
export interface ShownEntry {
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

/** What narrows a list. */
export interface DeskQuery {
  readonly after?: string | undefined;
  /** 1 to 1,000. */
  readonly limit: number;
  readonly search?: string | undefined;
  readonly prefix?: string | undefined;
  /** Keys of that team, by id. */
  readonly teamId?: string | undefined;
}

/** Which bookings. */
export interface CreditsQuery {
  /** The team's id; all teams when left out. */
  readonly team?: string | undefined;
  /** 1 to 1,000. */
  readonly limit: number;
  readonly after?: string | undefined;
}

/** Which jobs. */
export interface JobsQuery extends CreditsQuery {
  readonly status?: JobStatus | undefined;
}

/**
 * What account commands can do. Objects are named by id or alias; fields are by their own names (`rpmLimit`).
 * What is refused is an `AccountError`.
 */
export interface Desk {
  get(kind: AccountKind, name: string): Promise<Shown>;
  list(kind: AccountKind, query: DeskQuery): Promise<Page<Shown>>;
  /** Aliases of which one may be meant by the wrong name. */
  near(kind: AccountKind, name: string): Promise<readonly string[]>;
  create(kind: Exclude<AccountKind, "key">, id: string | undefined, fields: Submitted): Promise<Shown>;
  createKey(fields: Submitted): Promise<ShownSecret>;
  rotateKey(name: string, graceMs: number): Promise<ShownSecret>;
  update(kind: AccountKind, name: string, fields: Submitted): Promise<Shown>;
  remove(kind: AccountKind, name: string): Promise<void>;
  /** The first 1,000. */
  members(kind: "team" | "org", name: string): Promise<readonly ShownMember[]>;
  setMember(kind: "team" | "org", name: string, user: string, role: "admin" | "user"): Promise<ShownMember>;
  removeMember(kind: "team" | "org", name: string, user: string): Promise<void>;
  audit(query: AuditQuery): Promise<readonly ShownEntry[]>;
  usage(groups: readonly UsageGroup[], sinceMs: number, untilMs: number | null): Promise<readonly UsageRow[]>;
  resetSpend(kind: Exclude<AccountKind, "group">, name: string): Promise<void>;
  /** Every budget and limit of the object of that id, and what is left of each. */
  limits(kind: LimitedKind, id: string): Promise<LimitsJson>;
  /** Checks rules before they are kept, and says what they come to: `3 rules`. @throws SetupError 2 with the report */
  checkRules(scope: RuleScope, alias: string, text: string): Promise<string>;
  iamRules(kind: IamKind, id: string): Promise<IamRules>;
  addIamRule(kind: IamKind, id: string, wish: IamWish): Promise<ChangedIamRule>;
  changeIamRule(kind: IamKind, id: string, rule: string, wish: IamWish): Promise<ChangedIamRule>;
  removeIamRule(kind: IamKind, id: string, rule: string): Promise<void>;
  credits(team: string): Promise<Credits>;
  addCredits(team: string, credits: number, reason: string | undefined): Promise<Credits>;
  creditTransactions(query: CreditsQuery): Promise<ListCreditTransactionsReply>;
  jobs(query: JobsQuery): Promise<ListTeamJobsReply>;
  job(id: string): Promise<TeamJob>;
  /** What was charged because a gateway died, newest first. */
  recovered(sinceMs: number): Promise<ListRecoveredReply>;
  /** Takes off what is still charged of it; null when nothing has that id. */
  reverse(which: number | "all", reason: string | undefined): Promise<readonly Reversal[] | null>;
}

/** Where a command line says that its desk is. */
export interface Place {
  readonly config: string | undefined;
  readonly url: string | undefined;
  readonly keyStdin: boolean;
}

/** What every such command's help says of it. */
export const PLACE_HELP = `\
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)
  --url URL           ask the gateway whose admin listener is there instead; its key is taken from TOLLGATE_ADMIN_KEY
  --key-stdin         with --url: the key is the first line of standard input`;

const PLACE = { url: { type: "string" }, "key-stdin": { type: "boolean" } } as const;

/** `parseOptions` with the options that say where the desk is. @throws SetupError 64 */
export function parseDeskOptions<const Options extends Specs>(argv: readonly string[], syntax: OptionSyntax<Options>) {
  const { command } = syntax;
  const parsed = parseOptions(argv, { ...syntax, options: { ...syntax.options, ...PLACE } });
  const values = parsed.values as OptionValues<typeof PLACE>;
  const { config, url, "key-stdin": keyStdin = false } = values;
  if (url !== undefined && config !== undefined) throw usage(command, "--url and --config exclude each other");
  if (url === undefined && keyStdin) throw usage(command, "--key-stdin needs --url");
  const place: Place = { config, url, keyStdin };
  return { values: parsed.values as OptionValues<Options>, positionals: parsed.positionals, place };
}

/** Runs `work` at the desk. @throws SetupError 1 for what is refused, 78 for a config or database that cannot be used */
export async function withDesk<T>(io: Io, place: Place, work: (desk: Desk) => Promise<T>): Promise<T> {
  const run =
    place.url === undefined
      ? (await import("./local-desk.ts")).withLocalDesk
      : (await import("./remote-desk.ts")).withRemoteDesk;
  try {
    return await run(io, place, work);
  } catch (error) {
    throw error instanceof AccountError ? told(error) : error;
  }
}

/** The object of that id or alias. @throws SetupError 1, with the nearest alias @param isToBeMade says how it is made */
export async function named(desk: Desk, kind: AccountKind, name: string, isToBeMade = false): Promise<Shown> {
  try {
    return await desk.get(kind, name);
  } catch (error) {
    if (!(error instanceof AccountError) || error.code !== "not_found") throw error;
    throw noSuch(kind, name, await desk.near(kind, name), isToBeMade);
  }
}

/** The id of the object. @throws SetupError as `named` */
export async function idOf(desk: Desk, kind: AccountKind, name: string, isToBeMade = false): Promise<string> {
  return (await named(desk, kind, name, isToBeMade)).id;
}

/** An account error as a command tells it. */
function told(error: AccountError): SetupError {
  const { message, field } = error;
  const text = `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
  if (error.code !== "invalid_field" || field === null) return new SetupError(text, 1, error);
  const known = Object.values(FIELDS).flatMap((fields) => Object.keys(fields));
  const near = known.includes(field) ? null : suggest(field, known);
  return new SetupError(near === null ? text : `${text}: did you mean \`${wireName(near)}\`?`, 1, error);
}
