// The gateway's own log: pino, batched, to stderr or a file. stdout is for data.
import pino from "pino";
import type { LogConfig } from "./config/model.ts";
import { SetupError } from "./errors.ts";
import { prettyLine } from "./log-pretty.ts";
import { LogSink } from "./log-sink.ts";

/** Characters: about a hundred access lines. */
const BATCH_LENGTH = 64 * 1024;
const FLUSH_MS = 500;
/** Characters. */
const WAITING_MAX = 16 * 1024 * 1024;
/** Causes of causes that are told. */
const CAUSES_MAX = 5;

/** What is known of the terminal. */
export interface LogTerminal {
  /** stderr is a terminal. */
  readonly tty: boolean;
  readonly color: boolean;
}

/** The log of a worker: the first process writes its lines. */
export interface WorkerLog {
  /** Its number: each line has it as `worker`. */
  readonly worker: number;
  /** Where it writes its lines to. */
  readonly fd: number;
}

/** The log and what keeps it going. */
export interface GatewayLog {
  readonly logger: pino.Logger;
  /** Takes whole lines of JSON that a worker has logged. */
  passOn(lines: Buffer): void;
  /** Opens the file anew, after a log rotation moved it; nothing on stderr. Where it cannot, the old one goes on. */
  reopen(): void;
  /** Resolves once all that was logged is written. The log stays usable. */
  flush(): Promise<void>;
  /** Flushes and lets go of the file: the last thing that is done with a log. */
  close(): Promise<void>;
}

/**
 * Makes the log. Lines are written in batches, at the latest after half a second, when the process ends (by
 * `process.exit` and by a crash too) and after each `fatal` line.
 * @throws SetupError when the file cannot be written
 */
export function createLogger(config: LogConfig, terminal: LogTerminal, worker: WorkerLog | null = null): GatewayLog {
  const pretty = config.format === "pretty" || (config.format === "auto" && config.file === null && terminal.tty);
  const sink = openSink(worker?.fd ?? config.file);
  const onTerminal = config.file === null && terminal.tty;
  const pretties = {
    write: (line: string) => {
      sink.write(prettyLine(line, onTerminal && terminal.color));
      // People wait for it, and there are few lines that they can read.
      if (onTerminal) sink.flushSync();
    },
    flushSync: () => sink.flushSync(),
  };
  const base = worker === null ? null : { worker: worker.worker };
  const logger = pino({ ...pinoOptions(config.level), base }, pretty ? pretties : sink);
  return {
    logger,
    passOn: (lines) => {
      if (!pretty) sink.writeLines(lines);
      else for (const line of lines.toString().split("\n").slice(0, -1)) pretties.write(`${line}\n`);
    },
    reopen: () => reopen(sink, logger),
    flush: () => sink.flush(),
    close: () => sink.close(),
  };
}

function reopen(sink: LogSink, logger: pino.Logger): void {
  try {
    sink.reopen();
  } catch (error) {
    logger.error({ err: error }, "the log file cannot be opened anew: the old one goes on");
  }
}

function openSink(file: string | number | null): LogSink {
  try {
    return new LogSink({ file, batchLength: BATCH_LENGTH, flushMs: FLUSH_MS, waitingMax: WAITING_MAX });
  } catch (error) {
    throw new SetupError(`the log file ${file} cannot be written: ${(error as Error).message}`, 78, error);
  }
}

function pinoOptions(level: LogConfig["level"]): pino.LoggerOptions {
  const never = (): undefined => undefined;
  return {
    level,
    timestamp: isoTime(),
    formatters: { level: (label) => ({ level: label }) },
    // Requests and headers hold credentials: logged by mistake, they leave no trace.
    serializers: { err: errorFields, error: errorFields, headers: never, req: never, res: never, request: never },
  };
}

/** pino's ISO time, made once for all lines of one millisecond. */
function isoTime(): () => string {
  let madeMs = Number.NaN;
  let text = "";
  return () => {
    const nowMs = Date.now();
    if (nowMs !== madeMs) {
      madeMs = nowMs;
      text = `,"time":"${new Date(nowMs).toISOString()}"`;
    }
    return text;
  };
}

/** What is told of an error: never its own extra properties, which may hold what must not be logged. */
function errorFields(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  return {
    type: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    stack: error.stack,
    ...(error.cause === undefined || depth >= CAUSES_MAX ? {} : { cause: errorFields(error.cause, depth + 1) }),
  };
}
