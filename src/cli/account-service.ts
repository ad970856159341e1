// The accounts, for a command on the config's database: it acts as the master, and is called `local` in the audit log.

import type { Actor } from "../accounts/caller.ts";
import { Keys } from "../accounts/keys.ts";
import { Accounts } from "../accounts/service.ts";
import { systemClock } from "../clock.ts";
import type { Config } from "../config/model.ts";
import { loadPepper } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import type { Io } from "./command.ts";
import { withStore } from "./with-store.ts";

/** Whoever can open the database may do everything. */
export const LOCAL = { kind: "master", name: "local" } as const satisfies Actor;

/** Runs `work` on the accounts. @throws AccountError for what is refused, SetupError as `withStore` */
export async function withAccounts<T>(
  io: Io,
  configPath: string | undefined,
  work: (accounts: Accounts, store: Store, config: Config) => Promise<T>,
): Promise<T> {
  // Rules are checked by the command that reads them: see kept-rules.ts.
  return withStore(io, configPath, (store, config) =>
    work(new Accounts({ directory: store.directory, checkRules: () => undefined }), store, config),
  );
}

/** The operations that make secrets. */
export function keysOf(accounts: Accounts, store: Store, config: Config, io: Io): Keys {
  return new Keys({ accounts, pepper: loadPepper(config, io.env, store.accounts), nowMs: () => systemClock.nowMs() });
}
