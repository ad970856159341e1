// One worker's place in the first process: its process, what it was asked, and its replacement when it ends.
import cluster, { type Worker } from "node:cluster";
import type { Readable } from "node:stream";
import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { SetupError } from "../errors.ts";
import { Backoff } from "./backoff.ts";
import { closeUntaken } from "./handoff.ts";
import { type Answered, type Answers, type FromWorker, LOG_FD, type Question, type ToWorker } from "./messages.ts";
import { onWholeLines } from "./whole-lines.ts";

/** Until a worker has answered, milliseconds: reading rules again takes longer than reading numbers. */
const ANSWER_MS: Readonly<Record<Question, number>> = { reload: 10_000, metrics: 1_000, status: 1_000 };

/** What a place works with. */
export interface PlaceOptions {
  /** Its number, from 1. */
  readonly worker: number;
  /** The config for the next process. */
  readonly config: () => Config;
  readonly log: Logger;
  /** Takes the worker's log lines. */
  readonly passOn: (lines: Buffer) => void;
  /** Told when a worker has ended that nobody told to. */
  readonly onLoss: () => void;
}

type Answer = (value: Answers[Question] | null) => void;

/** Holds one worker at a time. */
export class Place {
  readonly #options: PlaceOptions;
  readonly #backoff = new Backoff();
  readonly #asked = new Map<number, Answer>();
  #nextId = 1;
  #process: Worker | null = null;
  #servingSinceMs: number | null = null;
  #draining = false;
  /** Set from the first start until it has served or failed. */
  #starting: PromiseWithResolvers<string> | null = null;
  #restartTimer: NodeJS.Timeout | null = null;
  #ended: PromiseWithResolvers<void> | null = null;
  restarts = 0;
  /** False once a drain had to be cut, or a worker did not end it in good order. */
  drainedWell = true;

  constructor(options: PlaceOptions) {
    this.#options = options;
  }

  get serves(): boolean {
    return this.#servingSinceMs !== null;
  }

  /** Starts the first process; resolves with the URL that it serves. Throws its `SetupError`. */
  start(): Promise<string> {
    this.#starting = Promise.withResolvers<string>();
    this.#fork();
    return this.#starting.promise;
  }

  /** Of a worker that serves. */
  async ask<Q extends Question>(question: Q): Promise<Answered<Q>> {
    const { worker } = this.#options;
    const pid = this.#process?.process.pid ?? 0;
    const id = this.#nextId++;
    const answer = await new Promise<Answers[Question] | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), ANSWER_MS[question]);
      this.#asked.set(id, (value) => {
        clearTimeout(timer);
        resolve(value);
      });
      this.#send({ kind: "ask", id, question });
    });
    this.#asked.delete(id);
    return { worker, pid, answer: answer as Answers[Q] | null };
  }

  /** Drains and ends it; a worker that has not ended by then is killed. */
  async drain(withinMs: number): Promise<void> {
    this.#draining = true;
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
    if (this.#process === null) return;
    this.#ended = Promise.withResolvers<void>();
    this.#send({ kind: "drain" });
    const timer = setTimeout(() => {
      this.#options.log.error({ worker: this.#options.worker }, "a worker does not end: it is killed");
      this.kill();
    }, withinMs);
    await this.#ended.promise;
    clearTimeout(timer);
  }

  /** Ends it at once. */
  kill(): void {
    this.#draining = true;
    this.#process?.process.kill("SIGKILL");
  }

  #fork(): void {
    const { worker, config, passOn } = this.#options;
    const forked = cluster.fork();
    this.#process = forked;
    closeUntaken(forked, () => this.#draining);
    forked.on("message", (message: FromWorker) => this.#hear(message, forked));
    forked.once("exit", (code: number | null, signal: NodeJS.Signals | null) => this.#lose(code, signal));
    // A message to a worker that has just died: its end is told all the same.
    forked.on("error", () => undefined);
    onWholeLines(forked.process.stdio[LOG_FD] as Readable, passOn);
    this.#send({ kind: "setup", worker, config: config() });
  }

  #send(message: ToWorker): void {
    if (this.#process?.isConnected() === true) this.#process.send(message);
  }

  #hear(message: FromWorker, { process: { pid } }: Worker): void {
    const { worker, log } = this.#options;
    if (message.kind === "answer") this.#asked.get(message.id)?.(message.value);
    else if (message.kind === "failed") this.#fail(new SetupError(message.message, message.exitCode));
    else {
      this.#servingSinceMs = performance.now();
      log.info({ worker, pid, url: message.url }, "a worker serves");
      this.#starting?.resolve(message.url);
      this.#starting = null;
    }
  }

  /** At the gateway's own start this ends it, and is told by whoever started it; later the place goes on trying. */
  #fail(error: SetupError): void {
    const { worker, log } = this.#options;
    if (this.#starting === null) {
      log.error({ worker, err: error }, "a worker could not start");
      return;
    }
    this.#draining = true;
    this.#starting.reject(error);
    this.#starting = null;
  }

  #lose(code: number | null, signal: NodeJS.Signals | null): void {
    const { worker, log, onLoss } = this.#options;
    const servedMs = this.#servingSinceMs === null ? 0 : performance.now() - this.#servingSinceMs;
    const pid = this.#process?.process.pid;
    this.#process = null;
    this.#servingSinceMs = null;
    for (const answer of this.#asked.values()) answer(null);
    if (this.#starting !== null)
      this.#fail(new SetupError(`worker ${worker} ended at its start (${signal ?? code})`, 1));
    if (this.#draining) this.drainedWell &&= code === 0;
    else {
      const waitMs = this.#backoff.next(servedMs);
      log.error({ worker, pid, code, signal, restart_in_ms: waitMs }, "a worker ended: another takes its place");
      onLoss();
      this.restarts += 1;
      this.#restartTimer = setTimeout(() => this.#fork(), waitMs);
    }
    this.#ended?.resolve();
  }
}
