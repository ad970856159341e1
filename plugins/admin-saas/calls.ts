// What calls cost in credits: those in a job, and those that a team that pays with credits makes outside of one.
import {
  AccountError,
  type Call,
  type CallHold,
  type Decision,
  type ErrorCode,
  GatewayError,
  type Host,
  type Outcome,
  type Principal,
  type Reservation,
  type TeamCredits,
} from "../../src/plugin.ts";

/** What credits are worth. */
export interface Rates {
  readonly creditsPerDollar: number;
  readonly tokensPerCredit: number;
  /** How long a job may be left without a call, milliseconds. */
  readonly idleMs: number;
}

/** A call's hold on its job. */
interface JobReservation extends Reservation {
  readonly hold: CallHold;
  readonly keyId: string;
  /** The job is this call alone, and ends with it. */
  readonly isAlone: boolean;
}

const IN_JOB = /^\/api\/jobs\/([^/]+)\/llm-call$/;
const MICRO_CREDITS = 1_000_000;
/** Micro-credits are to micro-dollars as credits are to dollars. */
const NANO_USD_PER_MICRO_DOLLAR = 1_000;

/** What of an answer or a bound is paid for. */
interface Used {
  readonly costNanoUsd: number;
  readonly tokens: number;
}

/** The hooks of calls. */
export class JobCalls {
  readonly #host: Host;
  readonly #rates: Rates;
  /** What calls outside of jobs cost. A team that is changed has new principals. */
  readonly #modes = new WeakMap<Principal, TeamCredits["mode"]>();

  constructor(host: Host, rates: Rates) {
    this.#host = host;
    this.#rates = rates;
  }

  /** null at once for calls that are neither in a job nor paid with credits. */
  reserve(call: Call, principal: Principal, decision: Decision): null | Promise<JobReservation | null> {
    const { team } = principal;
    const isInJob = call.path.startsWith("/api/jobs/");
    if (!isInJob && (team === null || this.#modes.get(principal) === "none")) return null;
    // A key without a team has no job either, whatever the path names.
    return translated(() => this.#reserve(call, principal, team?.id ?? "", decision));
  }

  /** The hold becomes the cost; a job of one call ends with it. */
  settle({ hold, keyId, isAlone }: JobReservation, { kind, usage, costNanoUsd }: Outcome): Promise<void> {
    const { inputTokens = 0, outputTokens = 0 } = usage ?? {};
    const used = { costNanoUsd, tokens: inputTokens + outputTokens };
    const actual = usage === null ? 0 : this.#creditsFor(hold.mode, used);
    const end = { actual, inputTokens, outputTokens, costNanoUsd, failed: kind !== "completed" };
    // Whoever leaves before the last byte has had what came before it.
    const wasServed = usage !== null && (kind === "completed" || kind === "client_closed");
    const ending = { status: wasServed ? "completed" : "failed", keyId } as const;
    return this.#host.management.jobs.endCall(hold, end, isAlone ? ending : undefined);
  }

  async #reserve(call: Call, principal: Principal, teamId: string, decision: Decision): Promise<JobReservation | null> {
    const { jobs } = this.#host.management;
    const keyId = principal.key.id;
    const inJob = IN_JOB.exec(call.path)?.[1];
    const mode = inJob === undefined ? await this.#modeOf(principal, teamId) : null;
    if (mode === "none") return null;
    const maker = { keyId, teamId };
    const wish = {
      mostOf: (mode: CallHold["mode"]) => this.#mostFor(mode, call, decision),
      idleMs: this.#rates.idleMs,
    };
    const hold =
      mode === null ? await jobs.beginCall(maker, inJob ?? "", wish) : await jobs.beginAlone(maker, mode, wish);
    return { amountNanoUsd: 0, hold, keyId, isAlone: mode !== null };
  }

  async #modeOf(principal: Principal, teamId: string): Promise<TeamCredits["mode"]> {
    const known = this.#modes.get(principal);
    if (known !== undefined) return known;
    const actor = { kind: "key", keyId: principal.key.id } as const;
    const { fields } = await this.#host.management.accounts.get(actor, "team", teamId);
    const mode = fields.budgetMode as TeamCredits["mode"];
    this.#modes.set(principal, mode);
    return mode;
  }

  /** The most that the call can cost at any of the allowed targets, micro-credits. */
  #mostFor(mode: CallHold["mode"], call: Call, { targets }: Decision): number {
    const most = targets.map((target) => {
      const { inputTokens, outputTokens, costNanoUsd } = this.#host.costBound(call, target);
      if (costNanoUsd === null && mode === "consumption_usd") throw new GatewayError("model_unpriced");
      return this.#creditsFor(mode, { costNanoUsd: costNanoUsd ?? 0, tokens: inputTokens + outputTokens });
    });
    return Math.max(0, ...most);
  }

  /** Micro-credits, rounded up once. */
  #creditsFor(mode: CallHold["mode"], { costNanoUsd, tokens }: Used): number {
    if (mode === "job_based") return 0;
    const { creditsPerDollar, tokensPerCredit } = this.#rates;
    // One division, so that what comes out even stays even.
    const micro =
      mode === "consumption_usd"
        ? (costNanoUsd * creditsPerDollar) / NANO_USD_PER_MICRO_DOLLAR
        : (tokens * MICRO_CREDITS) / tokensPerCredit;
    return Math.min(Math.ceil(micro), Number.MAX_SAFE_INTEGER);
  }
}

const CODES: Readonly<Partial<Record<AccountError["code"], ErrorCode>>> = {
  not_found: "not_found",
  not_permitted: "permission_denied",
  credits_exhausted: "credits_exhausted",
};

/** The services' refusals as errors of a call. */
async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AccountError)) throw error;
    const { message, status } = error;
    throw new GatewayError(CODES[error.code] ?? "invalid_request", message, { status, retry: false, cause: error });
  }
}
