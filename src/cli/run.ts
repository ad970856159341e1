// `tollgate run`: starts the gateway, shows how to use it, and obeys signals.

import { WORKERS_MAX } from "../config/schema.ts";
import { type Config, loadConfig } from "../config.ts";
import type { Gateway } from "../gateway.ts";
import { displayParts, hashKey, newKeySecret } from "../key-secret.ts";
import { createLogger, type GatewayLog } from "../log.ts";
import type { WorkerPool } from "../workers/pool.ts";
import type { Command, Io } from "./command.ts";
import { FIRST_KEY_ALIAS, greeting } from "./greeting.ts";
import { parseOptions, usage } from "./options.ts";

/** How often a gateway that npm started looks whether npm is still there, milliseconds. */
const PARENT_LOOK_MS = 250;

const HELP = `Starts the gateway and serves until SIGTERM or SIGINT.

Usage:
  tollgate run [--config FILE] [--workers N] [--json]

Without a config file it listens on 127.0.0.1:4000 (admin: 127.0.0.1:4001), keeps its data in ./tollgate.db, takes the
rules of ./rules, and talks to OpenAI or Anthropic where OPENAI_API_KEY or ANTHROPIC_API_KEY is set, else to a built-in
demo provider. The first start makes a virtual key and shows it once.

Options:
  --config FILE   the config file (default: tollgate.yaml here, else the defaults)
  --workers N     processes that serve, on one port and one database (default: \`workers\` in the config, else 1)
  --json          say where it listens as one line of JSON on stdout

Signals:
  SIGTERM, SIGINT   drain: refuse what is new, let streams finish, settle, exit 0; a second one ends at once
  SIGHUP            read the rule files again, open the log file anew

With several workers, tell the first process: it tells them. A worker that gets SIGTERM drains and is replaced.

Exit codes: 0 drained, 1 failed (port in use, a worker that did not drain…), 64 usage, 78 bad config or rules.

Examples:
  tollgate run
  OPENAI_API_KEY=sk-… tollgate run --config prod.yaml
  tollgate run --workers 4
`;

export const run: Command = { name: "run", summary: "start the gateway", help: HELP, run: start };

async function start(argv: readonly string[], io: Io): Promise<number> {
  const { values } = parseOptions(argv, { command: "run", options: { workers: { type: "string" } } });
  const config = loadConfig({ path: values.config, cwd: io.cwd, env: io.env });
  const count = workersWanted(values.workers, config);
  // The gateway and all it is made of load only when it starts: `tollgate --help` reads this file too.
  const { startGateway } = await import("../gateway.ts");
  const log = createLogger(config.log, { tty: process.stderr.isTTY, color: io.color });
  const workers = count === 1 ? null : await poolOf(count, config, log);
  const gateway = await startGateway(config, {
    log: log.logger,
    env: io.env,
    ...(workers === null ? {} : { workers }),
  });
  // A dead worker's leases are charged at once: else at the next heartbeat of any process.
  if (workers !== null) workers.onLoss = () => gateway.store.ledger.heartbeat();
  const stopped = untilStopped(gateway, { log, workers, io });
  const firstKey = makeFirstKey(gateway);
  const { url, adminUrl, adminKeyMade, catalogue } = gateway;
  if (values.json)
    io.stdout.write(`${JSON.stringify({ url, admin_url: adminUrl, admin_key: adminKeyMade, key: firstKey })}\n`);
  else io.stdout.write(greeting({ url, adminUrl, adminKeyMade, firstKey, config, catalogue, cwd: io.cwd }));
  log.logger.info({ url, admin_url: adminUrl, pid: process.pid }, "listening");
  return stopped;
}

/** How many processes are to serve: the option, else the config. */
function workersWanted(option: string | undefined, { workers }: Config): number {
  if (option === undefined) return workers;
  const count = /^\d+$/.test(option) ? Number(option) : 0;
  if (count >= 1 && count <= WORKERS_MAX) return count;
  throw usage("run", `--workers takes a number from 1 to ${WORKERS_MAX}, not \`${option}\``);
}

async function poolOf(count: number, config: Config, { logger, passOn }: GatewayLog): Promise<WorkerPool> {
  const { WorkerPool } = await import("../workers/pool.ts");
  return new WorkerPool({ count, config, log: logger, passOn });
}

/** A database without a key gets one, so that the first request can be made at once. */
function makeFirstKey({ store, pepper }: Gateway): string | null {
  if (store.accounts.hasKeys()) return null;
  const secret = newKeySecret();
  store.accounts.createKey({ alias: FIRST_KEY_ALIAS, hash: hashKey(secret, pepper), ...displayParts(secret) });
  return secret;
}

interface Surroundings {
  readonly log: GatewayLog;
  readonly workers: WorkerPool | null;
  readonly io: Io;
}

/** Obeys signals; resolves with the exit code. */
function untilStopped(gateway: Gateway, { log, workers, io }: Surroundings): Promise<number> {
  const { logger, reopen, flush } = log;
  process.on("SIGHUP", () => {
    reopen();
    void gateway.reloadRules().then((load) => {
      const { ok, changed, generation, report } = load;
      if (ok) logger.info({ changed, generation }, "rules read again");
      else logger.error({ generation, report }, "the rules are broken: the set before stays in force");
    });
  });
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (signal: string): void => {
      if (stopping) {
        workers?.kill();
        process.exit(1);
      }
      stopping = true;
      logger.info({ signal }, "draining: no new requests, a second signal ends at once");
      void gateway.close().then(async () => {
        logger.info("stopped");
        await flush();
        resolve(workers === null || workers.drainedWell ? 0 : 1);
      });
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    // npm's shell passes SIGTERM on to nobody: it dies, and what it ran is left behind with the port.
    if (io.env.npm_lifecycle_event !== undefined) whenOrphaned(() => stop("the end of npm"));
  });
}

/** Calls back once the process that started this one has ended. */
function whenOrphaned(callBack: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    callBack();
  }, PARENT_LOOK_MS).unref();
}
