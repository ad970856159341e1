// Teams' credits: who may see and give them. What is held and booked is the store's business.
import { CREDITS_MAX, creditsOf, MICRO_CREDITS } from "../credit-units.ts";
import type { BudgetMode, CreditQuery, CreditStore, CreditTransaction } from "../store/credits.ts";
import type { AccountObject, Page } from "../store/directory.ts";
import type { Actor } from "./caller.ts";
import { AccountError } from "./errors.ts";
import { mayDo, whoMay } from "./rights.ts";
import type { Accounts } from "./service.ts";

const PAGE_MAX = 1_000;

/** What the credits work with. */
export interface CreditsOptions {
  readonly accounts: Accounts;
  readonly store: CreditStore;
  /** Wall clock, milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/** A team's credits, in whole credits and millionths of one. */
export interface TeamCredits {
  readonly team: AccountObject;
  /** `none` for a team that has no use for credits. */
  readonly mode: BudgetMode | "none";
  readonly allocated: number;
  /** Charged for jobs that have ended. */
  readonly used: number;
  /** Held by open jobs. */
  readonly reserved: number;
  /** What can still be held; below 0 when more was used than is allocated now. */
  readonly remaining: number;
}

/** Which bookings to list. */
export interface TransactionWish extends Partial<Pick<CreditQuery, "limit" | "after" | "skip">> {
  /** Id or alias; of all teams when left out, which only proxy admins and their viewers may see. */
  readonly team?: string | undefined;
}

/** The numbers of micro-credits that `credits` comes to. @throws AccountError `invalid_field` */
export function microCredits(credits: number, field: string): number {
  const micro = Math.round(credits * MICRO_CREDITS);
  const isExact = Math.abs(micro - credits * MICRO_CREDITS) < 1e-3;
  if (isExact && micro >= 0 && micro <= CREDITS_MAX * MICRO_CREDITS) return micro;
  const message = `Credits must be between 0 and ${CREDITS_MAX}, with at most six decimals`;
  throw new AccountError("invalid_field", message, { field });
}

export class Credits {
  readonly store: CreditStore;
  readonly #accounts: Accounts;
  readonly #nowMs: () => number;

  constructor({ accounts, store, nowMs }: CreditsOptions) {
    this.#accounts = accounts;
    this.store = store;
    this.#nowMs = nowMs;
  }

  /** For whoever may see the team. @throws AccountError `not_found` */
  async balance(actor: Actor, team: string): Promise<TeamCredits> {
    return this.of(await this.#accounts.get(actor, "team", team));
  }

  /** The credits of a team that was looked up already. */
  async of(team: AccountObject): Promise<TeamCredits> {
    const account = await this.store.account(team.id);
    const { allocated = 0, spent = 0, reserved = 0 } = account ?? {};
    return {
      ...{ team, mode: team.fields.budgetMode as TeamCredits["mode"] },
      ...{ allocated: creditsOf(allocated), used: creditsOf(spent), reserved: creditsOf(reserved) },
      remaining: creditsOf(allocated - spent - reserved),
    };
  }

  /** Sets what the team was given in all. For whoever may set its budgets. @throws AccountError */
  async allocate(actor: Actor, team: string, credits: number, reason: string | null = null): Promise<TeamCredits> {
    const micro = microCredits(credits, "creditsAllocated");
    return this.#give(actor, team, (id, booking) => this.store.allocate(id, micro, { ...booking, reason }));
  }

  /** Gives the team more. For whoever may set its budgets. @throws AccountError */
  async add(actor: Actor, team: string, credits: number, reason: string | null = null): Promise<TeamCredits> {
    const micro = microCredits(credits, "credits");
    if (micro === 0) throw new AccountError("invalid_field", "Add more than 0 credits", { field: "credits" });
    return this.#give(actor, team, (id, booking) => this.store.add(id, micro, { ...booking, reason }));
  }

  /** Newest first, for whoever may see the team. @throws AccountError `not_permitted`, `not_found`, `invalid_field` */
  async transactions(
    actor: Actor,
    { team, limit = 100, after, skip }: TransactionWish,
  ): Promise<Page<CreditTransaction> & { readonly total: number }> {
    assertLimit(limit);
    const teamId = await this.placeOf(actor, team);
    const page = await this.store.transactions({ teamId, limit, after, skip });
    return { ...page, total: await this.store.countTransactions({ teamId }) };
  }

  /** The id of the team that is asked for; undefined for all, which only proxy admins and their viewers may see. */
  async placeOf(actor: Actor, team: string | undefined): Promise<string | undefined> {
    if (team !== undefined) return (await this.#accounts.get(actor, "team", team)).id;
    const { role } = await this.#accounts.caller(actor);
    if (role === "admin" || role === "viewer") return undefined;
    throw new AccountError("not_permitted", "Only proxy admins and proxy admin viewers see all teams: name one");
  }

  /** A team that is given credits pays with them: by the job, unless it has another mode. */
  async #give(
    actor: Actor,
    name: string,
    write: (teamId: string, booking: { readonly actor: string; readonly atMs: number }) => Promise<unknown>,
  ): Promise<TeamCredits> {
    const caller = await this.#accounts.caller(actor);
    const seen = await this.#accounts.see(caller, "team", name, "update");
    if (!mayDo("team", "budget", seen.standings)) {
      throw new AccountError("not_permitted", `Only ${whoMay("team", "budget")} can give this team credits`);
    }
    const { id, fields } = seen.object;
    await write(id, { actor: caller.label, atMs: this.#nowMs() });
    const isWithout = (fields.budgetMode ?? "none") === "none";
    if (isWithout) await this.#accounts.update(actor, "team", id, { budgetMode: "job_based" });
    return this.balance(actor, id);
  }
}

/** @throws AccountError `invalid_field` */
export function assertLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_MAX) return;
  throw new AccountError("invalid_field", `A page has 1 to ${PAGE_MAX} entries`, { field: "limit" });
}
