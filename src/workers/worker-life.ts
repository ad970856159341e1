// One worker from its setup to its end: starts the data plane, answers the first process, drains.
import { SetupError } from "../errors.ts";
import { type Gateway, startGateway } from "../gateway.ts";
import { createLogger, type GatewayLog } from "../log.ts";
import { type Answers, type FromWorker, LOG_FD, type Question, type ToWorker } from "./messages.ts";

type Setup = Extract<ToWorker, { kind: "setup" }>;

/** Hears messages in any order; never throws. */
export class WorkerLife {
  #gateway: Gateway | null = null;
  #log: GatewayLog | null = null;
  #drainReason: string | null = null;

  hear(message: ToWorker): void {
    if (message.kind === "setup") void this.#start(message);
    else if (message.kind === "ask") void this.#answer(message.id, message.question);
    else this.drain("the first process");
  }

  /** Takes no more, finishes what is under way, ends the process with exit code 0. Once it has started, if need be. */
  drain(reason: string): void {
    if (this.#drainReason !== null) return;
    this.#drainReason = reason;
    if (this.#gateway !== null) void this.#end(this.#gateway);
  }

  async #start({ worker, config }: Setup): Promise<void> {
    const lines = { ...config.log, format: "json", file: null } as const;
    const log = createLogger(lines, { tty: false, color: false }, { worker, fd: LOG_FD });
    this.#log = log;
    try {
      this.#gateway = await startGateway(config, { log: log.logger, env: process.env, isWorker: true });
      if (this.#drainReason === null) send({ kind: "serving", url: this.#gateway.url });
      else await this.#end(this.#gateway);
    } catch (error) {
      const exitCode = error instanceof SetupError ? error.exitCode : 1;
      if (!(error instanceof SetupError)) log.logger.error({ err: error }, "unexpected error at the start");
      await log.flush();
      send({ kind: "failed", message: (error as Error).message, exitCode }, () => process.exit(exitCode));
    }
  }

  async #answer(id: number, question: Question): Promise<void> {
    if (this.#gateway !== null) send({ kind: "answer", id, value: await answerOf(this.#gateway, question) });
  }

  async #end(gateway: Gateway): Promise<void> {
    this.#log?.logger.info({ signal: this.#drainReason }, "draining");
    await gateway.close();
    this.#log?.logger.info("stopped");
    await this.#log?.flush();
    process.exit(0);
  }
}

function answerOf(gateway: Gateway, question: Question): Answers[Question] | Promise<Answers[Question]> {
  if (question === "reload") return gateway.reloadRules();
  return question === "metrics" ? gateway.metrics() : gateway.status();
}

/** The first process may be gone: then there is nobody to tell. */
function send(message: FromWorker, sent: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, undefined, undefined, sent);
  else sent();
}
