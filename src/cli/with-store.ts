// Opens the database for a command, beside a running gateway too, and closes it whatever happens.
import { systemClock } from "../clock.ts";
import type { Config } from "../config/model.ts";
import { loadConfig } from "../config.ts";
import { SetupError } from "../errors.ts";
import { databaseExists, openStore } from "../store/open.ts";
import { type RequestStore, type Store, StoreError, type StoreEvent } from "../store/store.ts";
import type { Io } from "./command.ts";
import { amountText } from "./values.ts";

/**
 * Runs `work` on the config's database.
 * @throws SetupError 78 when the config or the database cannot be opened, 1 when the store refuses
 */
export async function withStore<T>(
  io: Io,
  configPath: string | undefined,
  work: (store: Store, config: Config) => T | Promise<T>,
): Promise<T> {
  const config = loadConfig({ path: configPath, cwd: io.cwd, env: io.env });
  const store = openStore(config, { clock: systemClock, onEvent: (event) => tell(event, io) });
  try {
    return await work(store, config);
  } catch (error) {
    throw error instanceof StoreError ? new SetupError(lowerFirst(error.message), 1, error) : error;
  } finally {
    await store.close();
  }
}

/**
 * Runs `work` on the config's request table; on null where there is no database yet, for reading must not make one.
 * @throws SetupError as `withStore`
 */
export async function withRequests<T>(
  io: Io,
  configPath: string | undefined,
  work: (requests: RequestStore | null) => T,
): Promise<T> {
  const config = loadConfig({ path: configPath, cwd: io.cwd, env: io.env });
  return databaseExists(config) ? withStore(io, configPath, ({ requests }) => work(requests)) : work(null);
}

/** Whoever opens the database first after a crash charges what the dead process held, and is the only one to know. */
function tell(event: StoreEvent, io: Io): void {
  if (event.kind !== "recovered") return;
  const sums = event.charged.map((charge) => `${amountText(charge)} to ${charge.quota}`).join(", ");
  io.stderr.write(`a gateway (pid ${event.pid}) died: ${sums || "nothing"} is charged as unaccounted\n`);
}

function lowerFirst(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}
