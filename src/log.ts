// The gateway's own log: pino, batched, to stderr or a file. stdout is for data.
import { closeSync, openSync } from "node:fs";
import pino from "pino";
import type { LogConfig } from "./config/model.ts";
import { SetupError } from "./errors.ts";
import { prettyLine } from "./log-pretty.ts";

/** Lines are written once this many bytes are waiting… */
const BATCH_BYTES = 4_096;
/** …or this much time has passed, milliseconds. */
const FLUSH_MS = 500;
/** A sink that takes nothing (a full disk, a stopped pipe) may hold this much; what comes after is dropped. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;
/** Causes of causes that are told. */
const CAUSES_MAX = 5;

/** What is known of the terminal. */
export interface LogTerminal {
  /** stderr is a terminal. */
  readonly tty: boolean;
  readonly color: boolean;
}

/** The log and what keeps it going. */
export interface GatewayLog {
  readonly logger: pino.Logger;
  /** Opens the file anew, after a log rotation moved it; nothing on stderr. */
  reopen(): void;
  /** Resolves once all that was logged is written. The log stays usable. */
  flush(): Promise<void>;
}

/**
 * Makes the log. It is also flushed when the process ends, by `process.exit` too, and at each `fatal` line.
 * @throws SetupError when the file cannot be written
 */
export function createLogger(config: LogConfig, terminal: LogTerminal): GatewayLog {
  const pretty = config.format === "pretty" || (config.format === "auto" && config.file === null && terminal.tty);
  const sink = pino.destination({
    dest: config.file === null ? 2 : checkWritable(config.file),
    sync: false,
    minLength: pretty ? 1 : BATCH_BYTES,
    maxLength: WAITING_BYTES_MAX,
    periodicFlush: FLUSH_MS,
  });
  const color = pretty && config.file === null && terminal.color;
  const stream = pretty ? { write: (line: string) => sink.write(prettyLine(line, color)) } : sink;
  return {
    logger: pino(pinoOptions(config.level), stream),
    reopen: () => (config.file === null ? undefined : sink.reopen()),
    flush: () => new Promise((resolve) => sink.flush(() => resolve())),
  };
}

/** A logger that writes nowhere, for commands and tests that need one. */
export function silentLogger(): pino.Logger {
  return pino({ level: "silent" });
}

function pinoOptions(level: LogConfig["level"]): pino.LoggerOptions {
  const never = (): undefined => undefined;
  return {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    // Requests and headers hold credentials: logged by mistake, they leave no trace.
    serializers: { err: errorFields, error: errorFields, headers: never, req: never, res: never, request: never },
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

function checkWritable(file: string): string {
  try {
    closeSync(openSync(file, "a", 0o640));
    return file;
  } catch (error) {
    throw new SetupError(`the log file ${file} cannot be written: ${(error as Error).message}`, 78, error);
  }
}
