// A whole gateway for a test: real listeners on free ports, a real SQLite file, real rule files.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import type { Test } from "tap";
import { loadConfig } from "../../src/config.ts";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import { displayParts, hashKey, newKeySecret } from "../../src/key-secret.ts";
import type { NewKey } from "../../src/store/store.ts";
import type { Clock } from "../../src/types.ts";
import { newFolder } from "./folder.ts";

/** What a test may choose. */
export interface TestGatewayOptions {
  /** The config's `providers`, as YAML flow or JSON. */
  readonly providers: readonly object[];
  /** Other top-level config keys. */
  readonly config?: object;
  /** Rule files by name. */
  readonly rules?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
}

/** A gateway, a key to use it with, and what it logged. */
export interface TestGateway extends Gateway {
  readonly directory: string;
  /** A key with no team and no budget. */
  readonly key: string;
  /** The log so far, one object a line. */
  readonly logged: Record<string, unknown>[];
  /** Makes another key and tells its secret. */
  makeKey(wish: Pick<NewKey, "alias"> & Partial<NewKey>): string;
  /** Sends a chat completion. */
  chat(body: object, headers?: Record<string, string>): Promise<Response>;
}

/** Allows everything. */
export const ALLOW_ALL = { "all.rules": "version 1\ndefault allow\n" };

/** Starts it; it is closed when the test ends. */
export async function startTestGateway(t: Test, options: TestGatewayOptions): Promise<TestGateway> {
  const directory = newFolder(t);
  mkdirSync(join(directory, "rules"));
  for (const [name, text] of Object.entries(options.rules ?? ALLOW_ALL)) {
    writeFileSync(join(directory, "rules", name), text);
  }
  const config = {
    listen: "127.0.0.1:0",
    admin: { listen: "127.0.0.1:0" },
    database: "sqlite:tollgate.db",
    rules: "./rules",
    providers: options.providers,
    ...options.config,
  };
  // JSON is YAML.
  writeFileSync(join(directory, "tollgate.yaml"), JSON.stringify(config));
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const clock = options.clock === undefined ? {} : { clock: options.clock };
  const gateway = await startGateway(loadConfig({ cwd: directory, env: {} }), { log, env: {}, ...clock });
  t.teardown(() => gateway.close());
  const makeKey = (wish: Pick<NewKey, "alias"> & Partial<NewKey>): string => {
    const secret = newKeySecret();
    gateway.store.accounts.createKey({ hash: hashKey(secret, gateway.pepper), ...displayParts(secret), ...wish });
    return secret;
  };
  const key = makeKey({ alias: "tester" });
  const chat = (body: object, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  return { ...gateway, directory, key, logged, makeKey, chat };
}
