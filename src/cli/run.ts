// `tollgate run`: starts the gateway, shows how to use it, and obeys signals.
import { loadConfig } from "../config.ts";
import type { Gateway } from "../gateway.ts";
import { displayParts, hashKey, newKeySecret } from "../key-secret.ts";
import { createLogger, type GatewayLog } from "../log.ts";
import type { Command, Io } from "./command.ts";
import { FIRST_KEY_ALIAS, greeting } from "./greeting.ts";
import { parseOptions } from "./options.ts";

/** How often a gateway that npm started looks whether npm is still there, milliseconds. */
const PARENT_LOOK_MS = 250;

const HELP = `Starts the gateway and serves until SIGTERM or SIGINT.

Usage:
  tollgate run [--config FILE] [--json]

Without a config file it listens on 127.0.0.1:4000 (admin: 127.0.0.1:4001), keeps its data in ./tollgate.db, takes the
rules of ./rules, and talks to OpenAI or Anthropic where OPENAI_API_KEY or ANTHROPIC_API_KEY is set, else to a built-in
demo provider. The first start makes a virtual key and shows it once.

Options:
  --config FILE   the config file (default: tollgate.yaml here, else the defaults)
  --json          say where it listens as one line of JSON on stdout

Signals:
  SIGTERM, SIGINT   drain: refuse what is new, let streams finish, settle, exit 0; a second one ends at once
  SIGHUP            read the rule files again

Exit codes: 0 drained, 1 failed (port in use…), 64 usage, 78 bad config or rules.

Examples:
  tollgate run
  OPENAI_API_KEY=sk-… tollgate run --config prod.yaml
`;

export const run: Command = { name: "run", summary: "start the gateway", help: HELP, run: start };

async function start(argv: readonly string[], io: Io): Promise<number> {
  const { values } = parseOptions(argv, { command: "run", options: {} });
  const config = loadConfig({ path: values.config, cwd: io.cwd, env: io.env });
  // The gateway and all it is made of load only when it starts: `tollgate --help` reads this file too.
  const { startGateway } = await import("../gateway.ts");
  const log = createLogger(config.log, { tty: process.stderr.isTTY, color: io.color });
  const gateway = await startGateway(config, { log: log.logger, env: io.env });
  const stopped = untilStopped(gateway, log, io);
  const firstKey = makeFirstKey(gateway);
  const { url, adminUrl, adminKeyMade, catalogue } = gateway;
  if (values.json)
    io.stdout.write(`${JSON.stringify({ url, admin_url: adminUrl, admin_key: adminKeyMade, key: firstKey })}\n`);
  else io.stdout.write(greeting({ url, adminUrl, adminKeyMade, firstKey, config, catalogue, cwd: io.cwd }));
  log.logger.info({ url, admin_url: adminUrl, pid: process.pid }, "listening");
  return stopped;
}

/** A database without a key gets one, so that the first request can be made at once. */
function makeFirstKey({ store, pepper }: Gateway): string | null {
  if (store.accounts.hasKeys()) return null;
  const secret = newKeySecret();
  store.accounts.createKey({ alias: FIRST_KEY_ALIAS, hash: hashKey(secret, pepper), ...displayParts(secret) });
  return secret;
}

/** Obeys signals; resolves with the exit code. */
function untilStopped(gateway: Gateway, { logger, reopen, flush }: GatewayLog, io: Io): Promise<number> {
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
      if (stopping) process.exit(1);
      stopping = true;
      logger.info({ signal }, "draining: no new requests, a second signal ends at once");
      void gateway.close().then(async () => {
        logger.info("stopped");
        await flush();
        resolve(0);
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
