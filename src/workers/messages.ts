// What the first process and its workers say to each other, and what `--workers` asks of either.
import type { Config } from "../config.ts";
import type { Metric } from "../plugin.ts";
import type { RuleLoad } from "../rules/service.ts";

/** The file descriptor that a worker writes its log lines to: the first process writes all logs. */
export const LOG_FD = 4;

/** What `/readyz` and `/readyz?verbose` tell of one process. */
export interface ProcessStatus {
  /** Why it cannot serve now; null when it can. */
  readonly notReady: string | null;
  /** Requests under way. */
  readonly active: number;
  /** Generation, hash and age of the rules in force, as shown. */
  readonly rules: object;
}

/** Questions to a worker, with what it answers. */
export interface Answers {
  readonly reload: RuleLoad;
  readonly metrics: readonly Metric[];
  readonly status: ProcessStatus;
}

export type Question = keyof Answers;

/** To a worker. */
export type ToWorker =
  /** First of all: who it is, and the config as the first process read it. Holds secrets. */
  | { readonly kind: "setup"; readonly worker: number; readonly config: Config }
  | { readonly kind: "ask"; readonly id: number; readonly question: Question }
  /** Take no more, finish what is under way, end with exit code 0. */
  | { readonly kind: "drain" };

/** From a worker. */
export type FromWorker =
  | { readonly kind: "serving"; readonly url: string }
  /** It could not start; it ends. */
  | { readonly kind: "failed"; readonly message: string; readonly exitCode: number }
  | { readonly kind: "answer"; readonly id: number; readonly value: Answers[Question] };

/** One worker's answer. */
export interface Answered<Q extends Question> {
  readonly worker: number;
  readonly pid: number;
  /** null: it did not answer in time, or has ended. */
  readonly answer: Answers[Q] | null;
}

/** The workers, as the first process's gateway sees them. */
export interface Workers {
  /** How many serve. */
  readonly serving: number;
  /**
   * Starts them all with the admin key of this process; the URL that they serve. Throws the `SetupError` of the first
   * that cannot start.
   */
  start(adminKey: string): Promise<string>;
  /** Asks those that serve: one that is just starting reads the rules anyway, and has counted nothing. */
  ask<Q extends Question>(question: Q): Promise<readonly Answered<Q>[]>;
  /** Counts of the workers' lives. */
  metrics(): readonly Metric[];
  /** Lets them finish what is under way until the drain deadline, and waits until they have ended. */
  drain(): Promise<void>;
}
