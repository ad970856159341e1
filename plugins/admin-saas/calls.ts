// What calls cost in credits: those in a job, and those that a team that pays with credits makes outside of one.
import {
  AccountError,
  type Actor,
  type Call,
  type CallHold,
  type Decision,
  type ErrorCode,
  GatewayError,
  type Host,
  type Outcome,
  type Principal,
  type Reservation,
} from "../../src/plugin.ts";

/** What credits are worth. */
export interface Rates {
  readonly creditsPerDollar: number;
  readonly tokensPerCredit: number;
  /** How long a job may be left without a call, milliseconds. */
  readonly idleMs: number;
}

/** A call's hold on its job. */
interface JobReservation extends Reservation, CallHold {
  readonly jobId: string;
  readonly actor: Actor;
  /** The job is this call alone, and ends with it. */
  readonly isAlone: boolean;
}

const IN_JOB = /^\/api\/jobs\/([^/]+)\/llm-call$/;
const MICRO_CREDITS = 1_000_000;
const NANO_USD = 1_000_000_000;

/** What of an answer or a bound is paid for. */
interface Used {
  readonly costNanoUsd: number;
  readonly tokens: number;
}

/** The hooks of calls. */
export class JobCalls {
  readonly #host: Host;
  readonly #rates: Rates;
  /** Whether calls outside of jobs are paid with credits. A team that is changed has new principals. */
  readonly #pays = new WeakMap<Principal, boolean>();

  constructor(host: Host, rates: Rates) {
    this.#host = host;
    this.#rates = rates;
  }

  /** null at once for all who have no use for credits. */
  reserve(call: Call, principal: Principal, decision: Decision): null | Promise<JobReservation | null> {
    if (principal.team === null || this.#pays.get(principal) === false) {
      return call.path.startsWith("/api/") ? refuseTeamless() : null;
    }
    return translated(() => this.#reserve(call, principal, decision));
  }

  /** The hold becomes the cost; a job of one call ends with it. */
  async settle({ jobId, actor, mode, hold, isAlone }: JobReservation, outcome: Outcome): Promise<void> {
    const { usage, costNanoUsd, kind } = outcome;
    const { inputTokens = 0, outputTokens = 0 } = usage ?? {};
    const actual = usage === null ? 0 : this.#creditsFor(mode, { costNanoUsd, tokens: inputTokens + outputTokens });
    const failed = kind !== "completed";
    const { jobs } = this.#host.management;
    await jobs.endCall(jobId, { hold, actual, inputTokens, outputTokens, costNanoUsd, failed });
    // Whoever leaves before the last byte has had what came before it.
    const wasServed = usage !== null && (kind === "completed" || kind === "client_closed");
    if (isAlone) await jobs.end(actor, jobId, { status: wasServed ? "completed" : "failed" });
  }

  async #reserve(call: Call, principal: Principal, decision: Decision): Promise<JobReservation | null> {
    const actor: Actor = { kind: "key", keyId: principal.key.id };
    const inJob = IN_JOB.exec(call.path)?.[1];
    const isAlone = inJob === undefined;
    if (isAlone && !(await this.#paysWithCredits(principal, actor))) return null;
    const { jobs } = this.#host.management;
    const { idleMs } = this.#rates;
    const jobId = inJob ?? (await jobs.open(actor, { type: "direct", idleMs })).id;
    const mostOf: Parameters<typeof jobs.beginCall>[2]["mostOf"] = (mode) => this.#mostFor(mode, call, decision);
    try {
      const { mode, hold } = await jobs.beginCall(actor, jobId, { mostOf, idleMs });
      return { amountNanoUsd: 0, jobId, actor, mode, hold, isAlone };
    } catch (error) {
      if (isAlone) await jobs.end(actor, jobId, { status: "failed", error: "the call was refused" });
      throw error;
    }
  }

  async #paysWithCredits(principal: Principal, actor: Actor): Promise<boolean> {
    const known = this.#pays.get(principal);
    if (known !== undefined || principal.team === null) return known === true;
    const team = await this.#host.management.accounts.get(actor, "team", principal.team.id);
    const pays = team.fields.budgetMode !== "none";
    this.#pays.set(principal, pays);
    return pays;
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
    const credits = mode === "consumption_usd" ? (costNanoUsd * creditsPerDollar) / NANO_USD : tokens / tokensPerCredit;
    return Math.min(Math.ceil(credits * MICRO_CREDITS), Number.MAX_SAFE_INTEGER);
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

function refuseTeamless(): never {
  throw new GatewayError("permission_denied", "The API key belongs to no team that has credits", { retry: false });
}
